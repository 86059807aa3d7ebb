use crate::model::{Expectations, Finding, Mechanism, Observation, Unavailable, UnavailableKind, Verdict};

use super::{Connection, connections, network, pods};

/// A check: data, one a place.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Its stable id.
    pub id: &'static str,
    /// What it says, in a few words.
    pub title: &'static str,
    /// What to do when it fails.
    pub hint: &'static str,
    /// What it looks at.
    pub subject: Subject,
}

/// What a check looks at, and how it judges it.
#[derive(Debug, Clone, Copy)]
pub enum Subject {
    /// The deployment as a whole.
    Deployment(fn(&Check, &Expectations, &Observation) -> Vec<Finding>),
    /// Each connection.
    Connection(fn(&Check, &Connection<'_>) -> Vec<Finding>),
}

/// Every check, in the order of a packet's way: what is nearer to the cause comes first.
pub const CATALOGUE: [Check; 7] = [
    Check {
        id: "pods-ready",
        title: "pods ready",
        hint: "nsmctl troubleshoot says why a pod is not ready",
        subject: Subject::Deployment(pods::ready),
    },
    Check {
        id: "sidecar-injected",
        title: "NSM client injected",
        hint: "NSM's webhook injects only when a pod is created: check the webhook, then delete the pod and deploy again",
        subject: Subject::Connection(pods::injected),
    },
    Check {
        id: "interface",
        title: "interface up",
        hint: "nsmctl troubleshoot says why the connection has no interface, or why it is down",
        subject: Subject::Connection(network::interface),
    },
    Check {
        id: "address",
        title: "address",
        hint: "the endpoint gives the addresses out of NSM_CIDR_PREFIX; delete the client's pod to have them given again",
        subject: Subject::Connection(network::address),
    },
    Check {
        id: "peer-route",
        title: "route to the peer",
        hint: "delete the client's pod to have the route made again",
        subject: Subject::Connection(network::peer_route),
    },
    Check {
        id: "ping-endpoint",
        title: "ping client → endpoint",
        hint: "nsmctl troubleshoot follows the path from the client to the endpoint",
        subject: Subject::Connection(network::ping_endpoint),
    },
    Check {
        id: "ping-client",
        title: "ping endpoint → client",
        hint: "nsmctl troubleshoot follows the path from the client to the endpoint",
        subject: Subject::Connection(network::ping_client),
    },
];

/// Judges everything that was promised by everything that was seen.
///
/// No finding at all means that there was nothing to judge; that is not a pass.
#[must_use]
pub fn evaluate(expectations: &Expectations, observation: &Observation) -> Vec<Finding> {
    let connections = connections(expectations, observation);
    let mut findings = Vec::new();
    for check in &CATALOGUE {
        match check.subject {
            Subject::Deployment(judge) => findings.extend(judge(check, expectations, observation)),
            Subject::Connection(judge) => {
                let judge = |connection| unchecked(check, connection).map_or_else(|| judge(check, connection), |finding| vec![finding]);
                findings.extend(connections.iter().flat_map(judge));
            }
        }
    }
    findings
}

/// Judges one connection by every check that looks at connections, in the order of the catalogue.
#[must_use]
pub fn evaluate_connection(connection: &Connection<'_>) -> Vec<Finding> {
    let judge = |check: &Check| match check.subject {
        Subject::Deployment(_) => Vec::new(),
        Subject::Connection(judge) => unchecked(check, connection).map_or_else(|| judge(check, connection), |finding| vec![finding]),
    };
    CATALOGUE.iter().flat_map(judge).collect()
}

/// Why a check of a connection is passed over: no client to look into, or a mechanism that makes no kernel interface.
fn unchecked(check: &Check, connection: &Connection<'_>) -> Option<Finding> {
    if let Some(unavailable) = &connection.hidden {
        return Some(check.unseen(&connection.subject, "", unavailable));
    }
    if connection.client.is_none() {
        return Some(check.finding(&connection.subject, Verdict::Skip, "", "not checked: the client has no pod"));
    }
    let mechanism = &connection.expectation.url.mechanism;
    if *mechanism != Mechanism::Kernel && check.id != "sidecar-injected" {
        return Some(check.finding(&connection.subject, Verdict::Skip, "", format!("not checked: {mechanism} makes no kernel interface")));
    }
    None
}

impl Check {
    /// A finding of this check. What is not as promised comes with the check's hint.
    pub(super) fn finding(&self, subject: impl Into<String>, verdict: Verdict, expected: impl Into<String>, observed: impl Into<String>) -> Finding {
        Finding::new(self.id, self.title, subject, verdict, expected, observed).advised(self.hint)
    }

    /// A finding about what could not be seen: skipped where something else has to be there first, unknown otherwise.
    pub(super) fn unseen(&self, subject: impl Into<String>, expected: impl Into<String>, unavailable: &Unavailable) -> Finding {
        let verdict = if unavailable.kind == UnavailableKind::NotAsked { Verdict::Skip } else { Verdict::Unknown };
        self.finding(subject, verdict, expected, unavailable.reason.clone())
    }
}
