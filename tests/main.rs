//! The integration tests, in one binary: the crate and its dependencies are linked once.

#[cfg(target_os = "linux")]
mod engine;
#[cfg(target_os = "linux")]
mod machine;
