//! The main job on a real cluster with real NSM, judged by kubectl.
//!
//! `NSMCTL_E2E_KUBECONFIG` names the cluster; without it these tests fail, since a test that did not run has shown nothing.
//! `NSMCTL_E2E_BIN` is a directory with kubectl in it, where PATH has none. `NSMCTL_E2E_SEED` chooses the plans of the module
//! `plans`, and `NSMCTL_E2E_CASES` how many. The tests of the module `bare` are for a cluster without NSM, all others for one with it.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod bare;
mod bundle;
mod bystanders;
mod checks;
mod cleanup;
mod cluster;
mod customise;
mod deploy;
mod exec_logs;
mod faults;
mod main_job;
mod plans;
#[path = "../program.rs"]
#[allow(dead_code, reason = "the other binary's tests use the rest")]
mod program;
mod status;
