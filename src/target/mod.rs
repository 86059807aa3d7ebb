//! Where a network service is deployed: a Kubernetes cluster with NSM, or this machine.
//!
//! A target does and looks; it judges nothing and prints nothing.
//!
//! ```text
//!                    ┌─► cluster   kube-rs: API server, exec
//!   commands ► Target┤
//!                    └─► local     the engine's unix socket
//! ```

mod context;
#[cfg(target_os = "linux")]
pub mod local;

pub use context::Ctx;
