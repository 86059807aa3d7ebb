//! What a pod is on this machine: a network namespace, a state and what its containers have logged.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    sync::Arc,
};

use super::{
    heal::Watching,
    identity::Member,
    program::{LAST_WORDS, Run},
};
use crate::{
    model::{ContainerRole, ContainerState, LogTail, Namespaced, PodState, Workload},
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
    /// While they are being made: how many endpoints had registered when that began.
    pub(super) asking: Option<u64>,
    /// The same of the last time that they were answered.
    pub(super) answered: u64,
    /// What runs in it beside what the engine does there itself.
    pub(super) programs: Vec<Run>,
    /// Tells when something changes in its network namespace.
    pub(super) watching: Option<Watching>,
    /// What its containers have logged.
    pub(super) logs: BTreeMap<String, VecDeque<String>>,
}

/// What the programs of a pod have reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reached {
    /// They have registered an endpoint.
    pub(super) is_registered: bool,
    /// There is a connection for each of the pod's requests.
    pub(super) is_connected: bool,
    /// How many endpoints have registered by now, in all.
    pub(super) registrations: u64,
}

impl Sandbox {
    /// A pod whose requests are still to be made.
    pub(super) fn new(pod: Namespaced, instance: String, workload: Arc<Workload>, namespace: Namespace) -> Self {
        let waiting = workload.is_client().then(|| "the requests have not been made".to_owned());
        Self { pod, instance, workload, namespace, waiting, asking: None, answered: 0, programs: Vec::new(), watching: None, logs: BTreeMap::new() }
    }

    /// Takes note of what its requests have come to: why one of them is not served.
    pub(super) fn be_answered(&mut self, refused: Option<String>) {
        self.answered = self.asking.take().unwrap_or(self.answered);
        self.waiting = refused;
    }

    /// Takes note of a request that was refused, after so many endpoints had registered. Where everything that it asks for is there, that is
    /// a refresh, and takes nothing away: it is made again long before the connection runs out.
    pub(super) fn be_refused(&mut self, id: &str, url: &str, reason: &str, is_served: bool, registrations: u64) {
        if self.asking.is_none() {
            self.answered = registrations;
        }
        // One that asks again and again, and is answered the same, says so once.
        if is_served {
            let text = format!("refresh of {url} failed, the connection stays: {reason}");
            let last = self.logs.get(CLIENT_CONTAINER).and_then(VecDeque::back);
            if !last.is_some_and(|last| last.ends_with(&text)) {
                self.log(CLIENT_CONTAINER, "WARN", id, &text);
            }
        } else if self.waiting.as_deref() != Some(reason) {
            self.log(CLIENT_INIT_CONTAINER, "ERRO", id, &format!("request to {url} failed: {reason}"));
            self.waiting = Some(reason.to_owned());
        }
    }

    /// Adds a line to a container's log, in the form of NSM's.
    pub(super) fn log(&mut self, container: &str, level: &str, id: &str, text: &str) {
        self.keep(container, format!("{} [{level}] [id:{id}] {text}", stamp(jiff::Timestamp::now())));
    }

    /// Adds a line that a program has logged, with the time where it tells none itself.
    pub(super) fn log_line(&mut self, container: &str, at_ms: i64, text: &str) {
        let time = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
        let line = if has_stamp(text) { text.to_owned() } else { format!("{} {text}", stamp(time)) };
        self.keep(container, line);
    }

    fn keep(&mut self, container: &str, mut line: String) {
        // Hundreds of pods keep some hundred lines each.
        line.shrink_to_fit();
        let lines = self.logs.entry(container.to_owned()).or_default();
        if lines.len() == LOG_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The last lines of a container's log.
    fn last_words(&self, container: &str) -> Vec<String> {
        let lines = self.logs.get(container).into_iter().flatten();
        let mut last: Vec<String> = lines.rev().take(LAST_WORDS).cloned().collect();
        last.reverse();
        last
    }

    /// What it is known by where somebody has to prove that it is in it.
    pub(super) fn member(&self) -> Member {
        Member { pod: self.pod.clone(), instance: self.instance.clone(), namespace: self.namespace.clone() }
    }

    /// Whether the engine makes its requests, and no program.
    pub(super) fn is_own_client(&self) -> bool {
        self.workload.is_client() && !self.runs(ContainerRole::Client)
    }

    /// Whether a program does the work of a container, instead of the engine.
    pub(super) fn runs(&self, role: ContainerRole) -> bool {
        self.programs.iter().any(|run| run.program.role == role)
    }

    /// The ends of the logs of every container that has logged something.
    pub(super) fn log_tails(&self) -> impl Iterator<Item = LogTail> + '_ {
        self.logs.iter().map(|(container, lines)| LogTail {
            pod: self.pod.clone(),
            container: container.clone(),
            lines: Ok(lines.iter().cloned().collect()),
        })
    }

