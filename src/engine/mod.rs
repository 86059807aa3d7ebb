//! Network Service Mesh on one machine: a supervisor that holds what pods are made of, and the manager under it.
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

mod daemon;
mod delete;
mod enter;
mod events;
mod exporter;
mod forwarder;
mod heal;
mod ipam;
mod loss;
mod manager;
mod mesh;
mod metrics;
mod names;
mod observe;
mod program;
pub mod protocol;
mod registry;
mod sandbox;
mod server;
mod state;
mod supervisor;
mod validate;

pub use daemon::{clear, manage, probe, run, socket_path};
pub use enter::enter;
pub(crate) use observe::PARTS;
pub use observe::no_identities;
pub use program::{inside, sandbox as run_sandbox};
