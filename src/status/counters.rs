use std::collections::HashMap;

use crate::model::{ConnectionMetrics, ConnectionStatus, Counters, EndMetrics, Known, Metrics, Namespaced, PodProbes, Snapshot, UnavailableKind};

/// What the kernel has counted of each connection, as its pods tell.
#[must_use]
pub fn counters(connections: &[ConnectionStatus], snapshot: &Snapshot) -> Vec<ConnectionMetrics> {
    let probes: HashMap<&Namespaced, &PodProbes> = snapshot.observation.probes.iter().map(|probes| (&probes.pod, probes)).collect();
    let of = |connection: &ConnectionStatus| ConnectionMetrics {
        service: connection.service.clone(),
        client: end(&Known::Value(connection.client.clone()), &connection.interface, &probes),
        endpoint: end(&connection.endpoint, &connection.endpoint_interface, &probes),
    };
    connections.iter().map(of).collect()
}

fn end(pod: &Known<Namespaced>, interface: &Known<String>, probes: &HashMap<&Namespaced, &PodProbes>) -> EndMetrics {
    let counters = match (pod, interface) {
        (Known::Unknown(why), _) | (_, Known::Unknown(why)) => Known::unknown(why.clone()),
        (Known::Value(pod), Known::Value(interface)) => counted(pod, interface, probes),
    };
    EndMetrics { pod: pod.clone(), interface: interface.clone(), counters, rates: None }
}

fn counted(pod: &Namespaced, interface: &str, probes: &HashMap<&Namespaced, &PodProbes>) -> Known<Counters> {
    match probes.get(pod).and_then(|probes| probes.counters.as_ref()) {
        None => Known::unknown("its container has no shell to read them with"),
        Some(Err(unavailable)) if unavailable.kind == UnavailableKind::NotAsked => Known::unknown("its container does not tell"),
        Some(Err(unavailable)) => Known::unknown(unavailable.reason.clone()),
        Some(Ok(all)) => {
            let own = all.iter().find(|counted| counted.interface == interface).map(|counted| counted.counters);
            Known::of(own, "the kernel's statistics have no such interface")
        }
    }
}

/// Sets what each second brought since an earlier look.
pub fn rate(now: &mut Metrics, before: &Metrics) {
    let seconds = (now.taken_at - before.taken_at).total(jiff::Unit::Second).unwrap_or_default();
    let mut earlier = HashMap::new();
    for connection in &before.connections {
        for end in [&connection.client, &connection.endpoint] {
            if let (Known::Value(pod), Known::Value(interface), Known::Value(counters)) = (&end.pod, &end.interface, &end.counters) {
                earlier.insert((pod, interface), counters);
            }
        }
    }
    for end in now.connections.iter_mut().flat_map(|connection| [&mut connection.client, &mut connection.endpoint]) {
        let known = if let (Known::Value(pod), Known::Value(interface)) = (&end.pod, &end.interface) { earlier.get(&(pod, interface)) } else { None };
        end.rates = known.zip(end.counters.value()).and_then(|(before, now)| now.since(before, seconds));
    }
}
