//! What is counted: as tables, as lines, and as Prometheus' text.

use std::{
    collections::BTreeSet,
    fmt::{Display, Write as _},
    io::{self, Write as _},
};

use anstyle::Style;

use super::{
    Format, Look, Report, json,
    table::table,
    text::{self, DIM},
    wrap::{one_line, paragraph},
};
use crate::{
    model::{ConnectionMetrics, Counters, EndMetrics, Family, Known, MetricKind, Metrics, Sample},
    prometheus::write,
};

/// How many samples a person reads.
const SHOWN: usize = 20;

/// The counters of each connection, who exposes what, and the samples that are of no connection.
pub(super) fn text(metrics: &Metrics, look: Look) -> String {
    let mut text = connections(&metrics.connections, look);
    text.push('\n');
    match &metrics.sources {
        Known::Unknown(why) => text.push_str(&text::unknown(&format!("what NSM's parts expose: {why}"), look)),
        Known::Value(sources) => {
            let exposes = |known: &Known<String>, samples: usize| match known {
                Known::Value(place) => format!("{place} ({samples} samples)"),
                Known::Unknown(why) => format!("no: {why}"),
            };
            let rows = sources.iter().map(|source| {
                let node = source.node.clone().unwrap_or_else(|| "-".to_owned());
                vec![source.name.clone(), node, exposes(&source.exposes, source.samples)]
            });
            let rows: Vec<Vec<String>> = rows.collect();
            if !rows.is_empty() {
                text.push_str(&table(&["SOURCE", "NODE", "EXPOSES METRICS"], rows, |_, _| Style::new(), look));
                text.push('\n');
            }
        }
    }
    let samples: Vec<&Sample> = metrics.families.iter().flat_map(|family| &family.samples).filter(|sample| is_general(sample)).collect();
    if !samples.is_empty() {
        let row = |sample: &&Sample| {
            let labels: Vec<String> = sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            vec![sample.name.clone(), labels.join(", "), value(sample)]
        };
        let rows = samples.iter().take(SHOWN).map(row).collect();
        let _ = writeln!(text, "\n{}", table(&["METRIC", "LABELS", "VALUE"], rows, |_, _| Style::new(), look));
    }
    let all: usize = metrics.families.iter().map(|family| family.samples.len()).sum();
    let shown = samples.len().min(SHOWN);
    if all > shown {
        let line = format!("{} more of what is exposed with -o prometheus", all - shown);
        text.push_str(&look.paint(&paragraph(&line, 0, look.width), DIM));
    }
    text
}

/// A value as people read it, by the unit that its name ends with (Prometheus' naming: base units).
fn value(sample: &Sample) -> String {
    let name = sample.name.trim_end_matches("_total").trim_end_matches("_sum");
    if name.ends_with("_timestamp_seconds") {
        let time = jiff::Timestamp::from_second(sample.value as i64);
        return time.map_or_else(|_| sample.value.to_string(), |time| time.to_string());
    }
    match name.rsplit('_').next() {
        Some("seconds") => format!("{:.3} s", sample.value),
        Some("bytes") => size(sample.value),
        _ => sample.value.to_string(),
    }
}

/// Whether it is about more than one connection, and no part of a histogram.
fn is_general(sample: &Sample) -> bool {
    let of_a_connection = |(name, _): &(String, String)| matches!(name.as_str(), "connection_id" | "interface" | "nse_interface");
    !sample.labels.iter().any(of_a_connection) && !sample.name.ends_with("_bucket") && !sample.name.ends_with("_info")
}

