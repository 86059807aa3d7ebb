use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use crate::model::{Asks, Expectations, Mechanism, Namespaced, Observation, PingOptions, Pinged, PodIndex, PodState, ProbeRequest};

use super::{
    Thresholds,
    connection::{connections, lasting},
    parse,
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

/// From how many pods on the looks into them disturb each other: the long packets of one cost the short ones of another their place
/// in a queue, and each look costs its node a tenth of a second of CPU. One verify of sixty lost a ping of four that way on an idle
/// cluster of two nodes.
const CROWD: usize = 2;
/// Up to how many pings are a look, in which one lost says little. Who sends more wants to know how many are lost.
const SAMPLE: u32 = 10;

/// The second round: pings between addresses that only the first round could tell, where they were not sent at once; and, where
/// several pods were looked into at once, those again of which some were answered and some were not.
#[must_use]
pub fn follow_up_requests(expectations: &Expectations, observation: &Observation, look: &Look) -> Vec<ProbeRequest> {
    let is_crowd = observation.probes.len() >= CROWD && look.ping.count <= SAMPLE;
    let mut order: Vec<ProbeRequest> = Vec::new();
    let mut places: HashMap<Namespaced, usize> = HashMap::new();
    let mut asked: HashSet<(Namespaced, IpAddr)> = HashSet::new();
    let mut ask = |side: &Side<'_>, destination: IpAddr, path_mtu: bool| {
        let Some(probes) = side.probes else { return };
        let pinged = side.ping_to(destination);
        let is_disturbed = pinged.is_some_and(|pinged| is_crowd && lost_some(pinged));
        if (pinged.is_some() && !is_disturbed) || !asked.insert((side.pod.id.clone(), destination)) {
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
        order[at].asks.path_mtu |= path_mtu && !is_disturbed;
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

fn lost_some(pinged: &Pinged) -> bool {
    parse::value(&pinged.result, false, parse::ping).is_ok_and(|stats| stats.received > 0 && stats.received < stats.transmitted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        check::fixture::{expectations, healthy, ping, probes_mut},
        model::{PingOptions, PodProbes},
    };

    /// What is asked once more where the client has had so many of four pings answered, among so many pods, and so many are asked for.
    fn again(received: u32, pods: usize, count: u32) -> Vec<(String, Vec<IpAddr>, Asks)> {
        let mut observation = healthy().observation;
        probes_mut(&mut observation, "alpine").pings = vec![ping("172.16.1.100", received)];
        let other = observation.probes[0].clone();
        // The client's own comes first.
        observation.probes.sort_by_key(|probes| probes.pod.name != "alpine");
        observation.probes.truncate(pods);
        while observation.probes.len() < pods {
            let pod = Namespaced::new("elsewhere", format!("p{}", observation.probes.len()));
            observation.probes.push(PodProbes { pod, ..other.clone() });
        }
        let ping = PingOptions { count, ..PingOptions::default() };
        let requests = follow_up_requests(&expectations(), &observation, &Look { ping, ..Look::default() });
        requests.into_iter().map(|request| (request.pod.name, request.pings, request.asks)).collect()
    }

    #[test]
    fn what_a_crowd_may_have_lost_is_asked_once_more() {
        let alone = ("alpine".to_owned(), vec!["172.16.1.100".parse().unwrap()], Asks::default());
        assert_eq!(again(3, CROWD, 4), [alone], "a ping, and nothing else");
        assert_eq!(again(3, CROWD - 1, 4), [], "nobody disturbed it");
        assert_eq!(again(4, CROWD, 4), [], "nothing was lost");
        assert_eq!(again(0, CROWD, 4), [], "all was lost, which no crowd does");
        assert_eq!(again(3, CROWD, SAMPLE + 1), [], "who counts wants the count");
    }
}
