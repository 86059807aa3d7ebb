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
//!
//! # Decisions
//!
//! - **Healing is told, not looked for.** A netlink socket in each pod's namespace says that a link or an address has changed; only then is looked.
//!   An engine where all is well uses no processor time. A connection is made again as it was, under the same names and with the same addresses.
//! - A pod is a network namespace; `setns` is per thread, so work inside one runs on a thread of its own. An ordinary user's engine first
//!   enters a user namespace, while it still has a single thread.
//! - **Who takes over goes on as the same.** The manager's state has the authority with all keys, what was registered (the supervisor holds the
//!   sockets) and every connection with its path, so that a client that asks again, as NSM's do when their manager is gone, refreshes what it has.
//!   Nobody may ask before that is known: the API has requests wait until then (`Control::set_open`). Links whose endpoint is not known any more are
//!   adopted (`Control::adopt`): who asks for the same interface keeps it. What nobody asks for within a minute goes.
//! - **Phases are measured where they happen.** Each handshake, request and link notes its moment (`engine/phases.rs`, a clock that never goes back);
//!   `api/phases.rs` puts them together when a connection's links are laid. They belong to the connection and its endpoint's registration, and go
//!   with them into the state. All tokens of a path are checked before links are made, and again when they are there, which is the fourth phase.
//!   Whether packets are encrypted is said by the forwarder alone (`Connection::data_path`).

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
