//! Network Service Mesh on one machine, in one process.
//!
//! A pod is a network namespace. Its endpoint and its client are the engine's own; between them is what NSM has too:
//!
//! ```text
//!   socket ──► server ──► mesh ──► manager ──► registry    which services, which endpoints
//!                          │          ├──────► ipam        which addresses
//!                          │          └──────► forwarder ──► net: veth pairs, addresses, routes
//!                          └──► sandbox, events            what a pod is, what happened
//! ```
//!
//! Whatever kills the process, the kernel then removes every namespace and link: nothing else holds them.

mod api;
mod daemon;
mod delete;
mod enter;
mod events;
mod forwarder;
mod grpc;
mod identity;
mod ipam;
mod manager;
mod mesh;
mod names;
mod observe;
pub mod protocol;
mod registry;
mod sandbox;
mod server;
mod validate;

pub use daemon::{clear, probe, run, socket_path};
pub use enter::enter;
pub use observe::no_identities;
