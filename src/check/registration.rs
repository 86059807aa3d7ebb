//! What SPIRE and NSM's registry know of a connection's two ends.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Expectations, Finding, Inventory, Namespaced, Observation, PodState, RegisteredEndpoint, SPIFFE_LABEL, UnavailableKind, Verdict};

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
            findings.push(identity_of(check, &connection.call(&side.pod.id), side.pod, connected, &connection.observation.inventory));
        }
    }
    findings
}

fn identity_of(check: &Check, subject: &str, pod: &PodState, connected: bool, inventory: &Inventory) -> Finding {
    let expected = "a ClusterSPIFFEID selects it";
    let finding = |verdict, observed: String| check.finding(subject, verdict, expected, observed);
    let registered = inventory.endpoints.iter().flatten().find(|endpoint| endpoint.pod().as_ref() == Some(&pod.id));
    let registered = registered.and_then(|endpoint| endpoint.spiffe_id.clone());
    match &inventory.identities {
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
        Err(unavailable) if unavailable.kind == UnavailableKind::NotAsked => check.unseen(subject, expected, unavailable),
        Err(_) if connected => finding(Verdict::Pass, "NSM has accepted its request, which takes an SVID".to_owned()),
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
    let judge = |name: &str| {
        let promised = expectations.services.iter().find(|service| service.id.name == name);
        let expected = promised.map_or_else(|| "one".to_owned(), |service| format!("one, payload {}", service.payload));
        let finding = |verdict, observed: String| check.finding(name, verdict, expected.clone(), observed);
        let services = match &observation.inventory.services {
            Ok(services) => services,
            Err(unavailable) => return check.unseen(name, expected, unavailable),
        };
        let same: Vec<_> = services.iter().filter(|service| service.id.name == name).collect();
        let own = promised
            .and_then(|promised| same.iter().find(|service| service.id == promised.id))
            .or_else(|| same.first().filter(|_| promised.is_none()));
        let Some(own) = own else {
            let elsewhere: Vec<&str> = same.iter().map(|service| service.id.namespace.as_str()).collect();
            let missing = promised.map_or_else(|| "none".to_owned(), |promised| format!("none in {}", promised.id.namespace));
            return finding(
                Verdict::Fail,
                if elsewhere.is_empty() { missing } else { format!("{missing}; there is one in {}", elsewhere.join(", ")) },
            );
        };
        let seen = own.payload.map_or_else(|| "a payload that NSM does not know".to_owned(), |payload| format!("payload {payload}"));
        let observed = format!("{seen}, in {}", own.id.namespace);
        if own.payload.is_none() || promised.is_some_and(|promised| own.payload != Some(promised.payload)) {
            return finding(Verdict::Fail, observed);
        }
        let others: Vec<&str> = same.iter().filter(|service| service.id != own.id).map(|service| service.id.namespace.as_str()).collect();
        if others.is_empty() {
            finding(Verdict::Pass, observed)
        } else {
            finding(Verdict::Warn, format!("{observed}; also in {}", others.join(", ")))
        }
    };
    requested.into_iter().map(judge).collect()
}

/// Every endpoint that a connection ends in is registered, and its registration has not run out.
pub(super) fn endpoint_registered(check: &Check, connections: &[Connection<'_>]) -> Vec<Finding> {
    let mut asked: BTreeMap<(&str, Option<&Namespaced>), Finding> = BTreeMap::new();
    for connection in connections {
        let service = connection.expectation.url.service.as_str();
        let pod = connection.endpoint.as_ref().map(|side| side.pod);
        let subject = || pod.map_or_else(|| service.to_owned(), |pod| connection.call(&pod.id));
        asked.entry((service, pod.map(|pod| &pod.id))).or_insert_with(|| registration(check, subject(), service, pod, connection.observation));
    }
    asked.into_values().collect()
}

fn registration(check: &Check, subject: String, service: &str, pod: Option<&PodState>, observation: &Observation) -> Finding {
    let expected = format!("registered for {service}");
    let endpoints = match &observation.inventory.endpoints {
        Ok(endpoints) => endpoints,
        Err(unavailable) => return check.unseen(subject, expected, unavailable),
    };
    let finding = |verdict, observed: String| check.finding(subject.clone(), verdict, expected.clone(), observed);
    let of_service: Vec<&RegisteredEndpoint> =
        endpoints.iter().filter(|endpoint| endpoint.services.iter().any(|offered| offered == service)).collect();
    let own: Vec<&RegisteredEndpoint> = of_service.iter().copied().filter(|endpoint| pod.is_none_or(|pod| endpoint.is_of(&pod.id))).collect();
    // Those without a time do not run out.
    let latest = own.iter().max_by_key(|endpoint| endpoint.expires_at.unwrap_or(i64::MAX));
    let Some(latest) = latest else {
        let others: Vec<&str> = of_service.iter().map(|endpoint| endpoint.id.name.as_str()).collect();
        let observed = if others.is_empty() { "no endpoint is".to_owned() } else { format!("it is not; {} is", others.join(", ")) };
        return finding(Verdict::Fail, observed);
    };
    let left = latest.expires_at.map(|at| at - observation.taken_at);
    match left {
        Some(left) if left <= 0 => finding(Verdict::Fail, format!("{} has run out {} s ago", latest.id.name, -left)),
        Some(left) => finding(Verdict::Pass, format!("{}, for another {left} s", latest.id.name)),
        None => finding(Verdict::Pass, latest.id.name.clone()),
    }
}
