//! Network Service Mesh on one machine: a supervisor that holds what pods are made of, and the manager under it.
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
mod exporter;
mod forwarder;
mod grpc;
mod heal;
mod identity;
mod ipam;
mod loss;
mod manager;
mod mesh;
mod metrics;
mod names;
mod observe;
mod phases;
mod program;
pub mod protocol;
mod record;
mod registry;
mod sandbox;
mod server;
mod state;
mod supervisor;
mod validate;

pub use daemon::{clear, manage, probe, run, socket_path};
pub use enter::enter;
pub use identity::{AGENT_VARIABLE, agent_url};
pub(crate) use observe::PARTS;
pub use observe::no_identities;
pub use program::{inside, sandbox as run_sandbox};
