//! Which part of a snapshot is in which file.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::Value;

use super::{
    INDEX,
    error::BundleError,
    index::{Holds, Part},
    limits,
    redact::Redactor,
    yaml,
};
use crate::model::{Inventory, LogTail, Namespaced, PodProbes, PodState, RawObjects, Snapshot, System, Unavailable, UnavailableKind};

/// What is to be written: the files, what they are, and what was taken out of them.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) files: Vec<(String, String)>,
    pub(super) parts: Vec<Part>,
    pub(super) notices: Vec<String>,
    pub(super) redactor: Redactor,
    taken: HashSet<String>,
    total: u64,
    nodes: usize,
    lines: usize,
}

impl Files {
    /// Everything that the snapshot is made of; of logs so many bytes, and the later ones are left out.
    pub(super) fn snapshot(&mut self, snapshot: &Snapshot, mut room: usize) -> Result<(), BundleError> {
        // Of what is in the index nothing is forgotten: `planned`, and when it was looked.
        let Snapshot { planned: _, expectations, deployed, observation, system } = snapshot;
        self.one(Holds::Expectations, "expectations.yaml", expectations)?;
        self.list(Holds::Deployed, "deployed", deployed.as_deref())?;
        let Inventory { pods, services, endpoints, identities } = &observation.inventory;
        self.pods(pods)?;
        self.list(Holds::NetworkServices, "network-services", services.as_deref())?;
        self.list(Holds::Endpoints, "endpoints", endpoints.as_deref())?;
        self.list(Holds::Identities, "identities", identities.as_deref())?;
        let System { components, pods, nodes, webhook, events, logs } = system;
        self.list(Holds::Components, "system/components", Ok(components))?;
        self.list(Holds::SystemPods, "system/pods", pods.as_deref())?;
        self.list(Holds::Nodes, "system/nodes", nodes.as_deref())?;
        self.list(Holds::Webhook, "system/webhook", webhook.as_ref().map(Option::as_slice))?;
        self.list(Holds::Events, "system/events", events.as_deref())?;
        observation.probes.iter().try_for_each(|probes| self.probes(probes))?;
        for log in logs {
            self.log(log, &mut room);
        }
        Ok(())
    }

    /// The objects for people to read.
    pub(super) fn objects(&mut self, objects: &[RawObjects]) {
        let mut left = limits::OBJECTS;
        for RawObjects { plural, namespace, objects, left_out } in objects {
            let place = namespace.as_ref().map(|namespace| format!(" in {}", Redactor::name(namespace))).unwrap_or_default();
            let dir = namespace.as_ref().map_or_else(|| "objects".to_owned(), |namespace| format!("objects/{}", safe(&Redactor::name(namespace))));
            let mut left_out = *left_out;
            match objects {
                Err(unavailable) => {
                    let reason = Redactor::name(&unavailable.reason);
                    self.notices.push(format!("{plural}{place} could not be listed (list {plural}): {reason}"));
                }
                Ok(objects) if objects.is_empty() => {}
                Ok(objects) => {
                    let path = self.unique(&format!("{dir}/{plural}"), "yaml");
                    let mut text = String::new();
                    for object in objects {
                        // Whatever was listed: what is in a Secret is nobody's business.
                        if object.get("kind").and_then(Value::as_str) == Some("Secret") {
                            left_out += 1;
                            continue;
                        }
                        let place = object.pointer("/metadata/name").and_then(Value::as_str).map(Redactor::name).unwrap_or_default();
                        match self.element(&path, &place, object) {
                            Ok((element, _)) if element.len() <= left && text.len() + element.len() <= limits::CHUNK => {
                                left -= element.len();
                                text.push_str(&element);
                            }
                            _ => left_out += 1,
                        }
                    }
                    self.push(Part::of(Holds::Objects), path, text);
                }
            }
            if left_out > 0 {
                self.notices.push(format!("of the {plural}{place}, {left_out} more are left out"));
            }
        }
    }

