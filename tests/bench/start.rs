//! What it costs to start nsmctl: completions in a shell ask it at every press of the tab key.
//!
//! `cargo bench --bench start` runs `nsmctl --version` beside `true`, which does nothing, in pairs. `NSMCTL_BENCH_PROGRAM` names another
//! nsmctl, as the static one of `cargo static`.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a benchmark prints, and one that cannot go on says so")]

#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod measure;

use std::{env, ffi::OsString, process::Command};

use measure::{attempt, median, met};
use nix::sys::resource::{UsageWho, getrusage};

const RUNS: usize = 50;
/// What one start may take, in milliseconds, and how much memory at its peak, in MB.
const GOAL_MILLISECONDS: f64 = 10.0;
const GOAL_MEGABYTES: f64 = 10.0;

fn main() {
    let program = env::var_os("NSMCTL_BENCH_PROGRAM").unwrap_or_else(|| OsString::from(env!("CARGO_BIN_EXE_nsmctl")));
    let milliseconds = |command: &mut Command| {
        let (cost, output) = attempt(command);
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        cost.wall.as_secs_f64() * 1000.0
    };
    let start = || milliseconds(Command::new(&program).arg("--version"));
    // The first reads it from the disk. The peak is that of the largest of all children, and so far of this one.
    start();
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage").max_rss() as f64 * 1024.0 / 1e6;
    let pairs: Vec<(f64, f64)> = (0..RUNS).map(|_| (start(), milliseconds(&mut Command::new("true")))).collect();
    let (middle, least, most) = median(pairs.iter().map(|(start, _)| *start).collect());
    let (ratio, lowest, highest) = median(pairs.iter().map(|(start, nothing)| start / nothing).collect());
    println!(
        "nsmctl --version: median {middle:.1} ms ({least:.1} to {most:.1}) of {RUNS}; {ratio:.1} times `true` ({lowest:.1} to {highest:.1}); peak {peak:.1} MB"
    );
    println!("goals of {GOAL_MILLISECONDS} ms and {GOAL_MEGABYTES} MB: {} and {}", met(middle < GOAL_MILLISECONDS), met(peak < GOAL_MEGABYTES));
}
