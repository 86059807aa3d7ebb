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
    client::Client, control::Control, descriptors::Inode, endpoint::Endpoint, journal::Happening, remote::Remote, state::SavedApi,
};

const REQUEST: &str = "/networkservice.NetworkService/Request";
const CLOSE: &str = "/networkservice.NetworkService/Close";
const MONITOR: &str = "/connection.MonitorConnection/MonitorConnections";
const REGISTER_ENDPOINT: &str = "/registry.NetworkServiceEndpointRegistry/Register";
