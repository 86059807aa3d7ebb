use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::manifest::{
    Document,
    visit::{pod, visit},
};

/// Where a pod has label selectors: what says which pods it wants near or far.
const SELECTORS: [&str; 5] = [
    "spec/topologySpreadConstraints/*/labelSelector",
    "spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/*/labelSelector",
    "spec/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/*/podAffinityTerm/labelSelector",
    "spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/*/labelSelector",
    "spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/*/podAffinityTerm/labelSelector",
];
/// A label that means something to SPIRE; with another value its pod gets no identity.
const KEPT: &str = "spiffe.io/spiffe-id";

/// Labels by which pods of these manifests are selected in these manifests.
#[derive(Debug, Default)]
pub(super) struct Selected(BTreeSet<(String, String)>);

impl Selected {
    /// Those that are selected and that a pod here has. What only selects pods of others is left as it is.
    pub(super) fn new(documents: &[Document]) -> Self {
        let (mut selected, mut worn) = (BTreeSet::new(), BTreeSet::new());
        for document in documents {
            let mut value = document.value.clone();
            each_selected(&document.kind, &mut value, &mut |key, label| note(&mut selected, key, label));
            each_worn(&document.kind, &mut value, &mut |key, label| note(&mut worn, key, label));
        }
        Self(selected.intersection(&worn).filter(|(key, _)| key != KEPT).cloned().collect())
    }

    /// Every value that would come out.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, value)| value.as_str())
    }

    /// Puts a prefix before the values of these labels, on pods and in whatever selects them.
    pub(super) fn prefix(&self, kind: &str, value: &mut Value, prefix: &str) {
        let mut change = |key: &str, label: &mut Value| {
            if let Some(text) = label.as_str().filter(|text| self.0.contains(&(key.to_owned(), (*text).to_owned()))) {
                *label = json!(format!("{prefix}{text}"));
            }
        };
        each_selected(kind, value, &mut change);
        each_worn(kind, value, &mut change);
    }
}

fn note(labels: &mut BTreeSet<(String, String)>, key: &str, label: &Value) {
    labels.extend(label.as_str().map(|label| (key.to_owned(), label.to_owned())));
}

/// Visits the labels of a pod.
fn each_worn(kind: &str, value: &mut Value, change: &mut dyn FnMut(&str, &mut Value)) {
    if let Some(pod) = pod(kind, value) {
        visit(pod, "metadata/labels", &mut |labels| each_entry(labels, change));
    }
}

/// Visits every value that something selects pods by.
fn each_selected(kind: &str, value: &mut Value, change: &mut dyn FnMut(&str, &mut Value)) {
    if kind == "Service" {
        visit(value, "spec/selector", &mut |labels| each_entry(labels, change));
    }
    let Some(pod) = pod(kind, value) else { return };
    for path in SELECTORS {
        visit(pod, path, &mut |selector| each_of(selector, change));
    }
    if kind != "Pod" {
        visit(value, "spec/selector", &mut |selector| each_of(selector, change));
    }
}

fn each_of(selector: &mut Value, change: &mut dyn FnMut(&str, &mut Value)) {
    visit(selector, "matchLabels", &mut |labels| each_entry(labels, change));
    visit(selector, "matchExpressions/*", &mut |expression| {
        let key = expression["key"].as_str().unwrap_or_default().to_owned();
        visit(expression, "values/*", &mut |value| change(&key, value));
    });
}

fn each_entry(labels: &mut Value, change: &mut dyn FnMut(&str, &mut Value)) {
    labels.as_object_mut().into_iter().flatten().for_each(|(key, value)| change(key, value));
}
