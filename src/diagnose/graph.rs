//! Which of the causes that were found is a root, and which only follows from another.

use std::{collections::BTreeSet, rc::Rc};

use super::{
    case::Case,
    catalogue::causes,
    cause::{Cause, Found},
};
use crate::{
    check::{Connection, Side},
    model::{Namespaced, PodState},
};

/// What a cause, or a step that fails, is about: what it can be the reason for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reach {
    /// All there is.
    everything: bool,
    /// Connections, by their place in the case.
    connections: BTreeSet<usize>,
    /// What makes pods.
    workloads: BTreeSet<Namespaced>,
}

impl Reach {
    /// What stands behind a subject. One that is no connection, workload or pod is a part of the system, on which all rests.
    pub(super) fn of(case: &Case<'_>, subject: &str) -> Self {
        let mut reach = Self::default();
        for (at, connection) in case.connections.iter().enumerate() {
            if connection.subject == subject {
                reach.connections.insert(at);
                reach.workloads.insert(connection.expectation.client.clone());
            }
        }
        let is_named = |pod: &PodState| pod.id.name == subject || pod.id.to_string() == subject;
        for workload in &case.expectations.workloads {
            let is_meant = workload.to_string() == subject || workload.id.to_string() == subject;
            if is_meant || case.pods_of(workload).into_iter().any(is_named) {
                reach.workloads.insert(workload.id.clone());
                reach.connections.extend(places(case, |connection| {
                    let of_pod = |side: &Option<Rc<Side<'_>>>| side.as_ref().is_some_and(|side| is_named(side.pod));
                    let is_client = connection.expectation.client == workload.id && (is_meant || of_pod(&connection.client));
                    is_client
                        || connection.expectation.candidates.contains(&workload.id)
                        || connection.expectation.endpoint.as_ref() == Some(&workload.id)
                }));
            }
        }
        reach.everything = reach.connections.is_empty() && reach.workloads.is_empty();
        reach
    }

    /// What has an end on one of the nodes.
    pub(super) fn on(case: &Case<'_>, nodes: &BTreeSet<String>) -> Self {
        let is_there = |side: &Option<Rc<Side<'_>>>| side.as_ref().and_then(|side| side.pod.node.as_ref()).is_some_and(|node| nodes.contains(node));
        let connections = places(case, |connection| is_there(&connection.client) || is_there(&connection.endpoint));
        let has_pod = |pods: Vec<&PodState>| pods.into_iter().any(|pod| pod.node.as_ref().is_some_and(|node| nodes.contains(node)));
        let workloads = case.expectations.workloads.iter().filter(|workload| has_pod(case.pods_of(workload)));
        Self { everything: false, connections: connections.into_iter().collect(), workloads: workloads.map(|workload| workload.id.clone()).collect() }
    }

    /// Whether both are about the same thing.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.everything || other.everything || !self.connections.is_disjoint(&other.connections) || !self.workloads.is_disjoint(&other.workloads)
    }
}

fn places(case: &Case<'_>, is_meant: impl Fn(&Connection<'_>) -> bool) -> Vec<usize> {
    case.connections.iter().enumerate().filter(|(_, connection)| is_meant(connection)).map(|(at, _)| at).collect()
}

/// A cause that was found, with what it reaches.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) cause: &'static Cause,
    pub(super) found: Found,
    pub(super) reach: Reach,
}

/// The causes that a cause may follow from, directly or by others between them.
pub(super) fn roots_of(cause: &Cause) -> BTreeSet<&'static str> {
    let mut all = BTreeSet::new();
    let mut next: Vec<&'static str> = cause.follows.concat();
    while let Some(id) = next.pop() {
        if all.insert(id) {
            next.extend(causes().filter(|cause| cause.id == id).flat_map(|cause| cause.follows.concat()));
        }
    }
    all
}

/// Each root with what follows from it, in the catalogue's order. A cause follows where one that it may follow from was found
/// for the same thing.
pub(super) fn fold(told: Vec<Told>) -> Vec<(Told, Vec<Told>)> {
    let above: Vec<Vec<usize>> = told
        .iter()
        .map(|one| {
            let roots = roots_of(one.cause);
            let stands_above = |(_, other): &(usize, &Told)| roots.contains(other.cause.id) && other.reach.meets(&one.reach);
            told.iter().enumerate().filter(stands_above).map(|(at, _)| at).collect()
        })
        .collect();
    // The way up ends, since no cause follows from itself; what a root of a root reaches, it reaches too.
    let root = |mut at: usize| {
        while let Some(next) = above[at].iter().find(|next| above[**next].is_empty()).or_else(|| above[at].first()) {
            at = *next;
        }
        at
    };
    let root_of: Vec<usize> = (0..told.len()).map(root).collect();
    let mut folded: Vec<(usize, Told, Vec<Told>)> = Vec::new();
    for (at, one) in told.iter().enumerate().filter(|(at, _)| root_of[*at] == *at) {
        folded.push((at, one.clone(), Vec::new()));
    }
    for (at, one) in told.into_iter().enumerate() {
        if let Some((.., below)) = folded.iter_mut().find(|(root, ..)| *root == root_of[at] && at != *root) {
            below.push(one);
        }
    }
    folded.into_iter().map(|(_, root, below)| (root, below)).collect()
}
