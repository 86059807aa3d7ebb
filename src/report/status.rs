//! What there is now, in words: tables for people, lines for grep and for whoever watches.

use std::{
    fmt::{Display, Write as _},
    io::{self, IsTerminal, Write as _},
};

use anstyle::Style;
use jiff::Timestamp;

use super::{
    Format, Look, Report,
    table::table,
    text::{self, BOLD, DIM, GREEN, RED, YELLOW, mark, style_of},
    wrap::{one_line, paragraph},
};
use crate::model::{ComponentStatus, ConnectionStatus, EndpointStatus, Finding, InstanceStatus, Known, Outcome, ServiceStatus, Status, Verdict, few};

/// From this width on a table of connections has room for forwarders, mechanisms and payloads, in columns.
const WIDE: usize = 140;

/// The tables: parts, services, endpoints, connections, with their phases where those are wanted; then what is wrong.
pub(super) fn text(status: &Status, with_phases: bool, look: Look) -> String {
    let mut text = headline(status, look);
    text.push_str(&components(&status.components.iter().collect::<Vec<_>>(), status.taken_at, look));
    section(&mut text, "NetworkServices", &status.services, look, |list| services(list, look));
    section(&mut text, "endpoints", &status.endpoints, look, |list| endpoints(list, look));
    section(&mut text, "connections", &status.connections, look, |list| connections(list, status.taken_at, look));
    if let Some(list) = status.connections.value().filter(|_| with_phases) {
        text.push('\n');
        text.push_str(&super::phases::all(list, status.taken_at, look));
    }
    if let Some(Known::Value(address)) = &status.metrics {
        text.push('\n');
        text.push_str(&look.paint(&paragraph(&format!("metrics of the engine: {address}"), 0, look.width), DIM));
    }
    for finding in &status.findings {
        text.push('\n');
        text.push_str(text::detail(finding, look).trim_end_matches('\n'));
        text.push('\n');
    }
    text
}

/// The same for a screen that may be too small for it: what is wrong first, connections next, and of the parts only those that
/// are not well, for the headline counts the others.
fn screenful(status: &Status, look: Look) -> String {
    let mut text = headline(status, look);
    for finding in &status.findings {
        let line = format!("{} {} ({}): {}", mark(finding.verdict, look), finding.title, finding.subject, finding.observed);
        text.push_str(&look.paint(&paragraph(&line, 0, look.width), style_of(finding.verdict)));
    }
    section(&mut text, "connections", &status.connections, look, |list| {
        let mut list = list.to_vec();
        list.sort_by_key(|connection| connection.verdict == Verdict::Pass);
        connections(&list, status.taken_at, look)
    });
    section(&mut text, "endpoints", &status.endpoints, look, |list| endpoints(list, look));
    section(&mut text, "NetworkServices", &status.services, look, |list| services(list, look));
    let unwell: Vec<&ComponentStatus> = status.components.iter().filter(|component| component.verdict != Verdict::Pass).collect();
    if !unwell.is_empty() {
        text.push_str(&components(&unwell, status.taken_at, look));
    }
    text
}

/// Whether it is well, and how much of it there is.
pub(super) fn headline(status: &Status, look: Look) -> String {
    let (verdict, word, style) = match status.outcome() {
        Outcome::Passed => (Verdict::Pass, "healthy", GREEN),
        Outcome::Failed => (Verdict::Fail, "broken", RED),
        _ => (Verdict::Unknown, "cannot be told in full", YELLOW),
    };
    let title = format!("{} {}", look.paint(mark(verdict, look), style), look.paint(&format!("Network Service Mesh: {word}"), BOLD));
    paragraph(&format!("{title} ({})", counted(status)), 0, look.width)
}

