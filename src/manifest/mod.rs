//! Manifests: YAML in, a [`Plan`] out.
//!
//! ```text
//!   embedded YAML ─┐
//!                  ├─► yaml ─► Document (typed) ─► customise ─► plan ─► Plan { objects, expectations }
//!   user's YAML ───┘                               the flags             └─► write ─► YAML again
//! ```
//!
//! Everything that nsmctl knows about a service — names, addresses, the annotation — comes out of these documents.
//!
//! [`Plan`]: crate::model::Plan

mod customise;
mod deployed;
mod document;
mod embedded;
mod layout;
mod network_service;
mod permissions;
mod plan;
mod programs;
mod promises;
mod selector;
mod visit;
mod workload;
mod write;
mod yaml;

pub use customise::{Customisation, images};
pub use deployed::{deployed, deployed_workloads};
pub use document::{Document, Object};
pub use embedded::embedded;
pub use network_service::NetworkService;
pub use permissions::{permissions, roles};
pub use plan::plan;
pub use write::write;
pub use yaml::{ManifestError, Source, read, sources};
