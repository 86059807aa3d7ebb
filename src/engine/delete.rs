//! How a deployment goes, and the proof that it is gone.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::mesh::{Emit, Mesh, namespaces, object, object_of};
use crate::{
    model::{Event, ObjectRef, ObjectState, Removed, WorkloadKind},
    net::Namespace,
};

/// How long it may take until connections have ended, and how often it is looked whether they have.
const LETS_GO: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

impl Mesh {
    /// What a deployment holds, in the order in which it goes: also what nobody else has a use for then.
    pub(super) fn held(&self, instance: &str) -> Vec<ObjectRef> {
        let Some(deployment) = self.deployments.get(instance) else { return Vec::new() };
        let mut all = Vec::new();
        for sandbox in self.sandboxes.values().filter(|sandbox| sandbox.instance == instance) {
            all.extend(sandbox.workload.endpoint.is_some().then(|| object("NetworkServiceEndpoint", &sandbox.pod)));
            all.push(object("Pod", &sandbox.pod));
        }
        all.extend(deployment.workloads.iter().filter(|workload| workload.kind != WorkloadKind::Pod).map(object_of));
        all.extend(deployment.services.iter().map(|service| object("NetworkService", &service.id)));
        let others = self.deployments.iter().filter(|(name, _)| name.as_str() != instance);
        let kept: Vec<&str> = others.flat_map(|(_, deployment)| namespaces(deployment)).collect();
        let gone = namespaces(deployment).into_iter().filter(|namespace| !kept.contains(namespace));
        all.extend(gone.map(|namespace| ObjectRef::cluster("Namespace", namespace)));
        all
    }

    /// Removes a deployment with all that it has, then makes the requests of others again: addresses may have come free.
    pub(super) async fn delete(&mut self, instance: &str, emit: &mut Emit<'_>) -> Removed {
        let gone = self.held(instance);
        let Some(deployment) = self.deployments.remove(instance) else {
            return Removed { proof: vec![format!("the engine holds nothing of the deployment {instance}")], ..Removed::default() };
        };
        let mut removed = Removed { gone, ..Removed::default() };
        let pods: Vec<_> = self.sandboxes.values().filter(|sandbox| sandbox.instance == instance).map(|sandbox| sandbox.pod.clone()).collect();
        let mut held = Vec::new();
        let mut closed = 0_usize;
        for pod in &pods {
            let reference = object("Pod", pod);
            emit(Event::Object(reference.clone(), ObjectState::Deleting("its connections are being closed".to_owned())));
            let Some(sandbox) = self.sandboxes.get(pod) else { continue };
            held.push((sandbox.namespace.clone(), reference.clone()));
            for (connection, error) in self.remove_pod(pod).await {
                closed += 1;
                removed.left.extend(error.map(|error| (reference.clone(), format!("interface {}: {error}", connection.client.interface))));
            }
        }
        for service in &deployment.services {
            self.manager.registry().remove_service(&service.id);
            self.manager.close(|connection| connection.service == service.id).await;
        }

        let used = still_used(&held);
        let free = held.iter().filter(|(_, pod)| !used.iter().any(|(left, _)| left == pod)).count();
        drop(held);
        removed.left.extend(used);
        removed.gone.retain(|object| !removed.left.iter().any(|(left, _)| left == object));
        for object in &removed.gone {
            emit(Event::Object(object.clone(), ObjectState::Gone));
        }
        removed.proof.push(format!("connections closed, with both their interfaces: {closed}"));
        removed.proof.push(format!("network namespaces let go, and held by no process that can be seen: {free}"));
        self.may_serve.notify_one();
        removed
    }
}

/// Waits until this process has closed all descriptors of network namespaces: those that were passed over connections go with these,
/// which end a moment later.
pub(super) async fn let_go() {
    let is_namespace = |entry: fs::DirEntry| fs::read_link(entry.path()).is_ok_and(|link| link.to_string_lossy().starts_with("net:["));
    let begun = Instant::now();
    while begun.elapsed() < LETS_GO && fs::read_dir("/proc/self/fd").into_iter().flatten().flatten().any(is_namespace) {
        sleep(LOOK_AGAIN).await;
    }
}

/// The namespaces that a process is still in, by the pod that they were. They are held meanwhile: the kernel gives the number of
/// one that is gone to the next that anybody makes.
fn still_used(held: &[(Namespace, ObjectRef)]) -> Vec<(ObjectRef, String)> {
    let pods: BTreeMap<u64, &ObjectRef> = held.iter().filter_map(|(namespace, pod)| Some((namespace.inode().ok()?, pod))).collect();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let inside = |pid: u32| {
        let target = fs::read_link(format!("/proc/{pid}/ns/net")).ok()?;
        let inode: u64 = target.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()?;
        let pod = *pods.get(&inode)?;
        Some((pod.clone(), format!("process {pid} is still in its network namespace")))
    };
    pids.filter_map(inside).collect()
}
