use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use tonic::Status;

use super::wire::{IpContext, Mechanism, Route};
use crate::model::AddressPair;

/// The only kind of interface that is made here.
pub(super) const KERNEL: &str = "KERNEL";
pub(super) const LOCAL: &str = "LOCAL";
/// The mechanism's parameter that says in which network namespace the interface is to be.
pub(super) const INODE_URL: &str = "inodeURL";
/// The mechanism's parameter that says how the interface is named.
pub(super) const NAME: &str = "name";
/// The most addresses of one end.
const MAX_ADDRESSES: usize = 32;

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

/// Puts addresses and the routes to them into a context, in place of what it has.
pub(super) fn give(context: &mut IpContext, pairs: &[AddressPair]) {
    let texts = |end: fn(&AddressPair) -> IpAddr| pairs.iter().map(|pair| IpNet::from(end(pair)).to_string()).collect::<Vec<_>>();
    let routes = |prefixes: &[String]| prefixes.iter().map(|prefix| Route { prefix: prefix.clone(), next_hop: String::new() }).collect();
    (context.src_ip_addrs, context.dst_ip_addrs) = (texts(|pair| pair.client), texts(|pair| pair.endpoint));
    (context.src_routes, context.dst_routes) = (routes(&context.dst_ip_addrs), routes(&context.src_ip_addrs));
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
    }

    #[test]
    fn only_a_kernel_interface_is_made() {
        let of = |kind: &str| Mechanism { cls: LOCAL.into(), r#type: kind.into(), ..Mechanism::default() };
        assert_eq!(choose(None, &[of("MEMIF"), of("KERNEL")]).unwrap().r#type, "KERNEL");
        assert!(choose(Some(&of("MEMIF")), &[of("KERNEL")]).is_err() && choose(None, &[]).is_err());
    }
}
