//! The four phases in which a connection comes to be, by the names of the example's document.

use jiff::Timestamp;
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Namespaced;

/// A phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PhaseName {
    /// The endpoint has an identity and registers.
    Registration,
    /// The client proves who it is and asks; an endpoint is selected.
    ClientRequest,
    /// The endpoint answers, addresses are given, interfaces are made.
    Connection,
    /// Who was verified as whom, and whether the tokens of the path are chained.
    SecureTunnel,
}

impl PhaseName {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Registration, Self::ClientRequest, Self::Connection, Self::SecureTunnel];

    /// Its number in the document, from 1 on.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// Its name in words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::ClientRequest => "client request",
            Self::Connection => "connection",
            Self::SecureTunnel => "secure tunnel",
        }
    }
}

/// What happened in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PhaseEvent {
    /// The sandbox was made, or the program in it was started.
    Started,
    /// An X.509 SVID was given out.
    SvidIssued,
    /// A mutual TLS handshake with the manager has ended.
    ManagerReached,
    /// The registry has the endpoint.
    Registered,
    /// The manager has the client's request.
    RequestReceived,
    /// The manager has decided for an endpoint.
    EndpointSelected,
    /// A mutual TLS handshake of the manager with the endpoint has ended.
    EndpointReached,
    /// The endpoint has answered, with the addresses.
    EndpointAnswered,
    /// Both interfaces are there; the client's is switched on.
    InterfacesMade,
    /// The endpoint's interface carries, with its address and its routes.
    EndpointInterfaceUp,
    /// The client's interface carries, with its address and its routes.
    ClientInterfaceUp,
    /// The manager has verified who the client is, and the client who the manager is.
    ClientVerified,
    /// The manager has verified who the endpoint is, and the endpoint who the manager is.
    EndpointVerified,
    /// The tokens of the path were checked, with the links in place.
    TokensChecked,
}

/// Something that happened in a phase, or before it and belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct PhaseStep {
    /// What, for programs.
    pub event: PhaseEvent,
    /// What, for people.
    pub what: String,
    /// When, in microseconds since the phase began; negative for what had happened before it.
    pub at_us: i64,
}

/// One phase of one connection, as it was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Phase {
    /// Which.
    pub phase: PhaseName,
    /// Whose: the endpoint's pod for a registration, else the client's pod with its interface.
    pub subject: String,
    /// When it began.
    #[cfg_attr(test, schemars(with = "String"))]
    pub began_at: Timestamp,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// What happened in it, in the order of time.
    pub steps: Vec<PhaseStep>,
    /// What the last phase has come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<Security>,
}

impl Phase {
    /// When it ended, in microseconds since 1970.
    #[must_use]
    pub fn ended_us(&self) -> i64 {
        self.began_at.as_microsecond().saturating_add_unsigned(self.took_us)
    }

    /// Whether it is the same phase as another: of the same connection, begun at the same moment.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.phase, &self.subject, self.began_at) == (other.phase, &other.subject, other.began_at)
    }
}

/// Who was verified, by what, and what is protected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Security {
    /// The SPIFFE ID that the client has proved.
    pub client: String,
    /// The SPIFFE ID that the manager has proved to both.
    pub manager: String,
    /// The SPIFFE ID that the endpoint has proved.
    pub endpoint: String,
    /// What protects the control plane between client and manager.
    pub client_tls: Tls,
    /// What protects the control plane between manager and endpoint.
    pub endpoint_tls: Tls,
    /// The segments of the path whose tokens were checked, the client's first.
    pub path: Vec<PathToken>,
    /// What carries the packets.
    pub data_path: DataPath,
}

impl Security {
    /// When the first of the tokens runs out, unless it is refreshed before.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.path.iter().map(|token| token.expires_at).min()
    }
}

/// What two ends of a TLS connection have agreed upon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Tls {
    /// The version: `TLSv1.3`.
    pub version: String,
    /// The cipher suite: `TLS13_AES_256_GCM_SHA384`.
    pub suite: String,
}

/// A segment of a path with its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct PathToken {
    /// The segment's name.
    pub segment: String,
    /// Whose token it is.
    pub spiffe_id: String,
    /// When it runs out; it is refreshed before.
    #[cfg_attr(test, schemars(with = "String"))]
    pub expires_at: Timestamp,
}

/// What carries the packets of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct DataPath {
    /// What it is: `veth pair`.
    pub carrier: String,
    /// Whether packets are encrypted on it.
    pub encrypted: bool,
}

/// The phases of one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct ConnectionPhases {
    /// The client's pod.
    pub client: Namespaced,
    /// The client's interface.
    pub interface: String,
    /// The four phases, in their order.
    pub phases: Vec<Phase>,
}