/// How much there is of what: `9 of 9 components, 1 service, 1 endpoint, 1 of 1 connections`.
fn counted(status: &Status) -> String {
    let of = |good: usize, all: usize, what: &str| format!("{good} of {all} {what}");
    let well = |verdicts: &mut dyn Iterator<Item = Verdict>| verdicts.filter(|verdict| matches!(verdict, Verdict::Pass | Verdict::Skip)).count();
    let number = |known: Option<usize>, what: &str| match known {
        Some(1) => format!("1 {what}"),
        Some(count) => format!("{count} {what}s"),
        None => format!("? {what}s"),
    };
    let connections = match &status.connections {
        Known::Value(list) => of(well(&mut list.iter().map(|connection| connection.verdict)), list.len(), "connections"),
        Known::Unknown(_) => "? connections".to_owned(),
    };
    let parts = [
        of(well(&mut status.components.iter().map(|component| component.verdict)), status.components.len(), "components"),
        number(status.services.value().map(Vec::len), "service"),
        number(status.endpoints.value().map(Vec::len), "endpoint"),
        connections,
    ];
    parts.join(", ")
}

fn section<T>(text: &mut String, what: &str, list: &Known<Vec<T>>, look: Look, show: impl FnOnce(&[T]) -> String) {
    text.push('\n');
    let line = match list {
        Known::Value(list) if list.is_empty() => look.paint(&paragraph(&format!("no {what}"), 0, look.width), DIM),
        Known::Value(list) => show(list) + "\n",
        Known::Unknown(why) => text::unknown(&format!("{what}: {why}"), look),
    };
    text.push_str(&line);
}

/// A row and how its last cell is painted.
type Row = (Vec<String>, Style);

fn rows(header: &[&str], rows: Vec<Row>, look: Look) -> String {
    let (cells, styles): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let last = header.len() - 1;
    table(header, cells, |row, column| if column == last { styles[row] } else { Style::new() }, look)
}

fn components(list: &[&ComponentStatus], now: Timestamp, look: Look) -> String {
    let all: Vec<Row> = list.iter().flat_map(|component| component_rows(component, now)).collect();
    // What no component has, as an image on this machine, takes no column.
    let header = ["COMPONENT", "NODE", "VERSION", "RESTARTS", "AGE", "READY"];
    let (shown, header): (Vec<usize>, Vec<&str>) =
        header.into_iter().enumerate().filter(|(column, _)| all.iter().any(|(cells, _)| cells[*column] != "-")).unzip();
    let all = all.into_iter().map(|(cells, style)| (shown.iter().map(|column| cells[*column].clone()).collect(), style)).collect();
    format!("\n{}\n", rows(&header, all, look))
}

/// The name of a component: its object's, else what it does.
fn name_of(component: &ComponentStatus) -> &str {
    component.object.as_ref().map_or(component.role.as_str(), |object| object.name.as_str())
}

fn component_rows(component: &ComponentStatus, now: Timestamp) -> Vec<Row> {
    let name = name_of(component);
    let plain = |node: &str, ready: String, verdict| {
        let cells = [name, node, "-", "-", "-"].map(str::to_owned);
        (cells.into_iter().chain([ready]).collect(), style_of(verdict))
    };
    let ready = match &component.ready {
        Known::Unknown(why) => return vec![plain("-", format!("? {why}"), Verdict::Unknown)],
        Known::Value(ready) => ready,
    };
    let count = format!("{}/{}", ready.ready, ready.desired);
    let instances = match &component.instances {
        Known::Unknown(why) => return vec![plain("-", format!("{count}; its pods: ? {why}"), component.verdict)],
        Known::Value(instances) => instances,
    };
    if instances.is_empty() {
        // What is in order and has no pods is there for programs.
        let is_plain = component.verdict == Verdict::Pass && matches!(component.role.as_str(), "crd" | "webhook-configuration");
        let said = if component.object.is_none() && component.verdict == Verdict::Fail { format!("{count}, not there") } else { count };
        return if is_plain { Vec::new() } else { vec![plain("-", said, component.verdict)] };
    }
    let mut all: Vec<Row> = instances.iter().map(|pod| instance_row(name, pod, now)).collect();
    let there = u32::try_from(instances.len()).unwrap_or(u32::MAX);
    let missing = ready.desired.saturating_sub(there);
    all.extend((missing > 0).then(|| plain("-", format!("0/{missing}, no pod"), Verdict::Fail)));
    all
}