    fn one(&mut self, holds: Holds, path: &str, value: &impl Serialize) -> Result<(), BundleError> {
        let mut value = json(path, value)?;
        self.redactor.value(path, "", &mut value);
        self.nodes += nodes(&value);
        let path = self.unique(path.trim_end_matches(".yaml"), "yaml");
        let text = yaml::write(&path, &value)?;
        self.fits(&path, &text)?;
        self.push(Part::of(holds), path, text);
        Ok(())
    }

    /// A list, in as many files as it takes.
    fn list<T: Serialize>(&mut self, holds: Holds, stem: &str, list: Result<&[T], &Unavailable>) -> Result<(), BundleError> {
        let list = match list {
            Ok(list) => list,
            Err(unavailable) => {
                let unavailable = Some(self.reason(unavailable));
                self.parts.push(Part { unavailable, ..Part::of(holds) });
                return Ok(());
            }
        };
        if list.is_empty() {
            self.parts.push(Part::of(holds));
        }
        let mut begun: Option<(String, String, usize)> = None;
        for item in list {
            let (path, mut text, count) = begun.take().unwrap_or_else(|| (self.unique(stem, "yaml"), String::new(), 0));
            let (element, nodes) = self.element(&path, &format!("[{count}]"), item)?;
            self.nodes += nodes;
            self.fits(&path, &element)?;
            text.push_str(&element);
            if text.len() >= limits::CHUNK {
                self.push(Part::of(holds), path, text);
            } else {
                begun = Some((path, text, count + 1));
            }
        }
        if let Some((path, text, _)) = begun {
            self.push(Part::of(holds), path, text);
        }
        Ok(())
    }

    /// The pods, a file for each namespace.
    fn pods(&mut self, pods: &Result<Vec<PodState>, Unavailable>) -> Result<(), BundleError> {
        match pods {
            Ok(pods) if !pods.is_empty() => {
                // In the order that they are in, so that they come back in the same.
                let one = |a: &PodState, b: &PodState| a.id.namespace == b.id.namespace;
                pods.chunk_by(one).try_for_each(|pods| {
                    let namespace = pods.first().map(|pod| safe(&Redactor::name(&pod.id.namespace))).unwrap_or_default();
                    self.list(Holds::Pods, &format!("pods/{namespace}"), Ok(pods))
                })
            }
            none => self.list(Holds::Pods, "pods", none.as_deref()),
        }
    }

    fn probes(&mut self, probes: &PodProbes) -> Result<(), BundleError> {
        if self.files.len() >= limits::ENTRIES / 2 || self.nodes >= limits::NODES / 10 * 9 {
            self.notices.push(format!("what was asked inside {} is left out: there is too much of it", Redactor::name(&probes.pod.to_string())));
            return Ok(());
        }
        let path = format!("probes/{}.yaml", place(&probes.pod));
        self.one(Holds::Probes, &path, probes)
    }

    fn log(&mut self, log: &LogTail, left: &mut usize) {
        let id = [&log.pod.namespace, &log.pod.name, &log.container].map(|name| self.indexed(name));
        let [namespace, name, container] = id;
        let pod = Namespaced { namespace, name };
        let part = Part { pod: Some(pod), container: Some(container.clone()), ..Part::of(Holds::Log) };
        let path = format!("logs/{}/{}", place(&log.pod), safe(&container));
        let part = match &log.lines {
            Err(unavailable) => Part { unavailable: Some(self.reason(unavailable)), ..part },
            Ok(lines) => {
                let bytes: usize = lines.iter().map(|line| line.len() + 1).sum();
                // The directories on the way count as well.
                self.lines += lines.len();
                if bytes > *left || self.lines > limits::LINES / 2 || bytes as u64 > limits::FILE || self.files.len() * 2 >= limits::ENTRIES {
                    self.notices
                        .push(format!("the log of {container} in {} is left out: there is too much of them", Redactor::name(&log.pod.to_string())));
                    let kind = UnavailableKind::NotAsked;
                    let reason = "left out of the bundle: there is too much of the logs".to_owned();
                    Part { unavailable: Some(Unavailable { kind, reason }), ..part }
                } else {
                    *left -= bytes;
                    let path = self.unique(&path, "log");
                    let lines = self.redactor.lines(&path, lines);
                    let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
                    return self.push(part, path, text);
                }
            }
        };
        self.parts.push(part);
    }

