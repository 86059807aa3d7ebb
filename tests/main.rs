//! The integration tests, in one binary: the crate and its dependencies are linked once.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod architecture;
mod bad_input;
mod discovery;
#[cfg(target_os = "linux")]
mod engine;
#[cfg(target_os = "linux")]
mod local;
#[cfg(target_os = "linux")]
mod machine;
mod program;
mod scripted;
#[cfg(target_os = "linux")]
mod terminal;
