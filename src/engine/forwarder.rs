//! Makes and closes the links of connections, and looks at them.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::phases::Moment;
use crate::{
    model::{AddressPair, DataPath, InterfaceName, Link, Namespaced, Payload, Phase, Route},
    net::{self, Handle, Namespace, NewRoute, VethPair},
};

/// A connection between a client and an endpoint: an interface at each, addresses, and a route to the other.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    /// Which of the client's requests it serves, counted from 0.
    pub(super) request: usize,
    /// The NetworkService.
    pub(super) service: Namespaced,
    /// What travels over it.
    pub(super) payload: Payload,
    /// The client's end.
    pub(super) client: End,
    /// The endpoint's end.
    pub(super) endpoint: End,
    /// The addresses, one pair for each of the endpoint's groups of prefixes.
    pub(super) pairs: Vec<AddressPair>,
    /// The routes over it that there are beside those to the peers.
    pub(super) routes: Routes,
    /// Since when the request has been served, in seconds since 1970: also while the connection was made anew.
    pub(super) since: i64,
    /// How often it was made anew because it was broken or its endpoint had gone.
    pub(super) heals: u32,
    /// The phases in which its links came to be; `None` where they were not seen.
    pub(super) phases: Option<Arc<Vec<Phase>>>,
}

/// When links were laid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Laid {
    /// Both interfaces are there, and the client's is switched on.
    pub(super) made: Moment,
    /// The endpoint's carries, with its routes.
    pub(super) endpoint_up: Moment,
    /// The client's does.
    pub(super) client_up: Moment,
}

/// Routes of both ends of a connection, to what lies behind the other one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Routes {
    /// The client's.
    pub(super) client: Vec<NewRoute>,
    /// The endpoint's.
    pub(super) endpoint: Vec<NewRoute>,
}

/// One end of a connection.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// Whose it is.
    pub(super) pod: Namespaced,
    /// The pod's network namespace.
    pub(super) namespace: Namespace,
    /// The interface.
    pub(super) interface: InterfaceName,
}

impl End {
    /// Whether another is the same interface.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.pod == other.pod && self.interface == other.interface
    }
}

/// An address of one's own and the address of the peer that belongs to it.
type Addresses = Vec<(IpAddr, IpAddr)>;

impl Connection {
    /// Whether one of its ends is in a pod.
    pub(super) fn touches(&self, pod: &Namespaced) -> bool {
        self.client.pod == *pod || self.endpoint.pod == *pod
    }