fn instance_row(name: &str, pod: &InstanceStatus, now: Timestamp) -> Row {
    let is_unregistered = pod.registered == Some(Known::Value(false));
    let (said, verdict) = match (pod.ready, is_unregistered) {
        (true, false) => ("1/1".to_owned(), Verdict::Pass),
        (true, true) => ("1/1, not registered".to_owned(), Verdict::Fail),
        (false, _) => (format!("0/1, {}", pod.state), Verdict::Fail),
    };
    let version = pod.image.value().map_or_else(unknown, |image| version(image));
    let age = pod.since.value().map_or_else(unknown, |since| age(*since, now));
    (vec![name.to_owned(), or_unknown(&pod.node), version, pod.restarts.to_string(), age, said], style_of(verdict))
}

fn unknown() -> String {
    "?".to_owned()
}

fn or_unknown<T: Display>(known: &Known<T>) -> String {
    known.value().map_or_else(unknown, ToString::to_string)
}

/// The version that an image's name tells: its tag, else the beginning of its digest.
fn version(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    let (name, digest) = name.split_once('@').map_or((name, None), |(name, digest)| (name, Some(digest)));
    let tag = name.split_once(':').map(|(_, tag)| tag.to_owned());
    let short = |digest: &str| digest.trim_start_matches("sha256:").chars().take(12).collect::<String>();
    tag.or_else(|| digest.map(short)).unwrap_or_else(unknown)
}

/// How long ago.
pub(super) fn age(since: Timestamp, now: Timestamp) -> String {
    span(now.as_second().saturating_sub(since.as_second()).max(0))
}

