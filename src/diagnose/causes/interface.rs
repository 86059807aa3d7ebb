//! Causes in the link and in what it carries, and what is said where none is known.

use crate::{
    check::{Connection, Side},
    diagnose::{Case, Found, case::client_init},
    model::{Finding, Verdict},
};

use super::request::about;

/// How many events are quoted where nothing tells which of them counts.
const LAST_WARNINGS: usize = 5;

/// A cause for each connection that `judge` finds one for.
fn connections(case: &Case<'_>, judge: impl Fn(&Connection<'_>, &Side<'_>) -> Option<Found>) -> Vec<Found> {
    let found = |connection: &Connection<'_>| {
        let side = connection.client.as_ref()?;
        judge(connection, side).map(|found| about(case, connection, found.because(case.quote_lines(&side.pod.id, &["data plane is down"]))))
    };
    case.connections.iter().filter_map(found).collect()
}

fn failed<'a>(case: &'a Case<'_>, connection: &Connection<'_>, check: &str) -> Vec<&'a Finding> {
    case.checked(connection, &[check]).into_iter().filter(|finding| finding.verdict == Verdict::Fail).collect()
}

fn evidence(findings: &[&Finding]) -> Vec<String> {
    findings.iter().flat_map(|finding| finding.evidence.clone()).collect()
}

fn observed(findings: &[&Finding]) -> String {
    findings.iter().map(|finding| finding.observed.as_str()).collect::<Vec<_>>().join("; ")
}

pub(in crate::diagnose) fn down(case: &Case<'_>) -> Vec<Found> {
    connections(case, |connection, _| {
        let link = connection.link.as_ref().filter(|link| !link.is_up())?;
        let found = failed(case, connection, "interface");
        Some(Found::new(&connection.subject, format!("{} is there without UP: {}", link.name, observed(&found))).because(evidence(&found)))
    })
}

pub(in crate::diagnose) fn peer_end_missing(case: &Case<'_>) -> Vec<Found> {
    connections(case, |connection, side| {
        let link = connection.link.as_ref()?;
        let near = failed(case, connection, "interface");
        let far: Vec<&Finding> = failed(case, connection, "address").into_iter().filter(|f| f.subject != connection.subject).collect();
        let is_alone = link.is_up() && !link.is_lower_up();
        // Where the endpoint's pod is not ready, that its end is missing only follows.
        let is_lost = !far.is_empty() && connection.endpoint.as_ref().is_some_and(|endpoint| endpoint.pod.ready);
        if !is_alone && !is_lost {
            return None;
        }
        let observed = match connection.endpoint.as_ref().filter(|_| is_lost) {
            Some(endpoint) => format!("{} has none of the connection's addresses", endpoint.pod.id.name),
            None => format!("{} is UP and has nobody at its other end", link.name),
        };
        let found = Found::new(&connection.subject, observed).because(evidence(&near)).because(evidence(&far));
        Some(found.because(case.says(connection, &[&["data plane is down"]])).because(case.complaint(side.pod)))
    })
}

pub(in crate::diagnose) fn missing(case: &Case<'_>) -> Vec<Found> {
    connections(case, |connection, side| {
        let found = failed(case, connection, "interface");
        let is_served = side.pod.is_injected() && client_init(side.pod).is_none_or(|init| init.ready);
        if found.is_empty() || connection.link.is_some() || !is_served || case.is_explained(&side.pod.id.name) {
            return None;
        }
        let found = Found::new(&connection.subject, observed(&found)).because(evidence(&found));
        Some(found.because(case.complaint(side.pod)))
    })
}

pub(in crate::diagnose) fn address_wrong(case: &Case<'_>) -> Vec<Found> {
    connections(case, |connection, _| {
        let found: Vec<&Finding> = failed(case, connection, "address").into_iter().filter(|f| f.subject == connection.subject).collect();
        let first = found.first()?;
        let observed = format!("{} instead of {}", first.observed, first.expected);
        Some(Found::new(&connection.subject, observed).because(evidence(&found)))
    })
}

pub(in crate::diagnose) fn route_missing(case: &Case<'_>) -> Vec<Found> {
    connections(case, |connection, _| {
        let found = failed(case, connection, "peer-route");
        let first = found.first()?;
        // A link that is down takes its routes along.
        connection.link.as_ref().filter(|link| link.is_up())?;
        Some(Found::new(&connection.subject, format!("{}; expected {}", first.observed, first.expected)).because(evidence(&found)))
    })
}

pub(in crate::diagnose) fn data_path(case: &Case<'_>) -> Vec<Found> {
    connections(case, |connection, side| {
        let lost: Vec<&Finding> = ["ping-endpoint", "ping-client"].into_iter().flat_map(|check| failed(case, connection, check)).collect();
        let is_whole = case.verdict("interface", connection) != Some(Verdict::Fail)
            && !case.endpoint_of(connection).is_some_and(|endpoint| case.is_explained(&endpoint.to_string()));
        if lost.is_empty() || !is_whole || !side.pod.ready {
            return None;
        }
        let lines: Vec<String> = lost.iter().map(|finding| format!("{} ({}): {}", finding.title, finding.subject, finding.observed)).collect();
        let said = case.says(connection, &[&[""]]);
        Some(Found::new(&connection.subject, lines.join("; ")).because(said).because(evidence(&lost)))
    })
}

pub(in crate::diagnose) fn unexplained(case: &Case<'_>) -> Vec<Found> {
    let Some(broken) = case.path.iter().find(|finding| finding.verdict == Verdict::Fail).filter(|_| case.found.is_empty()) else { return Vec::new() };
    let logs = case.snapshot.system.logs.iter().filter_map(|log| case.quote_errors(&log.pod, &log.container).pop());
    let found = Found::new(&broken.subject, format!("{}: {}", broken.title, broken.observed));
    let mut warnings = case.warnings(|_| true);
    let old = warnings.len().saturating_sub(LAST_WARNINGS);
    let found = found.because(broken.evidence.clone()).because(warnings.split_off(old)).because(logs);
    vec![if case.is_local() { found.fixed_by("nsmctl cleanup --target local && {deploy}   # from the beginning") } else { found }]
}
