//! The messages of the SPIFFE Workload API: field numbers as its specification has them.

use std::collections::HashMap;

use prost::Message;

/// The question for X.509 SVIDs, and for their bundles, and for those of JWTs: nothing.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Nothing {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct X509SvidResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) svids: Vec<X509Svid>,
    #[prost(map = "string, bytes", tag = "3")]
    pub(super) federated_bundles: HashMap<String, Vec<u8>>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct X509Svid {
    #[prost(string, tag = "1")]
    pub(super) spiffe_id: String,
    /// The certificates, one after the other in DER, the own first.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) certificates: Vec<u8>,
    /// The private key, as PKCS #8 in DER.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) private_key: Vec<u8>,
    /// The authority's certificates in DER.
    #[prost(bytes = "vec", tag = "4")]
    pub(super) bundle: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct X509BundlesResponse {
    /// By trust domain.
    #[prost(map = "string, bytes", tag = "2")]
    pub(super) bundles: HashMap<String, Vec<u8>>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct JwtSvidRequest {
    #[prost(string, repeated, tag = "1")]
    pub(super) audience: Vec<String>,
    #[prost(string, tag = "2")]
    pub(super) spiffe_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct JwtSvidResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) svids: Vec<JwtSvid>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct JwtSvid {
    #[prost(string, tag = "1")]
    pub(super) spiffe_id: String,
    #[prost(string, tag = "2")]
    pub(super) svid: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct JwtBundlesResponse {
    /// Sets of keys (RFC 7517), by trust domain.
    #[prost(map = "string, bytes", tag = "1")]
    pub(super) bundles: HashMap<String, Vec<u8>>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct ValidateJwtSvidRequest {
    #[prost(string, tag = "1")]
    pub(super) audience: String,
    #[prost(string, tag = "2")]
    pub(super) svid: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ValidateJwtSvidResponse {
    #[prost(string, tag = "1")]
    pub(super) spiffe_id: String,
    #[prost(message, optional, tag = "2")]
    pub(super) claims: Option<prost_types::Struct>,
}
