use crate::model::{
    ComponentState, ComponentStatus, Finding, InstanceStatus, Known, PodState, Ready, RegisteredEndpoint, System, Unavailable, Verdict,
};

use super::{hidden, time};

/// The parts, each with its pods by node.
pub(super) fn components(system: &System, registered: Result<&[RegisteredEndpoint], &Unavailable>) -> Vec<ComponentStatus> {
    system.components.iter().map(|component| status(component, system, registered)).collect()
}

fn status(component: &ComponentState, system: &System, registered: Result<&[RegisteredEndpoint], &Unavailable>) -> ComponentStatus {
    let is_forwarder = component.role == "forwarder";
    let instance = |pod: &PodState| instance(pod, is_forwarder.then_some(registered));
    let instances = match (&system.pods, &component.object) {
        (Err(unavailable), Some(_)) => hidden(unavailable),
        (_, object) => {
            let mut pods = object.as_ref().map(|object| system.pods_of(object)).unwrap_or_default();
            // What was evicted or has ended stays behind until somebody clears it away.
            if pods.iter().any(|pod| !has_ended(pod)) {
                pods.retain(|pod| !has_ended(pod));
            }
            pods.sort_by_key(|pod| (&pod.node, &pod.id));
            Known::Value(pods.into_iter().map(instance).collect::<Vec<_>>())
        }
    };
    // A node whose forwarder is ready and unknown to NSM gets no connection.
    let is_unregistered = instances.value().into_iter().flatten().any(|pod| pod.ready && pod.registered == Some(Known::Value(false)));
    let verdict = match &component.ready {
        Err(_) => Verdict::Unknown,
        Ok(_) if !component.is_ready() && !is_idle(component, system) => Verdict::Fail,
        Ok(_) if is_unregistered => Verdict::Fail,
        Ok(_) => Verdict::Pass,
    };
    let ready = match &component.ready {
        Ok((desired, ready)) => Known::Value(Ready { desired: *desired, ready: *ready }),
        Err(unavailable) => hidden(unavailable),
    };
    ComponentStatus { role: component.role.clone(), object: component.object.clone(), verdict, ready, instances }
}

fn has_ended(pod: &PodState) -> bool {
    matches!(pod.phase.as_str(), "Succeeded" | "Failed")
}

/// The nodes that are not ready, and that none takes pods.
pub(super) fn nodes(system: &System) -> Vec<Finding> {
    let Ok(nodes) = &system.nodes else { return Vec::new() };
    let hint = "`kubectl describe node` says why: its conditions and taints";
    let finding = |subject: &str, verdict, observed: &str| {
        Finding::new("node", "node ready", subject, verdict, "ready, and takes pods", observed).advised(hint)
    };
    let mut findings: Vec<Finding> =
        nodes.iter().filter(|node| !node.ready).map(|node| finding(&node.name, Verdict::Warn, "its kubelet does not say that it is ready")).collect();
    if !nodes.is_empty() && !nodes.iter().any(|node| node.schedulable) {
        findings.push(finding("all nodes", Verdict::Fail, "none takes pods"));
    }
    findings
}

/// Whether it is the lesser of two that are shipped for the same work, of which one is used: a forwarder that no node wants.
fn is_idle(component: &ComponentState, system: &System) -> bool {
    let wants_none = component.object.is_some() && matches!(component.ready, Ok((0, _)));
    wants_none && system.components.iter().any(|other| other.role == component.role && other.is_ready())
}

fn instance(pod: &PodState, registered: Option<Result<&[RegisteredEndpoint], &Unavailable>>) -> InstanceStatus {
    let own = pod.containers.first();
    let registered = registered.map(|endpoints| match endpoints {
        Ok(endpoints) => Known::Value(endpoints.iter().any(|endpoint| endpoint.is_of(&pod.id))),
        Err(unavailable) => hidden(unavailable),
    });
    InstanceStatus {
        pod: pod.id.clone(),
        node: Known::of(pod.node.clone(), "it is on no node yet"),
        ready: pod.ready,
        state: pod.status(),
        image: Known::of(own.map(|container| container.image.clone()).filter(|image| !image.is_empty()), "the pod does not say"),
        restarts: pod.containers.iter().map(|container| container.restarts).sum(),
        since: Known::of(own.filter(|container| container.running).and_then(|container| time(container.since?)), "it does not run, or does not say"),
        registered,
    }
}
