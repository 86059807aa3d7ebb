//! The engine of this machine for a long time: many clients, short-lived identities, and endpoints that are killed all the while.
//!
//! `NSMCTL_E2E_BIN=DIR cargo bench --bench soak` runs NSM's own cmd-nse-icmp-responder as the endpoints; `NSMCTL_BENCH_MINUTES` is
//! how long, 10 where it is not set.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a benchmark prints, and one that cannot go on says so")]

#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod local;
#[allow(dead_code, reason = "the benchmarks on a cluster use the rest")]
mod measure;

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use local::{Local, stat_field};
use measure::{met, named, number};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const CLIENTS: &str = "100";
/// Each is killed every twenty seconds: one that ends several times in a row, having run for less than ten, is started again ever later.
const ENDPOINTS: usize = 4;
const CIDR_OF_EXAMPLE: &str = "172.16.1.100/31";
/// An SVID is renewed at half of its life: every ten seconds.
const SVID_TTL: &str = "20s";
/// How often an endpoint is killed.
const BETWEEN: Duration = Duration::from_secs(5);
/// How often is said how it goes.
const REPORT: Duration = Duration::from_secs(60);
/// How much more memory and descriptors there may be in the end than after the first report: what a peak leaves behind.
const GROWTH: f64 = 1.10;
const ENDPOINT: &str = "cmd-nse-icmp-responder";

fn main() {
    let length = Duration::from_secs(60 * number("NSMCTL_BENCH_MINUTES").unwrap_or(10) as u64);
    let program = named("NSMCTL_E2E_BIN", "the directory of NSM's own programs").join(ENDPOINT);
    let local = Local::new();
    let manifests = manifests(&local);
    let program = format!("{ENDPOINT}={}", program.display());
    let options = ["-f", &manifests, "--clients", CLIENTS, "--timeout", "3m"];
    local.deploy(&options, &["--program", &program, "--svid-ttl", SVID_TTL]);
    let begun = Instant::now();
    let (mut kills, mut next, mut first) = (0, begun + REPORT, None);
    while begun.elapsed() < length {
        thread::sleep(BETWEEN);
        // The one that has run for longest.
        if let Some(endpoint) = endpoints(&local).first() {
            // It may just have ended by itself.
            let _ = kill(Pid::from_raw(i32::try_from(*endpoint).expect("a pid")), Signal::SIGKILL);
            kills += 1;
        }
        if Instant::now() >= next {
            next += REPORT;
            let (used, metrics) = (local.used(), local.metrics());
            // Of every series of the name: what each SVID counts is told by itself.
            let of = |series: &str, name: &str| series.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'));
            let value = |name: &str| -> f64 { metrics.iter().filter(|(series, _)| of(series, name)).map(|(_, value)| value).sum() };
            println!(
                "{:>4} s: {kills} killed, {} connections, {} heals, {} SVIDs renewed; {:.1} MiB, {} descriptors, {:.1} s of CPU",
                begun.elapsed().as_secs(),
                value("nsm_connections"),
                value("nsm_heals_total"),
                value("nsm_svid_rotations_total"),
                used.megabytes,
                used.descriptors,
                used.cpu.as_secs_f64()
            );
            // Both ends of the comparison are behind a verify of all, whose own memory is the greatest that is ever needed.
            first.get_or_insert_with(|| {
                thread::sleep(BETWEEN);
                verify(&local, &options, kills);
                local.used()
            });
        }
    }
    // The last one that was killed is made again, and its connections.
    thread::sleep(BETWEEN);
    println!("no connection is lost: {}", met(verify(&local, &options, kills)));
    let (first, last) = (first.expect("a report"), local.used());
    let is_flat = |before: f64, after: f64| met(after <= before * GROWTH);
    println!("memory {:.1} to {:.1} MiB, flat: {}", first.megabytes, last.megabytes, is_flat(first.megabytes, last.megabytes));
    println!("descriptors {} to {}, flat: {}", first.descriptors, last.descriptors, is_flat(first.descriptors as f64, last.descriptors as f64));
}

/// Whether all is as it should be; what is not is printed.
fn verify(local: &Local, options: &[&str], kills: u32) -> bool {
    let (cost, output) = local.attempt(&[&["verify", "-o", "short"], options].concat());
    println!("verify after {kills} kills, {:.1} s: {}", cost.wall.as_secs_f64(), failures(&output.stdout));
    output.status.success()
}

/// The lines of what failed or is unknown, and the last, which counts.
fn failures(output: &[u8]) -> String {
    String::from_utf8_lossy(output).lines().filter(|line| !line.starts_with("skip ")).collect::<Vec<_>>().join("\n")
}

/// The example with several endpoints, each with addresses of its own: two clients of different endpoints may not share one.
fn manifests(local: &Local) -> String {
    let endpoint = include_str!("../../manifests/nse-base.yaml");
    let numbered = |number: usize| {
        let text = endpoint.replace("nse-kernel", &format!("nse-kernel-{number}"));
        let text = text.replace(CIDR_OF_EXAMPLE, &format!("10.64.{number}.0/24"));
        assert!(text.contains("/24"), "the manifests have no {CIDR_OF_EXAMPLE}");
        text
    };
    // The client's place is beside the one endpoint of the example.
    let client = include_str!("../../manifests/client.yaml").split("  affinity:").next().unwrap_or_default();
    let others = [include_str!("../../manifests/namespace.yaml"), include_str!("../../manifests/netsvc.yaml"), client];
    let documents: Vec<String> = others.into_iter().map(str::to_owned).chain((0..ENDPOINTS).map(numbered)).collect();
    let path = local.path("many.yaml");
    fs::write(&path, documents.join("\n---\n")).expect("the manifests");
    path.display().to_string()
}

/// The endpoints' processes, the oldest first: those below the engine's that run the program.
fn endpoints(local: &Local) -> Vec<u32> {
    let engine = local.processes();
    let field = |pid: u32, number| stat_field(Path::new(&format!("/proc/{pid}")), number);
    let parent_of = |pid: u32| u32::try_from(field(pid, 4)?).ok();
    let is_below = |pid: u32| std::iter::successors(Some(pid), |pid| parent_of(*pid)).take(8).any(|pid| engine.contains(&pid));
    let is_endpoint = |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with(ENDPOINT)) && is_below(*pid);
    let entries = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let mut endpoints: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_endpoint).collect();
    // By when it was started: numbers begin again at some time, so that the lowest need not be the oldest.
    endpoints.sort_by_key(|pid| field(*pid, 22));
    endpoints
}
