use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use crate::model::{Expectation, Expectations, Namespaced, NetworkServiceSpec, Workload};

/// What workloads and network services promise together: a connection for every request.
pub(super) fn promises(workloads: Vec<Workload>, services: Vec<NetworkServiceSpec>) -> Expectations {
    let mut offering: HashMap<&str, Vec<&Workload>> = HashMap::new();
    for workload in &workloads {
        let offered: BTreeSet<&String> = workload.endpoint.iter().flat_map(|endpoint| &endpoint.services).collect();
        for service in offered {
            offering.entry(service).or_default().push(workload);
        }
    }
    let names = offering.iter().map(|(service, offering)| (*service, offering.iter().map(|workload| workload.id.clone()).collect()));
    let names: HashMap<&str, Arc<[Namespaced]>> = names.collect();
    let demand = demand(&workloads);
    let payloads: HashMap<&str, _> = services.iter().rev().map(|service| (service.id.name.as_str(), service.payload)).collect();
    let mut connections = Vec::new();
    for client in &workloads {
        for url in &client.requests {
            let candidates = offering.get(url.service.as_str()).map_or(&[][..], Vec::as_slice);
            let endpoint = if let [only] = candidates { Some(*only) } else { None };
            let prefixes = endpoint.and_then(|e| e.endpoint.as_ref()).map(|e| e.prefixes.clone()).unwrap_or_default();
            // One endpoint pod that serves one connection gives the first pair; with a second connection it is a race.
            let asked = |endpoint: &Workload| {
                let services = endpoint.endpoint.iter().flat_map(|endpoint| endpoint.services.iter().collect::<BTreeSet<_>>());
                services.into_iter().try_fold(0_u32, |sum, service| sum.checked_add(demand.get(service.as_str()).copied().unwrap_or(Some(0))?))
            };
            let certain = endpoint.is_some_and(|e| e.replicas == Some(1) && asked(e) == Some(1));
            connections.push(Expectation {
                client: client.id.clone(),
                url: url.clone(),
                payload: payloads.get(url.service.as_str()).copied(),
                endpoint: endpoint.map(|e| e.id.clone()),
                candidates: names.get(url.service.as_str()).cloned().unwrap_or_default(),
                addresses: if certain { prefixes.first_pairs().filter(|pairs| !pairs.is_empty()) } else { None },
                prefixes,
            });
        }
    }
    Expectations { workloads, services, connections, unreadable: Vec::new() }
}

/// How many connections are requested of each service; `None` where nobody can tell, as with one a node.
fn demand(workloads: &[Workload]) -> HashMap<&str, Option<u32>> {
    let mut demand: HashMap<&str, Option<u32>> = HashMap::new();
    for client in workloads {
        for url in &client.requests {
            let sum = demand.entry(&url.service).or_insert(Some(0));
            *sum = sum.and_then(|sum| sum.checked_add(client.replicas?));
        }
    }
    demand
}
