use std::collections::BTreeSet;

use crate::{
    check::{Connection, Thresholds, connections, evaluate, evaluate_connection},
    model::{
        ComponentState, EventRecord, Expectations, Finding, NSM_NAMESPACE, Namespaced, NetworkServiceState, Observation, PodState,
        RegisteredEndpoint, Snapshot, Verdict, Workload, WorkloadKind, is_nsm_client,
        log::{self, LogError},
    },
};

use super::graph::{Reach, Told};

/// The fix on this machine for what an apply does not see and so leaves alone.
pub(super) const FROM_THE_BEGINNING: &str = "nsmctl cleanup --target local && {deploy}   # from the beginning, with namespaces and links anew";
/// How many errors of one log are quoted.
const QUOTED_ERRORS: usize = 3;

/// Errors that tell by themselves why a request is not served. What other logs say counts only where a client's own
/// log has none of them, since they may speak of somebody else or of yesterday.
const TELLING: [&[&str]; 22] = [
    &["candidates not found"],
    &["no candidates found"],
    &["network service", "not found"],
    &["IPPool is empty"],
    &["is excluded, but it was found"],
    &["no sufficient privileges"],
    &["policy failed"],
    &["no identity issued"],
    &["error getting x509"],
    &["retrieving svid"],
    &["connection refused"],
    &["rootConf"],
    &["exec: no command"],
    &["tunnelIP"],
    &["failed to find link"],
    &["failed to create a nse"],
    &["failed to create a netsvc"],
    &["inode://", "nil file"],
    &["forwarder", "is not available"],
    &["failed to dial", "deadline"],
    &["certificate has expired"],
    &["certificate signed by unknown authority"],
];

/// Everything that a step or a cause looks at.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// What was promised.
    pub expectations: &'a Expectations,
    /// What was seen.
    pub snapshot: &'a Snapshot,
    /// The connections that were promised, found again among the pods.
    pub connections: Vec<Connection<'a>>,
    /// What the checks say about each connection.
    pub checks: Vec<Vec<Finding>>,
    /// What the checks say about the rest.
    pub findings: Vec<Finding>,
    /// The findings of the steps so far.
    pub path: Vec<Finding>,
    /// The causes found so far.
    pub(super) found: Vec<Told>,
}

