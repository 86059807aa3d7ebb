//! Manifests: YAML in, a [`Plan`] out.
//!
//! ```text
//!   embedded YAML ─┐
//!                  ├─► yaml ─► Document (typed) ─► build ─► Plan { objects, expectations }
//!   user's YAML ───┘
//! ```
//!
//! Everything that nsmctl knows about a service — names, addresses, the annotation — comes out of these documents.
//!
//! [`Plan`]: crate::model::Plan

mod document;
mod embedded;
mod network_service;
mod permissions;
mod plan;
mod workload;
mod yaml;

pub use document::{Document, Object};
pub use embedded::embedded;
pub use network_service::NetworkService;
pub use permissions::{permissions, roles};
pub use plan::{Customisation, default_namespace, plan};
pub use yaml::{ManifestError, Source, read, sources};
