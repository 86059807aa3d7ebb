//! Which endpoints of a network service serve which clients: the `matches` of a NetworkService, as NSM's managers apply them
//! (sdk, `pkg/tools/matchutils`).
//!
//! # Decisions
//!
//! - **Selection is one function.** Which endpoints a client's labels lead to (`model/selection`) is decided by the same code in the engine's registry
//!   and in what `verify` expects. Where manifests cannot tell it (a label that programs add themselves, such as `nodeName`), every endpoint of the
//!   service is expected. A client that names its endpoint, as every refresh does, is not selected for anew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod read;
mod template;

/// Labels of a client or an endpoint, or those that are asked for.
pub type Labels = BTreeMap<String, String>;

/// The labels that NSM's clients and endpoints add themselves, out of their environment (sdk, `pkg/tools/clientinfo`): no manifest
/// tells their values.
pub const OWN_LABELS: [&str; 3] = ["nodeName", "podName", "clusterName"];

/// One match: the first whose selector a client fits decides who serves it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// What the client's labels must have; nothing fits every client.
    #[serde(default)]
    pub source_selector: Labels,
    /// Who serves it: all endpoints that fit any of these.
    #[serde(default)]
    pub routes: Vec<Destination>,
    /// Whether the next match is tried where no endpoint fits.
    #[serde(default)]
    pub fallthrough: bool,
    /// Labels of the match itself. A match that has some and no routes is served by every endpoint.
    #[serde(default)]
    pub metadata: Option<Labels>,
}

/// Some endpoints of a network service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// What an endpoint's labels for the service must have; nothing fits every endpoint.
    #[serde(default)]
    pub destination_selector: Labels,
    /// Carried along; NSM's own managers make nothing of it, and neither does anything here.
    #[serde(default)]
    pub weight: u32,
}

/// The candidates that may serve a client with these labels, in the order of the routes that they fit, each once. Without matches
/// it is all of them; where no match fits the client, none.
pub fn select<'a, T: Copy>(matches: &[Match], client: &Labels, candidates: &[T], labels: impl Fn(T) -> &'a Labels) -> Vec<T> {
    if matches.is_empty() {
        return candidates.to_vec();
    }
    for one in matches.iter().filter(|one| fits(client, &one.source_selector, client)) {
        let mut left = candidates.to_vec();
        let mut chosen = Vec::new();
        for route in &one.routes {
            chosen.extend(left.extract_if(.., |candidate| fits(labels(*candidate), &route.destination_selector, client)));
        }
        match chosen.is_empty() {
            true if one.fallthrough => {}
            true if one.metadata.is_some() && one.routes.is_empty() => return candidates.to_vec(),
            _ => return chosen,
        }
    }
    Vec::new()
}

/// Whether labels have all that a selector asks for. A label that is missing counts as empty, as upstream has it.
fn fits(labels: &Labels, selector: &Labels, client: &Labels) -> bool {
    let has = |(key, wanted): (&String, &String)| template::fits(labels.get(key).map_or("", String::as_str), wanted, client);
    selector.len() <= labels.len() && selector.iter().all(has)
}

/// Every key and value of every selector.
fn selectors(matches: &[Match]) -> impl Iterator<Item = (&String, &String)> {
    matches.iter().flat_map(|one| one.source_selector.iter().chain(one.routes.iter().flat_map(|route| &route.destination_selector)))
}

/// Whether the labels of manifests are enough to tell whom these select: nothing asks for what clients and endpoints add themselves.
#[must_use]
pub fn is_told_by_manifests(matches: &[Match]) -> bool {
    let is_told = |label: &str| !OWN_LABELS.contains(&label);
    selectors(matches).all(|(key, value)| is_told(key) && template::labels(value).is_some_and(|labels| labels.into_iter().all(is_told)))
}

/// The first value of a selector that is a template of a kind that is not understood here: a program of Go's `text/template` can do
/// much more than name a label.
#[must_use]
pub fn not_understood(matches: &[Match]) -> Option<&str> {
    selectors(matches).map(|(_, value)| value.as_str()).find(|value| template::labels(value).is_none())
}

#[cfg(test)]
mod tests;