impl<'a> Case<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        let expectations = &snapshot.expectations;
        let connections = connections(expectations, &snapshot.observation, Thresholds::default());
        let checks = connections.iter().map(evaluate_connection).collect();
        let findings = evaluate(expectations, &snapshot.observation, Thresholds::default());
        Self { expectations, snapshot, connections, checks, findings, path: Vec::new(), found: Vec::new() }
    }

    pub(super) fn observation(&self) -> &'a Observation {
        &self.snapshot.observation
    }

    /// Whether it is this machine that was looked at, and not a cluster.
    pub(super) fn is_local(&self) -> bool {
        self.snapshot.system.components.iter().any(|component| component.role == "engine")
    }

    /// Whether the step has failed for anything.
    pub(super) fn failed(&self, step: &str) -> bool {
        self.path.iter().any(|finding| finding.check == step && finding.verdict == Verdict::Fail)
    }

    /// What a step says about a connection.
    pub(super) fn verdict(&self, step: &str, connection: &Connection<'_>) -> Option<Verdict> {
        self.path.iter().find(|finding| finding.check == step && finding.subject == connection.subject).map(|finding| finding.verdict)
    }

    /// What a check says about a connection.
    pub(super) fn checked(&self, connection: &Connection<'_>, checks: &[&str]) -> Vec<&Finding> {
        let at = self.connections.iter().position(|c| std::ptr::eq(c, connection));
        let findings = at.and_then(|at| self.checks.get(at)).into_iter().flatten();
        findings.filter(|finding| checks.contains(&&*finding.check)).collect()
    }

    /// Whether pings get through and nothing about the interface is amiss.
    pub(super) fn works(&self, connection: &Connection<'_>) -> bool {
        let findings = self.checked(connection, &["interface", "address", "peer-route", "ping-endpoint", "ping-client"]);
        let answered = findings.iter().any(|finding| finding.check == "ping-endpoint" && finding.verdict == Verdict::Pass);
        answered && !findings.iter().any(|finding| matches!(finding.verdict, Verdict::Fail | Verdict::Unknown))
    }

    /// Whether a cause was found already.
    pub(super) fn has_found(&self, causes: &[&str]) -> bool {
        self.found.iter().any(|told| causes.contains(&told.cause.id))
    }

    /// Whether any cause was found already for this subject.
    pub(super) fn is_explained(&self, subject: &str) -> bool {
        self.found.iter().any(|told| told.found.subject == subject)
    }

    /// Whether one of these causes was found already for this subject.
    pub(super) fn is_explained_by(&self, causes: &[&str], subject: &str) -> bool {
        self.found.iter().any(|told| causes.contains(&told.cause.id) && told.found.subject == subject)
    }

    /// Whether a cause was found already that this may come from: one that reaches it.
    pub(super) fn is_reached(&self, subject: &str) -> bool {
        let reach = Reach::of(self, subject);
        self.found.iter().any(|told| told.reach.meets(&reach))
    }

    /// The nodes on which the pods of the expectations are.
    pub(super) fn nodes(&self) -> BTreeSet<String> {
        let pods = self.expectations.workloads.iter().flat_map(|workload| self.pods_of(workload));
        pods.filter_map(|pod| pod.node.clone()).collect()
    }

    /// The first part with the role.
    pub(super) fn component(&self, role: &str) -> Option<&'a ComponentState> {
        self.snapshot.system.components.iter().find(|component| component.role == role)
    }

    /// The pods of a part of NSM or SPIRE, as far as they can be seen.
    pub(super) fn pods_of_part(&self, role: &str) -> Vec<&'a PodState> {
        let system = &self.snapshot.system;
        let objects = system.components.iter().filter(|part| part.role == role).filter_map(|part| part.object.as_ref());
        objects.flat_map(|object| system.pods_of(object)).collect()
    }

    /// The nodes on which pods of the expectations are, and a part that has to be on every node is not, or is not ready.
    pub(super) fn nodes_without(&self, role: &str) -> BTreeSet<String> {
        let parts = self.snapshot.system.components.iter();
        let is_everywhere = parts.filter(|part| part.role == role).any(|part| part.object.as_ref().is_some_and(|object| object.kind == "DaemonSet"));
        if !is_everywhere || self.snapshot.system.pods.is_err() {
            return BTreeSet::new();
        }
        let served: BTreeSet<&str> =
            self.pods_of_part(role).into_iter().filter(|pod| pod.ready && !pod.deleting).filter_map(|pod| pod.node.as_deref()).collect();
        self.nodes().into_iter().filter(|node| !served.contains(node.as_str())).collect()
    }

    /// The same workload as it is deployed now; `None` where it is not there or cannot be seen.
    pub(super) fn deployed(&self, workload: &Workload) -> Option<&'a Workload> {
        self.snapshot.deployed.as_ref().ok()?.iter().find(|other| other.kind == workload.kind && other.id == workload.id)
    }

    /// The workloads of the manifests that offer a service.
    pub(super) fn offering(&self, service: &str) -> Vec<&'a Workload> {
        let offers = |workload: &&Workload| workload.endpoint.as_ref().is_some_and(|endpoint| endpoint.services.iter().any(|name| name == service));
        self.expectations.workloads.iter().filter(offers).collect()
    }

    /// What offers a connection's service and is to have no pod, by its manifest or as it is deployed now, where nobody else
    /// offers it. A pod on its way out answers for a while yet, and its registration outlives it by up to a minute.
    pub(super) fn scaled_down(&self, connection: &Connection<'_>) -> Option<&'a Workload> {
        let url = &connection.expectation.url;
        let offering = self.offering(&url.service);
        let is_down = |workload: &Workload| workload.replicas == Some(0) || self.deployed(workload).is_some_and(|now| now.replicas == Some(0));
        let is_theirs = |name: &str| offering.iter().any(|workload| name.strip_prefix(&workload.id.name).is_some_and(|rest| rest.starts_with('-')));
        let mut registered = self.registrations_of(connection).unwrap_or_default().into_iter();
        let is_served = registered.any(|endpoint| self.expired_for(endpoint).is_none() && !is_theirs(&endpoint.id.name));
        let is_known = url.domain.is_none() && connection.client.is_some() && !is_served;
        offering.first().copied().filter(|_| is_known && offering.iter().all(|workload| is_down(workload)))
    }

    /// The components with the role that are known not to be ready.
    pub(super) fn faulty(&self, role: &str) -> Vec<&'a ComponentState> {
        let components = self.snapshot.system.components.iter();
        components.filter(|component| component.role == role && component.ready.is_ok() && !component.is_ready()).collect()
    }

    /// The workload's pods that are there to stay.
    pub(super) fn pods_of(&self, workload: &Workload) -> Vec<&'a PodState> {
        self.observation().pods().iter().filter(|pod| !pod.deleting && workload.owns(pod)).collect()
    }

    /// Whether it is known that the workload has no pod although it should.
    pub(super) fn is_missing(&self, workload: &Workload) -> bool {
        self.observation().inventory.pods.is_ok() && workload.replicas != Some(0) && self.pods_of(workload).is_empty()
    }

    /// The pods that were promised and are not ready, each with its workload.
    pub(super) fn unready(&self) -> Vec<(&'a Workload, &'a PodState)> {
        let workloads = self.expectations.workloads.iter();
        let pods = workloads.flat_map(|workload| self.pods_of(workload).into_iter().map(move |pod| (workload, pod)));
        pods.filter(|(_, pod)| !pod.ready).collect()
    }

    /// The workload that a pod belongs to.
    pub(super) fn workload_of(&self, pod: &PodState) -> Option<&'a Workload> {
        self.expectations.workloads.iter().find(|workload| workload.owns(pod))
    }

    /// The workload that serves a connection, where the manifests have one.
    pub(super) fn endpoint_of(&self, connection: &Connection<'_>) -> Option<&'a Workload> {
        self.expectations.workload(connection.expectation.endpoint.as_ref()?)
    }

    /// The connections whose request is not served.
    pub(super) fn unserved(&self) -> Vec<&Connection<'a>> {
        self.connections.iter().filter(|connection| self.verdict("request", connection) == Some(Verdict::Fail)).collect()
    }

    /// The NetworkServices that a connection asks for; `None` where they could not be seen.
    pub(super) fn services_of(&self, connection: &Connection<'_>) -> Option<Vec<&'a NetworkServiceState>> {
        let services = self.observation().inventory.services.as_ref().ok()?;
        Some(services.iter().filter(|service| service.id.name == connection.expectation.url.service).collect())
    }

    /// What is registered for a connection's service, expired or not; `None` where it could not be seen.
    pub(super) fn registrations_of(&self, connection: &Connection<'_>) -> Option<Vec<&'a RegisteredEndpoint>> {
        let endpoints = self.observation().inventory.endpoints.as_ref().ok()?;
        Some(endpoints.iter().filter(|endpoint| endpoint.services.contains(&connection.expectation.url.service)).collect())
    }

    /// How long ago a registration ran out, in seconds; `None` where it has not.
    pub(super) fn expired_for(&self, endpoint: &RegisteredEndpoint) -> Option<i64> {
        endpoint.expires_at.map(|at| self.observation().taken_at.saturating_sub(at)).filter(|seconds| *seconds >= 0)
    }

    /// Warnings, as quotes: of events that `which` selects.
    pub(super) fn warnings(&self, which: impl Fn(&EventRecord) -> bool) -> Vec<String> {
        let events = self.snapshot.system.events.as_deref().unwrap_or_default().iter();
        events.filter(|event| event.kind != "Normal" && which(event)).map(quote_event).collect()
    }

    /// The errors of a container's log.
    pub(super) fn errors_of(&self, pod: &Namespaced, container: &str) -> Vec<LogError> {
        let logs = self.snapshot.system.logs.iter().filter(|log| log.pod == *pod && log.container == container);
        logs.flat_map(|log| log::errors(log.lines.as_deref().unwrap_or_default())).collect()
    }

    /// The last errors of a container's log, as quotes.
    pub(super) fn quote_errors(&self, pod: &Namespaced, container: &str) -> Vec<String> {
        let errors = self.errors_of(pod, container);
        let skipped = errors.len().saturating_sub(QUOTED_ERRORS);
        errors[skipped..].iter().map(|error| quote(pod, container, error)).collect()
    }

    /// The lines of the pod's logs that read like it, of any level, each once as a quote.
    pub(super) fn quote_lines(&self, pod: &Namespaced, parts: &[&str]) -> Vec<String> {
        let mut quotes = Vec::new();
        for log in self.snapshot.system.logs.iter().filter(|log| log.pod == *pod) {
            for line in log.lines.as_deref().unwrap_or_default().iter().filter(|line| log::reads(line, parts)) {
                let quote = format!("{}/{}: {}", pod.name, log.container, log::message(line));
                quotes.retain(|known| *known != quote);
                quotes.push(quote);
            }
        }
        quotes
    }

    /// What the client last complained about, as it stands now: before the connection its init container, then the other.
    pub(super) fn complaint(&self, pod: &PodState) -> Option<String> {
        let waiting = pod.client_init().filter(|init| !init.ready);
        let container = waiting.or_else(|| pod.containers.iter().find(|c| is_nsm_client(&c.name)))?;
        let logged = log::cause(&self.errors_of(&pod.id, &container.name), &TELLING).map(|error| quote(&pod.id, &container.name, error));
        logged.or_else(|| Some(format!("{}/{}: {}", pod.id.name, container.name, waiting?.message.as_deref()?)))
    }

    /// What is said about a connection's request that reads like any of the alternatives: by the client, and where that
    /// tells nothing, by the endpoint and by those of NSM's pods that name the client or the service.
    pub(super) fn says(&self, connection: &Connection<'_>, alternatives: &[&[&str]]) -> Vec<String> {
        let Some(client) = &connection.client else { return Vec::new() };
        let fits = |text: &str| alternatives.iter().any(|parts| log::reads(text, parts));
        let complaint = self.complaint(client.pod);
        if let Some(complaint) = complaint.filter(|text| fits(text) || TELLING.iter().any(|parts| log::reads(text, parts))) {
            return Some(complaint).filter(|text| fits(text)).into_iter().collect();
        }
        let endpoint = connection.endpoint.as_ref().map(|side| &side.pod.id);
        let names = [client.pod.id.name.as_str(), connection.expectation.url.service.as_str()];
        let mut quotes = Vec::new();
        for log in &self.snapshot.system.logs {
            let own = Some(&log.pod) == endpoint;
            if own || log.pod.namespace == NSM_NAMESPACE {
                let lines = log.lines.as_deref().unwrap_or_default().iter();
                let concerned: Vec<String> = lines.filter(|line| own || names.iter().any(|name| line.contains(name))).cloned().collect();
                let last = log::errors(&concerned).pop().filter(|error| fits(&error.text));
                quotes.extend(last.map(|error| quote(&log.pod, &log.container, &error)));
            }
        }
        quotes
    }

    /// The command that makes a deployment whole again.
    pub(super) fn deploy(&self) -> &'static str {
        match (self.is_local(), self.snapshot.planned) {
            (true, true) => "nsmctl deploy --target local",
            (true, false) => "nsmctl deploy --target local --manifests MANIFESTS",
            (false, true) => "nsmctl deploy",
            // What somebody else has deployed, only their own manifests bring back.
            (false, false) => "kubectl apply -f MANIFESTS",
        }
    }

    /// The command that makes the pods of a workload anew.
    pub(super) fn renew(&self, workload: &Workload) -> String {
        let (namespace, name) = (&workload.id.namespace, &workload.id.name);
        match workload.kind {
            _ if self.is_local() => self.deploy().to_owned(),
            WorkloadKind::Pod => format!("kubectl -n {namespace} delete pod {name} && {}", self.deploy()),
            kind => format!("kubectl -n {namespace} rollout restart {}/{name}", kind.to_string().to_lowercase()),
        }
    }
}

