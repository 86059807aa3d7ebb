//! Deploys, verifies, troubleshoots and cleans up Network Service Mesh connections, on a cluster or on this machine.

pub mod cancel;
pub mod check;
pub mod diagnose;
#[cfg(target_os = "linux")]
pub mod engine;
pub mod manifest;
pub mod model;
#[cfg(target_os = "linux")]
pub mod net;
pub mod target;
