//! The messages of NSM's API: field numbers as upstream's definitions have them, in the words of Rust.

use std::collections::{BTreeMap, HashMap};

use prost::{Enumeration, Message};
use prost_types::Timestamp;

use crate::model::{self, selection};

/// A request for a connection, new or to be refreshed.
#[derive(Clone, PartialEq, Message)]
pub(in crate::engine) struct NetworkServiceRequest {
    #[prost(message, optional, tag = "1")]
    pub(in crate::engine) connection: Option<Connection>,
    /// What the client would take, the best first.
    #[prost(message, repeated, tag = "2")]
    pub(in crate::engine) mechanism_preferences: Vec<Mechanism>,
}

/// A connection, as one hop of its path sees it.
#[derive(Clone, PartialEq, Message)]
pub(in crate::engine) struct Connection {
    #[prost(string, tag = "1")]
    pub(in crate::engine) id: String,
    #[prost(string, tag = "2")]
    pub(in crate::engine) network_service: String,
    #[prost(message, optional, tag = "3")]
    pub(in crate::engine) mechanism: Option<Mechanism>,
    #[prost(message, optional, tag = "4")]
    pub(in crate::engine) context: Option<ConnectionContext>,
    #[prost(btree_map = "string, string", tag = "5")]
    pub(in crate::engine) labels: BTreeMap<String, String>,
    #[prost(message, optional, tag = "6")]
    pub(in crate::engine) path: Option<Path>,
    #[prost(string, tag = "7")]
    pub(in crate::engine) network_service_endpoint_name: String,
    #[prost(string, tag = "8")]
    pub(in crate::engine) payload: String,
    #[prost(enumeration = "State", tag = "9")]
    pub(in crate::engine) state: i32,
}

/// How a connection fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub(in crate::engine) enum State {
    Up = 0,
    Down = 1,
    RefreshRequested = 2,
    ReselectRequested = 3,
}

/// By what a hop is made.
#[derive(Clone, PartialEq, Eq, Message)]
pub(in crate::engine) struct Mechanism {
    #[prost(string, tag = "1")]
    pub(in crate::engine) cls: String,
    #[prost(string, tag = "2")]
    pub(in crate::engine) r#type: String,
    #[prost(btree_map = "string, string", tag = "3")]
    pub(in crate::engine) parameters: BTreeMap<String, String>,
}

/// Who is on the way from a client to its endpoint.
#[derive(Clone, PartialEq, Message)]
pub(in crate::engine) struct Path {
    #[prost(uint32, tag = "1")]
    pub(in crate::engine) index: u32,
    #[prost(message, repeated, tag = "2")]
    pub(in crate::engine) path_segments: Vec<PathSegment>,
}

/// One who is on the way.
#[derive(Clone, PartialEq, Message)]
pub(in crate::engine) struct PathSegment {
    #[prost(string, tag = "1")]
    pub(in crate::engine) name: String,
    #[prost(string, tag = "2")]
    pub(in crate::engine) id: String,
    #[prost(string, tag = "3")]
    pub(in crate::engine) token: String,
    #[prost(message, optional, tag = "4")]
    pub(in crate::engine) expires: Option<Timestamp>,
    #[prost(btree_map = "string, string", tag = "5")]
    pub(in crate::engine) metrics: BTreeMap<String, String>,
}

/// What the ends of a connection are to have on it.
#[derive(Clone, PartialEq, Message)]
pub(in crate::engine) struct ConnectionContext {
    #[prost(message, optional, tag = "1")]
    pub(in crate::engine) ip_context: Option<IpContext>,
    #[prost(message, optional, tag = "2")]
    pub(in crate::engine) dns_context: Option<DnsContext>,
    #[prost(message, optional, tag = "3")]
    pub(in crate::engine) ethernet_context: Option<EthernetContext>,
    #[prost(btree_map = "string, string", tag = "4")]
    pub(in crate::engine) extra_context: BTreeMap<String, String>,
    #[prost(uint32, tag = "5")]
    pub(in crate::engine) mtu: u32,
}

