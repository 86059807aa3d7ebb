//! Network Service Mesh's own gRPC API, over mTLS on the socket that a sandbox sees as `/var/lib/networkservicemesh/nsm.io.sock`.
//!
//! ```text
//!   client ──► transport ──► server ─┬─► network_service ──► remote ──► endpoint    Request, Close
//!   (mTLS, descriptors beneath it)   │        └──► forwarder ──► net                the links
//!                                    ├─► monitor                                    MonitorConnections
//!                                    └─► registration ──► registry                  Register, Find, Unregister
//!                                              token: who passed what on to whom; phases: when
//! ```
//!
//! The engine's own endpoints and clients (`endpoint`, `client`) come in the same way as the programs in the sandboxes.
//!
//! The messages are in `wire`, what has come as a descriptor is in `descriptors`, and all of it works on one `Control`.
//!
//! # Decisions
//!
//! - **A request goes on to its end, whoever waits for it** (`Control::whole`). Half a connection would be nobody's: its link keeps the
//!   interface's name, its addresses are never given back. What nobody refreshes afterwards runs out as every connection does. Whoever
//!   asks again is known again: the ids of our segment and of the endpoint's are made of who asks whom (`token::Ids`), so that an answer
//!   that was lost costs no second address, and what came to nothing can be closed at an endpoint that never said what it calls it.
//! - **There is one way in.** What asks for a connection on this machine, or offers one, does so by NSM's own gRPC API over mTLS on
//!   `nsm/nsm.io.sock`: programs in the sandboxes, and the engine's own clients and endpoints (`engine/api/{client,endpoint}.rs`) in the same words.
//!   The manager and the forwarder are one hop of the path (`nsc → nsmgr → nse`). The links are made behind `forwarder::Connection`, which knows two
//!   ends, addresses and a payload: what carries them, a veth pair now, can be replaced by an encrypted path without the API knowing.
//! - **The API writes a journal, and the mesh reads it.** A call of the API never waits for the engine's state: what happened is noted (`api/journal.rs`),
//!   and becomes events, lines of logs, counters and the saved state when the mesh takes note (`engine/record.rs`). A registration has those
//!   who waited for it ask again.
//! - **Wire formats are written down, not generated.** `api/wire.rs` and `identity/messages.rs` are prost messages by derive with the field numbers of
//!   upstream: no protoc, no build script. A service is a `match` on the method's path (`engine/grpc.rs`), over hyper's HTTP/2; of tonic only
//!   codec, framing and statuses are used, which spares its router and transport.
//! - **What comes over the API is hostile until shown otherwise.** Messages, headers, paths, labels, names, descriptors and the time of a call are
//!   bounded; every refusal is a gRPC status; `api/hostile_tests.rs` holds that with some thousand inputs.

#[cfg(test)]
mod agent_tests;
mod client;
mod control;
mod descriptors;
mod endpoint;
#[cfg(test)]
mod hostile_tests;
mod journal;
mod line;
mod links;
mod mechanism;
mod monitor;
#[cfg(test)]
mod namespace_tests;
mod network_service;
mod phases;
mod registration;
mod remote;
mod server;
mod state;
mod token;
mod transport;
mod wire;

pub(super) use self::{
    client::{Asker, Client},
    control::Control,
    descriptors::Inode,
    endpoint::Endpoint,
    journal::Happening,
    remote::Remote,
    state::SavedApi,
};

/// A connection that a client has been given and keeps.
pub(super) type Kept = wire::Connection;

const REQUEST: &str = "/networkservice.NetworkService/Request";
const CLOSE: &str = "/networkservice.NetworkService/Close";
const MONITOR: &str = "/connection.MonitorConnection/MonitorConnections";
const REGISTER_ENDPOINT: &str = "/registry.NetworkServiceEndpointRegistry/Register";
