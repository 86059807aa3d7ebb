//! What is drawn, read back by readers that take nothing but the grammar.

use std::{collections::BTreeMap, iter::Peekable, str::Chars};

use super::*;
use crate::report::status::tests::{broken, connection};

/// Names that would end a string or begin something else, were they not written with care.
const HOSTILE: [&str; 6] = ["a\"b", "c\\", "end", "x|y#1;", "<b>&amp;", "line\nbreak]`"];

fn hostile() -> Status {
    let mut status = broken();
    let all = HOSTILE.map(|name| {
        let mut one = connection(name, Some(name));
        one.service = name.to_owned();
        one.node = Known::Value(name.to_owned());
        one.client.namespace = name.to_owned();
        one.reason = Some(name.to_owned());
        one
    });
    let unserved = HOSTILE.map(|name| ConnectionStatus { service: name.to_owned(), ..connection(name, None) });
    status.connections = Known::Value(all.into_iter().chain(unserved).collect());
    status
}

/// The tokens of the DOT language: words, quoted strings and marks (graphviz: lang.html).
fn tokens(text: &str) -> Vec<String> {
    let mut chars = text.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(c) = chars.peek().copied() {
        match c {
            c if c.is_whitespace() => {
                chars.next();
            }
            '"' => tokens.push(string(&mut chars)),
            '{' | '}' | '[' | ']' | ';' | '=' | ',' => tokens.push(chars.next().unwrap().to_string()),
            '-' => {
                assert_eq!((chars.next(), chars.next()), (Some('-'), Some('>')), "an edge of a digraph");
                tokens.push("->".to_owned());
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let mut word = String::new();
                while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    word.push(c);
                }
                tokens.push(word);
            }
            other => panic!("{other:?} begins no token"),
        }
    }
    tokens
}

/// A quoted string with its quotes, in which only a quote and a backslash are escaped, and `\n` breaks a line.
fn string(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut text = String::from(chars.next().unwrap());
    loop {
        match chars.next().expect("the end of a string") {
            '"' => return text + "\"",
            '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some(c @ ('"' | '\\')) => text.push(c),
                other => panic!("\\{other:?} is no escape of ours"),
            },
            c if c.is_control() => panic!("{c:?} within a string"),
            c => text.push(c),
        }
    }
}

/// Reads a digraph by the grammar of the DOT language.
#[derive(Default)]
struct Dot {
    tokens: Vec<String>,
    at: usize,
    nodes: BTreeMap<String, BTreeMap<String, String>>,
    edges: Vec<(String, String, BTreeMap<String, String>)>,
    clusters: Vec<String>,
}

impl Dot {
    fn read(text: &str) -> Self {
        let mut dot = Self { tokens: tokens(text), ..Self::default() };
        assert_eq!((dot.next().as_str(), dot.id().as_str()), ("digraph", "nsm"));
        dot.statements();
        assert_eq!(dot.at, dot.tokens.len(), "something follows the graph");
        dot
    }

