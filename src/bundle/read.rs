use std::{collections::HashMap, fmt, io::Read, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, SeqAccess, Visitor},
};

use super::{
    INDEX, archive,
    error::BundleError,
    index::{Holds, Origin, Part, SCHEMA_VERSION},
    limits, names, yaml,
};
use crate::model::{
    ComponentState, EventRecord, Expectations, IdentityRule, Inventory, LogTail, NetworkServiceState, NodeState, Observation, PodProbes, PodState,
    RegisteredEndpoint, Snapshot, System, Unavailable, UnavailableKind, WebhookState, Workload,
};

/// What was in a bundle.
#[derive(Debug)]
pub struct Bundle {
    /// The snapshot, as it was taken.
    pub snapshot: Snapshot,
    /// Where it is from.
    pub origin: Origin,
    /// What is not in it, and what was in it that this nsmctl does not know.
    pub notices: Vec<String>,
}

/// `index.json` as far as it is read.
#[derive(Debug, Deserialize)]
struct Index {
    taken_at: i64,
    #[serde(default)]
    planned: bool,
    #[serde(deserialize_with = "few")]
    parts: Vec<Part>,
    #[serde(default, deserialize_with = "few")]
    notices: Vec<String>,
}

/// What every version of it says.
#[derive(Debug, Deserialize)]
struct Version {
    schema_version: u64,
    #[serde(default)]
    nsmctl: String,
}

/// Reads a bundle that may come from anybody.
///
/// # Errors
/// It is none, is damaged, asks for more than any bundle, or is of a later version. That a file was taken out of it is none:
/// what was in it was not seen.
pub fn read(from: impl Read) -> Result<Bundle, BundleError> {
    let mut reader = Reader::default();
    archive::files(from, |path, bytes| reader.file(path, bytes))?;
    reader.bundle()
}

/// What has been read so far. The index says what a file is, and comes first in what is written here.
#[derive(Default)]
struct Reader {
    index: Option<(Origin, Index)>,
    /// Files before the index.
    early: Vec<(String, Vec<u8>)>,
    early_bytes: usize,
    by_path: HashMap<String, usize>,
    pieces: HashMap<usize, Piece>,
    unknown: usize,
    nodes: usize,
    lines: usize,
}

/// What a file held.
enum Piece {
    Expectations(Box<Expectations>),
    Deployed(Vec<Workload>),
    Pods(Vec<PodState>),
    Services(Vec<NetworkServiceState>),
    Endpoints(Vec<RegisteredEndpoint>),
    Identities(Vec<IdentityRule>),
    Probes(Box<PodProbes>),
    Components(Vec<ComponentState>),
    Nodes(Vec<NodeState>),
    Webhook(Vec<WebhookState>),
    Events(Vec<EventRecord>),
    Log(Vec<String>),
}

impl Reader {
    fn file(&mut self, path: &str, bytes: Vec<u8>) -> Result<(), BundleError> {
        if path == INDEX {
            let (origin, index) = index(&bytes)?;
            let paths = index.parts.iter().enumerate().filter_map(|(number, part)| Some((part.path.clone()?, number)));
            self.by_path = paths.collect();
            self.index = Some((origin, index));
            return std::mem::take(&mut self.early).into_iter().try_for_each(|(path, bytes)| self.file(&path, bytes));
        }
        match (&self.index, self.by_path.get(path)) {
            // What is for people only takes no memory.
            (None, _) if path.starts_with("objects/") => {}
            (None, _) => {
                self.early_bytes += bytes.len();
                if self.early_bytes > limits::EARLY {
                    return Err(BundleError::Late);
                }
                self.early.push((path.to_owned(), bytes));
            }
            (Some((_, index)), Some(number)) => {
                let (number, holds) = (*number, index.parts[*number].holds);
                if let Some(piece) = self.piece(path, holds, bytes)? {
                    self.pieces.insert(number, piece);
                }
            }
            (Some(_), None) => self.unknown += 1,
        }
        Ok(())
    }

