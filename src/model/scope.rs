use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Expectations, Inventory, Namespaced, PodState, Workload, WorkloadKind};

/// Which clients are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The namespace; `None` for all.
    pub namespace: Option<String>,
    /// A selector over the labels of pods, as kubectl takes it.
    pub selector: Option<String>,
    /// The name of a workload or of a pod.
    pub client: Option<String>,
}

/// What a target has, whoever deployed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Discovery {
    /// The objects that make pods, pods that nothing of these made, and namespaces that are annotated, each as the API server
    /// has it but for what says nothing about connections.
    pub objects: Vec<Value>,
    /// The workloads, where the target has them as such.
    pub workloads: Vec<Workload>,
    /// What exists.
    pub inventory: Inventory,
}

impl Scope {
    /// Whether a namespace belongs to it.
    #[must_use]
    pub fn holds(&self, namespace: &str) -> bool {
        self.namespace.as_deref().is_none_or(|own| own == namespace)
    }

    /// Leaves those connections whose clients are meant: by name, and by the pods that a selector has selected. The workloads
    /// that no connection is left of go as well.
    #[must_use]
    pub fn narrow(&self, mut expectations: Expectations, pods: &[PodState], selected: Option<&BTreeSet<Namespaced>>) -> Expectations {
        if self.client.is_none() && selected.is_none() {
            return expectations;
        }
        let mut narrowed = Vec::new();
        for workload in expectations.workloads.iter().filter(|workload| workload.is_client()) {
            let own = || pods.iter().filter(|pod| workload.owns(pod));
            let is_selected = |pod: &&PodState| selected.is_none_or(|selected| selected.contains(&pod.id));
            let named = self.client.as_deref();
            if named.is_none_or(|name| name == workload.id.name)
                && (selected.is_none() || own().all(|pod| is_selected(&pod)) && own().next().is_some())
            {
                narrowed.push((workload.id.clone(), workload.clone()));
                continue;
            }
            // Some of its pods only: each stands for itself.
            let meant = own().filter(is_selected).filter(|pod| named.is_none_or(|name| name == workload.id.name || name == pod.id.name));
            let alone = |pod: &PodState| Workload { kind: WorkloadKind::Pod, id: pod.id.clone(), replicas: Some(1), ..workload.clone() };
            narrowed.extend(meant.map(|pod| (workload.id.clone(), alone(pod))));
        }
        let mut connections = Vec::new();
        for (client, workload) in &narrowed {
            let own = expectations.connections.iter().filter(|connection| connection.client == *client);
            connections.extend(own.map(|connection| super::Expectation { client: workload.id.clone(), ..connection.clone() }));
        }
        let needed: BTreeSet<&Namespaced> = connections.iter().flat_map(|connection| &connection.candidates).collect();
        let clients: BTreeSet<&Namespaced> = narrowed.iter().map(|(_, workload)| &workload.id).collect();
        let mut workloads: Vec<Workload> = narrowed.iter().map(|(_, workload)| workload.clone()).collect();
        let endpoints = expectations.workloads.iter().filter(|workload| needed.contains(&workload.id) && !clients.contains(&workload.id));
        workloads.extend(endpoints.map(|workload| Workload { requests: Vec::new(), ..workload.clone() }));
        expectations.unreadable.retain(|(id, _)| self.client.as_ref().is_some_and(|name| *name == id.name));
        Expectations { workloads, connections, ..expectations }
    }
}
