use crate::model::{Expectations, Finding, Mechanism, Observation, Unavailable, UnavailableKind, Verdict};

use super::{Connection, Thresholds, connections, mechanism, network, path, pods, registration};

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
    /// All connections together.
    Connections(fn(&Check, &[Connection<'_>]) -> Vec<Finding>),
    /// Each connection.
    Connection(fn(&Check, &Connection<'_>) -> Vec<Finding>),
}

const fn check(id: &'static str, title: &'static str, subject: Subject, hint: &'static str) -> Check {
    Check { id, title, hint, subject }
}

/// Every check, in the order of a packet's way: what is nearer to the cause comes first.
pub const CATALOGUE: [Check; 16] = [
    check(
        "request",
        "request readable",
        Subject::Deployment(pods::readable),
        "correct the annotation: MECHANISM://SERVICE/INTERFACE, several with a comma and no space between them",
    ),
    check("pods-ready", "pods ready", Subject::Deployment(pods::ready), "nsmctl troubleshoot says why a pod is not ready"),
    check(
        "sidecar-injected",
        "NSM client injected",
        Subject::Connection(pods::injected),
        "NSM's webhook injects only when a pod is created: check the webhook, then delete the pod and deploy again",
    ),
    check(
        "identity",
        "SPIFFE identity",
        Subject::Connections(registration::identity),
        "give the pod's template the label spiffe.io/spiffe-id: \"true\", or make a ClusterSPIFFEID that selects the pod",
    ),
    check(
        "network-service",
        "NetworkService",
        Subject::Deployment(registration::network_service),
        "make it, or remove the one that is too many; `nsmctl status -A` lists them",
    ),
    check(
        "endpoint-registered",
        "endpoint registered",
        Subject::Connections(registration::endpoint_registered),
        "the endpoint renews its registration while it runs and reaches NSM: see its log and nsmgr's on its node",
    ),
    check("mechanism", "mechanism", Subject::Connection(mechanism::accepted), "nsmctl troubleshoot says why NSM does not accept the request"),
    check(
        "interface",
        "interface up",
        Subject::Connection(network::interface),
        "nsmctl troubleshoot says why the connection has no interface, or why it is down",
    ),
    check(
        "address",
        "address",
        Subject::Connection(network::address),
        "the endpoint gives the addresses out of NSM_CIDR_PREFIX; nsmctl troubleshoot says how they are given again",
    ),
    check(
        "address-overlap",
        "addresses apart",
        Subject::Connections(path::overlap),
        "give the endpoints prefixes (NSM_CIDR_PREFIX) that do not overlap, then delete the clients' pods",
    ),
    check(
        "peer-route",
        "route to the peer",
        Subject::Connection(network::peer_route),
        "nsmctl troubleshoot says what has become of the route, and how it is made again",
    ),
    check(
        "ping-endpoint",
        "ping client → endpoint",
        Subject::Connection(network::ping_endpoint),
        "nsmctl troubleshoot follows the path from the client to the endpoint",
    ),
    check(
        "ping-client",
        "ping endpoint → client",
        Subject::Connection(network::ping_client),
        "nsmctl troubleshoot follows the path from the client to the endpoint",
    ),
    check(
        "path-mtu",
        "path MTU",
        Subject::Connection(path::path_mtu),
        "longer packets vanish and connections hang: set the interface's MTU in the pod to what passes, or raise the MTU between the nodes",
    ),
    check(
        "dns",
        "DNS",
        Subject::Connections(path::dns),
        "see the log of the container cmd-nsc; NSM_LOCAL_DNS_SERVER_ENABLED=false there leaves the pod's resolv.conf alone",
    ),
    check(
        "encryption",
        "encryption",
        Subject::Connection(path::encryption),
        "forwarder-vpp with payload IP encrypts between nodes; else encrypt above it",
    ),
];

/// The ids of findings that no check of the catalogue makes: what the loss of an endpoint costs (`--heal`), and a look that got no
/// answer (`--watch`).
pub const HEAL: &str = "heal";
/// See [`HEAL`].
pub const TARGET: &str = "target";

/// The checks that say something of a connection without a kernel interface.
const WITHOUT_INTERFACE: [&str; 3] = ["sidecar-injected", "mechanism", "encryption"];

/// Judges everything that was promised by everything that was seen.
///
/// No finding at all means that there was nothing to judge; that is not a pass.
#[must_use]
pub fn evaluate(expectations: &Expectations, observation: &Observation, thresholds: Thresholds) -> Vec<Finding> {
    let connections = connections(expectations, observation, thresholds);
    let mut findings = Vec::new();
    for check in &CATALOGUE {
        match check.subject {
            Subject::Deployment(judge) => findings.extend(judge(check, expectations, observation)),
            Subject::Connections(judge) => findings.extend(judge(check, &connections)),
            Subject::Connection(judge) => findings.extend(connections.iter().flat_map(|connection| of_connection(check, judge, connection))),
        }
    }
    findings
}

/// Judges one connection by every check that looks at one connection, in the order of the catalogue.
#[must_use]
pub fn evaluate_connection(connection: &Connection<'_>) -> Vec<Finding> {
    let judge = |check: &Check| match check.subject {
        Subject::Deployment(_) | Subject::Connections(_) => Vec::new(),
        Subject::Connection(judge) => of_connection(check, judge, connection),
    };
    CATALOGUE.iter().flat_map(judge).collect()
}

fn of_connection(check: &Check, judge: fn(&Check, &Connection<'_>) -> Vec<Finding>, connection: &Connection<'_>) -> Vec<Finding> {
    // Of a connection that has an interface there is nothing to say about what has none.
    let concerns = check.id != "mechanism" || connection.expectation.url.mechanism != Mechanism::Kernel;
    if !concerns {
        return Vec::new();
    }
    unchecked(check, connection).map_or_else(|| judge(check, connection), |finding| vec![finding])
}

/// Why a check of a connection is passed over: no client to look into, or a mechanism that makes no kernel interface.
fn unchecked(check: &Check, connection: &Connection<'_>) -> Option<Finding> {
    if let Some(unavailable) = &connection.hidden {
        return Some(check.unseen(&connection.subject, "", unavailable));
    }
    if connection.client.is_none() {
        let blocked = connection.is_amiss();
        return Some(Finding { blocked, ..check.finding(&connection.subject, Verdict::Skip, "", "not checked: the client has no pod") });
    }
    let mechanism = &connection.expectation.url.mechanism;
    if *mechanism != Mechanism::Kernel && !WITHOUT_INTERFACE.contains(&check.id) {
        return Some(check.finding(&connection.subject, Verdict::Skip, "", format!("not checked: {mechanism} makes no kernel interface")));
    }
    None
}

impl Check {
    /// A finding of this check. What is not as promised comes with the check's hint.
    pub(super) fn finding(&self, subject: impl Into<String>, verdict: Verdict, expected: impl Into<String>, observed: impl Into<String>) -> Finding {
        Finding::new(self.id, self.title, subject, verdict, expected, observed).advised(self.hint)
    }

    /// A finding about what is passed over because something else is not as it should be.
    pub(super) fn blocked(&self, subject: impl Into<String>, expected: impl Into<String>, observed: impl Into<String>) -> Finding {
        Finding { blocked: true, ..self.finding(subject, Verdict::Skip, expected, observed) }
    }

    /// A finding about what could not be seen: skipped where something else has to be there first, unknown otherwise.
    pub(super) fn unseen(&self, subject: impl Into<String>, expected: impl Into<String>, unavailable: &Unavailable) -> Finding {
        match unavailable.kind {
            UnavailableKind::NotAsked => self.blocked(subject, expected, unavailable.reason.clone()),
            _ => self.finding(subject, Verdict::Unknown, expected, unavailable.reason.clone()),
        }
    }
}
