use std::borrow::Cow;

use crate::{
    check::Connection,
    model::{ContainerState, Finding, PodState, Verdict},
};

use super::case::{Case, describe, is_about};

/// A step of the path: data, one a place.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Its stable id.
    pub id: &'static str,
    /// What it says, in a few words.
    pub title: &'static str,
    /// What is expected there.
    pub expected: &'static str,
    /// How it is judged.
    pub judge: fn(&Step, &Case<'_>) -> Vec<Finding>,
}

/// Every step, in the order in which a connection comes to be.
pub const STEPS: [Step; 9] = [
    Step { id: "target", title: "target reachable", expected: "it answers", judge: target },
    Step { id: "nsm", title: "NSM installed and ready", expected: "every component ready", judge: system },
    Step { id: "pods", title: "pods ready", expected: "as many ready pods as promised", judge: pods },
    Step { id: "injection", title: "NSM client injected", expected: "a cmd-nsc container", judge: injection },
    Step { id: "identity", title: "identity given", expected: "a ClusterSPIFFEID selects it", judge: identity },
    Step { id: "request", title: "request served", expected: "a NetworkService, a live endpoint, a finished cmd-nsc-init", judge: request },
    Step { id: "interface", title: "interface", expected: "up, with its address and the route to the peer", judge: interface },
    Step { id: "ping", title: "ping", expected: "0 % loss both ways, and packets as long as the interface admits", judge: ping },
    Step { id: "dns", title: "names resolve", expected: "NSM's resolver answers", judge: dns },
];

impl Step {
    /// A finding of this step.
    pub(super) fn finding(&self, subject: impl Into<String>, verdict: Verdict, observed: impl Into<String>) -> Finding {
        Finding {
            check: Cow::Borrowed(self.id),
            title: Cow::Borrowed(self.title),
            subject: subject.into(),
            verdict,
            expected: self.expected.to_owned(),
            observed: observed.into(),
            documented: None,
            evidence: Vec::new(),
            hint: None,
            blocked: false,
        }
    }
}

fn target(step: &Step, case: &Case<'_>) -> Vec<Finding> {
    vec![step.finding(if case.is_local() { "this machine" } else { "the cluster" }, Verdict::Pass, "it answered")]
}

fn system(step: &Step, case: &Case<'_>) -> Vec<Finding> {
    let subject = if case.is_local() { "the engine" } else { "Network Service Mesh" };
    let components = &case.snapshot.system.components;
    let mut broken: Vec<String> = components.iter().filter(|c| c.ready.is_ok() && !c.is_ready()).map(describe).collect();
    broken.dedup();
    for role in ["nsmgr", "forwarder", "spire-agent"].into_iter().filter(|role| case.faulty(role).is_empty()) {
        broken.extend(case.nodes_without(role).into_iter().map(|node| format!("{role}: none ready on node {node}")));
    }
    let own = case.nodes();
    let nodes = case.snapshot.system.nodes.iter().flatten().filter(|node| !node.ready && own.contains(&node.name));
    broken.extend(nodes.map(|node| format!("node {} is not ready", node.name)));
    let bare = case.snapshot.system.webhook.iter().flatten().filter(|webhook| !webhook.has_authority);
    broken.extend(bare.map(|webhook| format!("{} has no caBundle", webhook.name)));
    let hidden: Vec<String> = components.iter().filter(|c| c.ready.is_err()).map(describe).collect();
    let (verdict, observed) = match () {
        () if !broken.is_empty() => (Verdict::Fail, broken.into_iter().chain(hidden).collect::<Vec<_>>().join("; ")),
        () if !hidden.is_empty() => (Verdict::Unknown, hidden.join("; ")),
        () if components.is_empty() => (Verdict::Unknown, "none of its components was looked at".to_owned()),
        () => (Verdict::Pass, format!("{} components ready", components.len())),
    };
    vec![step.finding(subject, verdict, observed)]
}

/// As the check does, except that a pod that waits for its own request is not what is broken: the request is.
fn pods(step: &Step, case: &Case<'_>) -> Vec<Finding> {
    let findings = case.findings.iter().filter(|finding| finding.check == "pods-ready").cloned();
    let judge = |(workload, finding): (_, Finding)| {
        let unready: Vec<&PodState> = case.pods_of(workload).into_iter().filter(|pod| !pod.ready).collect();
        let is_enough = workload.replicas.is_none_or(|wanted| u32::try_from(case.pods_of(workload).len()).is_ok_and(|pods| pods >= wanted));
        if finding.verdict == Verdict::Fail && is_enough && !unready.is_empty() && unready.iter().all(|pod| waits_for_request(pod)) {
            let observed = format!("not checked: it waits for its request ({})", finding.observed);
            return Finding { expected: finding.expected, ..step.finding(finding.subject, Verdict::Skip, observed) };
        }
        let failed = finding.verdict == Verdict::Fail;
        let mut evidence: Vec<String> = unready.into_iter().flat_map(obstacles).collect();
        if failed && evidence.is_empty() {
            evidence = case.warnings(|event| is_about(event, workload));
        }
        let evidence = if failed { evidence } else { Vec::new() };
        Finding { expected: finding.expected, evidence, ..step.finding(finding.subject, finding.verdict, finding.observed) }
    };
    case.expectations.workloads.iter().zip(findings).map(judge).collect()
}

