//! Deploys, verifies, troubleshoots and cleans up Network Service Mesh connections, on a cluster or on this machine.

pub mod cancel;
pub mod manifest;
pub mod model;
pub mod target;
