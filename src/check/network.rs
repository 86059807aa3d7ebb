use std::net::IpAddr;

use crate::model::{Finding, Route, Verdict};

use super::{
    Check, Connection, Side, Thresholds,
    connection::{host, is_of_the_kernel},
    parse,
};

/// What the source document's example prints of its interface. NSM prints other things, and that is in order.
const DOCUMENTED_INTERFACE: &str = "<POINTOPOINT,MULTICAST,NOARP,UP,LOWER_UP> mtu 1500 qdisc noqueue state UNKNOWN";
/// The length that the source document gives the addresses; NSM's are /32 with a route to the peer.
const DOCUMENTED_LENGTH: u8 = 31;

/// The client's interface is there, switched on, and has somebody at its other end.
pub(super) fn interface(check: &Check, connection: &Connection<'_>) -> Vec<Finding> {
    let Some(client) = &connection.client else { return Vec::new() };
    let name = connection.expectation.interface().map_or_else(|| "an interface".to_owned(), ToString::to_string);
    let expected = format!("{name} UP, LOWER_UP");
    let finding = |verdict, observed: String| check.finding(&connection.subject, verdict, expected.clone(), observed);
    let links = match &client.links {
        Ok(links) => links,
        Err(unavailable) => return vec![check.unseen(&connection.subject, expected, unavailable)],
    };
    let evidence = client.probes.map(|probes| parse::evidence(&probes.links)).unwrap_or_default();
    let Some(link) = &connection.link else {
        let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
        return vec![Finding { evidence, ..finding(Verdict::Fail, format!("absent; there are {}", names.join(", "))) }];
    };
    let observed = link.properties();
    let up = link.is_up() && link.is_lower_up();
    let documented = (observed != DOCUMENTED_INTERFACE).then(|| DOCUMENTED_INTERFACE.to_owned());
    let evidence = if up { Vec::new() } else { evidence };
    vec![Finding { documented, evidence, ..finding(if up { Verdict::Pass } else { Verdict::Fail }, observed) }]
}

/// Both ends have their addresses: exactly those that are certain, else one out of each group of prefixes.
pub(super) fn address(check: &Check, connection: &Connection<'_>) -> Vec<Finding> {
    let Some(client) = &connection.client else { return Vec::new() };
    let mut findings = vec![client_address(check, connection, client)];
    for pair in &connection.pairs {
        let Some(endpoint) = &connection.endpoint else { break };
        let subject = connection.call(&endpoint.pod.id);
        let expected = pair.endpoint.to_string();
        findings.push(match &endpoint.links {
            Err(unavailable) => check.unseen(subject, expected, unavailable),
            Ok(_) => match endpoint.link_with(pair.endpoint) {
                Some(link) => check.finding(subject, Verdict::Pass, expected, format!("{} on {}", length_of(link, pair.endpoint), link.name)),
                None => {
                    let evidence = endpoint.probes.map(|probes| parse::evidence(&probes.links)).unwrap_or_default();
                    Finding { evidence, ..check.finding(subject, Verdict::Fail, expected, "on none of its interfaces") }
                }
            },
        });
    }
    findings
}

