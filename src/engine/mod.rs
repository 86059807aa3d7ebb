//! Network Service Mesh on one machine, in one process.
//!
//! A pod is a network namespace. Its endpoint and its client are the engine's own, or a program that runs in it; both come in the
//! same way, by NSM's own API:
//!
//! ```text
//!   nsmctl ──► server ──► mesh ──► manager ──► the engine's own clients and endpoints ──┐
//!                          │                                                            ▼
//!                          │        programs in the sandboxes ──► nsm.io.sock ──────► api ──► registry    which services and endpoints
//!                          │                    │                                       ├──► ipam        which addresses
//!                          │                    └──► agent.sock ──► identity ◄──────────┤
//!                          └──► sandbox, events: what a pod is, what happened           └──► forwarder ──► net: veth pairs, routes
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