    /// Whether the links of another would be the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let same_ends = self.client.is_same(&other.client) && self.endpoint.is_same(&other.endpoint);
        same_ends && self.pairs == other.pairs && self.routes == other.routes && self.payload == other.payload
    }

    fn ends(&self) -> [(&End, Addresses, &[NewRoute]); 2] {
        let client = self.pairs.iter().map(|pair| (pair.client, pair.endpoint)).collect();
        let endpoint = self.pairs.iter().map(|pair| (pair.endpoint, pair.client)).collect();
        [(&self.client, client, &self.routes.client), (&self.endpoint, endpoint, &self.routes.endpoint)]
    }

    /// What carries its packets. Whatever takes the veth pair's place says here whether it encrypts.
    pub(super) fn data_path() -> DataPath {
        DataPath { carrier: "veth pair".to_owned(), encrypted: false }
    }

    /// Makes the links, with everything on them; the result is when.
    ///
    /// # Errors
    /// The kernel refused; nothing is left of it then.
    pub(super) async fn establish(&self) -> net::Result<Laid> {
        let pair = VethPair {
            name: self.client.interface.clone(),
            peer: self.endpoint.interface.clone(),
            peer_namespace: self.endpoint.namespace.clone(),
            payload: self.payload,
        };
        let [(client, own, near), (endpoint, far, behind)] = self.ends();
        let (name, addresses) = (client.interface.clone(), own.clone());
        // One entry into each namespace at a time does all that can be done there: entering costs more than the work.
        let begin = async move |handle: Handle| {
            net::create_veth_pair(&handle, &pair).await?;
            Ok(switch_on(&handle, name.as_str(), &addresses).await)
        };
        let begun = client.namespace.run(begin).await?;
        let made = Moment::now();
        let rest = async {
            begun?;
            // Routes come last, when what they lead to carries: whoever sends before asks for the peer's link-layer address in vain,
            // and the kernel asks again only a second later (RFC 1122, 2.3.2.1).
            finish(endpoint, far, behind, true).await?;
            let endpoint_up = Moment::now();
            finish(client, own, near, false).await?;
            Ok(Laid { made, endpoint_up, client_up: Moment::now() })
        };
        let done = rest.await;
        if done.is_err() {
            // The first error is what counts; a link that cannot be removed either goes with its namespace.
            let _ = self.close().await;
        }
        done
    }

    /// Removes the links. That they are gone already is no error.
    ///
    /// # Errors
    /// The kernel refused.
    pub(super) async fn close(&self) -> net::Result<()> {
        for end in [&self.client, &self.endpoint] {
            let name = end.interface.clone();
            end.namespace.run(async move |handle| net::delete_link(&handle, name.as_str()).await).await?;
        }
        Ok(())
    }

    /// Whether it serves this request of a client.
    pub(super) fn is_of(&self, client: &Namespaced, request: usize) -> bool {
        self.client.pod == *client && self.request == request
    }

    /// What of the connection is gone in a pod, by the links that the pod has: the interface, or an address of it.
    pub(super) fn lacks(&self, pod: &Namespaced, links: &[Link]) -> Option<String> {
        self.ends().into_iter().filter(|(end, ..)| end.pod == *pod).find_map(|(end, addresses, _)| {
            let name = end.interface.as_str();
            let fault = match links.iter().find(|link| link.name == name) {
                None => Some(no_interface(name)),
                Some(link) => addresses.iter().find(|(own, _)| !link.has(*own)).map(|(own, _)| no_address(name, *own)),
            };
            fault.map(|fault| format!("{fault} in pod {pod}"))
        })
    }

    /// What is wrong with the connection as the kernel has it now.
    pub(super) async fn fault(&self) -> Option<String> {
        for (end, addresses, promised) in self.ends() {
            let (links, v4, v6) = match end.namespace.run(look).await {
                Ok(seen) => seen,
                Err(error) => return Some(error.to_string()),
            };
            let routes: Vec<Route> = v4.into_iter().chain(v6).collect();
            let fault = fault_of(end.interface.as_str(), &addresses, &links, &routes).or_else(|| missing(promised, &routes));
            if let Some(fault) = fault {
                return Some(format!("{fault} in pod {}", end.pod));
            }
        }
        None
    }
}