fn client_address(check: &Check, connection: &Connection<'_>, client: &Side<'_>) -> Finding {
    let expectation = connection.expectation;
    let expected = match &expectation.addresses {
        Some(pairs) => join(pairs.iter().map(|pair| pair.client.to_string())),
        None if expectation.prefixes.groups().is_empty() => "an address".to_owned(),
        None => format!("one out of {}", expectation.prefixes),
    };
    if let Err(unavailable) = &client.links {
        return check.unseen(&connection.subject, expected, unavailable);
    }
    let Some(link) = &connection.link else {
        return check.blocked(&connection.subject, expected, "not checked: there is no interface");
    };
    let seen: Vec<_> = link.addresses.iter().filter(|a| !is_of_the_kernel(a.address, expectation)).collect();
    let observed = join(seen.iter().map(|a| format!("{}/{}", a.address, a.prefix_length)));
    let right = match &expectation.addresses {
        Some(pairs) => pairs.iter().all(|pair| seen.iter().any(|a| a.address == pair.client)),
        None => {
            let groups = expectation.prefixes.groups();
            !seen.is_empty() && groups.iter().all(|group| seen.iter().any(|a| group.iter().any(|prefix| prefix.contains(a.address))))
        }
    };
    let documented = seen.iter().find(|a| a.address.is_ipv4() && a.prefix_length != DOCUMENTED_LENGTH);
    let documented = documented.map(|a| format!("inet {}/{DOCUMENTED_LENGTH} scope global {}", a.address, link.name));
    let verdict = if right { Verdict::Pass } else { Verdict::Fail };
    Finding {
        documented: documented.filter(|_| right),
        evidence: if right { Vec::new() } else { client.probes.map(|probes| parse::evidence(&probes.links)).unwrap_or_default() },
        ..check.finding(&connection.subject, verdict, expected, if observed.is_empty() { "none".to_owned() } else { observed })
    }
}

/// The client reaches the endpoint's address through the interface.
pub(super) fn peer_route(check: &Check, connection: &Connection<'_>) -> Vec<Finding> {
    let Some(client) = &connection.client else { return Vec::new() };
    // What was asked of the routes of an address's family, word for word.
    let said = |address: IpAddr| {
        let asked = client.probes.map(|probes| if address.is_ipv4() { &probes.routes } else { &probes.routes_v6 });
        asked.map(parse::evidence).unwrap_or_default()
    };
    let judge = |peer: IpAddr| {
        let device = connection.link.as_ref().map(|link| link.name.clone());
        let expected = format!("{peer} dev {}", device.clone().unwrap_or_else(|| "?".to_owned()));
        let finding = |verdict, observed: String| check.finding(&connection.subject, verdict, expected.clone(), observed);
        let routes = match client.routes_to(peer) {
            Ok(routes) => routes,
            Err(unavailable) => return check.unseen(&connection.subject, expected, unavailable),
        };
        let Some(device) = device else { return check.blocked(&connection.subject, expected, "not checked: there is no interface") };
        match Route::best(routes, peer) {
            Some(route) if route.refuses.is_none() && route.device.as_deref() == Some(&device) => finding(Verdict::Pass, describe(route)),
            best => {
                let observed = best.map_or_else(|| "no route".to_owned(), |route| format!("it goes {}", describe(route)));
                Finding { evidence: said(peer), ..finding(Verdict::Fail, observed) }
            }
        }
    };
    let stranded = connection.stranded().into_iter().map(|(address, unseen)| {
        let device = connection.link.as_ref().map_or("?", |link| link.name.as_str());
        let expected = format!("from {address} to the endpoint dev {device}");
        match unseen {
            Some(unavailable) => check.unseen(&connection.subject, expected, unavailable),
            None => Finding { evidence: said(address), ..check.finding(&connection.subject, Verdict::Fail, expected, "no route") },
        }
    });
    let findings: Vec<Finding> = connection.pairs.iter().map(|pair| judge(pair.endpoint)).chain(stranded).collect();
    if findings.is_empty() { vec![no_peer(check, connection)] } else { findings }
}

fn describe(route: &Route) -> String {
    let refuses = route.refuses.as_ref().map(|word| format!("{word} ")).unwrap_or_default();
    let destination = host(&route.destination).map_or_else(|| route.destination.to_string(), |address| address.to_string());
    let via = route.via.map(|gateway| format!(" via {gateway}")).unwrap_or_default();
    let device = route.device.as_ref().map(|device| format!(" dev {device}")).unwrap_or_default();
    format!("{refuses}{destination}{via}{device}")
}

/// Every ping of the client to the endpoint is answered.
pub(super) fn ping_endpoint(check: &Check, connection: &Connection<'_>) -> Vec<Finding> {
    let Some(client) = &connection.client else { return Vec::new() };
    if connection.pairs.is_empty() {
        return vec![no_peer(check, connection)];
    }
    connection.pairs.iter().map(|pair| ping(check, &connection.subject, client, pair.endpoint, connection.thresholds)).collect()
}

