//! troubleshoot: on a real cluster, alone and with others around it, and on a scripted one of thousands of pods.
//!
//! `cargo bench --bench troubleshoot` serves a cluster of 5,000 clients and logs of 8 MB a container from this process and takes
//! the program's time and the peak of its memory. With `NSMCTL_E2E_KUBECONFIG=FILE` it deploys the example as well and takes the
//! time of `nsmctl troubleshoot` beside that of `kubectl get pods -A`, whole and broken (the endpoint scaled to 0), then with as
//! many namespaces of other clients around it as `NSMCTL_BENCH_NAMESPACES` says, 10 where it is not set.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a benchmark prints, and one that cannot go on says so")]

#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod measure;
#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod world;

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use measure::{Bench, median, met, number};
use world::{LOG, SHAPES, Server, World, kubeconfig, pages, peak};

/// The example as it should be.
const GOAL_WHOLE: Duration = Duration::from_millis(1500);
/// The example broken, among others.
const GOAL_BROKEN: Duration = Duration::from_secs(5);
/// Thousands of pods and half a gigabyte of logs.
const GOAL_MEGABYTES: f64 = 200.0;
const PODS: usize = 5000;
/// How often each is measured.
const LOOKS: usize = 7;

fn main() {
    println!("{} build", if cfg!(debug_assertions) { "debug" } else { "release" });
    scripted();
    if env::var_os("NSMCTL_E2E_KUBECONFIG").is_some() {
        real(&Bench::new(), number("NSMCTL_BENCH_NAMESPACES").unwrap_or(10));
    } else {
        println!("!!! THE REAL CLUSTER WAS NOT MEASURED: NSMCTL_E2E_KUBECONFIG names none");
    }
}

fn scripted() {
    let (world, home) = (World::new(SHAPES[0], PODS), tempfile::tempdir().expect("a directory"));
    let server = Server::new(pages(&world));
    kubeconfig(home.path(), &server.url);
    let (wall, megabytes) = run(home.path());
    println!("{PODS} clients, {} MB of each log: {:.2} s, {megabytes:.0} MB", LOG / 1024 / 1024, wall.as_secs_f64());
    println!("goal of {GOAL_MEGABYTES:.0} MB: {}", met(megabytes < GOAL_MEGABYTES));
}

fn run(home: &Path) -> (Duration, f64) {
    let file = fs::File::create(home.join("output")).expect("a file");
    let mut program = Command::new(env!("CARGO_BIN_EXE_nsmctl"));
    program.args(["troubleshoot", "-A", "-o", "json", "--timeout", "10m"]).env_clear().env("KUBECONFIG", home.join("config")).env("HOME", home);
    program.env("NSMCTL_RUNTIME_DIR", home.join("run")).stdin(Stdio::null()).stdout(file).stderr(Stdio::null());
    let begun = Instant::now();
    let mut child = program.spawn().expect("nsmctl");
    let mut megabytes = 0.0;
    let status = loop {
        megabytes = peak(&child).unwrap_or(megabytes);
        match child.try_wait().expect("a state") {
            Some(status) => break status,
            None => thread::sleep(Duration::from_millis(1)),
        }
    };
    // Neither NSM's own parts nor an exec are to be had there.
    assert!(matches!(status.code(), Some(1 | 3)), "{status}");
    (begun.elapsed(), megabytes)
}

/// What is deployed; it is removed with it.
struct Deployed<'a>(&'a Bench, Vec<String>);

impl<'a> Deployed<'a> {
    fn new(bench: &'a Bench, arguments: &[&str]) -> Self {
        let deployed = Self(bench, arguments.iter().map(|word| (*word).to_owned()).collect());
        bench.run(deployed.command("deploy", &["--timeout", "5m"]));
        deployed
    }

    fn command(&self, command: &str, more: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_nsmctl"));
        program.arg(command).args(&self.1).args(more);
        program
    }
}

impl Drop for Deployed<'_> {
    fn drop(&mut self) {
        let (_, output) = self.0.attempt(&mut self.command("cleanup", &["--timeout", "5m"]));
        if !output.status.success() {
            println!("nsmctl cleanup: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

fn real(bench: &Bench, namespaces: usize) {
    let example = Deployed::new(bench, &[]);
    let whole = measure(bench, &example, &[], 0);
    println!("goal of {GOAL_WHOLE:?} for the whole example: {}", met(whole < GOAL_WHOLE));
    let around: Vec<Deployed<'_>> = (0..namespaces)
        .map(|at| {
            let (namespace, prefix, cidr) = (format!("around-{at}"), format!("a{at}-"), format!("10.77.{at}.0/31"));
            Deployed::new(bench, &["--namespace", &namespace, "--name-prefix", &prefix, "--cidr", &cidr])
        })
        .collect();
    println!("with {} others around it:", around.len());
    measure(bench, &example, &["-A"], 0);
    let scale = |replicas: &str| {
        let mut kubectl = Command::new("kubectl");
        kubectl.args(["-n", "ns-kernel2kernel", "scale", "deployment/nse-kernel", replicas]);
        bench.run(kubectl);
    };
    scale("--replicas=0");
    thread::sleep(Duration::from_secs(10));
    for scope in [&[][..], &["-A"]] {
        let broken = measure(bench, &example, scope, 1);
        println!("goal of {GOAL_BROKEN:?} for the broken example: {}", met(broken < GOAL_BROKEN));
    }
    scale("--replicas=1");
}

/// The median of some runs, printed beside those of kubectl.
fn measure(bench: &Bench, example: &Deployed<'_>, scope: &[&str], code: i32) -> Duration {
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for _ in 0..LOOKS {
        let (cost, output) = bench.attempt(&mut example.command("troubleshoot", scope));
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stdout));
        own.push(cost.wall.as_secs_f64());
        let mut kubectl = Command::new("kubectl");
        kubectl.args(["get", "pods", "-A"]);
        others.push(bench.run(kubectl).wall.as_secs_f64());
    }
    let ratios: Vec<f64> = own.iter().zip(&others).map(|(own, other)| own / other).collect();
    let text = |values: &[f64]| {
        let (middle, least, most) = median(values.to_vec());
        format!("{middle:.2} ({least:.2} to {most:.2})")
    };
    let (scope, own_text) = (scope.join(" "), text(&own));
    println!("troubleshoot {scope}: {own_text} s; kubectl get pods -A: {} s; ratio {}", text(&others), text(&ratios));
    Duration::from_secs_f64(median(own).0)
}
