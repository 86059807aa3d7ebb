//! What SPIRE and NSM's registry know of a connection's two ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::{Expectations, Finding, Namespaced, Observation, PodState, SPIFFE_LABEL, UnavailableKind, Verdict, few};

use super::{Check, Connection};

/// Every pod at the end of a connection has an identity: without one NSM answers neither client nor endpoint.
pub(super) fn identity(check: &Check, connections: &[Connection<'_>]) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for connection in connections {
        for (side, is_client) in [(&connection.client, true), (&connection.endpoint, false)] {
            let Some(side) = side.as_ref().filter(|side| seen.insert(&side.pod.id)) else { continue };
            // A connection takes an SVID at both its ends: NSM speaks mTLS only.
            let connected = is_client && connection.link.is_some();
            findings.push(identity_of(check, connection, side.pod, connected));
        }
    }
    findings
}

fn identity_of(check: &Check, connection: &Connection<'_>, pod: &PodState, connected: bool) -> Finding {
    let (subject, expected) = (connection.call(&pod.id), "a ClusterSPIFFEID selects it");
    let finding = |verdict, observed: String| check.finding(&subject, verdict, expected, observed);
    let registered = connection.registry.spiffe_id(&pod.id);
    match &connection.observation.inventory.identities {
        Ok(rules) => match rules.iter().find(|rule| rule.pods.contains(&pod.id)) {
            Some(rule) => finding(Verdict::Pass, registered.map_or_else(|| format!("{} does", rule.name), |id| format!("{}: {id}", rule.name))),
            None => {
                let labelled = pod.labels.get(SPIFFE_LABEL.0).is_some_and(|label| label == SPIFFE_LABEL.1);
                let label = if labelled { "has" } else { "lacks" };
                finding(Verdict::Fail, format!("none does; the pod {label} the label {}: \"{}\"", SPIFFE_LABEL.0, SPIFFE_LABEL.1))
            }
        },
        // What cannot be seen may have left its traces elsewhere.
        Err(_) if registered.is_some() => finding(Verdict::Pass, format!("registered as {}", registered.unwrap_or_default())),
        Err(_) if connected => finding(Verdict::Pass, "NSM has accepted its request, which takes an SVID".to_owned()),
        Err(unavailable) if unavailable.kind == UnavailableKind::NotAsked => finding(Verdict::Skip, unavailable.reason.clone()),
        Err(unavailable) if unavailable.kind == UnavailableKind::NotFound => {
            let reason = "not checked: the cluster has no ClusterSPIFFEIDs, so identities are given in another way";
            finding(Verdict::Skip, reason.to_owned())
        }
        Err(unavailable) => check.unseen(subject, expected, unavailable),
    }
}

/// Every service that is requested exists, once, with the payload that it was promised.
pub(super) fn network_service(check: &Check, expectations: &Expectations, observation: &Observation) -> Vec<Finding> {
    let requested: BTreeSet<&str> = expectations.connections.iter().map(|connection| connection.url.service.as_str()).collect();
    let mut there: HashMap<&str, Vec<_>> = HashMap::new();
    for service in observation.inventory.services.iter().flatten() {
        there.entry(&service.id.name).or_default().push(service);
    }
    // Of several, the first.
    let promises: HashMap<&str, _> = expectations.services.iter().rev().map(|service| (service.id.name.as_str(), service)).collect();
    let judge = |name: &str| {
        let promised = promises.get(name).copied();
        let expected = promised.map_or_else(|| "one".to_owned(), |service| format!("one, payload {}", service.payload));
        let finding = |verdict, observed: String| check.finding(name, verdict, expected.clone(), observed);
        if let Err(unavailable) = &observation.inventory.services {
            return check.unseen(name, expected, unavailable);
        }
        let same = there.get(name).map_or(&[][..], Vec::as_slice);
        let own = promised
            .and_then(|promised| same.iter().find(|service| service.id == promised.id))
            .or_else(|| same.first().filter(|_| promised.is_none()));
        let Some(own) = own else {
            let elsewhere: Vec<&str> = same.iter().map(|service| service.id.namespace.as_str()).collect();
            let missing = promised.map_or_else(|| "none".to_owned(), |promised| format!("none in {}", promised.id.namespace));
            return finding(Verdict::Fail, if elsewhere.is_empty() { missing } else { format!("{missing}; there is one in {}", few(&elsewhere)) });
        };
        let seen = own.payload.map_or_else(|| "a payload that NSM does not know".to_owned(), |payload| format!("payload {payload}"));
        let observed = format!("{seen}, in {}", own.id.namespace);
        if own.payload.is_none() || promised.is_some_and(|promised| own.payload != Some(promised.payload)) {
            return finding(Verdict::Fail, observed);
        }
        let others: Vec<&str> = same.iter().filter(|service| service.id != own.id).map(|service| service.id.namespace.as_str()).collect();
        if others.is_empty() { finding(Verdict::Pass, observed) } else { finding(Verdict::Warn, format!("{observed}; also in {}", few(&others))) }
    };
    requested.into_iter().map(judge).collect()
}

/// Every endpoint that a connection ends in is registered, and its registration has not run out.
pub(super) fn endpoint_registered(check: &Check, connections: &[Connection<'_>]) -> Vec<Finding> {
    let mut asked: BTreeMap<(&str, Option<&Namespaced>), Finding> = BTreeMap::new();
    for connection in connections {
        let service = connection.expectation.url.service.as_str();
        let pod = connection.endpoint.as_ref().map(|side| side.pod);
        let candidates = &connection.expectation.candidates;
        if connection.hidden.is_none() && !connection.offered && !candidates.is_empty() {
            let names: Vec<String> = candidates.iter().map(|id| connection.call(id)).collect();
            let nobody =
                || check.finding(service, Verdict::Fail, format!("registered for {service}"), format!("nobody: {} has no pod", names.join(", ")));
            asked.entry((service, None)).or_insert_with(nobody);
            continue;
        }
        let subject = || pod.map_or_else(|| service.to_owned(), |pod| connection.call(&pod.id));
        asked.entry((service, pod.map(|pod| &pod.id))).or_insert_with(|| registration(check, subject(), service, pod, connection));
    }
    asked.into_values().collect()
}

fn registration(check: &Check, subject: String, service: &str, pod: Option<&PodState>, connection: &Connection<'_>) -> Finding {
    let expected = format!("registered for {service}");
    let Connection { observation, registry, .. } = connection;
    if let Err(unavailable) = &observation.inventory.endpoints {
        return check.unseen(subject, expected, unavailable);
    }
    let finding = |verdict, observed: String| check.finding(subject.clone(), verdict, expected.clone(), observed);
    let of_service = registry.of_service(service);
    let own = pod.map_or_else(|| of_service.to_vec(), |pod| registry.of_pod(pod, service));
    // Those without a time do not run out.
    let latest = own.iter().max_by_key(|endpoint| endpoint.expires_at.unwrap_or(i64::MAX));
    let Some(latest) = latest else {
        let others: Vec<&str> = of_service.iter().map(|endpoint| endpoint.id.name.as_str()).collect();
        let observed = if others.is_empty() { "no endpoint is".to_owned() } else { format!("it is not; {} is", few(&others)) };
        return finding(Verdict::Fail, observed);
    };
    let left = latest.expires_at.map(|at| at - observation.taken_at);
    match left {
        Some(left) if left <= 0 => finding(Verdict::Fail, format!("{} has run out {} s ago", latest.id.name, -left)),
        Some(left) => finding(Verdict::Pass, format!("{}, for another {left} s", latest.id.name)),
        None => finding(Verdict::Pass, latest.id.name.clone()),
    }
}
