//! Prometheus' text format (version 0.0.4), written and read. Pure.
//!
//! ```text
//!   Family ──► write ──► # HELP, # TYPE, name{label="value"} 1
//!   Family ◄── read ◄─── what a forwarder exposes
//! ```

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{Unreadable, read};
pub use write::write;

/// What the content of a response is called.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
