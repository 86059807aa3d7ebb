use crate::model::{InterfaceAddress, Link};

use super::{Unreadable, json};

/// Reads `ip addr`, as text or as JSON.
///
/// ```text
/// 10: nsm-1@if9: <BROADCAST,MULTICAST,UP,LOWER_UP,M-DOWN> mtu 16000 qdisc noqueue state UP group default
///     link/ether fa:65:6a:ff:bb:67 brd ff:ff:ff:ff:ff:ff
///     inet 172.16.1.101/32 scope global nsm-1
/// ```
///
/// iproute2 prints `inet 10.0.0.1 peer 10.0.0.2/32` for a point-to-point address, and busybox leaves `state` out.
///
/// # Errors
/// The first line that belongs to no interface.
pub fn links(text: &str) -> Result<Vec<Link>, Unreadable> {
    if json::is_json(text) {
        return json::links(text);
    }
    let mut links: Vec<Link> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if line.starts_with(char::is_whitespace) {
            let Some(link) = links.last_mut() else { return Err(Unreadable(line.to_owned())) };
            let mut words = line.split_whitespace();
            if matches!(words.next(), Some("inet" | "inet6")) {
                link.addresses.push(address(line).ok_or_else(|| Unreadable(line.trim().to_owned()))?);
            }
        } else {
            links.push(header(line).ok_or_else(|| Unreadable(line.to_owned()))?);
        }
    }
    if links.is_empty() { Err(Unreadable(text.trim().to_owned())) } else { Ok(links) }
}

fn header(line: &str) -> Option<Link> {
    let (index, rest) = line.split_once(": ")?;
    index.parse::<u32>().ok()?;
    let (name, rest) = rest.split_once(": ")?;
    let (flags, rest) = rest.strip_prefix('<')?.split_once('>')?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let after = |key: &str| words.iter().position(|word| *word == key).and_then(|at| words.get(at + 1)).map(|word| (*word).to_owned());
    Some(Link {
        // Behind the @ stands the other end of a veth pair.
        name: name.split('@').next().unwrap_or(name).to_owned(),
        flags: flags.split(',').filter(|flag| !flag.is_empty()).map(str::to_owned).collect(),
        mtu: after("mtu").and_then(|mtu| mtu.parse().ok()),
        qdisc: after("qdisc"),
        state: after("state"),
        addresses: Vec::new(),
    })
}

fn address(line: &str) -> Option<InterfaceAddress> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let own = words.get(1)?;
    let (text, length) = match own.split_once('/') {
        Some((text, length)) => (text, Some(length)),
        None => (*own, None),
    };
    // With a peer the length stands behind the peer's address and is the peer's.
    let address: std::net::IpAddr = text.parse().ok()?;
    let full = if address.is_ipv4() { 32 } else { 128 };
    let prefix_length = length.map_or(Some(full), |length| length.parse().ok().filter(|length| *length <= full))?;
    Some(InterfaceAddress { address, prefix_length })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSYBOX: &str = "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
10: nsm-1@if9: <BROADCAST,MULTICAST,UP,LOWER_UP,M-DOWN> mtu 16000 qdisc noqueue 
    link/ether fa:65:6a:ff:bb:67 brd ff:ff:ff:ff:ff:ff
    inet 172.16.1.101/32 scope global nsm-1
       valid_lft forever preferred_lft forever
    inet6 fe80::f865:6aff:feff:bb67/64 scope link 
       valid_lft forever preferred_lft forever
";
    const IPROUTE2: &str = "5: nsm-1: <POINTOPOINT,MULTICAST,NOARP,UP,LOWER_UP> mtu 1500 qdisc noqueue state UNKNOWN group default qlen 500
    link/none 
    inet 172.16.1.101 peer 172.16.1.100/32 scope global nsm-1
       valid_lft forever preferred_lft forever
";

    #[test]
    fn busybox_is_read() {
        let links = links(BUSYBOX).unwrap();
        let nsm = &links[1];
        assert_eq!((nsm.name.as_str(), nsm.mtu, nsm.qdisc.as_deref(), nsm.state.as_deref()), ("nsm-1", Some(16000), Some("noqueue"), None));
        assert!(nsm.is_up() && nsm.is_lower_up());
        assert_eq!(nsm.addresses[0], InterfaceAddress { address: "172.16.1.101".parse().unwrap(), prefix_length: 32 });
        assert_eq!(nsm.addresses[1].prefix_length, 64);
        assert!(!links[0].has("172.16.1.101".parse().unwrap()));
    }

    #[test]
    fn iproute2_is_read_with_state_and_peer() {
        let links = links(IPROUTE2).unwrap();
        assert_eq!((links[0].state.as_deref(), links[0].mtu), (Some("UNKNOWN"), Some(1500)));
        assert_eq!(links[0].addresses, [InterfaceAddress { address: "172.16.1.101".parse().unwrap(), prefix_length: 32 }]);
        assert!(links[0].flags.contains("POINTOPOINT"));
    }

    #[test]
    fn a_link_that_is_down_is_down() {
        let links = links("2: nsm-1@if9: <BROADCAST,MULTICAST,M-DOWN> mtu 16000 qdisc noqueue state DOWN\n").unwrap();
        assert!(!links[0].is_up() && !links[0].is_lower_up());
    }

    #[test]
    fn what_is_no_interface_is_quoted() {
        for text in ["", "sh: ip: not found\n", "   inet 10.0.0.1/8\n", "1: lo: <UP> mtu 1\n    inet 10.0.0.1/99 x\n"] {
            assert!(links(text).is_err(), "{text:?}");
        }
    }
}