    /// An element of a list in YAML, and how many nodes it has.
    fn element(&mut self, path: &str, place: &str, item: &impl Serialize) -> Result<(String, usize), BundleError> {
        let mut value = json(path, item)?;
        self.redactor.value(path, place, &mut value);
        let nodes = nodes(&value);
        Ok((yaml::write(path, &[value])?, nodes))
    }

    /// A text that goes into the index.
    fn indexed(&mut self, text: &str) -> String {
        let mut value = Value::from(text);
        self.redactor.value(INDEX, &format!("parts[{}]", self.parts.len()), &mut value);
        value.as_str().unwrap_or_default().to_owned()
    }

    fn reason(&mut self, unavailable: &Unavailable) -> Unavailable {
        Unavailable { kind: unavailable.kind, reason: self.indexed(&unavailable.reason) }
    }

    fn fits(&self, path: &str, text: &str) -> Result<(), BundleError> {
        let is_fit = text.len() as u64 <= limits::FILE / 2 && self.total + (text.len() + limits::LOGS + limits::OBJECTS) as u64 <= limits::UNPACKED;
        let reason = || format!("it would be {} bytes long, and {} nodes with all before it", text.len(), self.nodes);
        if is_fit && self.nodes <= limits::NODES { Ok(()) } else { Err(BundleError::Unwritable { file: path.to_owned(), reason: reason() }) }
    }

    fn push(&mut self, part: Part, path: String, text: String) {
        self.total += text.len() as u64;
        self.parts.push(Part { path: Some(path.clone()), bytes: Some(text.len()), ..part });
        self.files.push((path, text));
    }

    /// A path that no other file has, also where upper and lower case are the same.
    fn unique(&mut self, stem: &str, extension: &str) -> String {
        let mut path = format!("{stem}.{extension}");
        let mut number = 2;
        while !self.taken.insert(path.to_lowercase()) {
            path = format!("{stem}.{number}.{extension}");
            number += 1;
        }
        path
    }
}

fn json(file: &str, value: &impl Serialize) -> Result<Value, BundleError> {
    serde_json::to_value(value).map_err(|error| BundleError::Unwritable { file: file.to_owned(), reason: error.to_string() })
}

/// How many nodes a value is in YAML: keys count.
fn nodes(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(nodes).sum::<usize>(),
        Value::Object(fields) => 1 + fields.len() + fields.values().map(nodes).sum::<usize>(),
        _ => 1,
    }
}

fn named(id: &Namespaced) -> Namespaced {
    Namespaced::new(Redactor::name(&id.namespace), Redactor::name(&id.name))
}

/// The directory and name of what belongs to a pod.
fn place(pod: &Namespaced) -> String {
    let pod = named(pod);
    format!("{}/{}", safe(&pod.namespace), safe(&pod.name))
}

/// How long a part of a path may be: three of them, and tar's old header has 155 bytes for directories and 100 for the rest.
const PART: usize = 60;

/// A name as a part of a path. Names in Kubernetes are nothing else, but what a server says need not be one.
fn safe(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let mut part: String = name.chars().map(plain).take(PART).collect();
    if part.is_empty() || part.starts_with('.') {
        part.insert(0, '_');
        part.truncate(PART);
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_inside_its_directory() {
        for (name, part) in [
            ("alpine", "alpine"),
            ("..", "_.."),
            ("../../etc/passwd", "_.._.._etc_passwd"),
            ("", "_"),
            ("/", "_"),
            ("C:\\a", "C__a"),
            ("a\0b\né", "a_b__"),
            (&"x".repeat(253), &"x".repeat(PART)),
        ] {
            assert_eq!(safe(name), part);
        }
        let mut files = Files::default();
        assert_eq!(["A", "a", "a"].map(|stem| files.unique(stem, "log")), ["A.log", "a.2.log", "a.3.log"]);
    }
}
