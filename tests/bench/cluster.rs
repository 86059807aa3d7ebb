//! deploy and cleanup against the scripts that they replace, in pairs on the same cluster.
//!
//! `NSMCTL_E2E_KUBECONFIG=FILE NSMCTL_BENCH_SCRIPTS=DIR cargo bench --bench cluster` runs both alternately and prints the ratio of
//! each pair, the median and the spread. DIR holds the example's deploy.sh and cleanup.sh; `NSMCTL_E2E_BIN` is a
//! directory with kubectl, where PATH has none; `NSMCTL_BENCH_PAIRS` is the number of pairs, 7 where it is not set.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a benchmark prints, and one that cannot go on says so")]

#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod measure;

use std::{path::PathBuf, process::Command};

use measure::{Cost, median, named, number};
use nix::sys::resource::{UsageWho, getrusage};

struct Bench {
    programs: measure::Bench,
    scripts: PathBuf,
}

impl Bench {
    fn new() -> Self {
        Self { programs: measure::Bench::new(), scripts: named("NSMCTL_BENCH_SCRIPTS", "the scripts' directory") }
    }

    fn run(&self, command: Command) -> Cost {
        self.programs.run(command)
    }

    /// Runs a command of nsmctl; says how long it verified, which is what it takes once the last pod is ready.
    fn nsmctl(&self, command: &str) -> (Cost, f64) {
        let mut program = Command::new(env!("CARGO_BIN_EXE_nsmctl"));
        program.args([command, "-o", "json"]);
        let (cost, stdout) = self.programs.output(program);
        let document: serde_json::Value = serde_json::from_slice(&stdout).expect("one JSON document");
        (cost, document.pointer("/timings_ms/verify").and_then(serde_json::Value::as_f64).unwrap_or_default())
    }

    fn script(&self, name: &str) -> Cost {
        let mut program = Command::new("bash");
        program.arg(name).current_dir(&self.scripts);
        self.run(program)
    }

    fn kubectl(&self, arguments: &[&str]) {
        let mut program = Command::new("kubectl");
        program.args(arguments);
        self.run(program);
    }

    /// Removes what the scripts leave, so that the next run does not pay for it: the NetworkService in `default`, and the
    /// endpoint's registration.
    fn tidy(&self) {
        self.kubectl(&["delete", "networkservice", "kernel2kernel", "-n", "default", "--ignore-not-found"]);
        let left = "kubectl get nse -n nsm-system -o name | grep nse-kernel | xargs -r kubectl delete -n nsm-system";
        let mut program = Command::new("bash");
        program.args(["-c", left]);
        self.run(program);
    }
}

fn main() {
    let bench = Bench::new();
    let pairs = number("NSMCTL_BENCH_PAIRS").unwrap_or(7);
    // First by itself: the system keeps one peak for all programs that were run.
    bench.nsmctl("deploy");
    bench.nsmctl("cleanup");
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage").max_rss();
    println!("peak memory of nsmctl: {:.1} MB", f64::from(u32::try_from(peak).unwrap_or(u32::MAX)) / 1024.0);
    let (mut rows, mut verified) = (Vec::new(), Vec::new());
    for pair in 1..=pairs {
        let (script_deploy, script_cleanup) = (bench.script("deploy.sh"), bench.script("cleanup.sh"));
        bench.tidy();
        let ((deploy, verify), (cleanup, _)) = (bench.nsmctl("deploy"), bench.nsmctl("cleanup"));
        verified.push(verify);
        println!(
            "pair {pair}: deploy {:.2} s / {:.2} s, cleanup {:.2} s / {:.2} s",
            deploy.wall.as_secs_f64(),
            script_deploy.wall.as_secs_f64(),
            cleanup.wall.as_secs_f64(),
            script_cleanup.wall.as_secs_f64()
        );
        rows.push([(deploy, script_deploy), (cleanup, script_cleanup)]);
    }
    for (index, name) in ["deploy", "cleanup"].iter().enumerate() {
        for (what, ratio) in [
            ("wall", (|a: Cost, b: Cost| a.wall.as_secs_f64() / b.wall.as_secs_f64()) as fn(Cost, Cost) -> f64),
            ("cpu", |a, b| a.cpu.as_secs_f64() / b.cpu.as_secs_f64()),
        ] {
            let (median, least, most) = median(rows.iter().map(|row| ratio(row[index].0, row[index].1)).collect());
            println!("{name} / script, {what}: median {median:.2} ({least:.2} to {most:.2}) of {pairs} pairs");
        }
    }
    let (median, least, most) = median(verified);
    println!("deploy after the last pod is ready: median {median:.0} ms ({least:.0} to {most:.0})");
}
