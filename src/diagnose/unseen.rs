//! What could not be collected: a finding of its own, since what was not seen is not well.

use std::borrow::Cow;

use super::case::Case;
use crate::model::{Finding, Unavailable, UnavailableKind, Verdict};

/// What could not be seen, once for each reason, with what is missing by it.
pub(super) fn unseen(case: &Case<'_>) -> Vec<Finding> {
    let snapshot = case.snapshot;
    let (inventory, system) = (&snapshot.observation.inventory, &snapshot.system);
    let mut lost: Vec<(String, &Unavailable)> = Vec::new();
    let parts = [
        ("what is deployed", snapshot.deployed.as_ref().err()),
        ("pods", inventory.pods.as_ref().err()),
        ("NetworkServices", inventory.services.as_ref().err()),
        ("registered endpoints", inventory.endpoints.as_ref().err()),
        // Where there are no ClusterSPIFFEIDs at all, identities are given in another way.
        ("ClusterSPIFFEIDs", inventory.identities.as_ref().err().filter(|unavailable| unavailable.kind != UnavailableKind::NotFound)),
        ("NSM's and SPIRE's pods", system.pods.as_ref().err()),
        ("nodes", system.nodes.as_ref().err()),
        ("the webhook's configuration", system.webhook.as_ref().err()),
        ("events", system.events.as_ref().err()),
    ];
    lost.extend(parts.into_iter().filter_map(|(what, unavailable)| Some((what.to_owned(), unavailable?))));
    for component in &system.components {
        lost.extend(component.ready.as_ref().err().map(|unavailable| (component.role.clone(), unavailable)));
    }
    // Of what works, nobody needs the logs; what has not started has none.
    if case.path.iter().any(|finding| finding.verdict == Verdict::Fail) {
        let logs = system.logs.iter().filter_map(|log| Some((log, log.lines.as_ref().err()?)));
        let logs = logs.filter(|(log, _)| has_begun(case, log));
        lost.extend(logs.map(|(log, unavailable)| (format!("the log of {}/{}", log.pod, log.container), unavailable)));
    }
    lost.retain(|(_, unavailable)| unavailable.kind != UnavailableKind::NotAsked);
    let mut findings: Vec<Finding> = Vec::new();
    for (what, unavailable) in lost {
        match findings.iter_mut().find(|finding| finding.observed == unavailable.reason) {
            Some(known) => known.subject = format!("{}, {what}", known.subject),
            None => findings.push(finding(what, unavailable)),
        }
    }
    findings
}

fn has_begun(case: &Case<'_>, log: &crate::model::LogTail) -> bool {
    let own = case.observation().pods().iter().chain(case.snapshot.system.pods.iter().flatten());
    let mut containers = own.filter(|pod| pod.id == log.pod).flat_map(|pod| pod.init_containers.iter().chain(&pod.containers));
    containers
        .find(|container| container.name == log.container)
        .is_some_and(|container| container.running || container.ready || container.restarts > 0)
}

fn finding(what: String, unavailable: &Unavailable) -> Finding {
    let hint = match unavailable.kind {
        UnavailableKind::Forbidden => Some("ask for this permission; `nsmctl manifests rbac` prints the roles that one deployment needs"),
        UnavailableKind::Timeout | UnavailableKind::Transport => Some("try again with a longer --timeout; a node that does not answer is not ready"),
        _ => None,
    };
    Finding {
        check: Cow::Borrowed("collection"),
        title: Cow::Borrowed("could not be seen"),
        subject: what,
        verdict: Verdict::Unknown,
        expected: String::new(),
        observed: unavailable.reason.clone(),
        documented: None,
        evidence: Vec::new(),
        hint: hint.map(str::to_owned),
        blocked: false,
    }
}
