//! The engine of this machine: how long a request takes, what many clients cost, what it costs to have them, and healing.
//!
//! `cargo bench --bench engine` needs no cluster. `NSMCTL_BENCH_CLIENTS` is the largest number of clients, 500 where it is not set.
//! `NSMCTL_E2E_BIN` is a directory with NSM's own programs: cmd-nse-icmp-responder, whose death is healed (without it, a link's), and
//! cmd-nsc, which heals a path that loses everything.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a benchmark prints, and one that cannot go on says so")]

mod local;
#[allow(dead_code, reason = "the benchmarks on a cluster use the rest")]
mod measure;

use std::{
    collections::BTreeMap,
    env,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use local::Local;
use measure::{median, met, number};
use serde_json::Value;

/// How many connections are made one after the other, and how long a request for one may take, in milliseconds.
const REQUESTS: usize = 50;
const GOAL_P50: f64 = 10.0;
const GOAL_P99: f64 = 50.0;
/// What deploy and verify may take together, in seconds, by the number of clients.
const GOALS: [(usize, f64); 2] = [(100, 5.0), (500, 30.0)];
/// How much of a core, and of memory in MiB, an engine may use that has nothing to do but to have so many connections.
const IDLE: usize = 100;
const GOAL_CORE: f64 = 0.01;
const GOAL_MEGABYTES: f64 = 150.0;
/// For how long it is watched.
const WATCHED: Duration = Duration::from_secs(30);
/// How often an endpoint is ended, and how long its clients may be without it, in milliseconds.
const HEALS: usize = 7;
const GOAL_HEAL: f64 = 500.0;
/// The time between two pings, in milliseconds: an outage between two of them is told as this long.
const INTERVAL: f64 = 20.0;
/// How long a program must have run for its end not to count as one of a row.
const STEADY: Duration = Duration::from_secs(11);
/// How long a path may lose everything before NSM's own client has it made anew.
const GOAL_LIVENESS: Duration = Duration::from_secs(2);
/// Addresses for 1,024 clients, two each.
const CIDR: &str = "10.64.0.0/21";
const ENDPOINT: &str = "cmd-nse-icmp-responder";

fn main() {
    requests();
    let largest = number("NSMCTL_BENCH_CLIENTS").unwrap_or(500);
    for clients in [IDLE, largest] {
        many(clients);
    }
    // Of several, some may ask before it is known that the endpoint has gone.
    heal("1");
    heal("8");
    liveness();
}

/// One connection after the other, beside a deployment that keeps the engine there.
fn requests() {
    let local = Local::new();
    local.deploy(&[], &[]);
    let before = local.metrics();
    for _ in 0..REQUESTS {
        local.deploy(&["--name-prefix", "b-"], &[]);
        local.cleanup();
    }
    let histogram = Histogram::new(&local.metrics(), &before);
    report_requests("one after the other", &histogram);
}

fn report_requests(how: &str, histogram: &Histogram) {
    let (p50, p99) = (histogram.quantile(0.5), histogram.quantile(0.99));
    println!("{} requests {how}, to an interface that is up: p50 {p50:.1} ms, p99 {p99:.1} ms, mean {:.1} ms", histogram.count, histogram.mean);
    if how == "one after the other" {
        println!("goals of {GOAL_P50} and {GOAL_P99} ms: {} and {}", met(p50 < GOAL_P50), met(p99 < GOAL_P99));
    }
}

fn many(clients: usize) {
    let local = Local::new();
    let count = clients.to_string();
    let options = ["--clients", &count, "--cidr", CIDR, "--timeout", "5m"];
    let deploy = local.deploy(&options, &[]).wall;
    let verify = local.run(&[&["verify"], &options[..]].concat()).0.wall;
    let both = (deploy + verify).as_secs_f64();
    let per_client = both * 1000.0 / clients as f64;
    println!("{clients} clients: deploy {:.2} s, verify {:.2} s, {per_client:.1} ms a client", deploy.as_secs_f64(), verify.as_secs_f64());
    if let Some((_, goal)) = GOALS.into_iter().find(|(number, _)| *number == clients) {
        println!("goal of {goal} s for both: {}", met(both < goal));
    }
    report_requests("at once", &Histogram::new(&local.metrics(), &BTreeMap::new()));
    let before = local.used();
    thread::sleep(WATCHED);
    let after = local.used();
    let core = (after.cpu - before.cpu).as_secs_f64() / WATCHED.as_secs_f64();
    let local::Used { megabytes, descriptors, processes, .. } = after;
    println!("idle with {clients}: {:.2} % of a core, {megabytes:.1} MiB and {descriptors} descriptors in {processes} processes", core * 100.0);
    if clients == IDLE {
        println!(
            "goals of {} % and {GOAL_MEGABYTES} MiB: {} and {}",
            GOAL_CORE * 100.0,
            met(core < GOAL_CORE),
            met(after.megabytes < GOAL_MEGABYTES)
        );
    }
    println!("{clients} clients: cleanup {:.2} s", local.cleanup().wall.as_secs_f64());
}

fn heal(clients: &str) {
    let local = Local::new();
    let options = ["--clients", clients, "--cidr", CIDR];
    let program = env::var_os("NSMCTL_E2E_BIN").map(|directory| format!("{ENDPOINT}={}", Path::new(&directory).join(ENDPOINT).display()));
    match &program {
        Some(program) => local.deploy(&options, &["--program", program]),
        None => local.deploy(&options, &[]),
    };
    let what = if program.is_some() { "SIGKILL of NSM's own endpoint" } else { "the link's deletion (NSMCTL_E2E_BIN names no endpoint to kill)" };
    let times = (0..HEALS).map(|_| {
        if program.is_some() {
            // One that ends several times in a row, having run for less, is started again ever later.
            thread::sleep(STEADY);
        }
        let (_, text) = local.run(&["verify", "--heal", "-o", "json"]);
        let report: Value = serde_json::from_str(&text).expect("JSON");
        let mut findings = report["findings"].as_array().into_iter().flatten();
        let heal = findings.find(|finding| finding["check"] == "heal").and_then(|finding| finding["observed"].as_str());
        let heal = heal.expect("what was seen of the healing");
        if heal.contains("no gap in the replies") {
            return INTERVAL;
        }
        let words = heal.split_once("healed after ").and_then(|(_, rest)| rest.split_once(" (")).expect("when it was healed").0;
        let time: jiff::SignedDuration = words.parse().expect("a duration");
        time.as_secs_f64() * 1000.0
    });
    let (middle, least, most) = median(times.collect());
    println!("healed after {what}, of {clients} clients: median {middle:.0} ms ({least:.0} to {most:.0}) of {HEALS}");
    println!("goal of {GOAL_HEAL} ms: {}", met(most < GOAL_HEAL));
}

/// A path that loses everything, while links, addresses and routes are as they were: NSM's own client finds that by its pings.
fn liveness() {
    let Some(directory) = env::var_os("NSMCTL_E2E_BIN") else {
        return println!("NOT MEASURED: how long a path that loses everything stays so (NSMCTL_E2E_BIN names no cmd-nsc)");
    };
    if !std::process::Command::new("ping").arg("-V").output().is_ok_and(|output| output.status.success()) {
        return println!("NOT MEASURED: how long a path that loses everything stays so (there is no ping of iputils on this machine)");
    }
    let program = |name: &str| format!("{name}={}", Path::new(&directory).join(name).display());
    let local = Local::new();
    local.deploy(&[], &["--program", &program(ENDPOINT), "--program", &program("cmd-nsc")]);
    let peer = "172.16.1.100";
    let times = (0..HEALS).map(|_| {
        let nobody = ["ip", "neigh", "replace", peer, "lladdr", "02:00:00:00:00:01", "nud", "permanent", "dev", "nsm-1"];
        let is_answered = || local.attempt(&[&["exec", "--"], &["ping", "-q", "-c", "1", "-W", "0.05", peer][..]].concat()).1.status.success();
        local.run(&[&["exec", "--"], &nobody[..]].concat());
        let begun = Instant::now();
        assert!(!is_answered(), "the path still works");
        while !is_answered() {
            assert!(begun.elapsed() < GOAL_LIVENESS * 10, "the path is not healed");
        }
        let healed = begun.elapsed();
        thread::sleep(GOAL_LIVENESS);
        healed.as_secs_f64()
    });
    let (middle, least, most) = median(times.collect());
    println!("a path that loses everything healed by NSM's own client after: median {middle:.2} s ({least:.2} to {most:.2}) of {HEALS}");
    println!("goal of {} s: {}", GOAL_LIVENESS.as_secs(), met(most < GOAL_LIVENESS.as_secs_f64()));
}

/// What a Prometheus histogram says.
struct Histogram {
    /// The upper bound of each bucket in milliseconds, and how many values are at most that.
    buckets: Vec<(f64, f64)>,
    count: f64,
    mean: f64,
}

impl Histogram {
    /// Of the requests' durations, without those of before.
    fn new(now: &BTreeMap<String, f64>, before: &BTreeMap<String, f64>) -> Self {
        const NAME: &str = "nsm_request_duration_seconds";
        let since = |name: &str| now.get(name).expect("the histogram") - before.get(name).unwrap_or(&0.0);
        let bound = |name: &str| name.strip_prefix(NAME)?.strip_prefix("_bucket{le=\"")?.strip_suffix("\"}")?.parse::<f64>().ok();
        let mut buckets: Vec<(f64, f64)> = now.keys().filter_map(|name| Some((bound(name)? * 1000.0, since(name)))).collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let count = since(&format!("{NAME}_count"));
        assert!(count > 0.0, "no request was counted");
        Self { buckets, count, mean: since(&format!("{NAME}_sum")) * 1000.0 / count }
    }

    /// As Prometheus' histogram_quantile: evenly spread within a bucket.
    fn quantile(&self, part: f64) -> f64 {
        let rank = part * self.count;
        let at = self.buckets.iter().position(|(_, below)| *below >= rank).expect("the last bucket has all");
        let (bound, below) = self.buckets[at];
        let (start, before) = at.checked_sub(1).map_or((0.0, 0.0), |at| self.buckets[at]);
        if bound.is_infinite() { start } else { start + (bound - start) * (rank - before) / (below - before) }
    }
}
