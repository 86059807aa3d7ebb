//! The integration tests, in one binary: the crate and its dependencies are linked once.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod architecture;
#[cfg(target_os = "linux")]
mod attached;
mod bad_input;
mod bundle;
#[cfg(unix)]
mod completion;
mod discovery;
#[cfg(target_os = "linux")]
mod engine;
#[cfg(target_os = "linux")]
mod engine_identities;
#[cfg(target_os = "linux")]
mod exec;
mod formats;
#[cfg(target_os = "linux")]
mod identities;
#[cfg(target_os = "linux")]
mod in_cluster;
#[cfg(target_os = "linux")]
mod life;
#[cfg(target_os = "linux")]
mod local;
#[cfg(target_os = "linux")]
mod logs;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod metrics;
#[cfg(target_os = "linux")]
mod phases;
mod program;
mod scripted;
#[cfg(target_os = "linux")]
mod selection;
#[cfg(target_os = "linux")]
mod shipped;
mod status;
#[cfg(target_os = "linux")]
mod terminal;
mod troubleshoot;
mod verify;
mod watches;