    fn piece(&mut self, path: &str, holds: Holds, bytes: Vec<u8>) -> Result<Option<Piece>, BundleError> {
        let syntax = |reason: &str| BundleError::Syntax { file: path.to_owned(), reason: reason.to_owned() };
        match holds {
            Holds::Objects => return Ok(None),
            Holds::Unknown => {
                self.unknown += 1;
                return Ok(None);
            }
            Holds::Log => {
                self.lines += bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
                if self.lines > limits::LINES {
                    return Err(syntax(&format!("there are more than {} lines of logs", limits::LINES)));
                }
                let text = String::from_utf8_lossy(&bytes);
                let lines = text.strip_suffix('\n').unwrap_or(&text).split('\n').map(str::to_owned).collect();
                return Ok(Some(Piece::Log(if text.is_empty() { Vec::new() } else { lines })));
            }
            _ => {}
        }
        let text = String::from_utf8(bytes).map_err(|_| syntax("it is not UTF-8"))?;
        let piece = match holds {
            Holds::Expectations => Piece::Expectations(Box::new(self.yaml(path, &text)?)),
            Holds::Deployed => Piece::Deployed(self.yaml(path, &text)?),
            Holds::Pods | Holds::SystemPods => Piece::Pods(self.yaml(path, &text)?),
            Holds::NetworkServices => Piece::Services(self.yaml(path, &text)?),
            Holds::Endpoints => Piece::Endpoints(self.yaml(path, &text)?),
            Holds::Identities => Piece::Identities(self.yaml(path, &text)?),
            Holds::Probes => Piece::Probes(Box::new(self.yaml(path, &text)?)),
            Holds::Components => Piece::Components(self.yaml(path, &text)?),
            Holds::Nodes => Piece::Nodes(self.yaml(path, &text)?),
            Holds::Webhook => Piece::Webhook(self.yaml(path, &text)?),
            Holds::Events => Piece::Events(self.yaml(path, &text)?),
            Holds::Log | Holds::Objects | Holds::Unknown => return Ok(None),
        };
        Ok(Some(piece))
    }

    fn yaml<T: DeserializeOwned>(&mut self, path: &str, text: &str) -> Result<T, BundleError> {
        let (value, nodes) = yaml::read(path, text, limits::NODES.saturating_sub(self.nodes))?;
        self.nodes += nodes;
        Ok(value)
    }

    /// Puts the pieces together, in the order of the index.
    fn bundle(self) -> Result<Bundle, BundleError> {
        let Self { index, mut pieces, unknown, .. } = self;
        let (origin, Index { taken_at, planned, parts, mut notices }) = index.ok_or(BundleError::NoIndex)?;
        if unknown > 0 {
            notices.push(format!("{unknown} files in it are unknown to this nsmctl, and were passed over"));
        }
        let mut lists = Lists::default();
        for (number, part) in parts.into_iter().enumerate() {
            let piece = pieces.remove(&number);
            let unavailable = match (&part.path, &piece) {
                (Some(path), None) if !matches!(part.holds, Holds::Objects | Holds::Unknown) => {
                    let reason = format!("{path} is not in the bundle any more");
                    notices.push(reason.clone());
                    Some(Unavailable { kind: UnavailableKind::NotFound, reason })
                }
                _ => part.unavailable.clone(),
            };
            if part.holds == Holds::Log {
                lists.log(part, piece, unavailable);
                continue;
            }
            lists.seen(part.holds, unavailable);
            if let Some(piece) = piece {
                lists.add(part.holds, piece);
            }
        }
        let snapshot = lists.snapshot(taken_at, planned)?;
        names::check(&snapshot)?;
        Ok(Bundle { snapshot, origin, notices })
    }
}

/// What a snapshot is put together of.
#[derive(Default)]
struct Lists {
    expectations: Option<Expectations>,
    deployed: List<Workload>,
    pods: List<PodState>,
    services: List<NetworkServiceState>,
    endpoints: List<RegisteredEndpoint>,
    identities: List<IdentityRule>,
    components: List<ComponentState>,
    system_pods: List<PodState>,
    nodes: List<NodeState>,
    webhook: List<WebhookState>,
    events: List<EventRecord>,
    probes: Vec<PodProbes>,
    logs: Vec<LogTail>,
}

impl Lists {
    fn log(&mut self, part: Part, piece: Option<Piece>, unavailable: Option<Unavailable>) {
        let (Some(pod), Some(container)) = (part.pod, part.container) else { return };
        let lines = match (piece, unavailable) {
            (Some(Piece::Log(lines)), _) => Ok(lines),
            (_, Some(unavailable)) => Err(unavailable),
            _ => Ok(Vec::new()),
        };
        self.logs.push(LogTail { pod, container, lines });
    }