/// Addresses and routes. "Source" is the client, "destination" the endpoint.
#[derive(Clone, PartialEq, Message)]
pub(in crate::engine) struct IpContext {
    #[prost(string, repeated, tag = "1")]
    pub(in crate::engine) src_ip_addrs: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(in crate::engine) dst_ip_addrs: Vec<String>,
    #[prost(bool, tag = "3")]
    pub(in crate::engine) src_ip_required: bool,
    #[prost(bool, tag = "4")]
    pub(in crate::engine) dst_ip_required: bool,
    /// What the client has routes to.
    #[prost(message, repeated, tag = "5")]
    pub(in crate::engine) src_routes: Vec<Route>,
    /// What the endpoint has routes to.
    #[prost(message, repeated, tag = "6")]
    pub(in crate::engine) dst_routes: Vec<Route>,
    #[prost(string, repeated, tag = "7")]
    pub(in crate::engine) excluded_prefixes: Vec<String>,
    #[prost(message, repeated, tag = "8")]
    pub(in crate::engine) ip_neighbors: Vec<IpNeighbor>,
    #[prost(message, repeated, tag = "9")]
    pub(in crate::engine) extra_prefix_request: Vec<ExtraPrefixRequest>,
    #[prost(string, repeated, tag = "10")]
    pub(in crate::engine) extra_prefixes: Vec<String>,
    #[prost(message, repeated, tag = "11")]
    pub(in crate::engine) policies: Vec<PolicyRoute>,
}

/// A route over a connection.
#[derive(Clone, PartialEq, Eq, Message)]
pub(in crate::engine) struct Route {
    #[prost(string, tag = "1")]
    pub(in crate::engine) prefix: String,
    #[prost(string, tag = "2")]
    pub(in crate::engine) next_hop: String,
}

/// A neighbour's link-layer address.
#[derive(Clone, PartialEq, Eq, Message)]
pub(in crate::engine) struct IpNeighbor {
    #[prost(string, tag = "1")]
    pub(in crate::engine) ip: String,
    #[prost(string, tag = "2")]
    pub(in crate::engine) hardware_address: String,
}

/// A wish for further prefixes.
#[derive(Clone, PartialEq, Eq, Message)]
pub(in crate::engine) struct ExtraPrefixRequest {
    #[prost(message, optional, tag = "1")]
    pub(in crate::engine) addr_family: Option<IpFamily>,
    #[prost(uint32, tag = "2")]
    pub(in crate::engine) prefix_len: u32,
    #[prost(uint32, tag = "3")]
    pub(in crate::engine) required_number: u32,
    #[prost(uint32, tag = "4")]
    pub(in crate::engine) requested_number: u32,
}

/// IPv4 (0) or IPv6 (1).
#[derive(Clone, PartialEq, Eq, Message)]
pub(in crate::engine) struct IpFamily {
    #[prost(int32, tag = "1")]
    pub(in crate::engine) family: i32,
}

/// Routes for some of the packets.
#[derive(Clone, PartialEq, Message)]
pub(in crate::engine) struct PolicyRoute {
    #[prost(string, tag = "1")]
    pub(in crate::engine) from: String,
    #[prost(string, tag = "2")]
    pub(in crate::engine) proto: String,
    #[prost(string, tag = "3")]
    pub(in crate::engine) dst_port: String,
    #[prost(string, tag = "4")]
    pub(in crate::engine) src_port: String,
    #[prost(message, repeated, tag = "5")]
    pub(in crate::engine) routes: Vec<Route>,
}

/// Who answers names.
#[derive(Clone, PartialEq, Message)]
pub(in crate::engine) struct DnsContext {
    #[prost(message, repeated, tag = "1")]
    pub(in crate::engine) configs: Vec<DnsConfig>,
}

/// Who answers the names of some domains.
#[derive(Clone, PartialEq, Eq, Message)]
pub(in crate::engine) struct DnsConfig {
    #[prost(string, repeated, tag = "1")]
    pub(in crate::engine) dns_server_ips: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(in crate::engine) search_domains: Vec<String>,
}

/// Link-layer addresses.
#[derive(Clone, PartialEq, Eq, Message)]
pub(in crate::engine) struct EthernetContext {
    #[prost(string, tag = "1")]
    pub(in crate::engine) src_mac: String,
    #[prost(string, tag = "2")]
    pub(in crate::engine) dst_mac: String,
    #[prost(int32, tag = "3")]
    pub(in crate::engine) vlan_tag: i32,
}

/// What happened to connections.
#[derive(Clone, PartialEq, Message)]
pub(in crate::engine) struct ConnectionEvent {
    #[prost(enumeration = "EventType", tag = "1")]
    pub(in crate::engine) r#type: i32,
    /// By their ids.
    #[prost(map = "string, message", tag = "2")]
    pub(in crate::engine) connections: HashMap<String, Connection>,
}

/// What kind of event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub(in crate::engine) enum EventType {
    InitialStateTransfer = 0,
    Update = 1,
    Delete = 2,
}