/// How long a link may take to carry packets. The kernel turns it on from a work queue that it runs once a second at most
/// where many links change at the same time (net/core/link_watch.c), and until then drops what is sent.
const CARRIES: Duration = Duration::from_secs(3);
/// How often it is looked whether it does.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Waits until the kernel sends packets over a link; one that never says so is taken as it is.
async fn carries(handle: &Handle, name: &str) -> net::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < CARRIES {
        let links = net::list_links(handle).await?;
        if links.iter().find(|link| link.name == name).is_some_and(is_carrying) {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

/// Whether the kernel sends packets over a link: it has put a queueing discipline to it that does not drop them, and says that
/// the link works (RFC 2863). Either can come first.
fn is_carrying(link: &Link) -> bool {
    link.is_lower_up() && link.state.as_deref() == Some("UP") && link.qdisc.as_deref().is_some_and(|qdisc| qdisc != "noop")
}

/// Switches an interface on and gives it its addresses.
async fn switch_on(handle: &Handle, name: &str, addresses: &Addresses) -> net::Result<()> {
    let index = net::link_index(handle, name).await?;
    net::set_up(handle, name, index).await?;
    for (own, _) in addresses {
        net::add_address(handle, index, *own).await?;
    }
    Ok(())
}

/// Switches an end on where it is not yet, waits until it carries, and leads over it to the peers and what is behind them.
async fn finish(end: &End, addresses: Addresses, routes: &[NewRoute], is_off: bool) -> net::Result<()> {
    let (name, routes) = (end.interface.clone(), routes.to_vec());
    let work = async move |handle: Handle| {
        if is_off {
            switch_on(&handle, name.as_str(), &addresses).await?;
        }
        carries(&handle, name.as_str()).await?;
        let index = net::link_index(&handle, name.as_str()).await?;
        for (own, peer) in &addresses {
            net::add_peer_route(&handle, index, *peer, *own).await?;
        }
        for route in &routes {
            net::add_route(&handle, index, route, source(route, &addresses)).await?;
        }
        Ok(())
    };
    end.namespace.run(work).await
}

/// The address that a route is taken with: that which belongs to its gateway, else the first of its family.
fn source(route: &NewRoute, addresses: &[(IpAddr, IpAddr)]) -> Option<IpAddr> {
    let is_v4 = route.destination.address(0).is_some_and(|first| first.is_ipv4());
    let of_gateway = addresses.iter().find(|(_, peer)| Some(*peer) == route.via);
    of_gateway.or_else(|| addresses.iter().find(|(own, _)| own.is_ipv4() == is_v4)).map(|(own, _)| *own)
}

/// What is said of the first route that is not there. One that another connection has taken over since is: the last has it, as with NSM.
fn missing(promised: &[NewRoute], routes: &[Route]) -> Option<String> {
    let is_there = |wanted: &NewRoute| routes.iter().any(|route| route.destination == wanted.destination && route.refuses.is_none());
    promised.iter().find(|wanted| !is_there(wanted)).map(|wanted| format!("there is no route to {}", wanted.destination))
}

/// The interfaces and the IPv4 and IPv6 routes of a namespace.
pub(super) async fn look(handle: Handle) -> net::Result<(Vec<Link>, Vec<Route>, Vec<Route>)> {
    let links = net::list_links(&handle).await?;
    let (v4, v6) = net::list_routes(&handle).await?;
    Ok((links, v4, v6))
}

fn no_interface(name: &str) -> String {
    format!("there is no interface {name}")
}

fn no_address(name: &str, address: IpAddr) -> String {
    format!("the interface {name} lacks the address {address}")
}

fn fault_of(name: &str, addresses: &[(IpAddr, IpAddr)], links: &[Link], routes: &[Route]) -> Option<String> {
    let Some(link) = links.iter().find(|link| link.name == name) else {
        return Some(no_interface(name));
    };
    if !link.is_up() {
        return Some(format!("the interface {name} is switched off"));
    }
    addresses.iter().find_map(|(own, peer)| match Route::best(routes, *peer) {
        _ if !link.has(*own) => Some(no_address(name, *own)),
        Some(Route { refuses: Some(word), destination, .. }) => Some(format!("a {word} route to {destination} takes what is for {peer}")),
        Some(route) if route.device.as_deref() == Some(name) => None,
        _ => Some(format!("there is no route to {peer} over the interface {name}")),
    })
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::fd::OwnedFd};

    use super::*;
    use crate::model::InterfaceAddress;

    #[test]
    fn a_link_carries_when_the_kernel_says_that_it_works() {
        let flags = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let link = |state: &str, qdisc: &str, words: &[&str]| Link {
            state: Some(state.into()),
            qdisc: Some(qdisc.into()),
            flags: flags(words),
            ..Link::default()
        };
        assert!(is_carrying(&link("UP", "noqueue", &["UP", "LOWER_UP"])));
        assert!(!is_carrying(&link("UP", "noop", &["UP", "LOWER_UP"])));
        // Seen on a busy machine: the qdisc is there, and the link is not.
        assert!(!is_carrying(&link("DOWN", "noqueue", &["NO-CARRIER", "UP", "LOWER_UP"])));
    }

    #[test]
    fn what_is_gone_is_told_and_what_is_switched_off_is_not() {
        let end = |pod: &str, interface: &str| End {
            pod: Namespaced::new("ns", pod),
            namespace: Namespace::from(OwnedFd::from(File::open("/dev/null").unwrap())),
            interface: interface.parse().unwrap(),
        };
        let pairs = vec![AddressPair { client: "10.0.0.1".parse().unwrap(), endpoint: "10.0.0.0".parse().unwrap() }];
        let service = Namespaced::new("ns", "s");
        let (client, endpoint) = (end("client", "nsm-1"), end("nse", "s-abcd"));
        let routes = Routes::default();
        let connection =
            Connection { request: 0, service, payload: Payload::Ethernet, client, endpoint, pairs, routes, since: 0, heals: 0, phases: None };
        let link = |name: &str, address: &str| {
            let addresses = vec![InterfaceAddress { address: address.parse().unwrap(), prefix_length: 32 }];
            Link { name: name.into(), addresses, ..Link::default() }
        };
        let lacks = |pod: &str, link: Link| connection.lacks(&Namespaced::new("ns", pod), &[link]);
        assert_eq!(lacks("client", link("nsm-1", "10.0.0.1")), None, "it has no flag UP, and that is somebody's will");
        assert_eq!(lacks("nse", link("s-abcd", "10.0.0.0")), None);
        assert_eq!(lacks("other", link("lo", "127.0.0.1")), None);
        assert_eq!(lacks("client", link("nsm-2", "10.0.0.1")).as_deref(), Some("there is no interface nsm-1 in pod ns/client"));
        assert_eq!(lacks("nse", link("s-abcd", "10.0.0.1")).as_deref(), Some("the interface s-abcd lacks the address 10.0.0.0 in pod ns/nse"));
    }

    #[test]
    fn a_route_has_the_address_of_its_gateway_and_is_missed() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let addresses = [("10.0.0.1", "10.0.0.0"), ("10.0.1.1", "10.0.1.0"), ("2001:db8::1", "2001:db8::")].map(|(a, b)| (address(a), address(b)));
        let route = |destination: &str, via: Option<&str>| NewRoute { destination: destination.parse().unwrap(), via: via.map(address) };
        for (route, own) in [
            (route("192.0.2.0/24", Some("10.0.1.0")), Some("10.0.1.1")),
            (route("192.0.2.0/24", Some("10.9.9.9")), Some("10.0.0.1")),
            (route("2001:db8:1::/64", None), Some("2001:db8::1")),
        ] {
            assert_eq!(source(&route, &addresses), own.map(address));
        }
        assert_eq!(source(&route("2001:db8:1::/64", None), &addresses[..2]), None);
        let there = Route { destination: "192.0.2.0/24".parse().unwrap(), via: None, device: Some("other".into()), refuses: None };
        let wanted = [route("192.0.2.0/24", None)];
        assert_eq!(missing(&wanted, std::slice::from_ref(&there)), None);
        let hole = Route { refuses: Some("blackhole".into()), ..there };
        assert_eq!(missing(&wanted, &[hole]).as_deref(), Some("there is no route to 192.0.2.0/24"));
    }

    #[test]
    fn a_fault_is_named() {
        let (own, peer): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.0".parse().unwrap());
        let address = InterfaceAddress { address: own, prefix_length: 32 };
        let whole = Link { name: "nsm-1".into(), flags: ["UP".to_owned()].into(), addresses: vec![address], ..Link::default() };
        let route = Route { destination: "10.0.0.0/32".parse().unwrap(), via: None, device: Some("nsm-1".into()), refuses: None };
        let fault = |link: &Link, routes: &[Route]| fault_of("nsm-1", &[(own, peer)], std::slice::from_ref(link), routes);
        assert_eq!(fault(&whole, std::slice::from_ref(&route)), None);
        assert_eq!(fault(&whole, &[]).as_deref(), Some("there is no route to 10.0.0.0 over the interface nsm-1"));
        let elsewhere = Route { device: Some("lo".into()), ..route.clone() };
        let default = Route { destination: "0.0.0.0/0".parse().unwrap(), ..route.clone() };
        let fault_by = |routes: &[Route]| fault(&whole, routes);
        assert_eq!(fault_by(&[default.clone(), elsewhere]).as_deref(), Some("there is no route to 10.0.0.0 over the interface nsm-1"));
        let hole = Route { device: None, refuses: Some("blackhole".into()), ..route.clone() };
        assert_eq!(fault_by(&[default, hole]).as_deref(), Some("a blackhole route to 10.0.0.0/32 takes what is for 10.0.0.0"));
        let bare = Link { addresses: vec![], ..whole.clone() };
        assert_eq!(fault(&bare, std::slice::from_ref(&route)).as_deref(), Some("the interface nsm-1 lacks the address 10.0.0.1"));
        let down = Link { flags: [].into(), ..whole };
        assert_eq!(fault(&down, std::slice::from_ref(&route)).as_deref(), Some("the interface nsm-1 is switched off"));
        assert_eq!(fault(&Link::default(), &[]).as_deref(), Some("there is no interface nsm-1"));
    }
}
