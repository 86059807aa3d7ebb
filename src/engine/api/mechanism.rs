use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use tonic::Status;

use super::wire::{IpContext, Mechanism, Route};
use crate::{engine::forwarder::Routes, model::AddressPair, net::NewRoute};

/// The only kind of interface that is made here.
pub(super) const KERNEL: &str = "KERNEL";
pub(super) const LOCAL: &str = "LOCAL";
/// The mechanism's parameter that says in which network namespace the interface is to be.
pub(super) const INODE_URL: &str = "inodeURL";
/// The mechanism's parameter that says how the interface is named.
pub(super) const NAME: &str = "name";
/// The most addresses of one end.
const MAX_ADDRESSES: usize = 32;
/// The most routes of one end.
const MAX_ROUTES: usize = 256;

/// A kernel interface on this machine.
pub(super) fn kernel<'a>(parameters: impl IntoIterator<Item = (&'a str, String)>) -> Mechanism {
    let parameters = parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>();
    Mechanism { cls: LOCAL.to_owned(), r#type: KERNEL.to_owned(), parameters }
}

/// The mechanism that is agreed on, or the first that can be made here.
pub(super) fn choose<'a>(agreed: Option<&'a Mechanism>, preferences: &'a [Mechanism]) -> Result<&'a Mechanism, Status> {
    let is_ours = |mechanism: &&Mechanism| mechanism.r#type == KERNEL && (mechanism.cls.is_empty() || mechanism.cls == LOCAL);
    let chosen = agreed
        .filter(|mechanism| !mechanism.r#type.is_empty())
        .map_or_else(|| preferences.iter().find(is_ours), |mechanism| Some(mechanism).filter(is_ours));
    chosen.ok_or_else(|| Status::invalid_argument("cannot support any of the requested mechanism: here it is KERNEL"))
}

/// The addresses of both ends, those together that are of one family and come one after the other.
pub(super) fn pairs(context: Option<&IpContext>) -> Result<Vec<AddressPair>, String> {
    let Some(context) = context else { return Ok(Vec::new()) };
    let read = |texts: &[String]| -> Result<Vec<IpAddr>, String> {
        let address = |text: &String| {
            let shown: String = text.chars().take(60).collect();
            text.parse::<IpNet>().map(|net| net.addr()).map_err(|_| format!("{shown:?} is no address with its prefix"))
        };
        texts.iter().map(address).collect()
    };
    if context.src_ip_addrs.len() > MAX_ADDRESSES || context.dst_ip_addrs.len() > MAX_ADDRESSES {
        return Err(format!("an end has more than {MAX_ADDRESSES} addresses"));
    }
    let (clients, mut endpoints) = (read(&context.src_ip_addrs)?, read(&context.dst_ip_addrs)?);
    let pair = |client: IpAddr| {
        let at = endpoints.iter().position(|endpoint| endpoint.is_ipv4() == client.is_ipv4());
        at.map(|at| AddressPair { client, endpoint: endpoints.remove(at) }).ok_or_else(|| format!("{client} has no peer"))
    };
    clients.into_iter().map(pair).collect()
}

/// The routes of both ends but those to their peers, which are there anyway. One that names no gateway leads through the peer, as
/// upstream has it.
pub(super) fn routes(context: Option<&IpContext>, pairs: &[AddressPair]) -> Result<Routes, String> {
    let Some(context) = context else { return Ok(Routes::default()) };
    let read = |routes: &[Route], peers: Vec<IpAddr>| -> Result<Vec<NewRoute>, String> {
        if routes.len() > MAX_ROUTES {
            return Err(format!("an end has more than {MAX_ROUTES} routes"));
        }
        let routes = routes.iter().map(|route| read_route(route, &peers)).collect::<Result<Vec<_>, _>>()?;
        let is_peer = |route: &NewRoute| peers.iter().any(|peer| route.destination == IpNet::from(*peer).into());
        Ok(routes.into_iter().filter(|route| !is_peer(route)).collect())
    };
    Ok(Routes {
        client: read(&context.src_routes, pairs.iter().map(|pair| pair.endpoint).collect())?,
        endpoint: read(&context.dst_routes, pairs.iter().map(|pair| pair.client).collect())?,
    })
}

fn read_route(route: &Route, peers: &[IpAddr]) -> Result<NewRoute, String> {
    let shown = |text: &str| text.chars().take(60).collect::<String>();
    let net: IpNet = route.prefix.parse().map_err(|_| format!("the route to {:?} leads to no prefix", shown(&route.prefix)))?;
    let is_v4 = net.addr().is_ipv4();
    let via = match route.next_hop.as_str() {
        "" => peers.iter().copied().find(|peer| peer.is_ipv4() == is_v4),
        text => Some(
            text.parse::<IpAddr>()
                .ok()
                .filter(|hop| hop.is_ipv4() == is_v4)
                .ok_or_else(|| format!("the route to {net} leads over {:?}, which is no address of its family", shown(text)))?,
        ),
    };
    Ok(NewRoute { destination: net.into(), via })
}

/// Puts addresses and the routes to them into a context, in place of those that it has. Other routes stay: they are what the client has
/// asked for, as upstream's address management has it.
pub(super) fn give(context: &mut IpContext, pairs: &[AddressPair]) {
    let texts = |end: fn(&AddressPair) -> IpAddr| pairs.iter().map(|pair| IpNet::from(end(pair)).to_string()).collect::<Vec<_>>();
    let other = |routes: &mut Vec<Route>, peers: &[String]| routes.retain(|route| !peers.contains(&route.prefix));
    other(&mut context.src_routes, &context.dst_ip_addrs);
    other(&mut context.dst_routes, &context.src_ip_addrs);
    (context.src_ip_addrs, context.dst_ip_addrs) = (texts(|pair| pair.client), texts(|pair| pair.endpoint));
    for (routes, peers) in [(&mut context.src_routes, &context.dst_ip_addrs), (&mut context.dst_routes, &context.src_ip_addrs)] {
        other(routes, peers);
        routes.splice(0..0, peers.iter().map(|prefix| Route { prefix: prefix.clone(), next_hop: String::new() }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_paired_within_their_family() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let context = |src: &[&str], dst: &[&str]| IpContext { src_ip_addrs: texts(src), dst_ip_addrs: texts(dst), ..IpContext::default() };
        let found = pairs(Some(&context(&["10.0.0.1/32", "2001:db8::1/128"], &["2001:db8::/128", "10.0.0.0/32"]))).unwrap();
        let shown: Vec<_> = found.iter().map(|pair| format!("{} {}", pair.client, pair.endpoint)).collect();
        assert_eq!(shown, ["10.0.0.1 10.0.0.0", "2001:db8::1 2001:db8::"]);
        assert!(pairs(Some(&context(&["10.0.0.1/32"], &[]))).is_err() && pairs(Some(&context(&["x"], &["y"]))).is_err());
        assert_eq!(pairs(None), Ok(vec![]));
        let mut given = context(&["192.0.2.1/32"], &[]);
        give(&mut given, &found);
        assert_eq!(given.src_ip_addrs, ["10.0.0.1/32", "2001:db8::1/128"]);
        assert_eq!((given.src_routes[0].prefix.as_str(), pairs(Some(&given)).unwrap()), ("10.0.0.0/32", found));
        given.src_routes.push(Route { prefix: "192.0.2.0/24".into(), ..Route::default() });
        let next = AddressPair { client: "10.0.0.3".parse().unwrap(), endpoint: "10.0.0.2".parse().unwrap() };
        give(&mut given, &[next]);
        let prefixes = |routes: &[Route]| routes.iter().map(|route| route.prefix.clone()).collect::<Vec<_>>();
        assert_eq!(prefixes(&given.src_routes), ["10.0.0.2/32", "192.0.2.0/24"], "the routes to the addresses before are gone");
        assert_eq!(prefixes(&given.dst_routes), ["10.0.0.3/32"]);
    }

    #[test]
    fn routes_lead_through_the_peer_unless_they_say_otherwise() {
        let route = |(prefix, next_hop): &(&str, &str)| Route { prefix: (*prefix).into(), next_hop: (*next_hop).into() };
        let pairs = [("10.0.0.1", "10.0.0.0"), ("2001:db8::1", "2001:db8::")]
            .map(|(client, endpoint)| AddressPair { client: client.parse().unwrap(), endpoint: endpoint.parse().unwrap() });
        let read = |src: &[(&str, &str)], dst: &[(&str, &str)]| {
            let (src_routes, dst_routes) = (src.iter().map(route).collect(), dst.iter().map(route).collect());
            let text = |route: &NewRoute| format!("{} {}", route.destination, route.via.map_or("-".to_owned(), |via| via.to_string()));
            let found = routes(Some(&IpContext { src_routes, dst_routes, ..IpContext::default() }), &pairs)?;
            Ok::<_, String>([found.client, found.endpoint].map(|end| end.iter().map(text).collect::<Vec<_>>().join(", ")))
        };
        let src = [("10.0.0.0/32", ""), ("192.0.2.7/24", ""), ("0.0.0.0/0", "10.9.9.9"), ("2001:db8:1::/64", "")];
        let found = read(&src, &[("10.0.0.1/32", ""), ("198.51.100.0/24", "")]).unwrap();
        assert_eq!(found, ["192.0.2.0/24 10.0.0.0, 0.0.0.0/0 10.9.9.9, 2001:db8:1::/64 2001:db8::", "198.51.100.0/24 10.0.0.1"]);
        let no_peer = routes(Some(&IpContext { src_routes: vec![route(&("10.1.0.0/16", ""))], ..IpContext::default() }), &[]).unwrap();
        assert_eq!((no_peer.client[0].via, routes(None, &pairs)), (None, Ok(Routes::default())));
        for (bad, reason) in [
            (("x", ""), "the route to \"x\" leads to no prefix"),
            (("10.0.0.0/33", ""), "leads to no prefix"),
            (("10.1.0.0/16", "x"), "the route to 10.1.0.0/16 leads over \"x\", which is no address of its family"),
            (("10.1.0.0/16", "2001:db8::"), "no address of its family"),
        ] {
            assert!(read(&[], &[bad]).unwrap_err().contains(reason), "{bad:?}");
        }
        assert_eq!(read(&[("10.1.0.0/16", ""); 257], &[]), Err("an end has more than 256 routes".to_owned()));
    }

    #[test]
    fn only_a_kernel_interface_is_made() {
        let of = |kind: &str| Mechanism { cls: LOCAL.into(), r#type: kind.into(), ..Mechanism::default() };
        assert_eq!(choose(None, &[of("MEMIF"), of("KERNEL")]).unwrap().r#type, "KERNEL");
        assert!(choose(Some(&of("MEMIF")), &[of("KERNEL")]).is_err() && choose(None, &[]).is_err());
    }
}
