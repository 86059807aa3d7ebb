//! Causes that are told by the words of NSM's own programs: what a request comes back with.

use super::request::{about, unserved};
use crate::{
    check::Connection,
    diagnose::{Case, Found, case::FROM_THE_BEGINNING},
    model::{Mechanism, log::reads},
};

/// A cause that is told by words alone.
fn told(case: &Case<'_>, alternatives: &[&[&str]], observed: &str) -> Vec<Found> {
    unserved(case, |connection| {
        let said = case.says(connection, alternatives);
        (!said.is_empty()).then(|| Found::new(&connection.subject, observed).because(said))
    })
}

pub(in crate::diagnose) fn not_authorized(case: &Case<'_>) -> Vec<Found> {
    told(case, &[&["no sufficient privileges"], &["policy failed", ".rego"]], "a hop refuses the token of the one before it")
}

pub(in crate::diagnose) fn no_forwarder(case: &Case<'_>) -> Vec<Found> {
    let mut found = told(case, &[&["no candidates found"]], "the manager of the client's node has no forwarder");
    // That no endpoint is a candidate is said in nearly the same words.
    found.retain(|found| !found.evidence.iter().all(|text| reads(text, &["endpoint candidates not found"])));
    found
}

pub(in crate::diagnose) fn forwarder_replaced(case: &Case<'_>) -> Vec<Found> {
    told(case, &[&["forwarder", "is not available"]], "the forwarder that the connection went through is not there any more")
}

pub(in crate::diagnose) fn registry_refused(case: &Case<'_>) -> Vec<Found> {
    told(case, &[&["failed to create a nse"], &["failed to create a netsvc"]], "the registry could not write a registration")
}

pub(in crate::diagnose) fn svid_rotating(case: &Case<'_>) -> Vec<Found> {
    let words: &[&[&str]] = &[&["certificate has expired"], &["x509", "certificate signed by unknown authority"], &["svid", "expired"]];
    told(case, words, "a part of NSM shows an identity that is not valid any more")
}

pub(in crate::diagnose) fn program_missing(case: &Case<'_>) -> Vec<Found> {
    told(case, &[&["exec: no command"]], "the forwarder has run a program that its image does not have")
}

pub(in crate::diagnose) fn tunnel_address_wrong(case: &Case<'_>) -> Vec<Found> {
    told(case, &[&["unable to find interface in vpp with tunnelip"]], "no interface of the forwarder has its NSM_TUNNEL_IP")
}

pub(in crate::diagnose) fn link_not_made(case: &Case<'_>) -> Vec<Found> {
    let mut found = told(case, &[&["failed to find link"]], "the link that was to be given to the pod is not found");
    for found in found.iter_mut().filter(|_| case.is_local()) {
        found.fix = Some(FROM_THE_BEGINNING);
    }
    found
}

pub(in crate::diagnose) fn descriptor_lost(case: &Case<'_>) -> Vec<Found> {
    let words: &[&[&str]] = &[&["nil file", "inode://"], &["timeout", "inode://"], &["inode://", "nil file"], &["inode://", "timeout"]];
    told(case, words, "the open file of the pod's network namespace did not arrive")
}

pub(in crate::diagnose) fn endpoint_stale(case: &Case<'_>) -> Vec<Found> {
    unserved(case, |connection| {
        let mut said = case.says(connection, &[&["network service endpoint ", "not found"]]);
        // That no endpoint is a candidate is said in nearly the same words, and is another matter.
        said.retain(|text| !reads(text, &["endpoint candidates not found"]));
        (!said.is_empty()).then(|| Found::new(&connection.subject, "the endpoint that it asks for by name is not registered any more").because(said))
    })
}

/// Whether the endpoint runs, as far as it is known: where it does not, that it is not registered only follows.
pub(super) fn may_run(case: &Case<'_>, connection: &Connection<'_>) -> bool {
    case.endpoint_of(connection).is_none_or(|workload| case.pods_of(workload).iter().any(|pod| pod.ready))
}

pub(in crate::diagnose) fn no_matching_endpoint(case: &Case<'_>) -> Vec<Found> {
    let is_registered = |connection: &Connection<'_>| {
        case.registrations_of(connection).is_none_or(|all| all.iter().any(|endpoint| case.expired_for(endpoint).is_none()))
    };
    unserved(case, |connection| {
        let said = case.says(connection, &[&["endpoint candidates not found"]]);
        let found = || Found::new(&connection.subject, format!("no registered endpoint of {} is a candidate", connection.expectation.url.service));
        let is_told = case.is_explained_by(&["endpoint-scaled-down"], &connection.subject);
        (!said.is_empty() && !is_told && is_registered(connection) && may_run(case, connection)).then(|| found().because(said))
    })
}

pub(in crate::diagnose) fn connection_refused(case: &Case<'_>) -> Vec<Found> {
    told(case, &[&["connection refused"]], "nobody listens at the socket or port")
}

pub(in crate::diagnose) fn dial_timeout(case: &Case<'_>) -> Vec<Found> {
    told(case, &[&["failed to dial", "deadline"]], "a connection to the next hop was not made in time")
}

/// NSM's words are the same for every failed request, so that the scheme has to tell.
pub(in crate::diagnose) fn mechanism_unsupported(case: &Case<'_>) -> Vec<Found> {
    unserved(case, |connection| {
        let mechanism = &connection.expectation.url.mechanism;
        if matches!(mechanism, Mechanism::Kernel | Mechanism::Vfio) || case.is_explained(&connection.subject) {
            return None;
        }
        let said = case.says(connection, &[&["requested mechanism"]]);
        Some(Found::new(&connection.subject, format!("it asks for {mechanism}, which the injected client does not make")).because(said))
    })
}

/// Only where nothing else is known: every failure ends with it in the end.
pub(in crate::diagnose) fn request_timeout(case: &Case<'_>) -> Vec<Found> {
    let mut found = told(case, &[&["DeadlineExceeded"], &["deadline exceeded"]], "an attempt uses up its time, and nobody says what for");
    found.retain(|found| !case.is_explained(&found.subject));
    found
}

/// What the client's container says again and again while its connection does not work.
fn client_says(case: &Case<'_>, parts: &[&str], observed: &str) -> Vec<Found> {
    let judge = |connection: &Connection<'_>| {
        let side = connection.client.as_ref().filter(|_| !case.works(connection))?;
        let said = case.quote_lines(&side.pod.id, parts);
        (!said.is_empty()).then(|| about(case, connection, Found::new(&connection.subject, observed).because(said)))
    };
    case.connections.iter().filter_map(judge).collect()
}

pub(in crate::diagnose) fn ping_not_permitted(case: &Case<'_>) -> Vec<Found> {
    client_says(case, &["ping failed", "permission denied"], "cmd-nsc may not send the pings by which it watches the connection")
}

pub(in crate::diagnose) fn control_plane_down(case: &Case<'_>) -> Vec<Found> {
    let mut found = client_says(case, &["plane is down"], "cmd-nsc has lost its manager and asks for the connection again");
    // What it said last counts, and an interface or an endpoint that is broken tells more.
    found.retain(|found| found.evidence.last().is_some_and(|text| reads(text, &["control plane is down"])) && !case.is_explained(&found.subject));
    found
}
