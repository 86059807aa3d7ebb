//! Faults on a real cluster, and what `nsmctl troubleshoot` must say of each: its cause, and no other.
//!
//! `NSMCTL_E2E_KUBECONFIG=FILE cargo drills` runs all, one after the other, and prints a line for each and a matrix of what was
//! injected against what was diagnosed; it ends with 1 where one line is wrong. `cargo drills NAME...` runs some, `cargo drills
//! --list` names them. `NSMCTL_E2E_BIN` is a directory with kubectl in it, where PATH has none. The cluster needs NSM and two
//! nodes, and is in nobody else's use: parts of NSM are taken away for a while. Whatever happens, and also after Ctrl-C, all is
//! put back; only a second Ctrl-C and a SIGKILL leave it as it is.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a drill prints, and one that cannot go on says so"
)]

#[path = "../e2e/cluster.rs"]
#[allow(dead_code, reason = "the tests of the main job use the rest")]
mod cluster;
#[path = "../program.rs"]
#[allow(dead_code, reason = "the other binaries' tests use the rest")]
mod program;

mod access;
mod datapath;
mod drill;
mod example;
mod healthy;
mod matrix;
mod nsm;
mod request;
mod scene;
mod stop;
mod workload;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    time::Instant,
};

use cluster::Cluster;
use drill::{Diagnosed, Drill, unverified};
use example::{Spoilt, deploy, make_whole};
use matrix::Row;
use scene::Scene;
use stop::{Stopped, say};

/// How often a fault is made again that NSM has mended before it was looked at.
const ATTEMPTS: usize = 4;

fn all() -> impl Iterator<Item = &'static Drill> {
    [healthy::DRILLS, workload::DRILLS, request::DRILLS, datapath::DRILLS, nsm::DRILLS, access::DRILLS].into_iter().flatten()
}

fn main() -> ExitCode {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.iter().any(|name| name == "--list") {
        for drill in all() {
            println!("{}: {}", drill.name, drill.expects.label());
        }
        return ExitCode::SUCCESS;
    }
    names.retain(|name| !name.starts_with("--"));
    let unknown: Vec<&String> = names.iter().filter(|name| all().all(|drill| drill.name != name.as_str())).collect();
    if !unknown.is_empty() {
        say(&format!("error: no drill of the name {unknown:?}; `--list` names them"));
        return ExitCode::from(2);
    }
    stop::listen();
    // What a panic says stands in the line of its drill.
    std::panic::set_hook(Box::new(|_| ()));
    let begun = Instant::now();
    let chosen: Vec<&Drill> = all().filter(|drill| names.is_empty() || names.iter().any(|name| name == drill.name)).collect();
    let cluster = match catch_unwind(|| Cluster::new().with_namespace(scene::BESIDE)) {
        Ok(cluster) => cluster,
        Err(cause) => {
            say(&format!("error: {}", words(&*cause)));
            return ExitCode::FAILURE;
        }
    };
    say("deploying the example");
    let (rows, failure) = run(&cluster, &chosen);
    matrix::print(&rows, begun.elapsed());
    if let Some(failure) = &failure {
        say(&format!("error: {failure}"));
    }
    let is_right = failure.is_none() && rows.len() == chosen.len() && rows.iter().all(Row::is_right);
    // What the drills have deployed goes with it.
    drop(cluster);
    match (stop::code(), is_right) {
        (Some(code), _) => ExitCode::from(code),
        (None, true) => ExitCode::SUCCESS,
        (None, false) => ExitCode::FAILURE,
    }
}

/// Runs drill after drill, each on a whole system; the first that cannot be restored is the last.
fn run(cluster: &Cluster, drills: &[&'static Drill]) -> (Vec<Row>, Option<String>) {
    let mut rows = Vec::new();
    let safely = |work: &dyn Fn() -> Result<(), String>| {
        stop::unstoppable(|| catch_unwind(AssertUnwindSafe(work))).unwrap_or_else(|cause| Err(words(&*cause)))
    };
    let mut is_deployed = true;
    if let Err(reason) = safely(&|| make_whole(cluster, Spoilt::All).and_then(|()| deploy(cluster))) {
        return (rows, Some(format!("the cluster is not whole before the first drill: {reason}")));
    }
    for drill in drills {
        let begun = Instant::now();
        let prepared = match (drill.from_nothing, is_deployed) {
            (true, true) => safely(&|| make_whole(cluster, Spoilt::All)),
            (false, false) => safely(&|| deploy(cluster)),
            _ => Ok(()),
        };
        if let Err(reason) = prepared {
            return (rows, Some(format!("the example cannot be made ready for {}: {reason}", drill.name)));
        }
        let mut scene = Scene::new(cluster);
        let diagnosed = catch_unwind(AssertUnwindSafe(|| diagnose(drill, &mut scene)));
        let looked = begun.elapsed();
        let left = stop::unstoppable(|| scene.restore());
        let restored =
            if left.is_empty() { safely(&|| make_whole(cluster, scene.spoilt)) } else { Err(format!("these ways back failed: {}", left.join("; "))) };
        is_deployed = scene.spoilt != Spoilt::All;
        let stopped = diagnosed.as_ref().err().is_some_and(|cause| cause.is::<Stopped>());
        if !stopped {
            let row = Row { drill, diagnosed: diagnosed.map_err(|cause| words(&*cause)), looked, took: begun.elapsed() };
            say(&row.line());
            rows.push(row);
        }
        if let Err(reason) = restored {
            let failure = format!("after {} the system is not whole again, so that no other drill would show anything: {reason}", drill.name);
            return (rows, Some(failure));
        }
        if stop::is_asked() {
            return (rows, Some("stopped; all that was broken is restored".to_owned()));
        }
    }
    (rows, None)
}

fn diagnose(drill: &Drill, scene: &mut Scene<'_>) -> Diagnosed {
    let mut attempts = 0;
    loop {
        attempts += 1;
        (drill.inject)(scene);
        stop::check();
        let arguments: Vec<&str> = scene.arguments.iter().map(String::as_str).collect();
        let ran = scene.cluster.nsmctl(&[&["troubleshoot", "-o", "json"], arguments.as_slice()].concat());
        let diagnosed = Diagnosed::of(&ran);
        // A right answer is right whenever it was given; a wrong one counts where the fault was there until the end of the look.
        if attempts == ATTEMPTS || diagnosed.faults(drill.expects).is_empty() || (drill.holds)(scene) {
            return Diagnosed { unverified: drill.fails.and_then(|check| verify(drill, scene, check)), ..diagnosed };
        }
    }
}

/// What `verify` has to say of the fault that it does not. What NSM has mended meanwhile is made again.
fn verify(drill: &Drill, scene: &mut Scene<'_>, check: &str) -> Option<String> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        if !(drill.holds)(scene) {
            (drill.inject)(scene);
        }
        stop::check();
        let arguments: Vec<&str> = scene.arguments.iter().map(String::as_str).collect();
        let unverified = unverified(&scene.cluster.nsmctl(&[&["verify", "-o", "json"], arguments.as_slice()].concat()), check);
        if attempts == ATTEMPTS || unverified.is_none() || (drill.holds)(scene) {
            return unverified;
        }
    }
}

/// What a panic said.
fn words(cause: &(dyn std::any::Any + Send)) -> String {
    let text = cause.downcast_ref::<String>().cloned().or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "a panic without words".to_owned())
}
