//! `verify -A` on a cluster of thousands of clients, and how its cost grows with their number.
//!
//! `cargo bench --bench scale` serves the lists of such a cluster from this process, page by page, and refuses every exec, so that
//! only discovery and judgement count: of the program the wall time and the peak of its memory; of the library the parts by
//! themselves, judged on what healthy pods would have said. `NSMCTL_BENCH_CLIENTS` is the largest number of clients, 5000 where
//! it is not set; it is halved three times. Twice as many may cost twice as much, and no more.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a benchmark prints, and one that cannot go on says so")]

#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod world;

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::Ordering::SeqCst,
    thread,
    time::{Duration, Instant},
};

use nsmctl::{
    cancel::Cancel,
    check::{Look, Thresholds, evaluate, follow_up_requests, probe_requests},
    manifest::deployed,
    model::{Discovery, Finding, Observation, Outcome, Scope, Sink},
    target::{
        Ctx,
        cluster::{Access, Cluster, Lookup, lookup},
    },
};
use serde_json::Value;
use world::{SHAPES, Server, World, kubeconfig, pages, peak, used};

/// What is to be reached with 5,000 clients.
const GOAL_CLIENTS: usize = 5000;
const GOAL_TIME: Duration = Duration::from_secs(5);
const GOAL_MEGABYTES: f64 = 150.0;
/// How much more of the processor's time twice as many may cost: twice, and what a busy machine adds.
const LINEAR: f64 = 2.5;
/// How many requests may be under way at once: one look at each of sixteen pods, and the lists.
const BOUND: usize = 32;
/// How often the memory of the program is looked at. The kernel keeps the peak; only what is reached last may be missed.
const LOOK: Duration = Duration::from_millis(1);

/// What one run of the program cost.
#[derive(Debug, Clone, Copy)]
struct Run {
    wall: Duration,
    cpu: Duration,
    /// The peak of its memory.
    megabytes: f64,
    /// How many connections it judged.
    judged: usize,
}

fn run(home: &Path, format: &str) -> Run {
    let output = home.join("output");
    let file = fs::File::create(&output).expect("a file");
    let mut program = Command::new(env!("CARGO_BIN_EXE_nsmctl"));
    program.args(["verify", "-A", "-o", format, "--timeout", "10m"]).env_clear().env("KUBECONFIG", home.join("config")).env("HOME", home);
    program.env("NSMCTL_RUNTIME_DIR", home.join("run")).stdin(Stdio::null()).stdout(file).stderr(Stdio::null());
    let (before, begun) = (used(), Instant::now());
    let mut child = program.spawn().expect("nsmctl");
    let mut megabytes = 0.0;
    let status = loop {
        megabytes = peak(&child).unwrap_or(megabytes);
        match child.try_wait().expect("a state") {
            Some(status) => break status,
            None => thread::sleep(LOOK),
        }
    };
    let (wall, cpu) = (begun.elapsed(), used() - before);
    // No exec is allowed, so that nothing of what is inside the pods can be told.
    assert_eq!(status.code(), Some(3), "nsmctl verify -A");
    let text = fs::read_to_string(output).expect("its output");
    let judged = match format {
        "json" => {
            let document: Value = serde_json::from_str(&text).expect("one JSON document");
            document["findings"].as_array().into_iter().flatten().filter(|finding| finding["check"] == "interface").count()
        }
        "junit" => text.matches("<testcase name=\"interface up: ").count(),
        _ => text.lines().filter(|line| line.starts_with("interface up ")).count(),
    };
    Run { wall, cpu, megabytes, judged }
}

