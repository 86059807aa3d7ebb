//! verify against the commands that it replaces, in pairs on the same cluster; and with many clients.
//!
//! `NSMCTL_E2E_KUBECONFIG=FILE cargo bench --bench verify` deploys the example, runs `nsmctl verify` and the five kubectl commands
//! under "Verification Commands" of the example's document alternately, prints the ratio of each pair, the median and the
//! spread, and cleans up. `NSMCTL_E2E_BIN` is a directory with kubectl, where PATH has none; `NSMCTL_BENCH_PAIRS` is the number
//! of pairs, 9 where it is not set. `NSMCTL_BENCH_CLIENTS=30` verifies so many clients of one endpoint as well, which takes
//! some minutes to deploy.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a benchmark prints, and one that cannot go on says so")]

mod measure;

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command, time::Duration};

use measure::{Bench, Cost, median, met, number};

/// The document's own words.
const COMMANDS: &str = "
kubectl get pods -n ns-kernel2kernel
kubectl exec alpine -n ns-kernel2kernel -- ping -c 4 172.16.1.100
kubectl exec alpine -n ns-kernel2kernel -- ip addr show nsm-1
kubectl exec alpine -n ns-kernel2kernel -- ip route | grep nsm-1
kubectl logs -n ns-kernel2kernel -l app=nse-kernel
";
/// The share of their time that verify may take, and its own time.
const GOAL_RATIO: f64 = 0.25;
const GOAL: Duration = Duration::from_secs(1);
/// What verify may take for the many clients, where they are thirty.
const GOAL_OF_MANY: Duration = Duration::from_secs(3);
/// Addresses for 127 clients.
const CIDR: &str = "172.16.1.0/24";
/// How often the many are verified.
const LOOKS: usize = 5;

/// What is deployed; it is removed with it, also where the benchmark could not go on.
struct Deployed<'a> {
    bench: &'a Bench,
    arguments: Vec<String>,
}

impl<'a> Deployed<'a> {
    fn new(bench: &'a Bench, arguments: &[&str]) -> Self {
        let deployed = Self { bench, arguments: arguments.iter().map(|word| (*word).to_owned()).collect() };
        bench.run(deployed.nsmctl("deploy", &["--timeout", "10m"]));
        deployed
    }

    fn nsmctl(&self, command: &str, more: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_nsmctl"));
        program.arg(command).args(&self.arguments).args(more);
        program
    }

    /// Verifies; everything must be as promised.
    fn verify(&self) -> Cost {
        self.bench.run(self.nsmctl("verify", &[]))
    }
}

impl Drop for Deployed<'_> {
    fn drop(&mut self) {
        let (_, output) = self.bench.attempt(&mut self.nsmctl("cleanup", &["--timeout", "5m"]));
        if !output.status.success() {
            println!("nsmctl cleanup: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

fn main() {
    let bench = Bench::new();
    pairs(&bench, number("NSMCTL_BENCH_PAIRS").unwrap_or(9));
    if let Some(clients) = number("NSMCTL_BENCH_CLIENTS") {
        many(&bench, clients);
    }
}

fn pairs(bench: &Bench, pairs: usize) {
    let deployed = Deployed::new(bench, &[]);
    let kubectl = || {
        let mut program = Command::new("bash");
        program.args(["-e", "-o", "pipefail", "-c", COMMANDS]);
        bench.run(program)
    };
    // Once each for what only the first pays for: programs that are read from the disk.
    deployed.verify();
    kubectl();
    let mut rows = Vec::new();
    for pair in 1..=pairs {
        // Whoever is second finds the machine as the first has left it, so they take turns.
        let (verify, commands) = if pair % 2 == 0 {
            let verify = deployed.verify();
            (verify, kubectl())
        } else {
            let commands = kubectl();
            (deployed.verify(), commands)
        };
        println!("pair {pair}: verify {:.2} s / {:.2} s", verify.wall.as_secs_f64(), commands.wall.as_secs_f64());
        rows.push((verify, commands));
    }
    let ratio = |of: fn(Cost) -> Duration| median(rows.iter().map(|(a, b)| of(*a).as_secs_f64() / of(*b).as_secs_f64()).collect());
    let (wall, cpu) = (ratio(|cost| cost.wall), ratio(|cost| cost.cpu));
    for (what, (median, least, most)) in [("wall", wall), ("cpu", cpu)] {
        println!("verify / kubectl, {what}: median {median:.2} ({least:.2} to {most:.2}) of {pairs} pairs");
    }
    let (middle, least, most) = median(rows.iter().map(|(verify, _)| verify.wall.as_secs_f64()).collect());
    println!("verify: median {middle:.2} s ({least:.2} to {most:.2})");
    println!(
        "goal of {GOAL_RATIO} of the wall time: {}; goal of {} s: {}",
        met(wall.0 <= GOAL_RATIO),
        GOAL.as_secs(),
        met(middle < GOAL.as_secs_f64())
    );
}

/// The example, with an endpoint that can serve many.
fn manifests(bench: &Bench) -> PathBuf {
    let endpoint = include_str!("../../manifests/nse-base.yaml");
    let mut text = endpoint.to_owned();
    // The example's endpoint is made for one client: with 200m it takes minutes over thirty, and with 80Mi it is ended.
    for (given, needed) in [("cpu: 200m", "cpu: \"1\""), ("memory: 80Mi", "memory: 512Mi")] {
        assert!(text.contains(given), "the manifests have no {given}");
        text = text.replace(given, needed);
    }
    // Nor do thirty fit on the endpoint's node, where the example's client has to be.
    let client = include_str!("../../manifests/client.yaml").split("  affinity:").next().unwrap_or_default();
    let others = [include_str!("../../manifests/namespace.yaml"), include_str!("../../manifests/netsvc.yaml"), client];
    let path = bench.home.path().join("many.yaml");
    fs::write(&path, others.into_iter().chain([text.as_str()]).collect::<Vec<_>>().join("\n---\n")).expect("the manifests");
    path
}

fn many(bench: &Bench, clients: usize) {
    let (path, count) = (manifests(bench), clients.to_string());
    let deployed = Deployed::new(bench, &["-f", path.to_str().expect("UTF-8"), "--clients", &count, "--cidr", CIDR]);
    // What is found counts beside the time: a cluster may lose packets between its nodes, which is none of verify's making.
    let look = || {
        let (cost, output) = bench.attempt(&mut deployed.nsmctl("verify", &["-o", "short"]));
        assert!(matches!(output.status.code(), Some(0 | 1)), "verify: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut failed: BTreeMap<&str, u32> = BTreeMap::new();
        for id in text.lines().filter_map(|line| line.strip_prefix("fail ")?.split(' ').next()) {
            *failed.entry(id).or_default() += 1;
        }
        println!("{clients} clients: {:.2} s, {}; failed: {failed:?}", cost.wall.as_secs_f64(), text.lines().last().unwrap_or_default());
        cost
    };
    let costs: Vec<Cost> = (0..LOOKS).map(|_| look()).collect();
    let seconds = |of: fn(&Cost) -> Duration| median(costs.iter().map(|cost| of(cost).as_secs_f64()).collect());
    let ((wall, least, most), (cpu, ..)) = (seconds(|cost| cost.wall), seconds(|cost| cost.cpu));
    println!("{clients} clients: verify median {wall:.2} s ({least:.2} to {most:.2}) of {LOOKS}, {cpu:.2} s of CPU");
    if clients == 30 {
        println!("goal of {} s: {}", GOAL_OF_MANY.as_secs(), met(wall <= GOAL_OF_MANY.as_secs_f64()));
    }
}
