use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use crate::model::{Asks, Expectations, Mechanism, Namespaced, Observation, PingOptions, PodIndex, PodState, ProbeRequest};

use super::{
    Thresholds,
    connection::{connections, lasting},
    side::Side,
};

/// How to look into pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// How to ping.
    pub ping: PingOptions,
    /// The image of a container that is put beside those that have no `ip` or `ping`; `None` for none.
    pub debug_image: Option<String>,
    /// Whether it is asked how clients resolve names, which takes as long as a name server that does not answer is waited for.
    pub resolver: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self { ping: PingOptions::default(), debug_image: None, resolver: true }
    }
}

/// What to ask inside the pods, in one round: interfaces and routes of every pod that takes part, and pings to the
/// addresses that are certain.
#[must_use]
pub fn probe_requests(expectations: &Expectations, pods: &[PodState], look: &Look) -> Vec<ProbeRequest> {
    let mut pings: HashMap<&Namespaced, Vec<IpAddr>> = HashMap::new();
    let mut asks: HashMap<&Namespaced, Asks> = HashMap::new();
    for connection in &expectations.connections {
        let is_kernel = connection.url.mechanism == Mechanism::Kernel;
        let asked = asks.entry(&connection.client).or_default();
        *asked = Asks {
            network: true,
            resolver: look.resolver,
            path_mtu: asked.path_mtu || is_kernel,
            traces: asked.traces || !is_kernel,
            counters: false,
        };
        for endpoint in connection.candidates.iter() {
            asks.entry(endpoint).or_default().network = true;
        }
        for pair in connection.addresses.iter().flatten().filter(|_| is_kernel) {
            pings.entry(&connection.client).or_default().push(pair.endpoint);
            if let Some(endpoint) = &connection.endpoint {
                pings.entry(endpoint).or_default().push(pair.client);
            }
        }
    }
    let index = PodIndex::new(lasting(pods));
    let mut requests = Vec::new();
    for workload in &expectations.workloads {
        // An endpoint that nobody asks for here may still be looked at.
        let asks = match asks.get(&workload.id) {
            Some(asks) => *asks,
            None if workload.endpoint.is_some() => Asks { network: true, ..Asks::default() },
            None => continue,
        };
        let pings = pings.get(&workload.id).cloned().unwrap_or_default();
        for pod in index.of(workload) {
            if pod.containers.iter().any(|container| container.name == workload.container && container.running) {
                let (pod, container, pings) = (pod.id.clone(), workload.container.clone(), pings.clone());
                requests.push(ProbeRequest { pod, container, asks, pings, ping: look.ping, debug_image: look.debug_image.clone() });
            }
        }
    }
    requests
}

/// The second round: pings between addresses that only the first round could tell, where they were not sent at once.
#[must_use]
pub fn follow_up_requests(expectations: &Expectations, observation: &Observation, look: &Look) -> Vec<ProbeRequest> {
    let mut order: Vec<ProbeRequest> = Vec::new();
    let mut places: HashMap<Namespaced, usize> = HashMap::new();
    let mut asked: HashSet<(Namespaced, IpAddr)> = HashSet::new();
    let mut ask = |side: &Side<'_>, destination: IpAddr, path_mtu: bool| {
        let Some(probes) = side.probes else { return };
        if side.ping_to(destination).is_some() || !asked.insert((side.pod.id.clone(), destination)) {
            return;
        }
        let at = *places.entry(side.pod.id.clone()).or_insert_with(|| {
            let (pod, container) = (side.pod.id.clone(), probes.container.clone());
            order.push(ProbeRequest {
                pod,
                container,
                asks: Asks::default(),
                pings: Vec::new(),
                ping: look.ping,
                debug_image: look.debug_image.clone(),
            });
            order.len() - 1
        });
        order[at].pings.push(destination);
        order[at].asks.path_mtu |= path_mtu;
    };
    let kernel = |mechanism: &Mechanism| *mechanism == Mechanism::Kernel;
    for connection in connections(expectations, observation, Thresholds::default()).iter().filter(|c| kernel(&c.expectation.url.mechanism)) {
        for pair in &connection.pairs {
            if let Some(client) = &connection.client {
                ask(client, pair.endpoint, true);
            }
            if let Some(endpoint) = connection.endpoint.as_ref().filter(|side| side.link_with(pair.endpoint).is_some()) {
                ask(endpoint, pair.client, false);
            }
        }
    }
    order
}