    fn next(&mut self) -> String {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned().expect("another token")
    }

    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    fn id(&mut self) -> String {
        let id = self.next();
        assert!(id.starts_with('"') || id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{id} is no id");
        id
    }

    fn statements(&mut self) {
        assert_eq!(self.next(), "{");
        while self.peek() != "}" {
            self.statement();
            if self.peek() == ";" {
                self.next();
            }
        }
        self.next();
    }

    fn statement(&mut self) {
        let first = self.id();
        match (first.as_str(), self.peek()) {
            ("subgraph", _) => {
                let name = self.id();
                assert!(name.starts_with("cluster") && !self.clusters.contains(&name), "{name}: graphviz draws no box, or one for two");
                self.clusters.push(name);
                self.statements();
            }
            ("node", "[") => drop(self.attributes()),
            (_, "=") => {
                self.next();
                self.id();
            }
            (_, "->") => {
                self.next();
                let to = self.id();
                let attributes = self.attributes();
                self.edges.push((first, to, attributes));
            }
            _ => {
                let attributes = self.attributes();
                assert!(self.nodes.insert(first.clone(), attributes).is_none(), "{first} twice");
            }
        }
    }

    fn attributes(&mut self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        assert_eq!(self.next(), "[");
        loop {
            let key = self.id();
            assert_eq!(self.next(), "=");
            all.insert(key, self.id());
            match self.next().as_str() {
                "]" => return all,
                "," => {}
                other => panic!("{other} in a list of attributes"),
            }
        }
    }
}

#[test]
fn dot_is_read_back_as_it_was_meant() {
    let dot = Dot::read(&dot(&broken()));
    assert_eq!(dot.clusters.len(), 4, "two nodes, a namespace in each");
    let [up, down] = dot.edges.as_slice() else { panic!("{:?}", dot.edges) };
    assert_eq!(up.2["label"], "\"kernel2kernel\nnsm-1 172.16.1.101 ↔ 172.16.1.100\"");
    assert_eq!((up.1.as_str(), up.2.get("style")), ("\"ns-kernel2kernel/nse-kernel-65794b6c65-vmxkl\"", None));
    assert_eq!((down.1.as_str(), down.2["style"].as_str()), ("\"service kernel2kernel\"", "dashed"));
    assert!(dot.edges.iter().all(|(from, to, _)| dot.nodes.contains_key(from) && dot.nodes.contains_key(to)), "every end is labelled");
}

#[test]
fn no_name_breaks_out_of_dot() {
    let dot = Dot::read(&dot(&hostile()));
    assert_eq!(dot.edges.len(), 2 * HOSTILE.len());
    assert!(dot.nodes.contains_key("\"service a\"b\"") && dot.nodes.contains_key("\"c\\/c\\\""), "{:?}", dot.nodes.keys());
}

/// A Mermaid flowchart: its labels by id, and its edges.
#[derive(Default)]
struct Flowchart {
    labels: BTreeMap<String, String>,
    edges: Vec<(String, &'static str, String, String)>,
}

/// A label between quotes: no quote, no mark-up but a line break, and entities only where a number sign stands.
fn read_label(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_else(|| panic!("{text} is no quoted label"));
    let bare = inner.replace("<br/>", "\n");
    assert!(!bare.contains(['"', '<', '>', '`', '\\', '|', '&']) && !inner.chars().any(char::is_control), "{inner}");
    let mut label = String::new();
    let mut rest = bare.as_str();
    while let Some((before, entity)) = rest.split_once('#') {
        let (name, after) = entity.split_once(';').unwrap_or_else(|| panic!("an entity without an end: {inner}"));
        label.push_str(before);
        label.push(match name {
            "quot" => '"',
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            number => char::from_u32(number.parse().unwrap_or_else(|_| panic!("{number} is no entity"))).unwrap(),
        });
        rest = after;
    }
    label + rest
}

fn is_id(text: &str) -> bool {
    text.starts_with(['n', 'p']) && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) && text != "end"
}

fn read_flowchart(text: &str) -> Flowchart {
    let mut chart = Flowchart::default();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("flowchart LR"));
    let mut depth = 0_u32;
    for line in lines.map(str::trim) {
        let edge = [" -->|", " -.->|"].into_iter().find_map(|arrow| Some((arrow, line.split_once(arrow)?))).filter(|(_, (from, _))| is_id(from));
        if let Some((arrow, (from, rest))) = edge {
            let (label, to) = rest.rsplit_once("| ").unwrap_or_else(|| panic!("no end: {line}"));
            chart.edges.push((from.to_owned(), arrow, read_label(label), to.to_owned()));
        } else if line == "end" {
            depth = depth.checked_sub(1).expect("nothing is open");
        } else {
            let (node, opens) = line.strip_prefix("subgraph ").map_or((line, 0), |node| (node, 1));
            depth += opens;
            let (id, shape) = node.split_at(node.find(['[', '(']).unwrap_or_else(|| panic!("no label: {line}")));
            let shapes = [("([", "])"), ("[", "]")];
            let label =
                shapes.into_iter().find_map(|(open, close)| shape.strip_prefix(open)?.strip_suffix(close)).unwrap_or_else(|| panic!("{line}"));
            assert!(is_id(id), "{id} may be a word of Mermaid's");
            assert!(chart.labels.insert(id.to_owned(), read_label(label)).is_none(), "{id} twice");
        }
    }
    assert_eq!(depth, 0, "a subgraph is not closed");
    for (from, _, _, to) in &chart.edges {
        assert!(chart.labels.contains_key(from) && chart.labels.contains_key(to), "{from} {to}");
    }
    chart
}

#[test]
fn mermaid_is_read_back_as_it_was_meant() {
    let chart = read_flowchart(&mermaid(&broken()));
    let labels: Vec<&str> = chart.labels.values().map(String::as_str).collect();
    for label in ["node worker", "namespace ns-kernel2kernel", "alpine", "alpine-2", "kernel2kernel"] {
        assert!(labels.contains(&label), "{label}: {labels:?}");
    }
    let edges: Vec<_> = chart.edges.iter().map(|(from, arrow, _, to)| (chart.labels[from].as_str(), *arrow, chart.labels[to].as_str())).collect();
    assert_eq!(edges, [("alpine", " -->|", "nse-kernel-65794b6c65-vmxkl"), ("alpine-2", " -.->|", "kernel2kernel")]);
    assert_eq!(chart.edges[0].2, "kernel2kernel\nnsm-1 172.16.1.101 ↔ 172.16.1.100");
}

#[test]
fn no_name_breaks_out_of_mermaid() {
    let chart = read_flowchart(&mermaid(&hostile()));
    let labels: Vec<&str> = chart.labels.values().map(String::as_str).collect();
    for name in HOSTILE {
        let name = name.replace('\n', " ");
        assert!(labels.contains(&name.as_str()), "{name}: {labels:?}");
    }
    assert_eq!(chart.edges.len(), 2 * HOSTILE.len());
}