/// Which connections are of interest: those that have one of these segments, or all.
#[derive(Clone, PartialEq, Message)]
pub(in crate::engine) struct MonitorScopeSelector {
    #[prost(message, repeated, tag = "1")]
    pub(in crate::engine) path_segments: Vec<PathSegment>,
    #[prost(string, repeated, tag = "2")]
    pub(in crate::engine) network_services: Vec<String>,
}

/// Nothing.
#[derive(Clone, PartialEq, Eq, Message)]
pub(in crate::engine) struct Empty {}

/// A network service, as the registry has it.
#[derive(Clone, PartialEq, Message)]
pub(in crate::engine) struct NetworkService {
    #[prost(string, tag = "1")]
    pub(in crate::engine) name: String,
    #[prost(string, tag = "2")]
    pub(in crate::engine) payload: String,
    #[prost(message, repeated, tag = "3")]
    pub(in crate::engine) matches: Vec<Match>,
    #[prost(string, repeated, tag = "4")]
    pub(in crate::engine) path_ids: Vec<String>,
}

/// Which endpoints serve which clients.
#[derive(Clone, PartialEq, Message)]
pub(in crate::engine) struct Match {
    #[prost(btree_map = "string, string", tag = "1")]
    pub(in crate::engine) source_selector: BTreeMap<String, String>,
    #[prost(message, repeated, tag = "2")]
    pub(in crate::engine) routes: Vec<Destination>,
    #[prost(bool, tag = "3")]
    pub(in crate::engine) fallthrough: bool,
    #[prost(message, optional, tag = "4")]
    pub(in crate::engine) metadata: Option<Labels>,
}

/// Which endpoints.
#[derive(Clone, PartialEq, Eq, Message)]
pub(in crate::engine) struct Destination {
    #[prost(btree_map = "string, string", tag = "1")]
    pub(in crate::engine) destination_selector: BTreeMap<String, String>,
    #[prost(uint32, tag = "2")]
    pub(in crate::engine) weight: u32,
}

impl From<Match> for model::Match {
    fn from(one: Match) -> Self {
        let route = |route: Destination| selection::Destination { destination_selector: route.destination_selector, weight: route.weight };
        let routes = one.routes.into_iter().map(route).collect();
        let metadata = one.metadata.map(|metadata| metadata.labels);
        Self { source_selector: one.source_selector, routes, fallthrough: one.fallthrough, metadata }
    }
}

impl From<model::Match> for Match {
    fn from(one: model::Match) -> Self {
        let route = |route: selection::Destination| Destination { destination_selector: route.destination_selector, weight: route.weight };
        let routes = one.routes.into_iter().map(route).collect();
        let metadata = one.metadata.map(|labels| Labels { labels });
        Self { source_selector: one.source_selector, routes, fallthrough: one.fallthrough, metadata }
    }
}

/// Labels.
#[derive(Clone, PartialEq, Eq, Message)]
pub(in crate::engine) struct Labels {
    #[prost(btree_map = "string, string", tag = "1")]
    pub(in crate::engine) labels: BTreeMap<String, String>,
}

/// An endpoint, as the registry has it.
#[derive(Clone, PartialEq, Message)]
pub(in crate::engine) struct NetworkServiceEndpoint {
    #[prost(string, tag = "1")]
    pub(in crate::engine) name: String,
    #[prost(string, repeated, tag = "2")]
    pub(in crate::engine) network_service_names: Vec<String>,
    /// By the names of its services.
    #[prost(btree_map = "string, message", tag = "3")]
    pub(in crate::engine) network_service_labels: BTreeMap<String, Labels>,
    #[prost(string, tag = "4")]
    pub(in crate::engine) url: String,
    #[prost(message, optional, tag = "5")]
    pub(in crate::engine) expiration_time: Option<Timestamp>,
    #[prost(message, optional, tag = "6")]
    pub(in crate::engine) initial_registration_time: Option<Timestamp>,
    /// The SPIFFE IDs of those that it was registered through, its own first.
    #[prost(string, repeated, tag = "7")]
    pub(in crate::engine) path_ids: Vec<String>,
}

/// A question for network services.
#[derive(Clone, PartialEq, Message)]
pub(in crate::engine) struct NetworkServiceQuery {
    #[prost(message, optional, tag = "1")]
    pub(in crate::engine) network_service: Option<NetworkService>,
    #[prost(bool, tag = "2")]
    pub(in crate::engine) watch: bool,
}

