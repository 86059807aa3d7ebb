use std::{collections::HashMap, net::IpAddr, rc::Rc};

use crate::model::{
    AddressPair, Expectation, Expectations, Link, Mechanism, Namespaced, Observation, PodIndex, PodState, Prefix, Route, Unavailable, Workload,
};

use super::{Thresholds, registry::Registry, side::Side};

/// A connection that was promised, found again among the pods.
#[derive(Debug, Clone)]
pub struct Connection<'a> {
    /// The promise.
    pub expectation: &'a Expectation,
    /// Everything that was seen.
    pub observation: &'a Observation,
    /// How much of it is good enough.
    pub thresholds: Thresholds,
    /// What has registered with NSM.
    pub(super) registry: Rc<Registry<'a>>,
    /// What findings call it: the client's pod and the interface.
    pub subject: String,
    /// Whether the namespace belongs to a name, because there are workloads of several.
    pub(super) qualified: bool,
    /// Why the pods could not be seen, where they could not.
    pub hidden: Option<Unavailable>,
    /// The client; `None` where no such pod exists or the pods could not be seen.
    pub client: Option<Rc<Side<'a>>>,
    /// The client's interface, where it was seen.
    pub link: Option<Link>,
    /// The addresses: those that are certain, else those that were seen on the client.
    pub pairs: Vec<AddressPair>,
    /// Whether the client is to have a pod: it may be scaled to none.
    pub(super) expects_pod: bool,
    /// Whether there is a pod that may offer the service.
    pub(super) offered: bool,
    /// The pod that has the endpoint's address; where none has it, the endpoint's first pod.
    pub endpoint: Option<Rc<Side<'a>>>,
}

impl Connection<'_> {
    /// Whether its addresses are not known because something is not as it should be, of which other checks tell.
    pub(super) fn is_amiss(&self) -> bool {
        match (&self.client, &self.link) {
            (None, _) => self.expects_pod,
            (Some(_), None) => self.expectation.url.mechanism == Mechanism::Kernel,
            (Some(_), Some(link)) => own_addresses(link, self.expectation).next().is_none() || !self.stranded().is_empty(),
        }
    }

    /// Those of the client's addresses from which no route over the interface leads to anybody who may be the peer, each with why that
    /// could not be seen, where it could not. A route to more than the one address says that there is a way, but not to whom.
    pub(super) fn stranded(&self) -> Vec<(IpAddr, Option<&Unavailable>)> {
        let (Some(side), Some(link), None) = (&self.client, &self.link, &self.expectation.addresses) else { return Vec::new() };
        let unpaired = own_addresses(link, self.expectation).filter(|address| !self.pairs.iter().any(|pair| pair.client == *address));
        let judged = unpaired.filter_map(|address| match side.routes_to(address) {
            Err(unavailable) => Some((address, Some(unavailable))),
            Ok(routes) => {
                let group = group_of(self.expectation, address);
                let may_lead = |to: &Prefix| match group {
                    // IPv6 has a route to each address of the machine's own.
                    Some(group) => group.iter().any(|prefix| prefix.overlaps(to)) && host(to).is_none_or(|to| !link.has(to)),
                    None => to.address(0).is_some_and(|first| first.is_ipv4() == address.is_ipv4() && !is_local(first)),
                };
                // Of a route with several next hops the interfaces are not known, and of a default without one the family.
                let device = |route: &Route| route.device.as_ref().map_or(route.refuses.is_none(), |device| *device == link.name);
                let is_over_it = |route: &Route| device(route) && (route.destination.length() == 0 || may_lead(&route.destination));
                (!routes.iter().any(is_over_it)).then_some((address, None))
            }
        });
        judged.collect()
    }

    /// What findings call something in a namespace.
    pub(super) fn call(&self, id: &Namespaced) -> String {
        name_of(id, self.qualified)
    }
}

/// Whether names alone are not enough, because there are workloads of several namespaces.
pub(super) fn is_qualified(expectations: &Expectations) -> bool {
    let mut namespaces = expectations.workloads.iter().map(|workload| &workload.id.namespace);
    namespaces.next().is_some_and(|first| namespaces.any(|other| other != first))
}

pub(super) fn name_of(id: &Namespaced, qualified: bool) -> String {
    if qualified { id.to_string() } else { id.name.clone() }
}

