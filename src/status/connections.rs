use crate::{
    check::{Connection, evaluate_connection},
    model::{
        Addresses, Carried, ConnectionStatus, Finding, Known, Mechanism, Namespaced, PathStatus, PodState, Snapshot, System, Unavailable, Verdict,
    },
};

use super::{hidden, time};

/// The checks that say whether a connection is there, without a ping.
pub(super) const COUNTS: [&str; 5] = ["sidecar-injected", "mechanism", "interface", "address", "peer-route"];

/// Why a cluster does not say how often a connection was healed.
const UNCOUNTED: &str = "NSM counts it nowhere that can be asked; `nsmctl logs` shows what happened";
/// Why it does not say when the phases of a connection were.
const UNTIMED: &str = "NSM publishes no times of them; `nsmctl logs` shows what was logged";

/// A connection as it is.
pub(super) fn connection(connection: &Connection<'_>, snapshot: &Snapshot, carried: Option<&[Carried]>) -> ConnectionStatus {
    let expectation = connection.expectation;
    let client = connection.client.as_ref().map(|side| side.pod);
    let (verdict, reason) = verdict(connection, snapshot);
    let mechanism = &expectation.url.mechanism;
    let no_client = || match &connection.hidden {
        Some(Unavailable { reason, .. }) => reason.clone(),
        None => "the client has no pod".to_owned(),
    };
    let interface = match (&connection.link, &connection.client) {
        (Some(link), _) => Known::Value(link.name.clone()),
        (None, None) => Known::unknown(no_client()),
        (None, Some(_)) if *mechanism != Mechanism::Kernel => Known::unknown(format!("{mechanism} makes no kernel interface")),
        (None, Some(side)) => side.links.as_ref().map_or_else(hidden, |_| Known::unknown("the pod has none for it")),
    };
    let addresses: Vec<Addresses> = match connection.link {
        Some(_) => connection.pairs.iter().map(|pair| Addresses { client: pair.client, endpoint: pair.endpoint }).collect(),
        // Those that were promised are no fact yet.
        None => Vec::new(),
    };
    let endpoint = endpoint_of(connection, &addresses);
    let own = carried.map(|all| client.zip(interface.value()).and_then(|(pod, name)| of(all, &pod.id, name)));
    let (since, heals, phases) = match own {
        Some(Some(own)) => {
            let unseen = "the manager that runs now has not seen them";
            (Known::of(time(own.since), "the engine does not say"), Known::Value(own.heals), Known::of(own.phases.clone(), unseen))
        }
        Some(None) => {
            let absent = "the engine carries no such connection";
            (Known::unknown(absent), Known::unknown(absent), Known::unknown(absent))
        }
        None => (since(client), Known::unknown(UNCOUNTED), Known::unknown(UNTIMED)),
    };
    ConnectionStatus {
        client: client.map_or_else(|| expectation.client.clone(), |pod| pod.id.clone()),
        node: client.map_or_else(|| Known::unknown(no_client()), |pod| Known::of(pod.node.clone(), "its pod is on no node yet")),
        service: expectation.url.service.clone(),
        mechanism: mechanism.to_string(),
        payload: Known::of(expectation.payload, "there is no NetworkService of this name to say so"),
        interface,
        path: endpoint.as_ref().map_or_else(|why| Known::unknown(why.clone()), |(pod, _)| path(client, pod, &snapshot.system)),
        endpoint: endpoint.as_ref().map_or_else(|why| Known::unknown(why.clone()), |(pod, _)| Known::Value(pod.id.clone())),
        endpoint_interface: endpoint.map_or_else(Known::unknown, |(_, interface)| interface),
        addresses,
        since,
        heals,
        phases,
        verdict,
        reason,
    }
}

fn of<'a>(carried: &'a [Carried], pod: &Namespaced, interface: &str) -> Option<&'a Carried> {
    carried.iter().find(|own| own.client == *pod && own.interface == interface)
}

/// NSM's init container ends as soon as every request of the pod has been served, and not before.
fn since(client: Option<&PodState>) -> Known<jiff::Timestamp> {
    let Some(pod) = client else { return Known::unknown("the client has no pod") };
    match pod.client_init() {
        None => Known::unknown("the pod has no init container of NSM's, whose end would tell"),
        Some(init) if !init.ready => Known::unknown("the request has not been served yet"),
        Some(init) => Known::of(init.since.and_then(time), "the pod does not say when its init container ended"),
    }
}

