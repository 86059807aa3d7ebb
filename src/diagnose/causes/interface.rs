//! Causes in the link and in what it carries, and what is said where none is known.

use std::net::IpAddr;

use crate::{
    check::{Connection, Side},
    diagnose::{Case, Found, case::FROM_THE_BEGINNING},
    model::{AddressPair, Finding, Link, Payload, PodState, Route, Verdict},
};

use super::request::about;

/// What a connection is not blamed for again: its addresses and its other end follow from these.
const ROOTS: [&str; 3] = ["endpoint-scaled-down", "endpoint-without-prefix", "prefixes-overlap"];
/// The least MTU of an interface for IPv4 (RFC 791: what every host must take) and for IPv6 (RFC 8200).
const LEAST_MTU: (u32, u32) = (576, 1280);
/// How many events are quoted where nothing tells which of them counts.
const LAST_WARNINGS: usize = 5;

/// A cause for each connection that `judge` finds one for.
fn connections(case: &Case<'_>, judge: impl Fn(&Connection<'_>, &Side<'_>) -> Option<Found>) -> Vec<Found> {
    let found = |connection: &Connection<'_>| {
        let side = connection.client.as_ref().filter(|_| !case.is_explained_by(&ROOTS, &connection.subject))?;
        // What was said of a fault that is over is no evidence of this one.
        let said = if case.works(connection) { Vec::new() } else { dead_data_plane(case, side) };
        judge(connection, side).map(|found| about(case, connection, found.because(said)))
    };
    case.connections.iter().filter_map(found).collect()
}

/// What NSM's client said last about packets that do not come back.
fn dead_data_plane(case: &Case<'_>, side: &Side<'_>) -> Vec<String> {
    let said = [&["no packets received"][..], &["data plane is down"]].into_iter();
    said.filter_map(|parts| case.quote_lines(&side.pod.id, parts).pop()).collect()
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

/// The interface at the endpoint's end: by its address, else the one that NSM has named after the service and that has none.
fn far_end<'a>(connection: &'a Connection<'_>) -> Option<(&'a PodState, &'a Link)> {
    let endpoint = connection.endpoint.as_ref()?;
    let service: String = connection.expectation.url.service.chars().take(10).collect();
    let is_its = |link: &&Link| link.name.strip_prefix(&service).is_some_and(|rest| rest.starts_with('-')) && is_bare(link);
    let addressed = connection.pairs.iter().find_map(|pair| endpoint.link_with(pair.endpoint));
    let link = addressed.or_else(|| endpoint.links.as_deref().unwrap_or_default().iter().find(is_its))?;
    Some((endpoint.pod, link))
}

/// Whether an interface has no address but those that the kernel itself has made.
fn is_bare(link: &Link) -> bool {
    link.addresses.iter().all(|a| matches!(a.address, IpAddr::V6(address) if address.is_unicast_link_local()))
}

/// Both ends, as far as they can be seen.
fn ends<'a>(connection: &'a Connection<'_>) -> Vec<(&'a PodState, &'a Link)> {
    let near = connection.client.as_ref().map(|side| side.pod).zip(connection.link.as_ref());
    near.into_iter().chain(far_end(connection)).collect()
}

/// An end in the words of `ip`, with whose it is.
fn describe((pod, link): (&PodState, &Link)) -> String {
    format!("{}: {}: {}", pod.id.name, link.name, link.properties())
}

/// What an interface of the connection is that lets packets be lost although it is up.
fn oddities(connection: &Connection<'_>) -> Vec<String> {
    let is_six = connection.pairs.iter().any(|pair| pair.client.is_ipv6());
    let (family, least) = if is_six { ("IPv6", LEAST_MTU.1) } else { ("IPv4", LEAST_MTU.0) };
    let mut all = Vec::new();
    for (pod, link) in ends(connection) {
        let (name, pod) = (&link.name, &pod.id.name);
        let small = link.mtu.filter(|mtu| *mtu < least);
        all.extend(small.map(|mtu| format!("{name} of {pod} has an MTU of {mtu}, and {family} needs {least}")));
        // Where there are but two ends and no link-layer addresses, there is nothing to resolve.
        let is_mute = link.flags.contains("NOARP") && !link.flags.contains("POINTOPOINT");
        if is_mute && connection.expectation.payload == Some(Payload::Ethernet) {
            all.push(format!("{name} of {pod} has NOARP: it does not ask for the link-layer address of its peer"));
        }
    }
    all
}

pub(in crate::diagnose) fn down(case: &Case<'_>) -> Vec<Found> {
    connections(case, |connection, _| {
        let link = connection.link.as_ref().filter(|link| !link.is_up())?;
        let found = failed(case, connection, "interface");
        Some(Found::new(&connection.subject, format!("{} is there without UP: {}", link.name, observed(&found))).because(evidence(&found)))
    })
}

pub(in crate::diagnose) fn peer_end_down(case: &Case<'_>) -> Vec<Found> {
    connections(case, |connection, _| {
        connection.link.as_ref().filter(|link| link.is_up())?;
        let (pod, link) = far_end(connection).filter(|(_, link)| !link.is_up())?;
        let observed = format!("{} of {} is there without UP", link.name, pod.id.name);
        Some(Found::new(&connection.subject, observed).because(ends(connection).into_iter().map(describe)))
    })
}

