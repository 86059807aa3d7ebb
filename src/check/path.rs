//! What lies between the two ends of a connection.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::model::{ExecEnd, Finding, Lookup, Payload, Probe, UnavailableKind, Verdict};

use super::{Check, Connection, Side, network::no_peer, parse};

/// The path takes packets as long as the interface admits (RFC 1191, RFC 8201, RFC 8899). The length itself is not judged.
pub(super) fn path_mtu(check: &Check, connection: &Connection<'_>) -> Vec<Finding> {
    let Some(client) = &connection.client else { return Vec::new() };
    if connection.pairs.is_empty() {
        return vec![no_peer(check, connection)];
    }
    connection.pairs.iter().map(|pair| path_mtu_to(check, connection, client, pair.endpoint)).collect()
}

fn path_mtu_to(check: &Check, connection: &Connection<'_>, client: &Side<'_>, peer: IpAddr) -> Finding {
    let skip = |reason: String| check.blocked(&connection.subject, "what the interface admits", reason);
    let usual = client.ping_to(peer).and_then(|ping| parse::value(&ping.result, false, parse::ping).ok());
    if usual.is_some_and(|stats| stats.received == 0) {
        return skip("not checked: no ping is answered at all".to_owned());
    }
    let admitted = client.packets_to(peer).max_by_key(|(length, _)| *length);
    let Some((admitted, longest)) = admitted else {
        let asked = skip(format!("not checked: pod {} was not asked", client.pod.id.name));
        return Finding { blocked: client.probes.is_none(), ..asked };
    };
    let expected = format!("{admitted} bytes to {peer}, as the interface admits");
    let finding = |verdict, observed: String| check.finding(&connection.subject, verdict, expected.clone(), observed);
    // A length that is not even sent, because the kernel knows the path's MTU already, is as lost as one that gets no reply.
    let passes = |ping: &crate::model::Pinged| match parse::value(&ping.result, false, parse::ping) {
        Ok(stats) => Ok(stats.received > 0),
        Err(_) if parse::is_too_long(&ping.result) => Ok(false),
        Err(unavailable) => Err(unavailable),
    };
    match passes(longest) {
        Err(unavailable) => Finding { evidence: parse::evidence(&longest.result), ..check.unseen(&connection.subject, expected, &unavailable) },
        Ok(true) => finding(Verdict::Pass, format!("{admitted} bytes pass")),
        Ok(false) => {
            let shorter =
                client.packets_to(peer).filter(|(length, ping)| *length < admitted && passes(ping) == Ok(true)).map(|(length, _)| length).max();
            let observed = match shorter {
                Some(shorter) => format!("they are lost; {shorter} bytes pass"),
                None => "they are lost".to_owned(),
            };
            Finding { evidence: parse::evidence(&longest.result), ..finding(connection.thresholds.lost_packets, observed) }
        }
    }
}

/// What is known about who can read along.
pub(super) fn encryption(check: &Check, connection: &Connection<'_>) -> Vec<Finding> {
    let Some(client) = &connection.client else { return Vec::new() };
    let finding = |verdict, observed: String| vec![check.finding(&connection.subject, verdict, "known", observed)];
    let Some(endpoint) = &connection.endpoint else {
        return finding(Verdict::Skip, "not known: the endpoint is not among these workloads".to_owned());
    };
    let (Some(near), Some(far)) = (&client.pod.node, &endpoint.pod.node) else {
        return vec![check.blocked(&connection.subject, "known", "not known: a pod is on no node yet")];
    };
    if near == far {
        return finding(Verdict::Pass, format!("not encrypted; it does not leave {near}"));
    }
    if let Err(unavailable) = &connection.observation.inventory.endpoints {
        return vec![check.unseen(&connection.subject, "known", unavailable)];
    }
    let names = connection.registry.forwarders(near);
    let is = |kind: &str| !names.is_empty() && names.iter().all(|name| name.starts_with(kind));
    let way = format!("from {near} to {far}");
    // Which tunnel a forwarder makes is in its code: forwarder-ovs has VXLAN only, forwarder-vpp takes VXLAN for ETHERNET and
    // WireGuard or IPsec for IP (upstream: cmd-forwarder-ovs, cmd-forwarder-vpp).
    match connection.expectation.payload {
        _ if is("forwarder-ovs") => finding(Verdict::Warn, format!("not encrypted: VXLAN {way}")),
        Some(Payload::Ethernet) if is("forwarder-vpp") => finding(Verdict::Warn, format!("not encrypted: VXLAN {way}")),
        Some(Payload::Ip) if is("forwarder-vpp") => finding(Verdict::Pass, format!("encrypted: WireGuard or IPsec {way}")),
        _ if names.is_empty() => finding(Verdict::Skip, format!("not known: no forwarder is registered on {near}")),
        _ => finding(Verdict::Skip, format!("not known: what {} uses {way}", names.join(" or "))),
    }
}

