use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
    sync::atomic::{AtomicU32, Ordering},
};

use futures::TryStreamExt;
use netlink_packet_route::{
    address::{AddressAttribute, AddressHeaderFlags},
    link::{InfoData, InfoVeth, LinkAttribute, LinkFlags, LinkMessage, Stats64},
};
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec, LinkVeth};

use super::{Error, Namespace, Result};
use crate::model::{Counters, InterfaceAddress, InterfaceCounters, InterfaceName, Link, Payload};

/// What a veth pair is to be: one end where it is made, the other in another namespace.
#[derive(Debug, Clone)]
pub struct VethPair {
    /// The name of the end where it is made.
    pub name: InterfaceName,
    /// The name of the other end.
    pub peer: InterfaceName,
    /// Where the other end goes.
    pub peer_namespace: Namespace,
    /// What travels over it.
    pub payload: Payload,
}

/// The address that both ends of a pair for payload IP have. Without ARP the kernel addresses a frame to the sender's
/// own link-layer address, so both ends must have the same for the other to take it. Locally administered, as no
/// vendor gives it out (IEEE 802c).
const SHARED_ADDRESS: [u8; 6] = [0x02, b'n', b's', b'm', 0, 1];

/// The index of the next end that is made here. The other end gets the lowest that is free where it goes, and the two must differ:
/// a link whose peer has its own index passes for one without a peer, and the kernel lets such a link wait up to a second until it
/// carries packets (net/core/link_watch.c, `linkwatch_urgent_event`).
static INDEX: AtomicU32 = AtomicU32::new(1 << 16);

/// Makes both ends at once, each in its own namespace: neither is ever anywhere else, and no half of it can remain.
///
/// # Errors
/// The kernel refused; a name that is taken is `EEXIST`.
pub async fn create_veth_pair(handle: &Handle, pair: &VethPair) -> Result<()> {
    let with_payload = |message: LinkMessageBuilder<LinkUnspec>| match pair.payload {
        Payload::Ethernet => message,
        Payload::Ip => message.arp(false).address(SHARED_ADDRESS.to_vec()),
    };
    let end = |name: &InterfaceName| with_payload(LinkMessageBuilder::<LinkUnspec>::new().name(name.as_str()));
    let peer = end(&pair.peer).setns_by_fd(pair.peer_namespace.descriptor()).build();
    let near = end(&pair.name).index(INDEX.fetch_add(1, Ordering::Relaxed)).build();
    let mut message = LinkMessageBuilder::<LinkVeth>::new(pair.name.as_str(), pair.peer.as_str())
        .set_header(near.header)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)));
    for attribute in near.attributes.into_iter().filter(|attribute| !matches!(attribute, LinkAttribute::IfName(_))) {
        message = message.append_extra_attribute(attribute);
    }
    let what = format!("make the interfaces {} and {}", pair.name, pair.peer);
    handle.link().add(message.build()).execute().await.map_err(|error| Error::netlink(what, &error))
}

/// The index of an interface.
///
/// # Errors
/// There is none of that name (`ENODEV`).
pub async fn link_index(handle: &Handle, name: &str) -> Result<u32> {
    let what = || format!("find the interface {name}");
    let mut links = handle.link().get().match_name(name).execute();
    let link = links.try_next().await.map_err(|error| Error::netlink(what(), &error))?;
    link.map(|link| link.header.index).ok_or_else(|| Error::new(what(), io::Error::from(io::ErrorKind::NotFound)))
}

/// Switches an interface on.
///
/// # Errors
/// The kernel refused.
pub async fn set_up(handle: &Handle, name: &str, index: u32) -> Result<()> {
    let message = LinkUnspec::new_with_index(index).up().build();
    handle.link().set(message).execute().await.map_err(|error| Error::netlink(format_args!("switch on the interface {name}"), &error))
}

/// Removes an interface, and with one end of a veth pair the other. That it is gone already is no error.
///
/// # Errors
/// The kernel refused.
pub async fn delete_link(handle: &Handle, name: &str) -> Result<()> {
    let gone = |error: &Error| error.raw_os_error() == Some(nix::errno::Errno::ENODEV as i32);
    let index = match link_index(handle, name).await {
        Err(error) if gone(&error) => return Ok(()),
        index => index?,
    };
    let deleted = handle.link().del(index).execute().await.map_err(|error| Error::netlink(format_args!("remove the interface {name}"), &error));
    deleted.or_else(|error| if gone(&error) { Ok(()) } else { Err(error) })
}

/// Gives an interface an address of its own: /32 or /128, as NSM does.
///
/// # Errors
/// The kernel refused.
pub async fn add_address(handle: &Handle, index: u32, address: IpAddr) -> Result<()> {
    let mut request = handle.address().add(index, address, full_length(address));
    // Nobody else can have it on a point-to-point link, and duplicate detection would keep it unusable for a second (RFC 4862).
    request.message_mut().header.flags |= if address.is_ipv6() { AddressHeaderFlags::Nodad } else { AddressHeaderFlags::empty() };
    request.execute().await.map_err(|error| Error::netlink(format_args!("add the address {address}"), &error))
}