/// The parts of a verification by themselves: discovery, what was promised, what to ask, judgement.
fn parts(world: &World, home: &Path) -> [Duration; 4] {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let begun = Instant::now();
    let discovery: Discovery = runtime.block_on(async {
        let ctx = Ctx::new(Cancel::default(), Duration::from_secs(600), Sink::none());
        let access = Access { kubeconfig: Some(home.join("config")), context: None };
        let Ok(Lookup::Found(found)) = lookup(&access).await else { panic!("the kubeconfig names no cluster") };
        let cluster = Cluster::connect(&ctx, *found).await.expect("a cluster");
        cluster.discover(&ctx, &Scope::default()).await.expect("what there is")
    });
    let discovered = begun.elapsed();
    let begun = Instant::now();
    let expectations = deployed(&discovery, &Scope::default());
    let promised = begun.elapsed();
    assert_eq!(expectations.connections.len(), world.clients);
    let begun = Instant::now();
    let requests = probe_requests(&expectations, discovery.inventory.pods.as_deref().unwrap_or_default(), &Look::default());
    let first = begun.elapsed();
    assert_eq!(requests.len(), world.clients + world.endpoints());
    let probes = requests.iter().map(|request| world.healthy(request)).collect();
    let observation = Observation { taken_at: 1_800_000_000, inventory: discovery.inventory, probes };
    let begun = Instant::now();
    let more = follow_up_requests(&expectations, &observation, &Look::default());
    let asked = first + begun.elapsed();
    assert!(more.is_empty(), "{:?}", more.first());
    let begun = Instant::now();
    let findings = evaluate(&expectations, &observation, Thresholds::default());
    let judged = begun.elapsed();
    let wrong = findings.iter().find(|finding| finding.verdict.outcome() != Outcome::Passed);
    assert_eq!(Finding::outcome(&findings), Outcome::Passed, "{wrong:?}");
    [discovered, promised, asked, judged]
}

fn ratio(now: Duration, before: Option<Duration>) -> String {
    before.map_or_else(String::new, |before| format!(" (x{:.2})", now.as_secs_f64() / before.as_secs_f64()))
}

fn main() {
    // `cargo bench` says so; on any other build the figures mean nothing.
    println!("{} build", if cfg!(debug_assertions) { "debug" } else { "release" });
    let largest: usize = env::var("NSMCTL_BENCH_CLIENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(GOAL_CLIENTS);
    let sizes = [largest / 8, largest / 4, largest / 2, largest];
    for (index, shape) in SHAPES.into_iter().enumerate() {
        println!("\n{}:", shape.name);
        let (mut before, mut before_parts) = (None, None);
        for clients in sizes {
            let (world, home) = (World::new(shape, clients), tempfile::tempdir().expect("a directory"));
            let server = Server::new(pages(&world));
            kubeconfig(home.path(), &server.url);
            // The better of two: what else the machine does only adds.
            let mut runs = [run(home.path(), "json"), run(home.path(), "json")];
            runs.sort_by_key(|run| run.cpu);
            let Run { wall, cpu, megabytes, .. } = runs[0];
            assert!(runs.iter().all(|run| run.judged == clients), "not every connection was judged: {runs:?}");
            let growth = ratio(cpu, before);
            println!("{clients:>5} clients: {:.2} s, {:.2} s of CPU{growth}, {megabytes:.0} MB", wall.as_secs_f64(), cpu.as_secs_f64());
            let times = parts(&world, home.path());
            let of = |at: usize, name: &str| {
                format!("{name} {:.0} ms{}", times[at].as_secs_f64() * 1000.0, ratio(times[at], before_parts.map(|parts: [Duration; 4]| parts[at])))
            };
            println!("               library: {}, {}, {}, {}", of(0, "discovery"), of(1, "promises"), of(2, "questions"), of(3, "judgement"));
            let at_once = server.at_once.load(SeqCst);
            assert!(at_once <= BOUND, "{at_once} requests were under way at once");
            if clients == largest {
                let others = ["table", "junit"].map(|format| (format, run(home.path(), format)));
                for (format, Run { wall, megabytes, judged, .. }) in others {
                    println!("               as {format}: {:.2} s, {megabytes:.0} MB, {judged} connections", wall.as_secs_f64());
                }
                println!("               at most {at_once} requests at once");
                let slowest = others.iter().map(|(_, run)| run.wall).fold(wall, Duration::max);
                let most = others.iter().map(|(_, run)| run.megabytes).fold(megabytes, f64::max);
                verdict(index, clients, slowest, most);
                let growth = before.map_or(0.0, |before: Duration| cpu.as_secs_f64() / before.as_secs_f64());
                println!("growth: {} (x{growth:.2} for twice as many)", if growth <= LINEAR { "linear" } else { "MORE THAN LINEAR" });
            }
            (before, before_parts) = (Some(cpu), Some(times));
        }
    }
}

/// Says whether the goal is met, for the shape that it is for.
fn verdict(shape: usize, clients: usize, wall: Duration, megabytes: f64) {
    if shape != 0 || clients != GOAL_CLIENTS || cfg!(debug_assertions) {
        return;
    }
    let is = |met: bool| if met { "met" } else { "MISSED" };
    println!("goal of {} s: {}; goal of {GOAL_MEGABYTES:.0} MB: {}", GOAL_TIME.as_secs(), is(wall < GOAL_TIME), is(megabytes < GOAL_MEGABYTES));
}
