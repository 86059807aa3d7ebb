//! The catalogue of checks: what the manifests promise, held against what was seen. Pure.
//!
//! ```text
//!   Expectations ─┐
//!                 ├─► connections (one a client pod and request) ─► CATALOGUE ─► Findings
//!   Observation ──┘       parse: text → types
//! ```

pub mod parse;

mod catalogue;
mod connection;
mod network;
mod pods;

pub use catalogue::{CATALOGUE, Check, Subject, evaluate};
pub use connection::{Connection, Side, connections, follow_up_requests, probe_requests};
