use std::net::IpAddr;

use crate::model::{
    AddressPair, Expectation, Expectations, Link, Mechanism, Observation, PingOptions, PodProbes, PodState, Prefix, ProbeRequest, Route, Unavailable,
    UnavailableKind, Workload,
};

use super::parse;

/// One end of a connection: a pod, and what it said.
#[derive(Debug, Clone)]
pub struct Side<'a> {
    /// The pod.
    pub pod: &'a PodState,
    /// What was asked inside it, word for word.
    pub probes: Option<&'a PodProbes>,
    /// Its interfaces.
    pub links: Result<Vec<Link>, Unavailable>,
    /// Its IPv4 routes.
    pub routes: Result<Vec<Route>, Unavailable>,
    /// Its IPv6 routes; none where its kernel knows no IPv6.
    pub routes_v6: Result<Vec<Route>, Unavailable>,
}

/// A connection that was promised, found again among the pods.
#[derive(Debug, Clone)]
pub struct Connection<'a> {
    /// The promise.
    pub expectation: &'a Expectation,
    /// What findings call it: the client's pod and the interface.
    pub subject: String,
    /// Why the pods could not be seen, where they could not.
    pub hidden: Option<Unavailable>,
    /// The client; `None` where no such pod exists or the pods could not be seen.
    pub client: Option<Side<'a>>,
    /// The client's interface, where it was seen.
    pub link: Option<Link>,
    /// The addresses: those that are certain, else those that were seen on the client.
    pub pairs: Vec<AddressPair>,
    /// The pod that has the endpoint's address; where none has it, the endpoint's first pod.
    pub endpoint: Option<Side<'a>>,
}

impl<'a> Side<'a> {
    fn new(pod: &'a PodState, observation: &'a Observation) -> Self {
        let probes = observation.probes_of(&pod.id);
        let not_asked = || Unavailable { kind: UnavailableKind::NotAsked, reason: format!("pod {} was not asked: it is {}", pod.id, pod.status()) };
        let Some(probes) = probes else {
            return Self { pod, probes, links: Err(not_asked()), routes: Err(not_asked()), routes_v6: Err(not_asked()) };
        };
        let routes_v6 = match parse::value(&probes.routes_v6, true, parse::routes) {
            // A kernel without IPv6 has no IPv6 routes; what is asked of them is then missing, not unknown.
            Err(_) if parse::is_refusal(&probes.routes_v6) => Ok(Vec::new()),
            routes => routes,
        };
        let links = parse::value(&probes.links, true, parse::links);
        Self { pod, probes: Some(probes), links, routes: parse::value(&probes.routes, true, parse::routes), routes_v6 }
    }

    /// Its routes of the address's family.
    ///
    /// # Errors
    /// Why they could not be seen.
    pub fn routes_to(&self, address: IpAddr) -> Result<&[Route], &Unavailable> {
        if address.is_ipv4() { &self.routes } else { &self.routes_v6 }.as_deref()
    }

    /// The interface that has the address.
    #[must_use]
    pub fn link_with(&self, address: IpAddr) -> Option<&Link> {
        self.links.as_ref().ok()?.iter().find(|link| link.has(address))
    }
}

/// Finds every promised connection among the pods: one for each pod of the client and each of its requests, and one
/// without a pod where the client has none.
#[must_use]
pub fn connections<'a>(expectations: &'a Expectations, observation: &'a Observation) -> Vec<Connection<'a>> {
    let mut connections = Vec::new();
    for expectation in &expectations.connections {
        let Some(workload) = expectations.workload(&expectation.client) else { continue };
        let pods: Vec<_> = pods_of(workload, observation).collect();
        if pods.is_empty() {
            connections.push(connect(expectations, observation, expectation, None));
        }
        connections.extend(pods.into_iter().map(|pod| connect(expectations, observation, expectation, Some(pod))));
    }
    connections
}

/// The pods of a workload that are there to stay. One that is being deleted proves nothing: an endpoint goes on answering
/// pings for seconds after its end.
pub(super) fn pods_of<'a>(workload: &Workload, observation: &'a Observation) -> impl Iterator<Item = &'a PodState> {
    let workload = workload.clone();
    observation.pods().iter().filter(move |pod| !pod.deleting && workload.owns(pod))
}

