//! What `ip -j` prints (iproute2 4.18 and later): the same as without, but for programs.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::Value;

use super::{Unreadable, route::prefix};
use crate::model::{InterfaceAddress, Link, Route};

#[derive(Deserialize)]
struct JsonLink {
    ifname: String,
    #[serde(default)]
    flags: Vec<String>,
    mtu: Option<u32>,
    qdisc: Option<String>,
    operstate: Option<String>,
    #[serde(default)]
    addr_info: Vec<JsonAddress>,
}

#[derive(Deserialize)]
struct JsonAddress {
    /// Absent in the empty objects that some versions leave for what they have filtered out.
    local: Option<IpAddr>,
    prefixlen: Option<u8>,
    /// The other end of a point-to-point address, whose length `prefixlen` then is.
    address: Option<IpAddr>,
}

#[derive(Deserialize)]
struct JsonRoute {
    dst: Option<String>,
    gateway: Option<IpAddr>,
    dev: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Whether the text is JSON.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('[')
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<Vec<T>, Unreadable> {
    // Empty objects stand for what was filtered out.
    let items: Vec<Value> = serde_json::from_str(text).map_err(|error| Unreadable(format!("{error} in {}", start(text))))?;
    let items = items.into_iter().filter(|item| item.as_object().is_none_or(|object| !object.is_empty()));
    items.map(|item| T::deserialize(&item).map_err(|error| Unreadable(format!("{error} in {}", start(&item.to_string()))))).collect()
}

fn start(text: &str) -> String {
    text.trim().chars().take(200).collect()
}

/// `ip -j addr`.
pub(super) fn links(text: &str) -> Result<Vec<Link>, Unreadable> {
    let link = |link: JsonLink| Link {
        name: link.ifname,
        flags: link.flags.into_iter().collect(),
        mtu: link.mtu,
        qdisc: link.qdisc,
        state: link.operstate,
        addresses: link.addr_info.iter().filter_map(address).collect(),
    };
    let links: Vec<Link> = read(text)?.into_iter().map(link).collect();
    if links.is_empty() { Err(Unreadable(start(text))) } else { Ok(links) }
}

fn address(written: &JsonAddress) -> Option<InterfaceAddress> {
    let address = written.local?;
    let full = if address.is_ipv4() { 32 } else { 128 };
    let length = written.prefixlen.filter(|length| *length <= full && written.address.is_none());
    Some(InterfaceAddress { address, prefix_length: length.unwrap_or(full) })
}

/// `ip -j route` and `ip -j -6 route`.
pub(super) fn routes(text: &str) -> Result<Vec<Route>, Unreadable> {
    let mut routes = Vec::new();
    for route in read::<JsonRoute>(text)? {
        let refuses = match route.kind.as_deref() {
            None | Some("unicast") => None,
            Some("blackhole" | "unreachable" | "prohibit" | "throw") => route.kind.clone(),
            // Local, broadcast and multicast routes are no way to a peer.
            Some(_) => continue,
        };
        let destination = match route.dst.as_deref() {
            Some("default") if route.gateway.is_some_and(|gateway| gateway.is_ipv6()) => "::/0".parse().ok(),
            Some("default") => "0.0.0.0/0".parse().ok(),
            Some(text) => prefix(text),
            None => None,
        };
        let destination = destination.ok_or_else(|| Unreadable(route.dst.clone().unwrap_or_else(|| "a route without dst".to_owned())))?;
        routes.push(Route { destination, via: route.gateway, device: route.dev, refuses });
    }
    Ok(routes)
}

/// The items, one a line, to be quoted.
pub(super) fn lines(text: &str) -> Vec<String> {
    let items: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
    items.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINKS: &str = r#"[{},{"ifindex":5,"link_index":9,"ifname":"nsm-1","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1446,"qdisc":"noqueue","operstate":"UP",
        "addr_info":[{"family":"inet","local":"172.16.1.101","address":"172.16.1.100","prefixlen":32},{"family":"inet6","local":"fe80::1","prefixlen":64},{}]}]"#;
    const ROUTES: &str = r#"[{"dst":"default","gateway":"10.244.1.1","dev":"eth0","flags":[]},{"dst":"172.16.1.100","dev":"nsm-1","scope":"link","flags":[]},
        {"type":"unreachable","dst":"10.0.0.0/8","flags":[]},{"type":"multicast","dst":"ff00::/8","dev":"eth0","flags":[]}]"#;

    #[test]
    fn links_are_read() {
        let links = links(LINKS).unwrap();
        assert_eq!(links.len(), 1);
        assert_eq!((links[0].name.as_str(), links[0].mtu, links[0].state.as_deref()), ("nsm-1", Some(1446), Some("UP")));
        assert!(links[0].is_up() && links[0].is_lower_up());
        let addresses: Vec<String> = links[0].addresses.iter().map(|a| format!("{}/{}", a.address, a.prefix_length)).collect();
        assert_eq!(addresses, ["172.16.1.101/32", "fe80::1/64"]);
    }

    #[test]
    fn routes_are_read() {
        let routes = routes(ROUTES).unwrap();
        let words: Vec<_> = routes.iter().map(|r| (r.destination.to_string(), r.device.as_deref(), r.refuses.as_deref())).collect();
        let expected = [
            ("0.0.0.0/0".to_owned(), Some("eth0"), None),
            ("172.16.1.100/32".to_owned(), Some("nsm-1"), None),
            ("10.0.0.0/8".to_owned(), None, Some("unreachable")),
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn what_is_cut_short_is_quoted() {
        assert!(links("[{\"ifname\":").unwrap_err().to_string().contains("ifname"));
        assert!(routes("[{\"dst\":\"?\"}]").unwrap_err().to_string().contains('?'));
        assert!(links("[]").is_err());
    }
}