    /// The pod as Kubernetes would show it, by what its programs have reached over NSM's API.
    pub(super) fn state(&self, reached: Reached) -> PodState {
        let workload = &self.workload;
        let is_served = self.waiting.is_none();
        let own = |name: &str| ContainerState {
            name: name.to_owned(),
            image: NO_IMAGE.to_owned(),
            ready: is_served,
            running: is_served,
            restarts: 0,
            reason: (!is_served).then(|| "PodInitializing".to_owned()),
            message: None,
            since: None,
        };
        // An endpoint that has registered since may serve what was refused before: that is no longer the last word.
        let is_refused = !is_served && self.answered == reached.registrations;
        let init = || ContainerState {
            running: !is_served,
            reason: is_refused.then(|| "RequestFailed".to_owned()),
            message: self.waiting.clone(),
            ..own(CLIENT_INIT_CONTAINER)
        };
        let runs = |is_init: bool| self.programs.iter().filter(move |run| run.program.role.is_init() == is_init);
        let mut init_containers: Vec<ContainerState> = runs(true).map(|run| run.state(&self.last_words(&run.program.container))).collect();
        let is_client = workload.is_client();
        let is_done = |run: &Run| match run.program.role {
            ContainerRole::Endpoint => workload.endpoint.is_none() || reached.is_registered,
            ContainerRole::Client => !is_client || reached.is_connected,
            ContainerRole::Init | ContainerRole::ClientInit | ContainerRole::Other => true,
        };
        let state = |run: &Run| run.state_by(&self.last_words(&run.program.container), is_done(run));
        let mut containers: Vec<ContainerState> = runs(false).map(state).collect();
        if is_client && !self.runs(ContainerRole::ClientInit) {
            init_containers.push(init());
        }
        // What no program does is the engine's, the workload's own container first.
        let others = is_client.then_some(CLIENT_CONTAINER);
        for (at, name) in [workload.container.as_str()].into_iter().chain(others).enumerate() {
            if !containers.iter().any(|container| container.name == name) {
                containers.insert(at.min(containers.len()), own(name));
            }
        }
        let ready = init_containers.iter().chain(&containers).all(|container| container.ready);
        let is_begun = init_containers.iter().all(|container| container.ready);
        PodState {
            id: self.pod.clone(),
            labels: workload.pod_labels.clone(),
            annotation: is_client.then(|| workload.requests.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
            controller: None,
            node: Some(host_name()),
            phase: if is_begun { "Running" } else { "Pending" }.to_owned(),
            ready,
            deleting: false,
            unschedulable: None,
            init_containers,
            containers,
        }
    }
}

/// The time in the form of NSM's logs.
fn stamp(time: jiff::Timestamp) -> String {
    time.strftime("%b %e %H:%M:%S%.3f").to_string()
}

/// Whether a line begins with a time in that form.
fn has_stamp(line: &str) -> bool {
    const FORM: &[u8] = b"Aaa 99 99:99:99.999 ";
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'A' => byte.is_ascii_uppercase(),
        b'a' => byte.is_ascii_lowercase(),
        b'9' => byte.is_ascii_digit() || *byte == b' ',
        exact => byte == exact,
    };
    line.len() >= FORM.len() && line.as_bytes().iter().zip(FORM).all(fits)
}