/// Whether an event is about the workload or one of its pods.
pub(super) fn is_about(event: &EventRecord, workload: &Workload) -> bool {
    let rest = event.object.name.strip_prefix(&workload.id.name);
    let is_its = |rest: &str| rest.is_empty() || (workload.kind != WorkloadKind::Pod && rest.starts_with('-'));
    event.object.namespace.as_ref() == Some(&workload.id.namespace) && rest.is_some_and(is_its)
}

/// A component and its state in a few words.
pub(super) fn describe(component: &ComponentState) -> String {
    match (&component.object, &component.ready) {
        (_, Err(unavailable)) => format!("{}: {}", component.role, unavailable.reason),
        (None, Ok((_, 0))) if component.role == "engine" => "the engine is not running".to_owned(),
        (None, Ok((_, 0))) => format!("{} is missing", component.role),
        (None, Ok((desired, ready))) => format!("{}: {ready} of {desired} ready", component.role),
        (Some(object), Ok((desired, ready))) => format!("{object}: {ready} of {desired} ready"),
    }
}

fn quote(pod: &Namespaced, container: &str, error: &LogError) -> String {
    let times = match (error.count, &error.first, &error.last) {
        (0 | 1, ..) => String::new(),
        (count, Some(first), Some(last)) => format!(" ({count} times, {first} to {last})"),
        (count, ..) => format!(" ({count} times)"),
    };
    format!("{}/{container}: {}{times}", pod.name, error.text)
}

fn quote_event(event: &EventRecord) -> String {
    let times = if event.count > 1 { format!(" ({} times)", event.count) } else { String::new() };
    format!("{} {}: {}{times}", event.object, event.reason, event.message)
}
