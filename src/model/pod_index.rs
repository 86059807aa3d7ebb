use std::collections::HashMap;

use super::{Namespaced, PodState, Workload, WorkloadKind};

/// Pods, found by what makes them without looking at each: of five thousand, that would be millions of looks.
#[derive(Debug, Clone, Default)]
pub struct PodIndex<'a> {
    by_name: HashMap<&'a Namespaced, &'a PodState>,
    by_controller: HashMap<(&'a str, &'a str, &'a str), Vec<&'a PodState>>,
    /// Pods of which it is not known what made them, by namespace and each of their labels.
    by_label: HashMap<(&'a str, &'a str, &'a str), Vec<&'a PodState>>,
}

impl<'a> PodIndex<'a> {
    /// An index of these pods.
    #[must_use]
    pub fn new(pods: impl IntoIterator<Item = &'a PodState>) -> Self {
        let mut index = Self::default();
        for pod in pods {
            let namespace = pod.id.namespace.as_str();
            index.by_name.insert(&pod.id, pod);
            if let Some((kind, name)) = &pod.controller {
                index.by_controller.entry((namespace, kind, name)).or_default().push(pod);
                continue;
            }
            for (key, value) in &pod.labels {
                index.by_label.entry((namespace, key, value)).or_default().push(pod);
            }
        }
        index
    }

    /// The pods of a workload: those that it owns.
    #[must_use]
    pub fn of(&self, workload: &Workload) -> Vec<&'a PodState> {
        let Workload { id, kind, selector, .. } = workload;
        if *kind == WorkloadKind::Pod {
            return self.by_name.get(id).copied().into_iter().collect();
        }
        let (namespace, kind) = (id.namespace.as_str(), kind.to_string());
        let made = self.by_controller.get(&(namespace, kind.as_str(), id.name.as_str())).into_iter().flatten();
        let with = selector.iter().map(|(key, value)| self.by_label.get(&(namespace, key.as_str(), value.as_str())).map_or(&[][..], Vec::as_slice));
        // The label that the fewest have leaves the fewest to be looked at.
        let alike = with.min_by_key(|pods| pods.len()).unwrap_or_default();
        made.chain(alike.iter().filter(|pod| workload.owns(pod))).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::check::fixture;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn pod(namespace: &str, name: &str, own: &[(&str, &str)], controller: Option<(&str, &str)>) -> PodState {
        let controller = controller.map(|(kind, name)| (kind.to_owned(), name.to_owned()));
        PodState { id: Namespaced::new(namespace, name), labels: labels(own), controller, ..fixture::pod(name, name, &[]) }
    }

    fn workload(kind: WorkloadKind, name: &str, selector: &[(&str, &str)]) -> Workload {
        let (pod_labels, selector) = (labels(selector), labels(selector));
        Workload {
            kind,
            id: Namespaced::new("a", name),
            replicas: Some(1),
            pod_labels,
            selector,
            container: "c".into(),
            requests: Vec::new(),
            endpoint: None,
        }
    }

    #[test]
    fn it_finds_the_pods_that_a_workload_owns() {
        let app = [("app", "web"), ("tier", "x")];
        let pods = [
            pod("a", "web", &[], None),
            pod("a", "web-1", &app, Some(("Deployment", "web"))),
            // Labels may be alike; what made the pod is not.
            pod("a", "other-1", &app, Some(("Deployment", "other"))),
            pod("a", "web-0", &app, Some(("StatefulSet", "web"))),
            pod("a", "stray", &app, None),
            pod("a", "nearly", &[("app", "web")], None),
            pod("b", "web-2", &app, Some(("Deployment", "web"))),
            pod("b", "stray", &app, None),
        ];
        let index = PodIndex::new(&pods);
        let cases = [
            (workload(WorkloadKind::Pod, "web", &[]), &["web"][..]),
            (workload(WorkloadKind::Deployment, "web", &app), &["web-1", "stray"]),
            (workload(WorkloadKind::Deployment, "web", &[]), &["web-1"]),
            (workload(WorkloadKind::StatefulSet, "web", &app), &["web-0", "stray"]),
            (workload(WorkloadKind::DaemonSet, "web", &[("app", "none")]), &[]),
        ];
        for (workload, names) in cases {
            let found: Vec<&str> = index.of(&workload).iter().map(|pod| pod.id.name.as_str()).collect();
            assert_eq!(found, names, "{workload}");
            let owned: Vec<&str> = pods.iter().filter(|pod| workload.owns(pod)).map(|pod| pod.id.name.as_str()).collect();
            assert_eq!(found, owned, "{workload}: the index says what the workload says");
        }
    }
}
