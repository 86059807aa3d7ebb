//! Who is connected to whom, drawn as a tree: node, namespace, pod, and from there each connection to its other end.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    status::{addresses, age, headline},
    text::{DIM, Look, style_of},
    wrap::{ascii, cell, paragraph},
};
use crate::model::{ConnectionStatus, Known, Namespaced, Status, Verdict};

/// Where pods are that are on no node, or on one that is not known.
const NOWHERE: &str = "(not known)";

/// Pods by node and namespace, each with the services that it has registered for.
pub(super) type Places<'a> = BTreeMap<&'a str, BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<&'a str>>>>;

/// The pods that take part: clients, the endpoints that they are connected to, and those that have registered.
pub(super) fn places(status: &Status) -> Places<'_> {
    let (connections, endpoints) = (status.connections.value(), status.endpoints.value());
    let mut nodes: HashMap<&Namespaced, &str> = HashMap::new();
    let mut pods: BTreeMap<&Namespaced, BTreeSet<&str>> = BTreeMap::new();
    for endpoint in endpoints.into_iter().flatten() {
        let Known::Value(pod) = &endpoint.pod else { continue };
        pods.entry(pod).or_default().extend(endpoint.services.iter().map(String::as_str));
        if let Known::Value(node) = &endpoint.node {
            nodes.insert(pod, node);
        }
    }
    for connection in connections.into_iter().flatten() {
        pods.entry(&connection.client).or_default();
        if let Known::Value(node) = &connection.node {
            nodes.insert(&connection.client, node);
        }
        let Known::Value(endpoint) = &connection.endpoint else { continue };
        pods.entry(endpoint).or_default();
        if let Known::Value(path) = &connection.path {
            nodes.insert(endpoint, &path.endpoint_node);
        }
    }
    let mut places = Places::new();
    for (pod, services) in pods {
        let node = nodes.get(pod).copied().unwrap_or(NOWHERE);
        places.entry(node).or_default().entry(&pod.namespace).or_default().insert(&pod.name, services);
    }
    places
}

/// What lines are made of.
struct Glyphs {
    branch: &'static str,
    last: &'static str,
    bar: &'static str,
    line: &'static str,
    arrow: &'static str,
    broken: &'static str,
}

const UNICODE: Glyphs = Glyphs { branch: "├─ ", last: "└─ ", bar: "│  ", line: "──", arrow: "──▶", broken: "─✗─" };
const ASCII: Glyphs = Glyphs { branch: "|- ", last: "`- ", bar: "|  ", line: "--", arrow: "-->", broken: "-x-" };
const SPACE: &str = "   ";

/// The tree.
pub(super) fn text(status: &Status, look: Look) -> String {
    let mut drawing = Drawing { text: headline(status, look), glyphs: if look.unicode { &UNICODE } else { &ASCII }, look };
    if let Known::Unknown(why) = &status.connections {
        drawing.text.push_str(&paragraph(&format!("? connections: {why}"), 0, look.width));
    }
    let places = places(status);
    if places.is_empty() {
        drawing.text.push_str(&look.paint(&paragraph("nobody has registered or asked for anything", 0, look.width), DIM));
    }
    for (node, namespaces) in &places {
        drawing.text.push('\n');
        drawing.line("", "", &format!("node {node}"));
        for (at, (namespace, pods)) in namespaces.iter().enumerate() {
            let stem = drawing.child("", at + 1 == namespaces.len(), &format!("namespace {namespace}"));
            for (at, (pod, services)) in pods.iter().enumerate() {
                drawing.pod(&stem, at + 1 == pods.len(), status, &Namespaced::new(*namespace, *pod), services);
            }
        }
    }
    drawing.text
}

struct Drawing {
    text: String,
    glyphs: &'static Glyphs,
    look: Look,
}

