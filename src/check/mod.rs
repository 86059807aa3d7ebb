//! The catalogue of checks: what the manifests promise, held against what was seen. Pure.
//!
//! ```text
//!   Expectations ─┐
//!                 ├─► connections (one a client pod and request) ─► CATALOGUE ─► Findings
//!   Observation ──┘       parse: text → types
//! ```
//!
//! # Decisions
//!
//! - **Raw words travel, parsing is late.** What `ip` and `ping` print inside a pod stays in the observation word for word
//!   (`Probe::Output`) and is parsed by `check::parse`, so that evidence can be quoted and a recorded snapshot can be judged again.

pub mod parse;

mod catalogue;
mod connection;
#[cfg(test)]
pub(crate) mod fixture;
mod mechanism;
mod network;
mod outage;
mod path;
#[cfg(test)]
mod path_tests;
mod pods;
mod preflight;
mod registration;
#[cfg(test)]
mod registration_tests;
mod registry;
mod requests;
mod select;
mod side;
#[cfg(test)]
mod tests;
mod thresholds;

pub use catalogue::{CATALOGUE, Check, HEAL, Subject, TARGET, evaluate, evaluate_connection};
pub use connection::{Connection, connections};
pub use outage::Outage;
pub use preflight::{NOT_INSTALLED, PREFLIGHT, PreflightCheck, preflight};
pub use requests::{Look, follow_up_requests, probe_requests};
pub use select::{InvalidSelection, Selection};
pub use side::Side;
pub use thresholds::Thresholds;