fn connections(list: &[ConnectionMetrics], look: Look) -> String {
    if list.is_empty() {
        return look.paint(&paragraph("no connections", 0, look.width), DIM);
    }
    let rated = list.iter().any(|connection| connection.client.rates.is_some() || connection.endpoint.rates.is_some());
    let header = match rated {
        true => ["POD, INTERFACE", "SERVICE", "RECEIVES", "PACKETS", "SENDS", "PACKETS", "LOST"],
        false => ["POD, INTERFACE", "SERVICE", "RECEIVED", "PACKETS", "SENT", "PACKETS", "LOST"],
    };
    let namespaces: BTreeSet<&str> =
        list.iter().flat_map(|one| [&one.client, &one.endpoint]).filter_map(|end| Some(end.pod.value()?.namespace.as_str())).collect();
    let pod = |end: &EndMetrics| match &end.pod {
        Known::Value(pod) if namespaces.len() > 1 => pod.to_string(),
        Known::Value(pod) => pod.name.clone(),
        Known::Unknown(_) => "?".to_owned(),
    };
    let mut rows = Vec::new();
    let mut unknown = Vec::new();
    for connection in list {
        for (side, end) in [("client", &connection.client), ("endpoint", &connection.endpoint)] {
            let mut row = vec![format!("{} {}", pod(end), or_unknown(&end.interface)), connection.service.clone()];
            row.extend(if rated { rates(end) } else { totals(end) });
            row.push(match &end.counters {
                Known::Value(counted) => lost(counted),
                Known::Unknown(why) => {
                    unknown.push(format!("the {side}'s counters of {} for {}: {why}", pod(&connection.client), connection.service));
                    "?".to_owned()
                }
            });
            rows.push(row);
        }
    }
    let mut text = table(&header, rows, |_, _| Style::new(), look);
    text.push('\n');
    for line in unknown {
        text.push_str(&text::unknown(&line, look));
    }
    let note = match rated {
        true => "counted by the kernel of each pod, as that end sees it; what was lost since the interface was made",
        false => "counted by the kernel of each pod since the interface was made, as that end sees it",
    };
    text.push_str(&look.paint(&paragraph(note, 0, look.width), DIM));
    text
}

fn or_unknown<T: Display>(known: &Known<T>) -> String {
    known.value().map_or_else(|| "?".to_owned(), ToString::to_string)
}

/// Packets that did not arrive or leave: `0`, or what became of them.
fn lost(counted: &Counters) -> String {
    match (counted.rx_errors + counted.tx_errors, counted.rx_dropped + counted.tx_dropped) {
        (0, 0) => "0".to_owned(),
        (errors, 0) => many(errors, "error"),
        (0, drops) => many(drops, "drop"),
        (errors, drops) => format!("{}, {}", many(errors, "error"), many(drops, "drop")),
    }
}

fn many(count: u64, of: &str) -> String {
    if count == 1 { format!("1 {of}") } else { format!("{count} {of}s") }
}

/// What was received and sent: bytes and packets.
fn totals(end: &EndMetrics) -> [String; 4] {
    match &end.counters {
        Known::Value(counted) => {
            [size(counted.rx_bytes as f64), counted.rx_packets.to_string(), size(counted.tx_bytes as f64), counted.tx_packets.to_string()]
        }
        Known::Unknown(_) => ["?"; 4].map(str::to_owned),
    }
}

/// The same for each second.
fn rates(end: &EndMetrics) -> [String; 4] {
    let bytes = |rate: f64| format!("{}/s", size(rate));
    let packets = |rate: f64| format!("{rate:.1}/s");
    match &end.rates {
        Some(rates) => [bytes(rates.rx_bytes_per_s), packets(rates.rx_packets_per_s), bytes(rates.tx_bytes_per_s), packets(rates.tx_packets_per_s)],
        None => ["?"; 4].map(str::to_owned),
    }
}

