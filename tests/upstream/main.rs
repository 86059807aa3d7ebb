//! Network Service Mesh's own programs, unchanged, in the sandboxes of an engine.
//!
//! `NSMCTL_E2E_BIN` is a directory with `cmd-nsc`, `cmd-nse-icmp-responder`, `spire-agent` and `spire-server`; without it these tests fail, since a
//! test that did not run has shown nothing.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod deployed;
mod identity;
#[path = "../machine.rs"]
#[allow(dead_code, reason = "the other binary's tests use the rest")]
mod machine;
mod pair;
#[path = "../program.rs"]
#[allow(dead_code, reason = "the other binary's tests use the rest")]
mod program;
mod sandboxed;
mod spire;