fn connect<'a>(expectations: &Expectations, observation: &'a Observation, expectation: &'a Expectation, pod: Option<&'a PodState>) -> Connection<'a> {
    let client = pod.map(|pod| Side::new(pod, observation));
    let name = pod.map_or(&expectation.client, |pod| &pod.id);
    let subject = match expectation.interface() {
        Some(interface) => format!("{} {interface}", name.name),
        None => format!("{} {}", name.name, expectation.url.service),
    };
    let link = client.as_ref().and_then(|side| find_link(side, expectation)).cloned();
    let pairs = match &expectation.addresses {
        Some(pairs) => pairs.clone(),
        None => client.as_ref().zip(link.as_ref()).map(|(side, link)| seen_pairs(side, link, expectation)).unwrap_or_default(),
    };
    let workload = expectation.endpoint.as_ref().and_then(|id| expectations.workload(id));
    let mut sides: Vec<Side<'a>> = workload.into_iter().flat_map(|w| pods_of(w, observation)).map(|pod| Side::new(pod, observation)).collect();
    let at = sides.iter().position(|side| pairs.iter().any(|pair| side.link_with(pair.endpoint).is_some())).unwrap_or(0);
    let endpoint = (at < sides.len()).then(|| sides.swap_remove(at));
    let hidden = observation.inventory.pods.as_ref().err().cloned();
    Connection { hidden, expectation, subject, client, link, pairs, endpoint }
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
    let groups = expectation.prefixes.groups();
    let own = link.addresses.iter().map(|a| a.address).filter(|address| !is_of_the_kernel(*address, expectation));
    own.filter_map(|client| {
        let group = groups.iter().find(|group| group.iter().any(|prefix| prefix.contains(client)));
        let fits = |peer: &IpAddr| match group {
            Some(group) => group.iter().any(|prefix| prefix.contains(*peer)),
            None => peer.is_ipv4() == client.is_ipv4(),
        };
        peers.iter().copied().find(fits).map(|endpoint| AddressPair { client, endpoint })
    })
    .collect()
}

pub(super) fn host(prefix: &Prefix) -> Option<IpAddr> {
    let address = prefix.address(0)?;
    (prefix.length() == if address.is_ipv4() { 32 } else { 128 }).then_some(address)
}

/// Whether an address is one that the kernel gives to every interface, and nobody has promised it.
pub(super) fn is_of_the_kernel(address: IpAddr, expectation: &Expectation) -> bool {
    let is_link_local = |address: IpAddr| matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    // A prefix that only happens to be wide enough promises none of them.
    let promises = |prefix: Prefix| prefix.contains(address) && prefix.address(0).is_some_and(is_link_local);
    let is_promised = expectation.addresses.iter().flatten().any(|pair| pair.client == address) || expectation.prefixes.prefixes().any(promises);
    is_link_local(address) && !is_promised
}

/// What to ask inside the pods, in one round: interfaces and routes of every pod that takes part, and pings to the
/// addresses that are certain.
#[must_use]
pub fn probe_requests(expectations: &Expectations, pods: &[PodState], ping: PingOptions) -> Vec<ProbeRequest> {
    let mut requests = Vec::new();
    for workload in &expectations.workloads {
        if !workload.is_client() && workload.endpoint.is_none() {
            continue;
        }
        let mut pings = Vec::new();
        for connection in expectations.connections.iter().filter(|c| c.url.mechanism == Mechanism::Kernel) {
            for pair in connection.addresses.iter().flatten() {
                if connection.client == workload.id {
                    pings.push(pair.endpoint);
                }
                if connection.endpoint.as_ref() == Some(&workload.id) {
                    pings.push(pair.client);
                }
            }
        }
        for pod in pods.iter().filter(|pod| !pod.deleting && workload.owns(pod)) {
            let runs = pod.containers.iter().any(|container| container.name == workload.container && container.running);
            if runs {
                requests.push(ProbeRequest { pod: pod.id.clone(), container: workload.container.clone(), network: true, pings: pings.clone(), ping });
            }
        }
    }
    requests
}

/// The second round: pings between addresses that only the first round could tell.
#[must_use]
pub fn follow_up_requests(expectations: &Expectations, observation: &Observation, ping: PingOptions) -> Vec<ProbeRequest> {
    let mut requests: Vec<ProbeRequest> = Vec::new();
    let mut ask = |side: &Side<'_>, destination: IpAddr| {
        let Some(probes) = side.probes else { return };
        match requests.iter_mut().find(|request| request.pod == side.pod.id) {
            Some(request) => request.pings.push(destination),
            None => requests.push(ProbeRequest {
                pod: side.pod.id.clone(),
                container: probes.container.clone(),
                network: false,
                pings: vec![destination],
                ping,
            }),
        }
    };
    for connection in connections(expectations, observation).iter().filter(|c| c.expectation.addresses.is_none()) {
        for pair in &connection.pairs {
            if let Some(client) = &connection.client {
                ask(client, pair.endpoint);
            }
            if let Some(endpoint) = connection.endpoint.as_ref().filter(|side| side.link_with(pair.endpoint).is_some()) {
                ask(endpoint, pair.client);
            }
        }
    }
    requests
}
