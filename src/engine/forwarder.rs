//! Makes and closes the links of connections, and looks at them.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::{
    model::{AddressPair, InterfaceName, Link, Namespaced, Payload, Route},
    net::{self, Handle, Namespace, VethPair},
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
        same_ends && self.pairs == other.pairs && self.payload == other.payload
    }

    fn ends(&self) -> [(&End, Addresses); 2] {
        let client = self.pairs.iter().map(|pair| (pair.client, pair.endpoint)).collect();
        let endpoint = self.pairs.iter().map(|pair| (pair.endpoint, pair.client)).collect();
        [(&self.client, client), (&self.endpoint, endpoint)]
    }

    /// Makes the links, with everything on them.
    ///
    /// # Errors
    /// The kernel refused; nothing is left of it then.
    pub(super) async fn establish(&self) -> net::Result<()> {
        let pair = VethPair {
            name: self.client.interface.clone(),
            peer: self.endpoint.interface.clone(),
            peer_namespace: self.endpoint.namespace.clone(),
            payload: self.payload,
        };
        self.client.namespace.run(async move |handle| net::create_veth_pair(&handle, &pair).await).await?;
        for (end, addresses) in self.ends() {
            if let Err(error) = configure(end, addresses).await {
                // The first error is what counts; a link that cannot be removed either goes with its namespace.
                let _ = self.close().await;
                return Err(error);
            }
        }
        // The client's end was switched on first, before there was anything at the other: the kernel is as late with it as it
        // can be.
        for end in [&self.client, &self.endpoint] {
            carries(end).await?;
        }
        Ok(())
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

    /// What is wrong with the connection as the kernel has it now.
    pub(super) async fn fault(&self) -> Option<String> {
        for (end, addresses) in self.ends() {
            let (links, v4, v6) = match end.namespace.run(look).await {
                Ok(seen) => seen,
                Err(error) => return Some(error.to_string()),
            };
            let routes: Vec<Route> = v4.into_iter().chain(v6).collect();
            let fault = fault_of(end.interface.as_str(), &addresses, &links, &routes);
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
async fn carries(end: &End) -> net::Result<()> {
    let name = end.interface.clone();
    let work = async move |handle: Handle| {
        let begun = Instant::now();
        while begun.elapsed() < CARRIES {
            let links = net::list_links(&handle).await?;
            if links.iter().find(|link| link.name == name.as_str()).is_some_and(is_carrying) {
                break;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    };
    end.namespace.run(work).await
}

/// Whether the kernel sends packets over a link: it has put a queueing discipline to it that does not drop them, and says that
/// the link works (RFC 2863). Either can come first.
fn is_carrying(link: &Link) -> bool {
    link.is_lower_up() && link.state.as_deref() == Some("UP") && link.qdisc.as_deref().is_some_and(|qdisc| qdisc != "noop")
}

async fn configure(end: &End, addresses: Addresses) -> net::Result<()> {
    let name = end.interface.clone();
    let work = async move |handle: Handle| {
        let index = net::link_index(&handle, name.as_str()).await?;
        net::set_up(&handle, name.as_str(), index).await?;
        for (own, peer) in addresses {
            net::add_address(&handle, index, own).await?;
            net::add_peer_route(&handle, index, peer, own).await?;
        }
        Ok(())
    };
    end.namespace.run(work).await
}

/// The interfaces and the IPv4 and IPv6 routes of a namespace.
pub(super) async fn look(handle: Handle) -> net::Result<(Vec<Link>, Vec<Route>, Vec<Route>)> {
    let links = net::list_links(&handle).await?;
    let (v4, v6) = net::list_routes(&handle).await?;
    Ok((links, v4, v6))
}

fn fault_of(name: &str, addresses: &[(IpAddr, IpAddr)], links: &[Link], routes: &[Route]) -> Option<String> {
    let Some(link) = links.iter().find(|link| link.name == name) else {
        return Some(format!("there is no interface {name}"));
    };
    if !link.is_up() {
        return Some(format!("the interface {name} is switched off"));
    }
    addresses.iter().find_map(|(own, peer)| match Route::best(routes, *peer) {
        _ if !link.has(*own) => Some(format!("the interface {name} lacks the address {own}")),
        Some(Route { refuses: Some(word), destination, .. }) => Some(format!("a {word} route to {destination} takes what is for {peer}")),
        Some(route) if route.device.as_deref() == Some(name) => None,
        _ => Some(format!("there is no route to {peer} over the interface {name}")),
    })
}

#[cfg(test)]
mod tests {
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
