use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use futures::TryStreamExt;
use netlink_packet_route::{
    AddressFamily,
    link::LinkAttribute,
    route::{RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteScope, RouteType, RouteVia},
};
use rtnetlink::{Handle, RouteMessageBuilder};
use serde::{Deserialize, Serialize};

use super::{Error, Result, link::full_length};
use crate::model::{Prefix, Route};

/// Routes one peer over an interface, with the address of our own that belongs to it as the source: a connection with
/// several pairs of addresses then keeps them apart. A route to this one address that is there already gives way: one
/// that refuses packets, as a blackhole does, belongs to no interface and outlives them all.
///
/// # Errors
/// The kernel refused.
pub async fn add_peer_route(handle: &Handle, index: u32, peer: IpAddr, source: IpAddr) -> Result<()> {
    let what = || format!("add a route to {peer}");
    let message = RouteMessageBuilder::<IpAddr>::new()
        .destination_prefix(peer, full_length(peer))
        .and_then(|message| message.pref_source(source))
        .map_err(|error| Error::new(what(), std::io::Error::other(error)))?
        .output_interface(index)
        .scope(RouteScope::Link)
        .build();
    handle.route().add(message).replace().execute().await.map_err(|error| Error::netlink(what(), &error))
}

/// A route over an interface that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRoute {
    /// Where to.
    pub destination: Prefix,
    /// The gateway, which is at the interface's other end; `None` where the destination itself is.
    pub via: Option<IpAddr>,
}

/// Routes a prefix over an interface, with one of its addresses as the source. A route to the same prefix that is there already gives
/// way.
///
/// # Errors
/// The kernel refused.
pub async fn add_route(handle: &Handle, index: u32, route: &NewRoute, source: Option<IpAddr>) -> Result<()> {
    let what = || format!("add a route to {}", route.destination);
    let odd = |error| Error::new(what(), std::io::Error::other(error));
    let first = route.destination.address(0).ok_or_else(|| odd("it has no address".to_owned()))?;
    let mut message = RouteMessageBuilder::<IpAddr>::new()
        .destination_prefix(first, route.destination.length())
        .map_err(|error| odd(error.to_string()))?
        .output_interface(index);
    message = match route.via {
        // Its address is none of a network that the interface is in: each end has a single one.
        Some(via) => message.gateway(via).map_err(|error| odd(error.to_string()))?.onlink(),
        None => message.scope(RouteScope::Link),
    };
    if let Some(source) = source {
        message = message.pref_source(source).map_err(|error| odd(error.to_string()))?;
    }
    handle.route().add(message.build()).replace().execute().await.map_err(|error| Error::netlink(what(), &error))
}

/// The routes of the main table, IPv4 and then IPv6, as the kernel has them now.
///
/// # Errors
/// The kernel does not tell.
pub async fn list_routes(handle: &Handle) -> Result<(Vec<Route>, Vec<Route>)> {
    let names = link_names(handle).await?;
    let v4 = list(handle, RouteMessageBuilder::<Ipv4Addr>::new().build(), &names).await?;
    let v6 = list(handle, RouteMessageBuilder::<Ipv6Addr>::new().build(), &names).await?;
    Ok((v4, v6))
}

async fn link_names(handle: &Handle) -> Result<BTreeMap<u32, String>> {
    let mut names = BTreeMap::new();
    let mut links = handle.link().get().execute();
    while let Some(link) = links.try_next().await.map_err(|error| Error::netlink("list the interfaces", &error))? {
        let name = link.attributes.iter().find_map(|a| if let LinkAttribute::IfName(name) = a { Some(name.clone()) } else { None });
        names.extend(name.map(|name| (link.header.index, name)));
    }
    Ok(names)
}

async fn list(handle: &Handle, question: RouteMessage, names: &BTreeMap<u32, String>) -> Result<Vec<Route>> {
    let mut routes = Vec::new();
    let mut messages = handle.route().get(question).execute();
    while let Some(message) = messages.try_next().await.map_err(|error| Error::netlink("list the routes", &error))? {
        let header = &message.header;
        // The kernel dumps every table, and for IPv6 also what it only remembers from a lookup.
        let leads = header.kind == RouteType::Unicast || refuses(header.kind).is_some();
        let counts = header.table == RouteHeader::RT_TABLE_MAIN && leads && !header.flags.contains(RouteFlags::Cloned);
        routes.extend(counts.then(|| route(&message, names)).flatten());
    }
    Ok(routes)
}

/// The word of `ip` for a route that leads nowhere.
fn refuses(kind: RouteType) -> Option<&'static str> {
    match kind {
        RouteType::BlackHole => Some("blackhole"),
        RouteType::Unreachable => Some("unreachable"),
        RouteType::Prohibit => Some("prohibit"),
        RouteType::Throw => Some("throw"),
        _ => None,
    }
}

fn route(message: &RouteMessage, names: &BTreeMap<u32, String>) -> Option<Route> {
    let unspecified: IpAddr =
        if message.header.address_family == AddressFamily::Inet { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let (mut destination, mut via, mut device) = (unspecified, None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => destination = ip(address)?,
            RouteAttribute::Gateway(address) => via = ip(address),
            RouteAttribute::Via(RouteVia::Inet(address)) => via = Some((*address).into()),
            RouteAttribute::Via(RouteVia::Inet6(address)) => via = Some((*address).into()),
            RouteAttribute::Oif(index) => device = names.get(index).cloned(),
            _ => {}
        }
    }
    let destination = format!("{destination}/{}", message.header.destination_prefix_length).parse().ok()?;
    Some(Route { destination, via, device, refuses: refuses(message.header.kind).map(str::to_owned) })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}
