//! The script that looks into a container in one go, and how what it printed is taken apart again.

use std::{collections::BTreeMap, net::IpAddr};

use crate::model::{
    Counters, ExecEnd, ExecOutput, InterfaceCounters, Lookup, PACKET_PLATEAUS, PingOptions, Pinged, PodProbes, Probe, ProbeRequest, Resolver,
    Unavailable, UnavailableKind,
};

/// An exec costs a node a tenth of a second of CPU, so that one is all that a container gets.
const SCRIPT: &str = include_str!("look.sh");
/// What the script's own lines begin with. No program prints it that is asked here.
const MARK: &str = "nsmctl-look:";

/// The script for a request, as `sh -c` takes it. Only numbers and addresses go into it.
pub(super) fn command(request: &ProbeRequest) -> Vec<String> {
    let ProbeRequest { asks, pings, ping, .. } = request;
    let set = |asked: bool| if asked { "1" } else { "" };
    let words = |words: &[String]| words.join(" ");
    let pings = words(&pings.iter().map(ToString::to_string).collect::<Vec<_>>());
    let plateaus = words(&PACKET_PLATEAUS.map(|length| length.to_string()));
    let (count, interval, wait) = (ping.count, interval(*ping), wait(*ping));
    let settings = format!(
        "MARK={MARK} NETWORK={} PATH_MTU={} RESOLVER={} TRACES={} COUNTERS={} COUNT={count} INTERVAL={interval} WAIT={wait} PINGS='{pings}' PLATEAUS='{plateaus}'\n",
        set(asks.network),
        set(asks.path_mtu),
        set(asks.resolver),
        set(asks.traces),
        set(asks.counters),
    );
    ["sh".to_owned(), "-c".to_owned(), settings + SCRIPT].into()
}

/// The time between two requests as `ping` takes it: seconds, with as many decimals as it needs.
pub(super) fn interval(options: PingOptions) -> String {
    let text = format!("{}.{:03}", options.interval_ms / 1000, options.interval_ms % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// How long `ping` waits for the last reply: whole seconds, in every implementation.
pub(super) fn wait(options: PingOptions) -> String {
    options.wait_ms.div_ceil(1000).max(1).to_string()
}

/// What one program printed, between two marks.
struct Part<'a> {
    what: &'a str,
    subject: &'a str,
    code: i32,
    words: String,
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix(MARK).and_then(header), parts.last_mut()) {
            (Some((what, subject, code)), _) => parts.push(Part { what, subject, code, words: String::new() }),
            (None, Some(part)) => part.words += &format!("{line}\n"),
            // What a shell says before anything was asked is not ours.
            (None, None) => {}
        }
    }
    parts
}

fn header(rest: &str) -> Option<(&str, &str, i32)> {
    let mut words = rest.split_whitespace();
    Some((words.next()?, words.next()?, words.next()?.parse().ok()?))
}

