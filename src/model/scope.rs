use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Expectation, Expectations, Inventory, Namespaced, PodIndex, PodState, Workload, WorkloadKind};

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
        let index = PodIndex::new(pods);
        let is_selected = |pod: &PodState| selected.is_none_or(|selected| selected.contains(&pod.id));
        let named = self.client.as_deref();
        let mut narrowed = Vec::new();
        for workload in expectations.workloads.iter().filter(|workload| workload.is_client()) {
            let own = index.of(workload);
            let is_whole = selected.is_none() || !own.is_empty() && own.iter().all(|pod| is_selected(pod));
            if is_whole && named.is_none_or(|name| name == workload.id.name) {
                narrowed.push((workload.id.clone(), workload.clone()));
                continue;
            }
            // Some of its pods only: each stands for itself.
            let meant =
                own.into_iter().filter(|pod| is_selected(pod)).filter(|pod| named.is_none_or(|name| name == workload.id.name || name == pod.id.name));
            let alone = |pod: &PodState| Workload { kind: WorkloadKind::Pod, id: pod.id.clone(), replicas: Some(1), ..workload.clone() };
            narrowed.extend(meant.map(|pod| (workload.id.clone(), alone(pod))));
        }
        let mut of_client: HashMap<&Namespaced, Vec<&Expectation>> = HashMap::new();
        for connection in &expectations.connections {
            of_client.entry(&connection.client).or_default().push(connection);
        }
        let mut connections = Vec::new();
        for (client, workload) in &narrowed {
            let own = of_client.get(client).into_iter().flatten().copied();
            connections.extend(own.map(|connection| Expectation { client: workload.id.clone(), ..connection.clone() }));
        }
        let needed: HashSet<&Namespaced> = connections.iter().flat_map(|connection| connection.candidates.iter()).collect();
        let clients: BTreeSet<&Namespaced> = narrowed.iter().map(|(_, workload)| &workload.id).collect();
        let mut workloads: Vec<Workload> = narrowed.iter().map(|(_, workload)| workload.clone()).collect();
        let endpoints = expectations.workloads.iter().filter(|workload| needed.contains(&workload.id) && !clients.contains(&workload.id));
        workloads.extend(endpoints.map(|workload| Workload { requests: Vec::new(), ..workload.clone() }));
        // Of what cannot be read it is only known how it is called, and what its pods say made them.
        let mut meant: HashMap<(&str, &str), Vec<&str>> = HashMap::new();
        for pod in pods.iter().filter(|pod| is_selected(pod)) {
            let maker = pod.controller.as_ref().map(|(_, name)| name);
            for name in [&pod.id.name].into_iter().chain(maker) {
                meant.entry((&pod.id.namespace, name)).or_default().push(&pod.id.name);
            }
        }
        expectations.unreadable.retain(|(id, _)| {
            let own = meant.get(&(id.namespace.as_str(), id.name.as_str()));
            let is_named = named.is_none_or(|name| name == id.name) && (selected.is_none() || own.is_some());
            is_named || own.into_iter().flatten().any(|pod| named == Some(*pod))
        });
        Expectations { workloads, connections, ..expectations }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::{NAMESPACE, expectations_of, id, pod};

    /// Two clients, one of which makes two pods, and the endpoint of both.
    fn everything() -> (Expectations, Vec<PodState>) {
        let client = |kind: &str, name: &str, rest: &str| {
            let metadata =
                format!("metadata: {{name: {name}, labels: {{app: {name}}}, annotations: {{networkservicemesh.io: \"kernel://s/nsm-1\"}}}}");
            let spec = "spec: {containers: [{name: c, image: x}]}";
            match kind {
                "Pod" => format!("---\napiVersion: v1\nkind: Pod\n{metadata}\n{spec}\n"),
                _ => format!(
                    "---\napiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{rest}, selector: {{matchLabels: {{app: {name}}}}}, template: {{{}, {spec}}}}}\n",
                    metadata.replace(&format!("name: {name}, "), "")
                ),
            }
        };
        let endpoint = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: nse}\nspec: {containers: [{name: c, image: x, env: [{name: NSM_SERVICE_NAMES, value: s}, {name: NSM_CIDR_PREFIX, value: 10.0.0.0/24}]}]}\n";
        let expectations = expectations_of(&(client("Deployment", "web", "replicas: 2") + &client("Pod", "alone", "") + endpoint));
        let made = |name: &str| PodState { controller: Some(("Deployment".into(), "web".into())), ..pod(name, "web", &["c"]) };
        (expectations, vec![made("web-1"), made("web-2"), pod("alone", "alone", &["c"]), pod("nse", "nse", &["c"])])
    }

    /// What is left: each client as its kind and name, and the others.
    fn left(scope: &Scope, selected: Option<&[&str]>) -> Vec<String> {
        let (expectations, pods) = everything();
        let selected: Option<BTreeSet<Namespaced>> = selected.map(|names| names.iter().map(|name| id(name)).collect());
        let narrowed = scope.narrow(expectations, &pods, selected.as_ref());
        let clients = narrowed.workloads.iter().filter(|workload| workload.is_client());
        let mut left: Vec<String> = clients.map(|workload| format!("{} {}", workload.kind, workload.id.name)).collect();
        assert_eq!(left.len(), narrowed.connections.len(), "{narrowed:?}");
        assert!(narrowed.connections.iter().all(|c| narrowed.workload(&c.client).is_some() && *c.candidates == [id("nse")]));
        left.extend(narrowed.workloads.iter().filter(|workload| !workload.is_client()).map(|workload| workload.id.name.clone()));
        left
    }

    fn named(client: &str) -> Scope {
        Scope { namespace: Some(NAMESPACE.into()), selector: None, client: Some(client.into()) }
    }

    #[test]
    fn without_a_name_and_a_selector_everything_is_meant() {
        assert_eq!(left(&Scope::default(), None), ["Deployment web", "Pod alone", "nse"]);
    }

    #[test]
    fn a_client_is_named_by_its_workload_or_its_pod() {
        assert_eq!(left(&named("web"), None), ["Deployment web", "nse"]);
        assert_eq!(left(&named("alone"), None), ["Pod alone", "nse"]);
        assert_eq!(left(&named("web-2"), None), ["Pod web-2", "nse"]);
        assert!(left(&named("nse"), None).is_empty() && left(&named("other"), None).is_empty());
    }

    #[test]
    fn a_selector_selects_all_some_or_none_of_a_workloads_pods() {
        let scope = Scope { selector: Some("app in (x)".into()), ..Scope::default() };
        assert_eq!(left(&scope, Some(&["web-1", "web-2"])), ["Deployment web", "nse"]);
        assert_eq!(left(&scope, Some(&["web-2", "alone"])), ["Pod web-2", "Pod alone", "nse"]);
        assert!(left(&scope, Some(&["nse"])).is_empty() && left(&scope, Some(&[])).is_empty());
        let scope = Scope { client: Some("web".into()), ..scope };
        assert_eq!(left(&scope, Some(&["web-1", "alone"])), ["Pod web-1", "nse"]);
    }

    #[test]
    fn what_cannot_be_read_is_left_where_it_is_meant() {
        let left = |scope: &Scope, selected: Option<&[&str]>| {
            let (expectations, pods) = everything();
            let unreadable = ["web", "alone"].map(|name| (id(name), "it is no URL".to_owned())).to_vec();
            let selected: Option<BTreeSet<Namespaced>> = selected.map(|names| names.iter().map(|name| id(name)).collect());
            let narrowed = scope.narrow(Expectations { unreadable, ..expectations }, &pods, selected.as_ref());
            narrowed.unreadable.into_iter().map(|(id, _)| id.name).collect::<Vec<_>>()
        };
        assert_eq!(left(&Scope::default(), None), ["web", "alone"]);
        assert_eq!(left(&named("alone"), None), ["alone"]);
        assert_eq!(left(&named("web-1"), None), ["web"]);
        assert!(left(&named("nse"), None).is_empty());
        assert_eq!(left(&Scope::default(), Some(&["web-1"])), ["web"]);
        assert!(left(&named("alone"), Some(&["web-1"])).is_empty());
    }
}