/// Every ping of the endpoint to the client is answered.
pub(super) fn ping_client(check: &Check, connection: &Connection<'_>) -> Vec<Finding> {
    let Some(endpoint) = &connection.endpoint else {
        return vec![match &connection.expectation.endpoint {
            Some(endpoint) => check.blocked(&connection.subject, "0 % loss", format!("not checked: endpoint {} has no pod", endpoint.name)),
            None => check.finding(&connection.subject, Verdict::Skip, "0 % loss", "not checked: the endpoint is not part of these manifests"),
        }];
    };
    if connection.pairs.is_empty() {
        return vec![no_peer(check, connection)];
    }
    connection.pairs.iter().map(|pair| ping(check, &connection.call(&endpoint.pod.id), endpoint, pair.client, connection.thresholds)).collect()
}

/// Of a connection whose addresses are not known: it may lack its interface or its routes, or have others than NSM's own endpoints make.
pub(super) fn no_peer(check: &Check, connection: &Connection<'_>) -> Finding {
    Finding { blocked: connection.is_amiss(), ..check.finding(&connection.subject, Verdict::Skip, "", "not checked: the addresses are not known") }
}

fn ping(check: &Check, subject: &str, side: &Side<'_>, destination: IpAddr, thresholds: Thresholds) -> Finding {
    let Thresholds { max_loss_percent, max_round_trip_ms, .. } = thresholds;
    let least = if max_loss_percent > 0.0 { "at most " } else { "" };
    let within = max_round_trip_ms.map(|ms| format!(" within {ms} ms")).unwrap_or_default();
    let expected = format!("{destination} {least}{max_loss_percent} % loss{within}");
    let Some(pinged) = side.ping_to(destination) else {
        let reason = match side.probes {
            Some(_) => format!("not checked: pod {} was not asked to ping it", side.pod.id.name),
            None => format!("not checked: pod {} is {}", side.pod.id.name, side.pod.status()),
        };
        return check.blocked(subject, expected, reason);
    };
    match parse::value(&pinged.result, false, parse::ping) {
        Err(unavailable) if parse::never_left(&pinged.result) => {
            Finding { evidence: parse::evidence(&pinged.result), ..check.finding(subject, Verdict::Fail, expected, unavailable.reason) }
        }
        Err(unavailable) => Finding { evidence: parse::evidence(&pinged.result), ..check.unseen(subject, expected, &unavailable) },
        Ok(stats) => {
            let times = stats.round_trip_ms.map(|(min, avg, max)| format!(", {min:.3}/{avg:.3}/{max:.3} ms")).unwrap_or_default();
            let before = side.ping_before(destination).and_then(|before| parse::value(&before.result, false, parse::ping).ok());
            let before = before.map(|stats| format!(", {}/{} at first", stats.received, stats.transmitted)).unwrap_or_default();
            let observed = format!("{}/{} received, {:.0} % loss{times}{before}", stats.received, stats.transmitted, stats.loss_percent());
            // Where nothing came back there is no time to be judged, and the loss says enough.
            let slow = max_round_trip_ms.zip(stats.round_trip_ms).is_some_and(|(limit, (_, mean, _))| mean > limit);
            let observed = match max_round_trip_ms.filter(|_| slow) {
                Some(limit) => format!("{observed}: slower than {limit} ms on average"),
                None => observed,
            };
            if stats.received > 0 && stats.loss_percent() <= max_loss_percent && !slow {
                check.finding(subject, Verdict::Pass, expected, observed)
            } else {
                Finding { evidence: parse::evidence(&pinged.result), ..check.finding(subject, Verdict::Fail, expected, observed) }
            }
        }
    }
}

fn length_of(link: &crate::model::Link, address: IpAddr) -> String {
    let found = link.addresses.iter().find(|a| a.address == address);
    found.map_or_else(|| address.to_string(), |a| format!("{}/{}", a.address, a.prefix_length))
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}