/// A time in the two largest units: `3 h 2 min`.
fn span(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

fn services(list: &[ServiceStatus], look: Look) -> String {
    let row = |service: &ServiceStatus| {
        let payload = match &service.payload {
            Known::Value(payload) => payload.to_string(),
            Known::Unknown(_) => unknown(),
        };
        let state = match (&service.namespace, service.verdict) {
            (None, _) => "missing".to_owned(),
            (_, Verdict::Fail) => "unknown payload".to_owned(),
            _ if !service.also_in.is_empty() => format!("ambiguous: also in {}", few(&service.also_in)),
            _ => "ok".to_owned(),
        };
        let namespace = service.namespace.clone().unwrap_or_else(|| "-".to_owned());
        let cells = vec![service.name.clone(), namespace, payload, or_unknown(&service.endpoints), service.requests.to_string(), state];
        (cells, style_of(service.verdict))
    };
    rows(&["NETWORK SERVICE", "NAMESPACE", "PAYLOAD", "ENDPOINTS", "REQUESTS", "STATE"], list.iter().map(row).collect(), look)
}

fn endpoints(list: &[EndpointStatus], look: Look) -> String {
    let row = |endpoint: &EndpointStatus| {
        let registration = match endpoint.expires_in_s {
            Known::Value(left) if left > 0 => format!("expires in {}", span(left)),
            Known::Value(left) => format!("expired {} ago", span(-left)),
            Known::Unknown(_) => "no end".to_owned(),
        };
        let cells = vec![endpoint.name.clone(), endpoint.services.join(", "), or_unknown(&endpoint.node), registration];
        (cells, style_of(endpoint.verdict))
    };
    rows(&["ENDPOINT", "SERVICES", "NODE", "REGISTRATION"], list.iter().map(row).collect(), look)
}

fn connections(list: &[ConnectionStatus], now: Timestamp, look: Look) -> String {
    let namespaces: std::collections::BTreeSet<&str> = list.iter().map(|connection| connection.client.namespace.as_str()).collect();
    let several = namespaces.len() > 1;
    let is_wide = look.width.is_none_or(|width| width >= WIDE);
    let row = |connection: &ConnectionStatus| {
        let own =
            |pod: &crate::model::Namespaced| if several || pod.namespace != connection.client.namespace { pod.to_string() } else { pod.name.clone() };
        // A pod and its interface stand below each other where there is little room.
        let gap = if is_wide { ' ' } else { '\n' };
        let endpoint = match (&connection.endpoint, &connection.endpoint_interface) {
            (Known::Value(pod), Known::Value(interface)) => format!("{}{gap}{interface}", own(pod)),
            (Known::Value(pod), Known::Unknown(_)) => own(pod),
            _ => unknown(),
        };
        let interface = connection.interface.value().map_or("?", String::as_str);
        let cells = vec![
            format!("{}{gap}{interface}", own(&connection.client)),
            if is_wide { format!("{} ({})", connection.service, over(connection)) } else { narrow_service(connection) },
            endpoint,
            addresses(connection),
            way(connection, is_wide),
            connection.since.value().map_or_else(unknown, |since| age(*since, now)),
            or_unknown(&connection.heals),
            match connection.verdict {
                Verdict::Pass => "up".to_owned(),
                verdict => verdict.to_string(),
            },
        ];
        (cells, style_of(connection.verdict))
    };
    rows(&["CLIENT", "SERVICE", "ENDPOINT", "ADDRESSES", "PATH", "AGE", "HEALS", "STATE"], list.iter().map(row).collect(), look)
}

/// The service, and the mechanism where it is not the usual one.
fn narrow_service(connection: &ConnectionStatus) -> String {
    match connection.mechanism.as_str() {
        "kernel" => connection.service.clone(),
        other => format!("{} ({other})", connection.service),
    }
}

/// Mechanism and payload.
fn over(connection: &ConnectionStatus) -> String {
    match &connection.payload {
        Known::Value(payload) => format!("{}, {payload}", connection.mechanism),
        Known::Unknown(_) => connection.mechanism.clone(),
    }
}

pub(super) fn addresses(connection: &ConnectionStatus) -> String {
    if connection.addresses.is_empty() {
        return unknown();
    }
    let pairs: Vec<String> = connection.addresses.iter().map(|pair| format!("{} ↔ {}", pair.client, pair.endpoint)).collect();
    pairs.join(", ")
}

/// The nodes, and who carries it where there is room for that.
fn way(connection: &ConnectionStatus, is_wide: bool) -> String {
    let Known::Value(path) = &connection.path else { return unknown() };
    let nodes = if path.same_node { format!("on {}", path.client_node) } else { format!("{} → {}", path.client_node, path.endpoint_node) };
    match &path.forwarders {
        Known::Value(forwarders) if is_wide => format!("{nodes} via {}", forwarders.join(", ")),
        _ => nodes,
    }
}

/// A line for each thing that is not well, and how much there is of what.
pub(super) fn short(status: &Status) -> String {
    let mut text = String::new();
    let parts = status.components.iter().filter(|component| component.verdict != Verdict::Pass).flat_map(component_findings);
    let connections =
        status.connections.value().into_iter().flatten().filter(|connection| connection.verdict != Verdict::Pass).map(connection_finding);
    for finding in parts.filter(|finding| finding.verdict != Verdict::Pass).chain(connections).chain(status.findings.iter().cloned()) {
        let _ = writeln!(text, "{}", one_line(&format!("{} {} {}: {}", finding.verdict, finding.check, finding.subject, finding.observed)));
    }
    let hidden = [("services", reason(&status.services)), ("endpoints", reason(&status.endpoints)), ("connections", reason(&status.connections))];
    for (what, why) in hidden.into_iter().filter_map(|(what, why)| Some((what, why?))) {
        let _ = writeln!(text, "{}", one_line(&format!("unknown {what}: {why}")));
    }
    let _ = writeln!(text, "{}", counted(status));
    text
}

fn reason<T>(known: &Known<T>) -> Option<&str> {
    match known {
        Known::Value(_) => None,
        Known::Unknown(why) => Some(why),
    }
}

/// Each thing of a status as a finding, so that two of them can be compared: what changes with every second is not among it.
#[must_use]
pub fn told(status: &Status) -> Vec<Finding> {
    let mut all: Vec<Finding> = status.components.iter().flat_map(component_findings).collect();
    for service in status.services.value().into_iter().flatten() {
        let place = service.namespace.as_deref().unwrap_or("-");
        let observed = format!("payload {}, {} endpoints", or_unknown(&service.payload), or_unknown(&service.endpoints));
        all.push(finding("service", format!("{place}/{}", service.name), service.verdict, observed));
    }
    for endpoint in status.endpoints.value().into_iter().flatten() {
        let observed = if endpoint.verdict == Verdict::Pass { "registered" } else { "expired" };
        let node = endpoint.node.value().map(|node| format!(" on {node}")).unwrap_or_default();
        all.push(finding("endpoint", endpoint.name.clone(), endpoint.verdict, format!("{observed} for {}{node}", endpoint.services.join(", "))));
    }
    all.extend(status.connections.value().into_iter().flatten().map(connection_finding));
    let hidden = [("services", reason(&status.services)), ("endpoints", reason(&status.endpoints)), ("connections", reason(&status.connections))];
    all.extend(hidden.into_iter().filter_map(|(what, why)| Some(finding("target", what.to_owned(), Verdict::Unknown, why?.to_owned()))));
    all
}

fn finding(what: &'static str, subject: String, verdict: Verdict, observed: String) -> Finding {
    Finding::new(what, what, subject, verdict, "", observed)
}

fn component_findings(component: &ComponentStatus) -> Vec<Finding> {
    let name = name_of(component);
    let ready = match &component.ready {
        Known::Value(ready) => format!("{}/{} ready", ready.ready, ready.desired),
        Known::Unknown(why) => why.clone(),
    };
    let mut all = vec![finding("component", name.to_owned(), component.verdict, ready)];
    for pod in component.instances.value().into_iter().flatten() {
        let registered = if pod.registered == Some(Known::Value(false)) { ", not registered" } else { "" };
        let verdict = if pod.ready && registered.is_empty() { Verdict::Pass } else { Verdict::Fail };
        let node = pod.node.value().map(|node| format!(" on {node}")).unwrap_or_default();
        let restarts = if pod.restarts > 0 { format!(", restarted {}", times(pod.restarts)) } else { String::new() };
        all.push(finding("component", format!("{name} {}", pod.pod.name), verdict, format!("{}{node}{restarts}{registered}", pod.state)));
    }
    all
}

fn connection_finding(connection: &ConnectionStatus) -> Finding {
    let observed = match &connection.reason {
        Some(reason) => reason.clone(),
        None => format!("to {} with {}, {}", or_unknown(&connection.endpoint), addresses(connection), way(connection, true)),
    };
    let healed = connection.heals.value().filter(|heals| **heals > 0).map(|heals| format!(", healed {}", times(*heals))).unwrap_or_default();
    // Not by its interface, which goes with it.
    finding("connection", format!("{} {}", connection.client, connection.service), connection.verdict, format!("{observed}{healed}"))
}

/// A number of times in words.
fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// Whether standard output is a terminal that can be drawn anew.
#[must_use]
pub fn is_redrawn() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Draws a report on the terminal over what was drawn before; what does not fit is counted.
///
/// # Errors
/// Standard output cannot be written to.
pub fn redraw(report: &Report, format: Format, heading: &str) -> io::Result<()> {
    let look = Look::of_stdout();
    let height = terminal_size::terminal_size_of(io::stdout()).map(|(_, terminal_size::Height(height))| usize::from(height));
    let body = match &report.status {
        Some(status) if !report.shown.topology => text::readable(screenful(status, look), look),
        _ => text::render(report, format, look),
    };
    let text = screen(&look.paint(heading, BOLD), &body, height.unwrap_or(usize::MAX));
    let mut output = io::stdout().lock();
    // Orders to the terminal are no colours, so that they go where colours are not wanted too.
    output.write_all(text.as_bytes()).and_then(|()| output.flush())
}

/// From the top left, each line clearing what is behind it, and everything below it cleared.
fn screen(heading: &str, body: &str, height: usize) -> String {
    let lines: Vec<&str> = std::iter::once(heading).chain(body.lines()).collect();
    let room = height.saturating_sub(1).max(2);
    let mut text = "\x1b[H".to_owned();
    let shown = if lines.len() > room { room - 1 } else { lines.len() };
    for line in &lines[..shown] {
        let _ = write!(text, "{line}\x1b[K\r\n");
    }
    if shown < lines.len() {
        let _ = write!(text, "({} lines more)\x1b[K\r\n", lines.len() - shown);
    }
    text + "\x1b[J"
}

#[cfg(test)]
#[path = "status_tests.rs"]
pub(super) mod tests;
