//! What there is now: NSM's health, what has registered, who is connected to whom. Pure.
//!
//! ```text
//!   Snapshot (without pings) ─┬─► components     the system and its pods, node by node
//!                             ├─► registrations  NetworkServices and endpoints, what of them runs out
//!                             └─► connections    check finds them among the pods ─► Status
//! ```
//!
//! It judges by the checks that need no ping. What nobody can know of a target is said to be unknown, with the reason.
//!
//! # Decisions
//!
//! - **What is not known is a value.** `status` has no empty fields: each is what was seen, or the reason why it was not (`Known`). What a cluster
//!   publishes nowhere, as how often a connection was healed, is never estimated.

mod components;
mod connections;
mod counters;
mod registrations;
#[cfg(test)]
mod tests;

pub use self::counters::{counters, rate};

use jiff::Timestamp;

use crate::{
    check::{CATALOGUE, Check, Look, Subject, Thresholds, connections as find, evaluate_connection, probe_requests},
    model::{Asks, EngineState, Expectations, Finding, Known, PingOptions, PodState, ProbeRequest, Snapshot, Status, Unavailable, Verdict},
};

/// The checks of the deployment whose failure is not told by the connections.
const TOLD: [&str; 4] = ["request", "pods-ready", "network-service", "endpoint-registered"];

/// What to ask inside the pods: interfaces and routes in one go, and no pings.
#[must_use]
pub fn requests(expectations: &Expectations, pods: &[PodState]) -> Vec<ProbeRequest> {
    let look = Look { ping: PingOptions { count: 0, ..PingOptions::default() }, resolver: false, ..Look::default() };
    let silent = |request: ProbeRequest| {
        let asks = Asks { network: request.asks.network, traces: request.asks.traces, ..Asks::default() };
        ProbeRequest { asks, pings: Vec::new(), ..request }
    };
    probe_requests(expectations, pods, &look).into_iter().map(silent).collect()
}

/// The same, and what the kernel has counted of each interface.
#[must_use]
pub fn counting_requests(expectations: &Expectations, pods: &[PodState]) -> Vec<ProbeRequest> {
    let counting = |request: ProbeRequest| ProbeRequest { asks: Asks { counters: true, ..request.asks }, ..request };
    requests(expectations, pods).into_iter().map(counting).collect()
}

/// What there is. `engine` is what this machine's engine knows; `None` for a cluster, where nobody knows as much.
/// `namespace` is the one that was looked into; `None` for all.
#[must_use]
pub fn status(snapshot: &Snapshot, engine: Option<&EngineState>, namespace: Option<&str>) -> Status {
    let Snapshot { expectations, observation, deployed, system, .. } = snapshot;
    let found = find(expectations, observation, Thresholds::default());
    let connections: Vec<_> =
        found.iter().map(|connection| connections::connection(connection, snapshot, engine.map(|engine| engine.carried.as_slice()))).collect();
    let mut findings: Vec<Finding> =
        CATALOGUE.iter().filter(|check| TOLD.contains(&check.id)).flat_map(|check| judge(check, snapshot, &found)).collect();
    findings.extend(found.iter().flat_map(evaluate_connection).filter(|finding| connections::COUNTS.contains(&&*finding.check)));
    findings.splice(0..0, components::nodes(system));
    findings.retain(|finding| !matches!(finding.verdict, Verdict::Pass | Verdict::Skip));
    let connections = match deployed {
        // Nobody can tell whose connections are missing.
        Err(unavailable) if connections.is_empty() => hidden(unavailable),
        _ => Known::Value(connections),
    };
    let taken_at = time(observation.taken_at).unwrap_or_default();
    Status {
        taken_at,
        components: components::components(system, observation.inventory.endpoints.as_deref()),
        services: registrations::services(snapshot, namespace),
        endpoints: registrations::endpoints(snapshot, namespace),
        connections,
        metrics: engine.map(|engine| Known::of(engine.metrics.clone(), "no port of 127.0.0.1 was free")),
        findings,
    }
}

fn judge(check: &Check, snapshot: &Snapshot, found: &[crate::check::Connection<'_>]) -> Vec<Finding> {
    match check.subject {
        Subject::Deployment(judge) => judge(check, &snapshot.expectations, &snapshot.observation),
        Subject::Connections(judge) => judge(check, found),
        Subject::Connection(_) => Vec::new(),
    }
}

fn time(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

fn hidden<T>(unavailable: &Unavailable) -> Known<T> {
    Known::unknown(unavailable.reason.clone())
}