/// What the script found out. Where it did not come to its end, what is missing says how it ended.
pub(super) fn read(request: &ProbeRequest, output: &ExecOutput) -> PodProbes {
    let mut parts = parts(&output.stdout);
    let complete = parts.iter().any(|part| part.what == "end");
    if !complete {
        // The last words may be cut short, so they prove nothing.
        parts.pop();
    }
    let missing = || match &output.end {
        _ if complete => Unavailable { kind: UnavailableKind::NotAsked, reason: "it was not asked".to_owned() },
        ExecEnd::Timeout => Unavailable { kind: UnavailableKind::Timeout, reason: "the look into the container took too long".to_owned() },
        ExecEnd::Transport(reason) => Unavailable { kind: UnavailableKind::Transport, reason: reason.clone() },
        ExecEnd::LostStatus | ExecEnd::Exited(_) => {
            Unavailable { kind: UnavailableKind::Transport, reason: format!("the look into the container broke off: {}", last_words(output)) }
        }
    };
    let one = |what: &str| parts.iter().find(|part| part.what == what);
    let words = |command: &str| command.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let pings = parts.iter().filter_map(|part| pinged(part, request.ping));
    let unasked = request.pings.iter().filter(|_| !complete).map(|destination| Pinged {
        destination: *destination,
        packet_bytes: None,
        result: Probe::Unavailable(missing()),
    });
    let mut seen: BTreeMap<(IpAddr, Option<u32>), Pinged> = BTreeMap::new();
    for ping in pings.chain(unasked) {
        seen.entry((ping.destination, ping.packet_bytes)).or_insert(ping);
    }
    let lookups = parts.iter().filter(|part| part.what == "lookup");
    let lookups = lookups.map(|part| Lookup { server: part.subject.to_owned(), answer: program(part, words(&format!("nslookup {}", part.subject))) });
    PodProbes {
        pod: request.pod.clone(),
        container: request.container.clone(),
        links: one("links").map_or_else(|| Probe::Unavailable(missing()), |part| Probe::Output(program(part, words("ip addr")))),
        routes: one("routes").map_or_else(|| Probe::Unavailable(missing()), |part| Probe::Output(program(part, words("ip route")))),
        routes_v6: one("routes-v6").map_or_else(|| Probe::Unavailable(missing()), |part| Probe::Output(program(part, words("ip -6 route")))),
        pings: seen.into_values().collect(),
        resolver: match one("resolver") {
            Some(part) => {
                let configuration = match part.code {
                    0 => Probe::Value(part.words.clone()),
                    _ => Probe::Output(program(part, words("cat /etc/resolv.conf"))),
                };
                Some(Resolver { configuration, lookups: lookups.collect() })
            }
            None => request.asks.resolver.then(|| Resolver::unavailable(&missing())),
        },
        counters: request
            .asks
            .counters
            .then(|| one("counters").map_or_else(|| Err(missing()), |part| Ok(part.words.lines().filter_map(counted).collect()))),
        traces: match one("traces") {
            Some(part) => Some(Probe::Value(part.words.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())),
            None => request.asks.traces.then(|| Probe::Unavailable(missing())),
        },
    }
}

/// A line of the script's: an interface, and its counters as the kernel's `statistics` have them.
fn counted(line: &str) -> Option<InterfaceCounters> {
    let mut words = line.split_whitespace();
    let interface = words.next()?.to_owned();
    let mut next = || words.next()?.parse().ok();
    let counters = Counters {
        rx_bytes: next()?,
        rx_packets: next()?,
        rx_errors: next()?,
        rx_dropped: next()?,
        tx_bytes: next()?,
        tx_packets: next()?,
        tx_errors: next()?,
        tx_dropped: next()?,
    };
    Some(InterfaceCounters { interface, counters })
}

fn last_words(output: &ExecOutput) -> String {
    let said = output.stderr.lines().rev().chain(output.stdout.lines().rev()).find(|line| !line.trim().is_empty());
    said.unwrap_or("it printed nothing").trim().chars().take(200).collect()
}

/// The words of a program that ended well are its output, those of one that did not its complaint, unless they are the
/// statistics of a ping.
fn program(part: &Part<'_>, command: Vec<String>) -> ExecOutput {
    let is_output = part.code == 0 || part.words.contains("packets transmitted");
    let (stdout, stderr) = if is_output { (part.words.clone(), String::new()) } else { (String::new(), part.words.clone()) };
    ExecOutput { command, end: ExecEnd::Exited(part.code), stdout, stderr }
}

fn pinged(part: &Part<'_>, options: PingOptions) -> Option<Pinged> {
    let destination: IpAddr = part.subject.parse().ok()?;
    let packet_bytes: Option<u32> = match part.what {
        "ping" => None,
        what => Some(what.strip_prefix("packet-")?.parse().ok()?),
    };
    let command = match packet_bytes {
        None => ping_command(destination, options),
        Some(length) => format!("ping -s {} {destination}", length.saturating_sub(if destination.is_ipv4() { 28 } else { 48 }))
            .split(' ')
            .map(str::to_owned)
            .collect(),
    };
    Some(Pinged { destination, packet_bytes, result: Probe::Output(program(part, command)) })
}

/// `ping` in the words that busybox and iputils share: both find the family by themselves, but for old iputils.
pub(super) fn ping_command(destination: IpAddr, options: PingOptions) -> Vec<String> {
    let mut command = vec!["ping".to_owned(), "-q".to_owned()];
    for (flag, value) in [("-c", options.count.to_string()), ("-i", interval(options)), ("-W", wait(options))] {
        command.extend([flag.to_owned(), value]);
    }
    command.push(destination.to_string());
    command
}