/// The name of this machine.
pub(super) fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WorkloadKind;

    const URL: &str = "kernel://s/nsm-1";

    fn client() -> Sandbox {
        let id = Namespaced::new("ns", "alpine");
        let workload = Workload {
            kind: WorkloadKind::Pod,
            id: id.clone(),
            replicas: Some(1),
            pod_labels: BTreeMap::new(),
            selector: BTreeMap::new(),
            container: "alpine".into(),
            requests: vec![URL.parse().unwrap()],
            endpoint: None,
        };
        Sandbox::new(id, "i".into(), Arc::new(workload), Namespace::current().unwrap())
    }

    const NOTHING: Reached = Reached { is_registered: false, is_connected: false, registrations: 0 };

    /// Whether the pod is ready, why its init container waits, and how many lines each of its logs has.
    fn seen(sandbox: &Sandbox) -> (bool, Option<String>, Vec<(&str, usize)>) {
        let state = sandbox.state(NOTHING);
        let logs = sandbox.logs.iter().map(|(container, lines)| (container.as_str(), lines.len())).collect();
        (state.containers.iter().all(|container| container.ready), state.init_containers[0].message.clone(), logs)
    }

    #[test]
    fn a_refresh_that_is_refused_leaves_the_pod_as_ready_as_it_was() {
        let mut sandbox = client();
        sandbox.be_answered(None);
        sandbox.be_refused("alpine-0", URL, "cannot send a file", true, 0);
        sandbox.be_refused("alpine-0", URL, "cannot send a file", true, 0);
        assert_eq!(seen(&sandbox), (true, None, vec![(CLIENT_CONTAINER, 1)]), "and says so once");
        let line = sandbox.logs[CLIENT_CONTAINER].back().unwrap();
        assert!(line.ends_with("[WARN] [id:alpine-0] refresh of kernel://s/nsm-1 failed, the connection stays: cannot send a file"), "{line}");
    }

    #[test]
    fn a_request_that_is_refused_is_waited_for() {
        let mut sandbox = client();
        sandbox.be_refused("alpine-0", URL, "IPPool is empty", false, 0);
        sandbox.be_refused("alpine-0", URL, "IPPool is empty", false, 0);
        assert_eq!(seen(&sandbox), (false, Some("IPPool is empty".into()), vec![(CLIENT_INIT_CONTAINER, 1)]));
        sandbox.be_refused("alpine-0", URL, "connection error", false, 0);
        assert_eq!(seen(&sandbox), (false, Some("connection error".into()), vec![(CLIENT_INIT_CONTAINER, 2)]));
        sandbox.be_answered(None);
        sandbox.be_refused("alpine-0", URL, "connection error", false, 0);
        assert_eq!(seen(&sandbox).2, [(CLIENT_INIT_CONTAINER, 3)], "it was served in between");
    }

    #[test]
    fn a_refusal_from_before_an_endpoint_registered_is_not_the_last_word() {
        let mut sandbox = client();
        let mut status = |registrations, refused: Option<&str>| {
            if let Some(reason) = refused {
                sandbox.asking = Some(registrations);
                sandbox.be_answered(Some(reason.to_owned()));
            }
            sandbox.state(Reached { registrations, ..NOTHING }).status()
        };
        assert_eq!(status(0, Some("endpoint candidates not found")), "Init:RequestFailed");
        assert_eq!(status(1, None), "Init:0/1");
        assert_eq!(status(1, Some("IPPool is empty")), "Init:RequestFailed");
        assert_eq!(status(2, None), "Init:0/1");
        // Who keeps a connection asks by itself.
        sandbox.be_refused("alpine-0", URL, "connection error", false, 2);
        assert_eq!(sandbox.state(Reached { registrations: 2, ..NOTHING }).status(), "Init:RequestFailed");
    }

    #[test]
    fn a_line_with_a_time_of_its_own_is_known() {
        assert!(has_stamp("Nov 23 09:05:01.123 [INFO] x") && has_stamp("Nov  3 09:05:01.123 [INFO] x"));
        assert!(has_stamp(&format!("{} x", stamp(jiff::Timestamp::now()))));
        for other in ["", "November 23", "nov 23 09:05:01.123 x", "Nov 23 09:05:01 x", "panic: x"] {
            assert!(!has_stamp(other), "{other}");
        }
    }
}
