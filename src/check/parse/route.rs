use std::net::IpAddr;

use crate::model::{Prefix, Route};

use super::{Unreadable, json};

/// Words that iproute2 puts in front of a destination whose route is no way to a peer.
const OTHERS: [&str; 3] = ["local", "broadcast", "multicast"];
/// Words in front of a destination whose route leads nowhere.
const REFUSING: [&str; 4] = ["blackhole", "unreachable", "prohibit", "throw"];

/// Reads `ip route` and `ip -6 route`, as text or as JSON: one route a line, `DESTINATION [via GATEWAY] [dev DEVICE] …`.
///
/// A default route without a gateway counts as IPv4, since nothing in the line tells; nobody's peer hangs on that.
///
/// # Errors
/// The first line that begins with no destination.
pub fn routes(text: &str) -> Result<Vec<Route>, Unreadable> {
    if json::is_json(text) {
        return json::routes(text);
    }
    let mut routes = Vec::new();
    for line in text.lines() {
        // iproute2 indents the next hops of a route with several.
        if line.trim().is_empty() || line.starts_with(char::is_whitespace) {
            continue;
        }
        if line.split_whitespace().next().is_some_and(|word| OTHERS.contains(&word)) {
            continue;
        }
        routes.push(route(line).ok_or_else(|| Unreadable(line.to_owned()))?);
    }
    Ok(routes)
}

fn route(line: &str) -> Option<Route> {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let refuses = words.first().filter(|word| REFUSING.contains(*word)).map(|word| (*word).to_owned());
    if refuses.is_some() || words.first() == Some(&"unicast") {
        words.remove(0);
    }
    let after = |key: &str| words.iter().position(|word| *word == key).and_then(|at| words.get(at + 1)).copied();
    let via: Option<IpAddr> = after("via").and_then(|gateway| gateway.parse().ok());
    let destination = match *words.first()? {
        "default" if via.is_some_and(|gateway| gateway.is_ipv6()) => "::/0".parse().ok()?,
        "default" => "0.0.0.0/0".parse().ok()?,
        text => prefix(text)?,
    };
    Some(Route { destination, via, device: after("dev").map(str::to_owned), refuses })
}

pub(super) fn prefix(text: &str) -> Option<Prefix> {
    match text.parse::<IpAddr>() {
        Ok(address) => format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 }).parse().ok(),
        Err(_) => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, Option<String>)> {
        routes(text).unwrap().into_iter().map(|route| (route.destination.to_string(), route.device)).collect()
    }

    #[test]
    fn busybox_and_iproute2_are_read() {
        let text = "default via 10.244.1.1 dev eth0 \n10.244.1.0/24 dev eth0 scope link  src 10.244.1.3 \n172.16.1.100 dev nsm-1 \n";
        let expected = [("0.0.0.0/0", "eth0"), ("10.244.1.0/24", "eth0"), ("172.16.1.100/32", "nsm-1")];
        assert_eq!(read(text), expected.map(|(destination, device)| (destination.to_owned(), Some(device.to_owned()))));
        assert_eq!(routes(text).unwrap()[0].via, Some("10.244.1.1".parse().unwrap()));
        assert_eq!(read("172.16.1.100 dev nsm-1 proto static scope link\n")[0].0, "172.16.1.100/32");
    }

    #[test]
    fn six_is_read_and_multicast_passed_over() {
        let text = "2001:db8::1 dev nsm-1  metric 1024 \nfe80::/64 dev eth0  metric 256 \nmulticast ff00::/8 dev eth0  metric 256 \ndefault via fe80::1 dev eth0\n";
        let destinations: Vec<String> = read(text).into_iter().map(|(destination, _)| destination).collect();
        assert_eq!(destinations, ["2001:db8::1/128", "fe80::/64", "::/0"]);
    }

    #[test]
    fn a_route_that_leads_nowhere_says_so() {
        let read = routes("blackhole 172.16.1.100 \nunreachable 2001:db8::/64 dev lo  metric 1024  error -113\n").unwrap();
        let told: Vec<_> = read.iter().map(|route| (route.destination.to_string(), route.refuses.as_deref())).collect();
        assert_eq!(told, [("172.16.1.100/32".to_owned(), Some("blackhole")), ("2001:db8::/64".to_owned(), Some("unreachable"))]);
    }

    #[test]
    fn no_route_is_no_error_and_other_text_is() {
        assert_eq!(routes(""), Ok(Vec::new()));
        assert_eq!(routes("sh: ip: not found"), Err(Unreadable("sh: ip: not found".into())));
    }
}
