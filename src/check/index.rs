use std::collections::HashMap;

use crate::model::{Namespaced, PodState, Workload, WorkloadKind};

/// The pods that are there to stay, found by what makes them without looking at each. One that is being deleted proves
/// nothing: an endpoint goes on answering pings for seconds after its end.
pub(super) struct PodIndex<'a> {
    by_name: HashMap<&'a Namespaced, &'a PodState>,
    by_controller: HashMap<(&'a str, &'a str, &'a str), Vec<&'a PodState>>,
    /// Pods of which it is not known what made them, by namespace.
    others: HashMap<&'a str, Vec<&'a PodState>>,
}

impl<'a> PodIndex<'a> {
    pub(super) fn new(pods: &'a [PodState]) -> Self {
        let mut index = Self { by_name: HashMap::new(), by_controller: HashMap::new(), others: HashMap::new() };
        for pod in pods.iter().filter(|pod| !pod.deleting) {
            index.by_name.insert(&pod.id, pod);
            match &pod.controller {
                Some((kind, name)) => index.by_controller.entry((&pod.id.namespace, kind, name)).or_default().push(pod),
                None => index.others.entry(&pod.id.namespace).or_default().push(pod),
            }
        }
        index
    }

    /// The pods of a workload.
    pub(super) fn of(&self, workload: &Workload) -> Vec<&'a PodState> {
        let Workload { id, kind, .. } = workload;
        if *kind == WorkloadKind::Pod {
            return self.by_name.get(id).copied().into_iter().collect();
        }
        let kind = kind.to_string();
        let made = self.by_controller.get(&(id.namespace.as_str(), kind.as_str(), id.name.as_str())).into_iter().flatten();
        let alike = self.others.get(id.namespace.as_str()).into_iter().flatten().filter(|pod| workload.owns(pod));
        made.chain(alike).copied().collect()
    }
}
