//! Network Service Mesh's own gRPC API, over mTLS on the socket that a sandbox sees as `/var/lib/networkservicemesh/nsm.io.sock`.
//!
//! ```text
//!   client ──► transport ──► server ─┬─► network_service ──► remote ──► endpoint    Request, Close
//!   (mTLS, descriptors beneath it)   │        └──► forwarder ──► net                the links
//!                                    ├─► monitor                                    MonitorConnections
//!                                    └─► registration ──► registry                  Register, Find, Unregister
//!                                              token: who passed what on to whom
//! ```
//!
//! The messages are in `wire`, what has come as a descriptor is in `descriptors`, and all of it works on one `Control`.

mod control;
mod descriptors;
mod monitor;
mod network_service;
mod registration;
mod remote;
mod server;
mod token;
mod transport;
mod wire;

pub(super) use self::{control::Control, descriptors::Inode, remote::Remote};
