//! Who is connected to whom as a graph: for graphviz (the DOT language) and for Markdown (Mermaid's flowchart).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use super::{status::addresses, topology::places};
use crate::model::{ConnectionStatus, Known, Namespaced, Status, Verdict};

/// A pod, or a service that a connection could not be followed beyond.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Pod(Namespaced),
    Service(String),
}

/// The ends that are no pods, and every connection with its other end.
fn edges(status: &Status) -> (BTreeSet<String>, Vec<(&ConnectionStatus, End)>) {
    let mut services = BTreeSet::new();
    let mut edges = Vec::new();
    for connection in status.connections.value().into_iter().flatten() {
        let end = match &connection.endpoint {
            Known::Value(pod) => End::Pod(pod.clone()),
            Known::Unknown(_) => {
                services.insert(connection.service.clone());
                End::Service(connection.service.clone())
            }
        };
        edges.push((connection, end));
    }
    (services, edges)
}

/// What an arrow says, line by line.
fn words(connection: &ConnectionStatus) -> Vec<String> {
    let interface = connection.interface.value().map(|interface| format!("{interface} ")).unwrap_or_default();
    let mut lines = vec![connection.service.clone()];
    if !connection.addresses.is_empty() {
        lines.push(format!("{interface}{}", addresses(connection)));
    }
    lines.extend(connection.reason.iter().map(|reason| format!("{}: {reason}", connection.verdict)));
    lines
}

fn works(connection: &ConnectionStatus) -> bool {
    matches!(connection.verdict, Verdict::Pass | Verdict::Warn)
}

/// In the DOT language: <https://graphviz.org/doc/info/lang.html>.
pub(super) fn dot(status: &Status) -> String {
    let (services, edges) = edges(status);
    let mut text = "digraph nsm {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
    for (at, (node, namespaces)) in places(status).iter().enumerate() {
        let _ = writeln!(text, "  subgraph cluster_{at} {{\n    label={};", quoted(&[format!("node {node}")]));
        for (within, (namespace, pods)) in namespaces.iter().enumerate() {
            let _ = writeln!(text, "    subgraph cluster_{at}_{within} {{\n      label={};", quoted(&[format!("namespace {namespace}")]));
            for pod in pods.keys() {
                let _ = writeln!(text, "      {} [label={}];", quoted(&[format!("{namespace}/{pod}")]), quoted(&[(*pod).to_owned()]));
            }
            text.push_str("    }\n");
        }
        text.push_str("  }\n");
    }
    for service in &services {
        let _ = writeln!(
            text,
            "  {} [label={}, shape=ellipse, style=dashed];",
            dot_id(&End::Service(service.clone())),
            quoted(std::slice::from_ref(service))
        );
    }
    for (connection, end) in edges {
        let style = if works(connection) { "" } else { ", style=dashed, color=red" };
        let client = dot_id(&End::Pod(connection.client.clone()));
        let _ = writeln!(text, "  {client} -> {} [label={}{style}];", dot_id(&end), quoted(&words(connection)));
    }
    text + "}\n"
}

fn dot_id(end: &End) -> String {
    match end {
        End::Pod(pod) => quoted(&[pod.to_string()]),
        // No pod's name has a space.
        End::Service(service) => quoted(&[format!("service {service}")]),
    }
}

/// A quoted string; its lines are broken by `\n`, and everything else stands for itself.
fn quoted(lines: &[String]) -> String {
    let line = |line: &String| -> String { line.replace('\\', "\\\\").replace('"', "\\\"").replace(char::is_control, " ") };
    format!("\"{}\"", lines.iter().map(line).collect::<Vec<_>>().join("\\n"))
}

/// As a Mermaid flowchart: <https://mermaid.js.org/syntax/flowchart.html>. Things are called by numbers and labelled by name, for
/// Mermaid has words of its own that a name may be (`end`).
pub(super) fn mermaid(status: &Status) -> String {
    let (services, edges) = edges(status);
    let mut text = "flowchart LR\n".to_owned();
    let mut ids: BTreeMap<End, String> = BTreeMap::new();
    for (at, (node, namespaces)) in places(status).iter().enumerate() {
        let _ = writeln!(text, "  subgraph n{at}[{}]", label(&[format!("node {node}")]));
        for (within, (namespace, pods)) in namespaces.iter().enumerate() {
            let _ = writeln!(text, "    subgraph n{at}s{within}[{}]", label(&[format!("namespace {namespace}")]));
            for pod in pods.keys() {
                let id = format!("p{}", ids.len());
                let _ = writeln!(text, "      {id}[{}]", label(&[(*pod).to_owned()]));
                ids.insert(End::Pod(Namespaced::new(*namespace, *pod)), id);
            }
            text.push_str("    end\n");
        }
        text.push_str("  end\n");
    }
    for service in services {
        let id = format!("p{}", ids.len());
        let _ = writeln!(text, "  {id}([{}])", label(std::slice::from_ref(&service)));
        ids.insert(End::Service(service), id);
    }
    for (connection, end) in edges {
        let (Some(from), Some(to)) = (ids.get(&End::Pod(connection.client.clone())), ids.get(&end)) else { continue };
        let arrow = if works(connection) { "-->" } else { "-.->" };
        let _ = writeln!(text, "  {from} {arrow}|{}| {to}", label(&words(connection)));
    }
    text
}

/// A quoted label: what Mermaid or HTML would read is written as an entity of Mermaid's.
fn label(lines: &[String]) -> String {
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        text.push_str(if at == 0 { "" } else { "<br/>" });
        for c in line.chars() {
            match c {
                '"' => text.push_str("#quot;"),
                '<' => text.push_str("#lt;"),
                '>' => text.push_str("#gt;"),
                '&' => text.push_str("#amp;"),
                '#' | '`' | '\\' | '|' | ';' => {
                    let _ = write!(text, "#{};", u32::from(c));
                }
                c if c.is_control() => text.push(' '),
                c => text.push(c),
            }
        }
    }
    format!("\"{text}\"")
}

#[cfg(test)]
#[path = "graph_tests.rs"]
mod tests;