/// Where NSM has put a resolver of its own into a pod, names resolve.
pub(super) fn dns(check: &Check, connections: &[Connection<'_>]) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let clients = connections.iter().filter_map(|connection| Some((connection, connection.client.as_ref()?)));
    clients.filter(|(_, side)| seen.insert(&side.pod.id)).map(|(connection, side)| dns_in(check, &connection.call(&side.pod.id), side)).collect()
}

fn dns_in(check: &Check, subject: &str, side: &Side<'_>) -> Finding {
    let finding = |verdict, observed: String| check.finding(subject, verdict, "names resolve", observed);
    let Some(probes) = side.probes else {
        return check.blocked(subject, "names resolve", format!("not checked: pod {} is {}", side.pod.id.name, side.pod.status()));
    };
    let Some(resolver) = &probes.resolver else {
        return finding(Verdict::Skip, "not checked yet: `nsmctl verify` asks how the pod resolves names".to_owned());
    };
    let text = match parse::value(&resolver.configuration, true, |text| Ok(text.to_owned())) {
        Ok(text) => text,
        Err(unavailable) => {
            // NSM has not put there what the image cannot show, or nobody puts there.
            let is_absent = matches!(&resolver.configuration, Probe::Output(output) if matches!(output.end, ExecEnd::Exited(_)));
            return match is_absent || unavailable.kind == UnavailableKind::NotAsked {
                true => finding(Verdict::Skip, format!("not checked: {}", unavailable.reason)),
                false => check.unseen(subject, "names resolve", &unavailable),
            };
        }
    };
    let (own, before) = parse::name_servers(&text);
    let (Some(own), Some(before)) = (own, before) else {
        return finding(Verdict::Skip, "not checked: NSM has put no resolver into the pod".to_owned());
    };
    let lookup = |server: &str| resolver.lookups.iter().find(|lookup| lookup.server == server);
    let answers = |server: &str| lookup(server).is_some_and(|lookup| lookup.answer.end == ExecEnd::Exited(0));
    let is_absent = |lookup: &Lookup| matches!(lookup.answer.end, ExecEnd::Exited(126 | 127));
    if resolver.lookups.iter().any(is_absent) {
        return finding(Verdict::Skip, "not checked: the image has no nslookup".to_owned());
    }
    match (answers(&own), answers(&before)) {
        (true, _) => finding(Verdict::Pass, format!("NSM's resolver at {own} answers")),
        (false, true) => {
            let said = lookup(&own).map(|lookup| Probe::<()>::Output(lookup.answer.clone()));
            let evidence = said.as_ref().map(parse::evidence).unwrap_or_default();
            Finding { evidence, ..finding(Verdict::Fail, format!("NSM's resolver at {own} does not, and the cluster's own ({before}) does")) }
        }
        (false, false) => finding(Verdict::Skip, format!("not checked: the cluster's own resolver ({before}) does not answer either")),
    }
}

/// No address is given out twice where one of the two would be out of reach: within a pod.
pub(super) fn overlap(check: &Check, connections: &[Connection<'_>]) -> Vec<Finding> {
    // Which connections use an address in a pod.
    let mut uses: BTreeMap<String, BTreeMap<IpAddr, BTreeSet<&str>>> = BTreeMap::new();
    for connection in connections {
        for pair in &connection.pairs {
            // Within the client each of the two addresses must be of this connection alone. The endpoint may have one address of
            // its own for all of them. What is certain and was not seen counts for nothing.
            if let Some(client) = connection.client.as_ref().filter(|side| side.link_with(pair.client).is_some()) {
                let uses = uses.entry(connection.call(&client.pod.id)).or_default();
                uses.entry(pair.client).or_default().insert(&connection.subject);
                uses.entry(pair.endpoint).or_default().insert(&connection.subject);
            }
            if let Some(endpoint) = connection.endpoint.as_ref().filter(|side| side.link_with(pair.endpoint).is_some()) {
                let uses = uses.entry(connection.call(&endpoint.pod.id)).or_default();
                uses.entry(pair.client).or_default().insert(&connection.subject);
            }
        }
    }
    let expected = "no address twice in a pod";
    if uses.is_empty() {
        let blocked = connections.iter().any(Connection::is_amiss);
        return vec![Finding { blocked, ..check.finding("connections", Verdict::Skip, expected, "not checked: the addresses are not known") }];
    }
    let twice = |(pod, addresses): (&String, &BTreeMap<IpAddr, BTreeSet<&str>>)| {
        let of = |(address, users): (&IpAddr, &BTreeSet<&str>)| {
            let users: Vec<&str> = users.iter().copied().collect();
            (users.len() > 1).then(|| check.finding(pod, Verdict::Fail, expected, format!("{address}: {}", users.join(", "))))
        };
        addresses.iter().filter_map(of).collect::<Vec<_>>()
    };
    let findings: Vec<Finding> = uses.iter().flat_map(twice).collect();
    if !findings.is_empty() {
        return findings;
    }
    let addresses: BTreeSet<&IpAddr> = uses.values().flat_map(BTreeMap::keys).collect();
    vec![check.finding("connections", Verdict::Pass, expected, format!("{} addresses in {} pods", addresses.len(), uses.len()))]
}
