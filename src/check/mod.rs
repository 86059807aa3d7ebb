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
#[cfg(test)]
pub(crate) mod fixture;
mod network;
mod pods;
mod preflight;
mod select;
#[cfg(test)]
mod tests;

pub use catalogue::{CATALOGUE, Check, Subject, evaluate, evaluate_connection};
pub use connection::{Connection, Side, connections, follow_up_requests, probe_requests};
pub use preflight::{NOT_INSTALLED, PREFLIGHT, PreflightCheck, preflight};
pub use select::{InvalidSelection, Selection};