/// Bytes as people read them, in units of a thousand (IEC 80000-13 leaves k, M, G to those).
fn size(bytes: f64) -> String {
    let mut value = bytes;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" { format!("{value:.0} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// A line for each end of a connection, for grep.
pub(super) fn short(metrics: &Metrics) -> String {
    let mut text = String::new();
    for source in metrics.sources.value().into_iter().flatten() {
        let said = match &source.exposes {
            Known::Value(place) => format!("{} samples at {place}", source.samples),
            Known::Unknown(why) => format!("none: {why}"),
        };
        let _ = writeln!(text, "{}", one_line(&format!("source {} {}: {said}", source.role, source.name)));
    }
    for connection in &metrics.connections {
        for (side, end) in [("client", &connection.client), ("endpoint", &connection.endpoint)] {
            let name = end.pod.value().map_or_else(|| "?".to_owned(), ToString::to_string);
            let said = match &end.counters {
                Known::Value(c) => format!("rx_bytes={} rx_packets={} tx_bytes={} tx_packets={}", c.rx_bytes, c.rx_packets, c.tx_bytes, c.tx_packets),
                Known::Unknown(why) => format!("unknown: {why}"),
            };
            let _ = writeln!(text, "{}", one_line(&format!("{side} {name} {} {}: {said}", or_unknown(&end.interface), connection.service)));
        }
    }
    text
}

/// What is taken of an interface's counters.
type Column = fn(&Counters) -> u64;

const COLUMNS: [(&str, &str, Column); 8] = [
    ("nsmctl_interface_receive_bytes_total", "Bytes received over a connection's interface", |c| c.rx_bytes),
    ("nsmctl_interface_transmit_bytes_total", "Bytes sent over a connection's interface", |c| c.tx_bytes),
    ("nsmctl_interface_receive_packets_total", "Packets received over a connection's interface", |c| c.rx_packets),
    ("nsmctl_interface_transmit_packets_total", "Packets sent over a connection's interface", |c| c.tx_packets),
    ("nsmctl_interface_receive_errors_total", "Packets that came damaged over a connection's interface", |c| c.rx_errors),
    ("nsmctl_interface_transmit_errors_total", "Packets that could not be sent over a connection's interface", |c| c.tx_errors),
    ("nsmctl_interface_receive_dropped_total", "Packets received over a connection's interface and dropped", |c| c.rx_dropped),
    ("nsmctl_interface_transmit_dropped_total", "Packets dropped instead of sent over a connection's interface", |c| c.tx_dropped),
];

/// What is exposed, word for word but for the pod and the node that it is of, and the counters of the interfaces.
pub(super) fn prometheus(metrics: &Metrics) -> String {
    // Of two requests for one interface, which NSM does not tell apart, one is counted.
    let mut seen = BTreeSet::new();
    let mut ends = Vec::new();
    for connection in &metrics.connections {
        for (side, end) in [("client", &connection.client), ("endpoint", &connection.endpoint)] {
            let (Known::Value(counted), Known::Value(pod), Known::Value(interface)) = (&end.counters, &end.pod, &end.interface) else { continue };
            if seen.insert((pod, interface)) {
                let labels = [("namespace", &pod.namespace), ("pod", &pod.name), ("interface", interface), ("network_service", &connection.service)];
                let labels = labels.map(|(name, value)| (name.to_owned(), value.clone())).into_iter().chain([("side".to_owned(), side.to_owned())]);
                ends.push((labels.collect::<Vec<_>>(), counted));
            }
        }
    }
    let mut families = metrics.families.clone();
    for (name, help, counter) in COLUMNS {
        let sample = |(labels, counted): &(Vec<(String, String)>, &Counters)| Sample {
            name: name.to_owned(),
            labels: labels.clone(),
            value: counter(counted) as f64,
        };
        let samples = ends.iter().map(sample).collect();
        let help = format!("{help}, read by nsmctl in the pod's network namespace.");
        families.push(Family { name: name.to_owned(), help, kind: MetricKind::Counter, samples });
    }
    families.retain(|family| !family.samples.is_empty());
    write(&families)
}

/// A report in one line of JSON.
#[must_use]
pub fn documents(report: &Report) -> String {
    json::line(report)
}

/// Prints a report as text behind what was printed before.
///
/// # Errors
/// Standard output cannot be written to, and that the reader has gone: whoever watches for nobody is done.
pub fn print_text(report: &Report, format: Format) -> io::Result<()> {
    let text = match format {
        Format::Json => documents(report),
        _ => text::render(report, format, Look::of_stdout()) + "\n",
    };
    let mut output = anstream::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush())
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