/// What the endpoint lacks of its addresses, where the client has its own: else another prefix is at work.
fn lost_by_the_endpoint<'a>(case: &'a Case<'_>, connection: &Connection<'_>) -> Vec<&'a Finding> {
    let (near, far): (Vec<_>, Vec<_>) = failed(case, connection, "address").into_iter().partition(|f| f.subject == connection.subject);
    // Where the endpoint's pod is not ready, that its end is missing only follows.
    let is_ready = connection.endpoint.as_ref().is_some_and(|endpoint| endpoint.pod.ready);
    if near.is_empty() && is_ready { far } else { Vec::new() }
}

pub(in crate::diagnose) fn peer_address_missing(case: &Case<'_>) -> Vec<Found> {
    connections(case, |connection, _| {
        connection.link.as_ref().filter(|link| link.is_up())?;
        let far = lost_by_the_endpoint(case, connection);
        let (pod, link) = far_end(connection).filter(|(_, link)| link.is_up() && !far.is_empty())?;
        let lost: Vec<&str> = far.iter().map(|finding| finding.expected.as_str()).collect();
        let observed = format!("{} of {} has not {}", link.name, pod.id.name, lost.join(", "));
        Some(Found::new(&connection.subject, observed).because(evidence(&far)).because([describe((pod, link))]))
    })
}

pub(in crate::diagnose) fn peer_end_missing(case: &Case<'_>) -> Vec<Found> {
    connections(case, |connection, side| {
        let link = connection.link.as_ref()?;
        let near = failed(case, connection, "interface");
        let far = lost_by_the_endpoint(case, connection);
        let is_alone = link.is_up() && !link.is_lower_up();
        let is_lost = !far.is_empty();
        let is_told = case.is_explained_by(&["peer-end-down", "peer-address-missing"], &connection.subject);
        if is_told || (!is_alone && !is_lost) {
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
        let is_served = side.pod.is_injected() && side.pod.client_init().is_none_or(|init| init.ready);
        if found.is_empty() || connection.link.is_some() || !is_served || case.is_explained(&side.pod.id.name) {
            return None;
        }
        let found = Found::new(&connection.subject, observed(&found)).because(evidence(&found));
        Some(found.because(case.complaint(side.pod)))
    })
}

pub(in crate::diagnose) fn address_missing(case: &Case<'_>) -> Vec<Found> {
    connections(case, |connection, _| {
        let link = connection.link.as_ref().filter(|link| link.is_up() && is_bare(link))?;
        let found: Vec<&Finding> = failed(case, connection, "address").into_iter().filter(|f| f.subject == connection.subject).collect();
        let lost = found.iter().map(|finding| finding.expected.as_str()).collect::<Vec<_>>().join(", ");
        let observed = format!("{} is UP and has no address; expected {lost}", link.name);
        (!found.is_empty()).then(|| Found::new(&connection.subject, observed).because(evidence(&found)))
    })
}

/// Two interfaces of one client, each with what was promised for the other.
pub(in crate::diagnose) fn names_swapped(case: &Case<'_>) -> Vec<Found> {
    let promised = |connection: &Connection<'_>| connection.expectation.addresses.as_ref().and_then(|pairs| pairs.first()).map(|pair| pair.client);
    let has = |connection: &Connection<'_>, address| connection.link.as_ref().is_some_and(|link| link.has(address));
    connections(case, |connection, side| {
        let own = promised(connection).filter(|own| !has(connection, *own))?;
        let of_the_client = case.connections.iter().filter(|other| other.client.as_ref().is_some_and(|other| other.pod.id == side.pod.id));
        let mut others = of_the_client.filter(|other| other.subject != connection.subject);
        let other = others.find(|other| has(other, own) && promised(other).is_some_and(|its| has(connection, its)))?;
        let names = (connection.link.as_ref()?, other.link.as_ref()?);
        Some(Found::new(&connection.subject, format!("{} has what {} should have, and the reverse", names.0.name, names.1.name)))
    })
}

pub(in crate::diagnose) fn mtu_overstated(case: &Case<'_>) -> Vec<Found> {
    connections(case, |connection, side| {
        let found = failed(case, connection, "path-mtu");
        let first = found.first().filter(|_| case.works(connection))?;
        let link = connection.link.as_ref()?;
        let passes = first.observed.split_whitespace().filter_map(|word| word.parse::<u32>().ok()).next_back();
        let workload = case.workload_of(side.pod)?;
        let way = match (&side.pod.node, connection.endpoint.as_ref().and_then(|endpoint| endpoint.pod.node.as_ref())) {
            (Some(near), Some(far)) if near != far => format!(", between {near} and {far}"),
            _ => String::new(),
        };
        let observed = format!("packets of {}{way}: {}", first.expected, first.observed);
        let found = Found::new(&connection.subject, observed).because(evidence(&found)).with("container", &workload.container);
        Some(found.with("interface", &link.name).with("mtu", passes.unwrap_or(LEAST_MTU.1).to_string()))
    })
}

pub(in crate::diagnose) fn dns_broken(case: &Case<'_>) -> Vec<Found> {
    let found = |finding: &&Finding| {
        let side = case.connections.iter().filter_map(|connection| connection.client.as_ref());
        let pod = side.map(|side| side.pod).find(|pod| finding.subject == pod.id.name || finding.subject == pod.id.to_string())?;
        let found = Found::new(&finding.subject, &finding.observed).because(finding.evidence.clone());
        Some(found.about(case, case.workload_of(pod)?))
    };
    super::identity::failed(case, "dns").iter().filter_map(found).collect()
}

pub(in crate::diagnose) fn address_wrong(case: &Case<'_>) -> Vec<Found> {
    connections(case, |connection, _| {
        if connection.link.as_ref().is_some_and(|link| link.is_up() && is_bare(link)) {
            return None;
        }
        let found: Vec<&Finding> = failed(case, connection, "address").into_iter().filter(|f| f.subject == connection.subject).collect();
        let first = found.first()?;
        let observed = format!("{} instead of {}", first.observed, first.expected);
        let observed = [observed].into_iter().chain(oddities(connection)).collect::<Vec<_>>().join("; ");
        Some(Found::new(&connection.subject, observed).because(evidence(&found)))
    })
}

pub(in crate::diagnose) fn route_refusing(case: &Case<'_>) -> Vec<Found> {
    connections(case, |connection, side| {
        connection.link.as_ref().filter(|link| link.is_up())?;
        let way = |from: &Side<'_>, to: fn(&AddressPair) -> IpAddr, check| {
            let found = failed(case, connection, check);
            let observed = connection.pairs.iter().find_map(|pair| refused(from, to(pair))).filter(|_| !found.is_empty())?;
            Some((observed, evidence(&found)))
        };
        if let Some((observed, evidence)) = way(side, |pair| pair.endpoint, "peer-route") {
            return Some(Found::new(&connection.subject, observed).because(evidence));
        }
        // No check looks at the way back but by a ping.
        let far = connection.endpoint.as_ref()?;
        let (observed, evidence) = way(far, |pair| pair.client, "ping-client")?;
        let found = Found::new(&connection.subject, format!("in {}, {observed}", far.pod.id.name)).because(evidence);
        Some(found.about(case, case.endpoint_of(connection)?))
    })
}

