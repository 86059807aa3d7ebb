//! What a pod is on this machine: a network namespace, a state and what its containers have logged.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    sync::Arc,
};

use crate::{
    model::{ContainerState, LogTail, Namespaced, PodState, Workload},
    net::Namespace,
};

/// The container that NSM's webhook adds to a client, and the init container that makes its connections first.
pub(super) const CLIENT_CONTAINER: &str = "cmd-nsc";
/// The init container of a client.
pub(super) const CLIENT_INIT_CONTAINER: &str = "cmd-nsc-init";
/// What stands for an image: nothing runs in a sandbox but what the engine does there itself.
const NO_IMAGE: &str = "network-namespace";
/// How many lines of a log are kept: as many as a person reads.
const LOG_LINES: usize = 200;

/// A pod on this machine.
#[derive(Debug)]
pub(super) struct Sandbox {
    /// The pod.
    pub(super) pod: Namespaced,
    /// The deployment that it belongs to.
    pub(super) instance: String,
    /// What made it.
    pub(super) workload: Arc<Workload>,
    /// Its network namespace.
    pub(super) namespace: Namespace,
    /// Why a request of its is not served.
    pub(super) waiting: Option<String>,
    logs: BTreeMap<String, VecDeque<String>>,
}

impl Sandbox {
    /// A pod whose requests are still to be made.
    pub(super) fn new(pod: Namespaced, instance: String, workload: Arc<Workload>, namespace: Namespace) -> Self {
        let waiting = workload.is_client().then(|| "the requests have not been made".to_owned());
        Self { pod, instance, workload, namespace, waiting, logs: BTreeMap::new() }
    }

    /// Adds a line to a container's log, in the form of NSM's.
    pub(super) fn log(&mut self, container: &str, level: &str, id: &str, text: &str) {
        let time = jiff::Timestamp::now().strftime("%b %e %H:%M:%S%.3f");
        let lines = self.logs.entry(container.to_owned()).or_default();
        if lines.len() == LOG_LINES {
            lines.pop_front();
        }
        lines.push_back(format!("{time} [{level}] [id:{id}] {text}"));
    }

    /// The ends of the logs of every container that has logged something.
    pub(super) fn log_tails(&self) -> impl Iterator<Item = LogTail> + '_ {
        self.logs.iter().map(|(container, lines)| LogTail {
            pod: self.pod.clone(),
            container: container.clone(),
            lines: Ok(lines.iter().cloned().collect()),
        })
    }

    /// The pod as Kubernetes would show it.
    pub(super) fn state(&self) -> PodState {
        let workload = &self.workload;
        let ready = self.waiting.is_none();
        let running = |name: &str| ContainerState {
            name: name.to_owned(),
            image: NO_IMAGE.to_owned(),
            ready,
            running: ready,
            restarts: 0,
            reason: (!ready).then(|| "PodInitializing".to_owned()),
            message: None,
            since: None,
        };
        let init = ContainerState {
            running: !ready,
            reason: (!ready).then(|| "RequestFailed".to_owned()),
            message: self.waiting.clone(),
            ..running(CLIENT_INIT_CONTAINER)
        };
        let is_client = workload.is_client();
        PodState {
            id: self.pod.clone(),
            labels: workload.pod_labels.clone(),
            annotation: is_client.then(|| workload.requests.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
            controller: None,
            node: Some(host_name()),
            phase: if ready { "Running" } else { "Pending" }.to_owned(),
            ready,
            deleting: false,
            unschedulable: None,
            init_containers: is_client.then_some(init).into_iter().collect(),
            containers: [workload.container.as_str()].into_iter().chain(is_client.then_some(CLIENT_CONTAINER)).map(running).collect(),
        }
    }
}

fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}