/// The pod at the other end, which is the one that has the address that the client talks to, and its interface.
fn endpoint_of<'a>(connection: &'a Connection<'_>, addresses: &[Addresses]) -> Result<(&'a PodState, Known<String>), String> {
    let Some(side) = &connection.endpoint else {
        let why = if connection.link.is_some() { "no pod that was looked into has the peer's address" } else { "there is no connection" };
        return Err(connection.hidden.as_ref().map_or_else(|| why.to_owned(), |hidden| hidden.reason.clone()));
    };
    let link = addresses.iter().find_map(|pair| side.link_with(pair.endpoint));
    match (&side.links, link) {
        (_, Some(link)) => Ok((side.pod, Known::Value(link.name.clone()))),
        // It is the only one that may be it.
        (Err(unavailable), None) if connection.link.is_some() => Ok((side.pod, hidden(unavailable))),
        (Ok(_), None) if connection.link.is_some() && !addresses.is_empty() => Err("no pod has the peer's address".to_owned()),
        _ if connection.expectation.url.mechanism != Mechanism::Kernel => Ok((side.pod, Known::unknown("there is no kernel interface"))),
        _ => Err("there is no connection".to_owned()),
    }
}

fn path(client: Option<&PodState>, endpoint: &PodState, system: &System) -> Known<PathStatus> {
    let (Some(near), Some(far)) = (client.and_then(|pod| pod.node.as_ref()), endpoint.node.as_ref()) else {
        return Known::unknown("a pod is on no node yet");
    };
    let same_node = near == far;
    let mut nodes = vec![near];
    nodes.extend((!same_node).then_some(far));
    let forwarders = match &system.pods {
        // The engine is all in one.
        _ if system.components.iter().any(|component| component.role == "engine") => Known::Value(vec!["the engine".to_owned()]),
        Err(unavailable) => hidden(unavailable),
        Ok(_) => {
            let objects =
                system.components.iter().filter(|component| component.role == "forwarder").filter_map(|component| component.object.as_ref());
            let pods: Vec<&PodState> = objects.flat_map(|object| system.pods_of(object)).filter(|pod| !pod.deleting).collect();
            let names: Option<Vec<String>> = nodes.iter().map(|node| one_on(&pods, node)).collect();
            Known::of(names, "a node on the way has no forwarder, or several")
        }
    };
    Known::Value(PathStatus { client_node: near.clone(), endpoint_node: far.clone(), same_node, forwarders })
}

/// The one forwarder of a node; of several nobody tells which one was taken.
fn one_on(pods: &[&PodState], node: &str) -> Option<String> {
    let mut here = pods.iter().filter(|pod| pod.node.as_deref() == Some(node));
    here.next().filter(|_| here.next().is_none()).map(|pod| pod.id.name.clone())
}

/// Whether the connection is there, and why not.
fn verdict(connection: &Connection<'_>, snapshot: &Snapshot) -> (Verdict, Option<String>) {
    if let Some(hidden) = &connection.hidden {
        return (Verdict::Unknown, Some(hidden.reason.clone()));
    }
    let Some(client) = &connection.client else {
        let workload = snapshot.expectations.workload(&connection.expectation.client);
        let deployed =
            snapshot.deployed.as_deref().unwrap_or_default().iter().find(|now| workload.is_some_and(|w| w.kind == now.kind && w.id == now.id));
        let is_none_wanted = deployed.or(workload).is_some_and(|workload| workload.replicas == Some(0));
        return match is_none_wanted {
            true => (Verdict::Skip, Some("the client is to have no pod".to_owned())),
            false => (Verdict::Fail, Some("the client has no pod".to_owned())),
        };
    };
    let findings = evaluate_connection(connection).into_iter().filter(|finding| COUNTS.contains(&&*finding.check));
    let worst = findings.filter(|finding| matches!(finding.verdict, Verdict::Fail | Verdict::Unknown)).fold(None, graver);
    match (worst, &client.links) {
        (Some(finding), _) if client.pod.ready || finding.verdict == Verdict::Unknown => {
            (finding.verdict, Some(format!("{}: {}", finding.title, finding.observed)))
        }
        // The pod's own state says more than that nothing is in it yet.
        (Some(_), _) => (Verdict::Fail, Some(format!("the client's pod is {}", client.pod.status()))),
        (None, Err(_)) if !client.pod.ready => (Verdict::Fail, Some(format!("the client's pod is {}", client.pod.status()))),
        (None, Err(unavailable)) if connection.expectation.url.mechanism == Mechanism::Kernel => (Verdict::Unknown, Some(unavailable.reason.clone())),
        (None, _) => (Verdict::Pass, None),
    }
}

/// The first of the gravest.
fn graver(worst: Option<Finding>, finding: Finding) -> Option<Finding> {
    match worst {
        Some(worst) if worst.verdict >= finding.verdict => Some(worst),
        _ => Some(finding),
    }
}