    /// Of each list it is known that it was seen, also where it is empty.
    fn seen(&mut self, holds: Holds, unavailable: Option<Unavailable>) {
        match holds {
            Holds::Deployed => self.deployed.seen(unavailable),
            Holds::Pods => self.pods.seen(unavailable),
            Holds::NetworkServices => self.services.seen(unavailable),
            Holds::Endpoints => self.endpoints.seen(unavailable),
            Holds::Identities => self.identities.seen(unavailable),
            Holds::Components => self.components.seen(unavailable),
            Holds::SystemPods => self.system_pods.seen(unavailable),
            Holds::Nodes => self.nodes.seen(unavailable),
            Holds::Webhook => self.webhook.seen(unavailable),
            Holds::Events => self.events.seen(unavailable),
            Holds::Expectations | Holds::Probes | Holds::Objects | Holds::Log | Holds::Unknown => {}
        }
    }

    fn add(&mut self, holds: Holds, piece: Piece) {
        match piece {
            Piece::Expectations(all) => self.expectations = Some(*all),
            Piece::Deployed(more) => self.deployed.extend(more),
            Piece::Pods(more) if holds == Holds::Pods => self.pods.extend(more),
            Piece::Pods(more) => self.system_pods.extend(more),
            Piece::Services(more) => self.services.extend(more),
            Piece::Endpoints(more) => self.endpoints.extend(more),
            Piece::Identities(more) => self.identities.extend(more),
            Piece::Probes(more) => self.probes.push(*more),
            Piece::Components(more) => self.components.extend(more),
            Piece::Nodes(more) => self.nodes.extend(more),
            Piece::Webhook(more) => self.webhook.extend(more),
            Piece::Events(more) => self.events.extend(more),
            Piece::Log(_) => {}
        }
    }

    fn snapshot(self, taken_at: i64, planned: bool) -> Result<Snapshot, BundleError> {
        let Self { expectations, deployed, pods, services, endpoints, identities, components, system_pods, nodes, webhook, events, .. } = self;
        let expectations = expectations.ok_or(BundleError::Missing("expectations.yaml"))?;
        let inventory = Inventory { pods: pods.done(), services: services.done(), endpoints: endpoints.done(), identities: identities.done() };
        let system = System {
            components: components.done().unwrap_or_default(),
            pods: system_pods.done(),
            nodes: nodes.done(),
            webhook: webhook.done().map(|webhook| webhook.into_iter().next()),
            events: events.done(),
            logs: self.logs,
        };
        let observation = Observation { taken_at, inventory, probes: self.probes };
        Ok(Snapshot { planned, expectations, deployed: deployed.done(), observation, system })
    }
}

/// A list that is put together, or why it cannot be: until something says that it was seen, it was not.
struct List<T>(Option<Result<Vec<T>, Unavailable>>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> List<T> {
    fn seen(&mut self, unavailable: Option<Unavailable>) {
        match (unavailable, &self.0) {
            (Some(unavailable), None | Some(Ok(_))) => self.0 = Some(Err(unavailable)),
            (None, None) => self.0 = Some(Ok(Vec::new())),
            _ => {}
        }
    }

    fn extend(&mut self, more: Vec<T>) {
        if let Some(Ok(list)) = &mut self.0 {
            list.extend(more);
        }
    }

    fn done(self) -> Result<Vec<T>, Unavailable> {
        self.0.unwrap_or_else(|| Err(Unavailable { kind: UnavailableKind::NotAsked, reason: "it is not in the bundle".to_owned() }))
    }
}

fn index(bytes: &[u8]) -> Result<(Origin, Index), BundleError> {
    let syntax = |error: serde_json::Error| BundleError::Syntax { file: INDEX.to_owned(), reason: error.to_string() };
    // By itself: what a later one says besides may be anything.
    let Version { schema_version, nsmctl } = serde_json::from_slice(bytes).map_err(syntax)?;
    if schema_version > u64::from(SCHEMA_VERSION) {
        let nsmctl = nsmctl.chars().filter(|c| !c.is_control()).take(40).collect();
        return Err(BundleError::Newer { version: schema_version, nsmctl });
    }
    // One after the other: to take them apart in one go, everything unknown would have to be kept.
    Ok((serde_json::from_slice(bytes).map_err(syntax)?, serde_json::from_slice(bytes).map_err(syntax)?))
}

/// A list of no more than a bundle can have.
fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct Few<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Few<T> {
        type Value = Vec<T>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "a list of at most {MOST} items")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(item) = items.next_element()? {
                if list.len() == MOST {
                    return Err(serde::de::Error::invalid_length(list.len() + 1, &self));
                }
                list.push(item);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_seq(Few(PhantomData))
}

/// Twice as many parts as files: some are in none.
const MOST: usize = 2 * limits::ENTRIES;