/// What is said of each pod; where identities are given in another way, or where a connection works, there is nothing to say.
fn identity(step: &Step, case: &Case<'_>) -> Vec<Finding> {
    let told = |finding: &&Finding| finding.check == "identity" && !matches!(finding.verdict, Verdict::Skip);
    // The engine is a Network Service Mesh of its own and gives no identities yet.
    let findings = case.findings.iter().filter(told).filter(|_| !case.is_local());
    let finding =
        |finding: &Finding| Finding { evidence: finding.evidence.clone(), ..step.finding(&finding.subject, finding.verdict, &finding.observed) };
    findings.map(finding).collect()
}

fn dns(step: &Step, case: &Case<'_>) -> Vec<Finding> {
    let findings = case.findings.iter().filter(|finding| finding.check == "dns" && finding.verdict != Verdict::Skip);
    let finding =
        |finding: &Finding| Finding { evidence: finding.evidence.clone(), ..step.finding(&finding.subject, finding.verdict, &finding.observed) };
    findings.map(finding).collect()
}

/// Whether nothing keeps the pod back but NSM's init container, which ends when the request is served.
fn waits_for_request(pod: &PodState) -> bool {
    let is_quiet = |container: &ContainerState| {
        container.restarts == 0 && matches!(container.reason.as_deref(), None | Some("PodInitializing" | "ContainerCreating" | "RequestFailed"))
    };
    pod.node.is_some()
        && pod.client_init().is_some_and(|init| !init.ready && init.running)
        && pod.init_containers.iter().chain(&pod.containers).all(is_quiet)
}

/// What Kubernetes itself says about a pod that is not ready.
pub(super) fn obstacles(pod: &PodState) -> Vec<String> {
    let containers = pod.init_containers.iter().chain(&pod.containers).filter(|container| !container.ready);
    let reasons = containers.filter_map(|container| {
        let message = container.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
        let reason = container.reason.as_ref().filter(|reason| *reason != "PodInitializing")?;
        Some(format!("{}/{} {reason}{message}", pod.id.name, container.name))
    });
    pod.unschedulable.iter().map(|text| format!("{} is not scheduled: {text}", pod.id.name)).chain(reasons).collect()
}

fn injection(step: &Step, case: &Case<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for connection in &case.connections {
        for finding in case.checked(connection, &["sidecar-injected"]) {
            let subject = connection.client.as_ref().map_or(&connection.expectation.client, |side| &side.pod.id).name.clone();
            if findings.iter().all(|known| known.subject != subject) {
                findings.push(step.finding(subject, finding.verdict, finding.observed.clone()));
            }
        }
    }
    findings
}

fn request(step: &Step, case: &Case<'_>) -> Vec<Finding> {
    let judge = |connection: &Connection<'_>| {
        let finding = |verdict, observed: &str| step.finding(&connection.subject, verdict, observed);
        let Connection { hidden, client, .. } = connection;
        if let Some(unavailable) = hidden {
            return finding(Verdict::Unknown, &unavailable.reason);
        }
        let Some(client) = client else { return finding(Verdict::Skip, "not checked: the client has no pod") };
        if !client.pod.is_injected() {
            return finding(Verdict::Skip, "not checked: NSM's client is not in the pod");
        }
        if client.pod.node.is_none() {
            return finding(Verdict::Skip, &format!("not checked: pod {} is not scheduled", client.pod.id.name));
        }
        let parts = [finished(client.pod), service(case, connection), endpoint(case, connection)];
        let verdict = worst(parts.iter().map(|(verdict, _)| *verdict));
        let observed = parts.into_iter().filter(|(v, _)| *v == verdict).map(|(_, text)| text).collect::<Vec<_>>().join("; ");
        // A log keeps what was overcome; where packets flow, its errors are history.
        let complaint = case.complaint(client.pod).filter(|_| !case.works(connection));
        let verdict = if complaint.is_some() { worst([verdict, Verdict::Warn]) } else { verdict };
        Finding { evidence: complaint.into_iter().collect(), ..finding(verdict, &observed) }
    };
    let unreadable = case.expectations.unreadable.iter();
    let unreadable = unreadable.map(|(id, reason)| step.finding(id.to_string(), Verdict::Fail, format!("its annotation cannot be read: {reason}")));
    case.connections.iter().map(judge).chain(unreadable).collect()
}

fn finished(pod: &PodState) -> (Verdict, String) {
    match pod.client_init().filter(|init| !init.ready) {
        Some(init) => (Verdict::Fail, format!("{} has not finished: {}", init.name, pod.status())),
        None => (Verdict::Pass, "the request is served".to_owned()),
    }
}