/// The length of a prefix that is one address.
pub(super) fn full_length(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Every interface with its addresses, as the kernel has them now.
///
/// # Errors
/// The kernel does not tell.
pub async fn list_links(handle: &Handle) -> Result<Vec<Link>> {
    let failed = |error| Error::netlink("list the interfaces", &error);
    let mut addresses: BTreeMap<u32, Vec<InterfaceAddress>> = BTreeMap::new();
    let mut messages = handle.address().get().execute();
    while let Some(message) = messages.try_next().await.map_err(failed)? {
        let local = message.attributes.iter().find_map(|a| if let AddressAttribute::Local(address) = a { Some(*address) } else { None });
        let remote = message.attributes.iter().find_map(|a| if let AddressAttribute::Address(address) = a { Some(*address) } else { None });
        // With a peer, IFA_ADDRESS is the peer's and IFA_LOCAL is ours; IPv6 has IFA_LOCAL only then.
        if let Some(address) = local.or(remote) {
            let address = InterfaceAddress { address, prefix_length: message.header.prefix_len };
            addresses.entry(message.header.index).or_default().push(address);
        }
    }
    let mut links = Vec::new();
    let mut messages = handle.link().get().execute();
    while let Some(message) = messages.try_next().await.map_err(failed)? {
        let addresses = addresses.remove(&message.header.index).unwrap_or_default();
        links.push(Link { addresses, ..link(&message) });
    }
    Ok(links)
}

/// What the kernel has counted of each interface.
///
/// # Errors
/// The kernel does not tell.
pub async fn list_counters(handle: &Handle) -> Result<Vec<InterfaceCounters>> {
    let mut counted = Vec::new();
    let mut messages = handle.link().get().execute();
    while let Some(message) = messages.try_next().await.map_err(|error| Error::netlink("read the counters of the interfaces", &error))? {
        let name = message.attributes.iter().find_map(|a| if let LinkAttribute::IfName(name) = a { Some(name.clone()) } else { None });
        let stats = message.attributes.iter().find_map(|a| if let LinkAttribute::Stats64(stats) = a { Some(stats) } else { None });
        counted.extend(name.zip(stats).map(|(interface, stats)| InterfaceCounters { interface, counters: counters(stats) }));
    }
    Ok(counted)
}

fn counters(stats: &Stats64) -> Counters {
    Counters {
        rx_bytes: stats.rx_bytes,
        rx_packets: stats.rx_packets,
        rx_errors: stats.rx_errors,
        rx_dropped: stats.rx_dropped,
        tx_bytes: stats.tx_bytes,
        tx_packets: stats.tx_packets,
        tx_errors: stats.tx_errors,
        tx_dropped: stats.tx_dropped,
    }
}

fn link(message: &LinkMessage) -> Link {
    let mut link = Link { flags: flags(message.header.flags), ..Link::default() };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => link.mtu = Some(*mtu),
            LinkAttribute::Qdisc(qdisc) => link.qdisc = Some(qdisc.clone()),
            LinkAttribute::OperState(state) => link.state = Some(state.to_string()),
            _ => {}
        }
    }
    link
}

fn flags(flags: LinkFlags) -> BTreeSet<String> {
    let words = [
        (LinkFlags::Loopback, "LOOPBACK"),
        (LinkFlags::Broadcast, "BROADCAST"),
        (LinkFlags::Pointopoint, "POINTOPOINT"),
        (LinkFlags::Multicast, "MULTICAST"),
        (LinkFlags::Noarp, "NOARP"),
        (LinkFlags::Allmulti, "ALLMULTI"),
        (LinkFlags::Promisc, "PROMISC"),
        (LinkFlags::Controller, "MASTER"),
        (LinkFlags::Port, "SLAVE"),
        (LinkFlags::Dynamic, "DYNAMIC"),
        (LinkFlags::Dormant, "DORMANT"),
        (LinkFlags::Up, "UP"),
        (LinkFlags::LowerUp, "LOWER_UP"),
    ];
    let mut set: BTreeSet<String> = words.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, word)| (*word).to_owned()).collect();
    // The one word of `ip` that is no flag of the kernel: switched on, but nothing to talk to.
    if flags.contains(LinkFlags::Up) && !flags.contains(LinkFlags::Running) {
        set.insert("NO-CARRIER".to_owned());
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_named_as_ip_names_them() {
        let words = |bits| flags(bits).into_iter().collect::<Vec<_>>();
        assert_eq!(words(LinkFlags::Up | LinkFlags::Running | LinkFlags::LowerUp), ["LOWER_UP", "UP"]);
        assert_eq!(words(LinkFlags::Up | LinkFlags::Broadcast), ["BROADCAST", "NO-CARRIER", "UP"]);
        assert_eq!(words(LinkFlags::Broadcast | LinkFlags::Multicast), ["BROADCAST", "MULTICAST"]);
    }
}