/// The pods that are there to stay. One that is being deleted proves nothing: an endpoint goes on answering pings for seconds
/// after its end.
pub(super) fn lasting(pods: &[PodState]) -> impl Iterator<Item = &PodState> {
    pods.iter().filter(|pod| !pod.deleting)
}

/// Finds every promised connection among the pods: one for each pod of the client and each of its requests, and one
/// without a pod where the client has none.
#[must_use]
pub fn connections<'a>(expectations: &'a Expectations, observation: &'a Observation, thresholds: Thresholds) -> Vec<Connection<'a>> {
    let probes: HashMap<&Namespaced, _> = observation.probes.iter().map(|probes| (&probes.pod, probes)).collect();
    let pods = lasting(observation.pods());
    let finder = Finder {
        observation,
        thresholds,
        qualified: is_qualified(expectations),
        hidden: observation.inventory.pods.as_ref().err().cloned(),
        pods: PodIndex::new(lasting(observation.pods())),
        registry: Rc::new(Registry::new(observation.inventory.endpoints.as_deref().unwrap_or_default())),
        sides: pods.map(|pod| (&pod.id, Rc::new(Side::new(pod, probes.get(&pod.id).copied())))).collect(),
        workloads: expectations.workloads.iter().map(|workload| (&workload.id, workload)).collect(),
    };
    let mut ends: HashMap<&[Namespaced], Rc<Ends<'a>>> = HashMap::new();
    let mut connections = Vec::new();
    for expectation in &expectations.connections {
        let Some(workload) = finder.workloads.get(&expectation.client) else { continue };
        let ends = ends.entry(&expectation.candidates).or_insert_with(|| Rc::new(finder.ends(&expectation.candidates)));
        let pods = finder.sides_of(workload);
        if pods.is_empty() {
            connections.push(finder.connect(expectation, None, ends));
        }
        connections.extend(pods.into_iter().map(|side| finder.connect(expectation, Some(side), ends)));
    }
    connections
}

/// The pods that may be a connection's other end, and which of them have an address.
struct Ends<'a> {
    sides: Vec<Rc<Side<'a>>>,
    by_address: HashMap<IpAddr, Vec<usize>>,
}

struct Finder<'a> {
    observation: &'a Observation,
    thresholds: Thresholds,
    qualified: bool,
    hidden: Option<Unavailable>,
    pods: PodIndex<'a>,
    registry: Rc<Registry<'a>>,
    /// Each pod's words, read once.
    sides: HashMap<&'a Namespaced, Rc<Side<'a>>>,
    workloads: HashMap<&'a Namespaced, &'a Workload>,
}

impl<'a> Finder<'a> {
    fn sides_of(&self, workload: &Workload) -> Vec<Rc<Side<'a>>> {
        self.pods.of(workload).into_iter().filter_map(|pod| self.sides.get(&pod.id).cloned()).collect()
    }

    fn ends(&self, candidates: &[Namespaced]) -> Ends<'a> {
        let workloads = candidates.iter().filter_map(|id| self.workloads.get(id));
        let sides: Vec<_> = workloads.flat_map(|workload| self.sides_of(workload)).collect();
        let mut by_address: HashMap<IpAddr, Vec<usize>> = HashMap::new();
        for (at, side) in sides.iter().enumerate() {
            for address in side.links.iter().flatten().flat_map(|link| &link.addresses) {
                by_address.entry(address.address).or_default().push(at);
            }
        }
        Ends { sides, by_address }
    }

    fn connect(&self, expectation: &'a Expectation, client: Option<Rc<Side<'a>>>, ends: &Ends<'a>) -> Connection<'a> {
        let name = client.as_ref().map_or(&expectation.client, |side| &side.pod.id);
        let called = name_of(name, self.qualified);
        let subject = match expectation.interface() {
            Some(interface) => format!("{called} {interface}"),
            None => format!("{called} {}", expectation.url.service),
        };
        let link = client.as_ref().and_then(|side| find_link(side, expectation)).cloned();
        let pairs = match &expectation.addresses {
            Some(pairs) => pairs.clone(),
            None => client.as_ref().zip(link.as_ref()).map(|(side, link)| seen_pairs(side, link, expectation)).unwrap_or_default(),
        };
        let has_it: Vec<usize> = pairs.iter().filter_map(|pair| ends.by_address.get(&pair.endpoint)).flatten().copied().collect();
        // Two deployments may use the same addresses; the client's own namespace is the likelier one.
        let near = has_it.iter().find(|at| ends.sides[**at].pod.id.namespace == name.namespace).or(has_it.first());
        let endpoint = ends.sides.get(near.copied().unwrap_or(0)).filter(|_| near.is_some() || expectation.endpoint.is_some()).cloned();
        let (observation, thresholds, qualified, hidden) = (self.observation, self.thresholds, self.qualified, self.hidden.clone());
        let registry = self.registry.clone();
        let offered = !ends.sides.is_empty();
        let expects_pod = self.workloads.get(&expectation.client).is_none_or(|workload| workload.replicas != Some(0));
        Connection { offered, expects_pod, expectation, observation, thresholds, registry, subject, qualified, hidden, client, link, pairs, endpoint }
    }
}