fn service(case: &Case<'_>, connection: &Connection<'_>) -> (Verdict, String) {
    let expectation = connection.expectation;
    let name = &expectation.url.service;
    // Another domain's services are not in this one's registry.
    if expectation.url.domain.is_some() {
        return (Verdict::Pass, format!("{name} is another domain's"));
    }
    let services = match case.services_of(connection) {
        Some(services) => services,
        None => return (Verdict::Unknown, hidden(&case.observation().inventory.services, "the NetworkServices")),
    };
    match services[..] {
        [] => (Verdict::Fail, format!("there is no NetworkService {name}")),
        [service] => match (service.payload, expectation.payload) {
            (None, _) => (Verdict::Fail, format!("NetworkService {} has a payload that NSM does not know", service.id)),
            // Pings may pass all the same: what is lost is what only the promised payload carries.
            (Some(seen), Some(promised)) if seen != promised => {
                (Verdict::Fail, format!("NetworkService {} has payload {seen} instead of {promised}", service.id))
            }
            _ => (Verdict::Pass, format!("NetworkService {} is there", service.id)),
        },
        _ => (Verdict::Warn, format!("{} NetworkServices are named {name}, in as many namespaces, and NSM takes any", services.len())),
    }
}

fn endpoint(case: &Case<'_>, connection: &Connection<'_>) -> (Verdict, String) {
    let name = &connection.expectation.url.service;
    if connection.expectation.url.domain.is_some() {
        return (Verdict::Pass, format!("the endpoints of {name} are another domain's"));
    }
    if let Some(workload) = case.scaled_down(connection) {
        return (Verdict::Fail, format!("{workload}, which offers {name}, is to have no pod"));
    }
    let Some(registrations) = case.registrations_of(connection) else {
        return (Verdict::Unknown, hidden(&case.observation().inventory.endpoints, "the registered endpoints"));
    };
    let expired: Vec<i64> = registrations.iter().filter_map(|endpoint| case.expired_for(endpoint)).collect();
    match expired.iter().min() {
        _ if registrations.is_empty() => (Verdict::Fail, format!("no endpoint is registered for {name}")),
        Some(seconds) if expired.len() == registrations.len() => {
            // The two clocks may differ, and packets that flow weigh more than a clock.
            let verdict = if case.works(connection) { Verdict::Warn } else { Verdict::Fail };
            (verdict, format!("the registration of {} ran out {seconds} s ago", registrations[0].id.name))
        }
        _ => (Verdict::Pass, format!("{} of its endpoints registered", registrations.len() - expired.len())),
    }
}

fn hidden<T>(part: &Result<T, crate::model::Unavailable>, what: &str) -> String {
    part.as_ref().err().map_or_else(|| format!("{what} were not looked at"), |unavailable| unavailable.reason.clone())
}

fn interface(step: &Step, case: &Case<'_>) -> Vec<Finding> {
    merge_all(step, case, &["interface", "address", "peer-route"])
}

fn ping(step: &Step, case: &Case<'_>) -> Vec<Finding> {
    merge_all(step, case, &["ping-endpoint", "ping-client", "path-mtu"])
}

fn merge_all(step: &Step, case: &Case<'_>, checks: &[&str]) -> Vec<Finding> {
    let judge = |connection: &Connection<'_>| {
        let waiting =
            connection.client.as_ref().filter(|side| side.probes.is_none()).and_then(|side| side.pod.client_init()).filter(|init| !init.ready);
        match waiting {
            // What the endpoint lacks then only follows.
            Some(init) => step.finding(&connection.subject, Verdict::Skip, format!("not checked: {} has not finished", init.name)),
            None => merge(step, &connection.subject, &case.checked(connection, checks)),
        }
    };
    case.connections.iter().map(judge).collect()
}

/// One finding out of several: the worst of them, and what those say that are as bad.
fn merge(step: &Step, subject: &str, findings: &[&Finding]) -> Finding {
    let verdict = worst(findings.iter().map(|finding| finding.verdict));
    let mut observed: Vec<String> = Vec::new();
    let mut evidence: Vec<String> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.verdict == verdict) {
        let text = match verdict {
            Verdict::Pass => finding.observed.clone(),
            Verdict::Skip if finding.observed.starts_with("not checked: ") => finding.observed.clone(),
            Verdict::Skip => format!("not checked: {}", finding.observed),
            _ => format!("{} ({}): {}", finding.title, finding.subject, finding.observed),
        };
        for (lines, line) in finding.evidence.iter().map(|line| (true, line)).chain([(false, &text)]) {
            let known = if lines { &mut evidence } else { &mut observed };
            if !known.contains(line) {
                known.push(line.clone());
            }
        }
    }
    Finding { evidence, ..step.finding(subject, verdict, observed.join("; ")) }
}

/// The verdict that counts. What was passed over counts least: the rest was judged.
fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    let weight = |verdict: &Verdict| match verdict {
        Verdict::Skip => 0,
        Verdict::Pass => 1,
        Verdict::Warn => 2,
        Verdict::Unknown => 3,
        Verdict::Fail => 4,
    };
    verdicts.into_iter().max_by_key(weight).unwrap_or(Verdict::Skip)
}
