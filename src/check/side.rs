use std::{collections::HashMap, net::IpAddr};

use crate::model::{Link, Pinged, PodProbes, PodState, Route, Unavailable, UnavailableKind};

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
    /// Which interface has an address: an endpoint of many clients has many.
    by_address: HashMap<IpAddr, usize>,
    /// The pings to an address.
    pings: HashMap<IpAddr, Vec<&'a Pinged>>,
}

impl<'a> Side<'a> {
    pub(super) fn new(pod: &'a PodState, probes: Option<&'a PodProbes>) -> Self {
        let not_asked = || Unavailable { kind: UnavailableKind::NotAsked, reason: format!("pod {} was not asked: it is {}", pod.id, pod.status()) };
        let (mut side, routes_v6) = match probes {
            None => return Self::silent(pod, &not_asked()),
            Some(probes) => {
                let side = Self {
                    probes: Some(probes),
                    links: parse::value(&probes.links, true, parse::links),
                    routes: parse::value(&probes.routes, true, parse::routes),
                    ..Self::silent(pod, &not_asked())
                };
                (side, parse::value(&probes.routes_v6, true, parse::routes))
            }
        };
        side.routes_v6 = match routes_v6 {
            // A kernel without IPv6 has no IPv6 routes; what is asked of them is then missing, not unknown.
            Err(_) if probes.is_some_and(|probes| parse::is_refusal(&probes.routes_v6)) => Ok(Vec::new()),
            routes => routes,
        };
        for (at, link) in side.links.iter().flatten().enumerate() {
            for address in &link.addresses {
                side.by_address.entry(address.address).or_insert(at);
            }
        }
        for ping in probes.into_iter().flat_map(|probes| &probes.pings) {
            side.pings.entry(ping.destination).or_default().push(ping);
        }
        side
    }

    fn silent(pod: &'a PodState, why: &Unavailable) -> Self {
        let (by_address, pings) = (HashMap::new(), HashMap::new());
        Self { pod, probes: None, links: Err(why.clone()), routes: Err(why.clone()), routes_v6: Err(why.clone()), by_address, pings }
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
        self.links.as_ref().ok()?.get(*self.by_address.get(&address)?)
    }

    /// The ping of the usual length to an address; the later where it was sent once more.
    #[must_use]
    pub fn ping_to(&self, address: IpAddr) -> Option<&'a Pinged> {
        self.usual(address).last()
    }

    /// The ping that came before the one that counts, where there was one.
    #[must_use]
    pub fn ping_before(&self, address: IpAddr) -> Option<&'a Pinged> {
        self.usual(address).rev().nth(1)
    }

    fn usual(&self, address: IpAddr) -> impl DoubleEndedIterator<Item = &'a Pinged> {
        self.pings.get(&address).into_iter().flatten().copied().filter(|ping| ping.packet_bytes.is_none())
    }

    /// The pings to an address that say how long a packet may be: each length and what came of it.
    pub fn packets_to(&self, address: IpAddr) -> impl Iterator<Item = (u32, &'a Pinged)> {
        self.pings.get(&address).into_iter().flatten().filter_map(|ping| Some((ping.packet_bytes?, *ping)))
    }
}
