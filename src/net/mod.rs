//! Linux networking: namespaces, links, addresses, routes and echo requests. No other room touches them.
//!
//! A namespace is entered by a thread of its own, which asks the kernel over netlink and ends with the question:
//!
//! ```text
//!   engine ──► Namespace::run ──► fresh thread: setns, runtime, rtnetlink ──► link, route, icmp
//!                  ▲                                                               │
//!                  └───────────────────────── oneshot ◄────────────────────────────┘
//! ```

mod error;
mod icmp;
mod link;
mod namespace;
mod route;
mod user_namespace;
mod watch;

pub use error::{Error, Result};
pub use icmp::{ping, ping_on};
pub use link::{VethPair, add_address, create_veth_pair, delete_link, link_index, list_counters, list_links, set_up};
pub use namespace::{Namespace, join};
pub use route::{NewRoute, add_peer_route, add_route, list_routes};
pub use rtnetlink::Handle;
pub use user_namespace::{Missing, Privilege, enter};
pub use watch::Watch;