/// The interface by its promised name, else by an address out of the service's prefixes; where those are not known, by the
/// name that NSM makes up: ten characters of the service's name, a dash and four more.
fn find_link<'a>(side: &'a Side<'_>, expectation: &Expectation) -> Option<&'a Link> {
    let links = side.links.as_ref().ok()?;
    match expectation.interface() {
        Some(name) => links.iter().find(|link| link.name == name.as_str()),
        None if expectation.prefixes.groups().is_empty() => {
            let service: String = expectation.url.service.chars().take(10).collect();
            links.iter().find(|link| link.name.strip_prefix(&service).is_some_and(|rest| rest.starts_with('-')))
        }
        None => links.iter().find(|link| link.addresses.iter().any(|a| expectation.prefixes.prefixes().any(|prefix| prefix.contains(a.address)))),
    }
}

/// The addresses as the client has them: its own on the interface, the peer's from the route to exactly one address.
fn seen_pairs(side: &Side<'_>, link: &Link, expectation: &Expectation) -> Vec<AddressPair> {
    let routes = side.routes.iter().chain(&side.routes_v6).flatten();
    let peers: Vec<IpAddr> = routes
        .filter(|route| route.device.as_deref() == Some(&link.name))
        .filter_map(|route| host(&route.destination))
        .filter(|peer| !link.has(*peer))
        .collect();
    own_addresses(link, expectation)
        .filter_map(|client| {
            let fits = |peer: &IpAddr| match group_of(expectation, client) {
                Some(group) => group.iter().any(|prefix| prefix.contains(*peer)),
                None => peer.is_ipv4() == client.is_ipv4(),
            };
            peers.iter().copied().find(fits).map(|endpoint| AddressPair { client, endpoint })
        })
        .collect()
}

/// The addresses of an interface but for those that the kernel gives to every one.
fn own_addresses(link: &Link, expectation: &Expectation) -> impl Iterator<Item = IpAddr> {
    link.addresses.iter().map(|a| a.address).filter(|address| !is_of_the_kernel(*address, expectation))
}

/// The prefixes that an address was taken out of, and its peer's with it.
fn group_of(expectation: &Expectation, address: IpAddr) -> Option<&[Prefix]> {
    let mut groups = expectation.prefixes.groups().iter().map(AsRef::as_ref);
    groups.find(|group: &&[Prefix]| group.iter().any(|prefix| prefix.contains(address)))
}

/// Whether an address is of those that the kernel has routes to over every interface.
fn is_local(address: IpAddr) -> bool {
    address.is_multicast() || is_link_local(address)
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

pub(super) fn host(prefix: &Prefix) -> Option<IpAddr> {
    let address = prefix.address(0)?;
    (prefix.length() == if address.is_ipv4() { 32 } else { 128 }).then_some(address)
}

/// Whether an address is one that the kernel gives to every interface, and nobody has promised it.
pub(super) fn is_of_the_kernel(address: IpAddr, expectation: &Expectation) -> bool {
    // A prefix that only happens to be wide enough promises none of them.
    let promises = |prefix: Prefix| prefix.contains(address) && prefix.address(0).is_some_and(is_link_local);
    let is_promised = expectation.addresses.iter().flatten().any(|pair| pair.client == address) || expectation.prefixes.prefixes().any(promises);
    is_link_local(address) && !is_promised
}