/// A question for endpoints.
#[derive(Clone, PartialEq, Message)]
pub(in crate::engine) struct NetworkServiceEndpointQuery {
    #[prost(message, optional, tag = "1")]
    pub(in crate::engine) network_service_endpoint: Option<NetworkServiceEndpoint>,
    #[prost(bool, tag = "2")]
    pub(in crate::engine) watch: bool,
}

/// A network service that was found, or is gone.
#[derive(Clone, PartialEq, Message)]
pub(in crate::engine) struct NetworkServiceResponse {
    #[prost(message, optional, tag = "1")]
    pub(in crate::engine) network_service: Option<NetworkService>,
    #[prost(bool, tag = "2")]
    pub(in crate::engine) deleted: bool,
}

/// An endpoint that was found, or is gone.
#[derive(Clone, PartialEq, Message)]
pub(in crate::engine) struct NetworkServiceEndpointResponse {
    #[prost(message, optional, tag = "1")]
    pub(in crate::engine) network_service_endpoint: Option<NetworkServiceEndpoint>,
    #[prost(bool, tag = "2")]
    pub(in crate::engine) deleted: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes put together by hand, so that a changed number is seen.
    #[test]
    fn fields_have_the_numbers_of_upstream() {
        let mechanism = Mechanism { cls: "LOCAL".into(), r#type: "KERNEL".into(), parameters: BTreeMap::from([("a".into(), "b".into())]) };
        assert_eq!(mechanism.encode_to_vec(), b"\x0a\x05LOCAL\x12\x06KERNEL\x1a\x06\x0a\x01a\x12\x01b");
        let segment = PathSegment { name: "n".into(), id: "i".into(), token: "t".into(), ..PathSegment::default() };
        let path = Path { index: 1, path_segments: vec![segment] };
        let connection = Connection { id: "c".into(), network_service: "s".into(), path: Some(path), ..Connection::default() };
        let connection = Connection { network_service_endpoint_name: "e".into(), payload: "IP".into(), state: State::Down.into(), ..connection };
        let request = NetworkServiceRequest { connection: Some(connection), mechanism_preferences: vec![] };
        let bytes = b"\x0a\x1e\x0a\x01c\x12\x01s\x32\x0d\x08\x01\x12\x09\x0a\x01n\x12\x01i\x1a\x01t\x3a\x01e\x42\x02IP\x48\x01";
        assert_eq!(request.encode_to_vec(), bytes);
        let endpoint = NetworkServiceEndpoint { name: "n".into(), url: "u".into(), path_ids: vec!["p".into()], ..Default::default() };
        assert_eq!(endpoint.encode_to_vec(), b"\x0a\x01n\x22\x01u\x3a\x01p");
        let service = NetworkService { name: "n".into(), payload: "p".into(), ..Default::default() };
        let query = NetworkServiceQuery { network_service: Some(service), watch: true };
        assert_eq!(query.encode_to_vec(), b"\x0a\x06\x0a\x01n\x12\x01p\x10\x01");
    }

    #[test]
    fn matches_have_the_numbers_of_upstream_and_come_back_as_they_went() {
        let labels = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let routes = vec![Destination { destination_selector: labels("c", "d"), weight: 7 }];
        let metadata = Some(Labels { labels: labels("e", "f") });
        let one = Match { source_selector: labels("a", "b"), routes, fallthrough: true, metadata };
        let service = NetworkService { matches: vec![one.clone()], ..Default::default() };
        let bytes = b"\x1a\x20\x0a\x06\x0a\x01a\x12\x01b\x12\x0a\x0a\x06\x0a\x01c\x12\x01d\x10\x07\x18\x01\x22\x08\x0a\x06\x0a\x01e\x12\x01f";
        assert_eq!(service.encode_to_vec(), bytes);
        assert_eq!(Match::from(model::Match::from(one.clone())), one);
        let endpoint = NetworkServiceEndpoint {
            network_service_labels: BTreeMap::from([("s".into(), Labels { labels: labels("a", "b") })]),
            ..Default::default()
        };
        assert_eq!(endpoint.encode_to_vec(), b"\x1a\x0d\x0a\x01s\x12\x08\x0a\x06\x0a\x01a\x12\x01b");
    }

    #[test]
    fn what_is_unknown_is_passed_over() {
        assert_eq!(Mechanism::decode(&b"\xfa\x01\x03abc\x12\x01K"[..]).unwrap().r#type, "K");
        assert!(Mechanism::decode(&b"\x0a\xff\xff\xff\xff\x0f"[..]).is_err());
    }
}