impl Drawing {
    /// A line, or several where it does not fit; `stem` stands before the first, `rest` before the others.
    fn line(&mut self, stem: &str, rest: &str, words: &str) {
        let words = if self.look.unicode { words.to_owned() } else { ascii(words) };
        let words = match self.look.width {
            Some(width) => cell(&words, width.saturating_sub(stem.chars().count()).max(20)),
            None => words,
        };
        for (at, line) in words.lines().enumerate() {
            let before = if at == 0 { stem } else { rest };
            self.text.push_str(format!("{before}{line}").trim_end());
            self.text.push('\n');
        }
    }

    /// A child of what has this stem; the answer is the stem of its own children.
    fn child(&mut self, stem: &str, is_last: bool, words: &str) -> String {
        let (own, rest) = if is_last { (self.glyphs.last, SPACE) } else { (self.glyphs.branch, self.glyphs.bar) };
        let rest = format!("{stem}{rest}");
        self.line(&format!("{stem}{own}"), &rest, words);
        rest
    }

    fn pod(&mut self, stem: &str, is_last: bool, status: &Status, pod: &Namespaced, services: &BTreeSet<&str>) {
        let all = || status.connections.value().into_iter().flatten();
        let own: Vec<&ConnectionStatus> = all().filter(|connection| connection.client == *pod).collect();
        let served = all().filter(|connection| connection.endpoint.value() == Some(pod)).count();
        let clients = if served == 1 { "1 connection".to_owned() } else { format!("{served} connections") };
        let services = services.iter().copied().collect::<Vec<_>>().join(", ");
        let words = match (services.is_empty(), served) {
            (true, 0) => pod.name.clone(),
            (true, _) => format!("{}: serves {clients}", pod.name),
            (false, _) => format!("{}: serves {services}, {clients}", pod.name),
        };
        let stem = self.child(stem, is_last, &words);
        for (at, connection) in own.iter().enumerate() {
            self.connection(&stem, at + 1 == own.len(), status, connection);
        }
    }

    fn connection(&mut self, stem: &str, is_last: bool, status: &Status, connection: &ConnectionStatus) {
        let Glyphs { line, arrow, broken, .. } = self.glyphs;
        let works = matches!(connection.verdict, Verdict::Pass | Verdict::Warn);
        let arrow = if works { arrow } else { broken };
        let interface = connection.interface.value().map_or("?", String::as_str);
        let to = far_end(connection);
        let stem = self.child(stem, is_last, &format!("{interface} {line} {} {arrow} {to}", connection.service));
        let mut facts = Vec::new();
        if !connection.addresses.is_empty() {
            facts.push(addresses(connection));
        }
        if let Some(forwarders) = connection.path.value().and_then(|path| path.forwarders.value()) {
            facts.push(format!("via {}", forwarders.join(", ")));
        }
        facts.extend(connection.since.value().map(|since| format!("for {}", age(*since, status.taken_at))));
        if !facts.is_empty() {
            self.line(&stem, &stem, &facts.join("; "));
        }
        if let Some(reason) = &connection.reason {
            let before = self.text.len();
            self.line(&stem, &stem, &format!("{}: {reason}", connection.verdict));
            let painted: String =
                self.text.split_off(before).lines().map(|line| format!("{}\n", self.look.paint(line, style_of(connection.verdict)))).collect();
            self.text.push_str(&painted);
        }
    }
}

/// The other end, with namespace and node where they are not the client's own.
fn far_end(connection: &ConnectionStatus) -> String {
    let Known::Value(endpoint) = &connection.endpoint else { return "?".to_owned() };
    let name = if endpoint.namespace == connection.client.namespace { endpoint.name.clone() } else { endpoint.to_string() };
    let interface = connection.endpoint_interface.value().map(|interface| format!(" {interface}")).unwrap_or_default();
    match &connection.path {
        Known::Value(path) if !path.same_node => format!("{name}{interface} on {}", path.endpoint_node),
        _ => format!("{name}{interface}"),
    }
}
