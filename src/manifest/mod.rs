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
//!
//! # Decisions
//!
//! - **Options change the documents, not the plan.** `manifest::customise` works on the YAML as it was read, before objects and expectations are
//!   derived from it, so that both always agree, and `nsmctl manifests` prints what is applied. Names are prefixed last: every other
//!   option goes by the names that the person knows. What they were is remembered in an annotation of the objects, as flags: whoever looks
//!   later makes the same plan out of it.
//! - **What is deployed is read as manifests are.** `verify -A` turns the objects of the cluster into the same documents, workloads and
//!   expectations as YAML; only what cannot be read is a finding instead of an error.

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