/// The route of one end that refuses what is for the other.
fn refused(side: &Side<'_>, peer: IpAddr) -> Option<String> {
    let route = Route::best(side.routes_to(peer).ok()?, peer)?;
    let word = route.refuses.as_deref()?;
    Some(format!("a {word} route to {} takes what is for {peer}", route.destination))
}

pub(in crate::diagnose) fn route_missing(case: &Case<'_>) -> Vec<Found> {
    connections(case, |connection, _| {
        let is_told = case.is_explained_by(&["route-refusing"], &connection.subject);
        let found = if is_told { Vec::new() } else { failed(case, connection, "peer-route") };
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
        let is_told = case.is_explained_by(&["route-refusing"], &connection.subject);
        if lost.is_empty() || !is_whole || !side.pod.ready || is_told {
            return None;
        }
        let lines = lost.iter().map(|finding| format!("{} ({}): {}", finding.title, finding.subject, finding.observed));
        let observed = oddities(connection).into_iter().chain(lines).collect::<Vec<_>>().join("; ");
        let said = case.says(connection, &[&[""]]);
        // Of a ping that no program has printed there are only the figures.
        let figures = lost.iter().filter(|finding| finding.evidence.is_empty());
        let figures = figures.map(|finding| format!("ping by {}: {}, expected {}", finding.subject, finding.observed, finding.expected));
        let found = Found::new(&connection.subject, observed).because(said).because(evidence(&lost)).because(figures);
        let found = found.because(ends(connection).into_iter().map(describe));
        // An apply finds the link, the addresses and the routes in order, and leaves them alone.
        Some(if case.is_local() { found.fixed_by(FROM_THE_BEGINNING) } else { found })
    })
}

/// What fails and stands under no cause that was found: the first step of it, for each connection or workload.
pub(in crate::diagnose) fn unexplained(case: &Case<'_>) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for broken in case.path.iter().filter(|finding| finding.verdict == Verdict::Fail && !case.is_reached(&finding.subject)) {
        // Of several that are unexplained the first stands for all: they have their logs and events in common.
        if !all.is_empty() {
            break;
        }
        let logs = case.snapshot.system.logs.iter().filter_map(|log| case.quote_errors(&log.pod, &log.container).pop());
        let found = Found::new(&broken.subject, format!("{}: {}", broken.title, broken.observed));
        let mut warnings = case.warnings(|_| true);
        let old = warnings.len().saturating_sub(LAST_WARNINGS);
        let found = found.because(broken.evidence.clone()).because(warnings.split_off(old)).because(logs);
        all.push(if case.is_local() { found.fixed_by(FROM_THE_BEGINNING) } else { found });
    }
    all
}
