//! What this machine cannot do is refused before anything is changed.

use std::collections::BTreeMap;

use super::{mesh::Mesh, names, protocol::Apply, protocol::Refusal};
use crate::model::{Mechanism, Namespaced, NsUrl, Outcome, Workload, selection};

/// How many pods this machine holds in all. Each is a network namespace, which costs the kernel memory and the engine an
/// open file; what asks for more has most likely been miswritten.
const MOST_PODS: u64 = 1000;

/// Judges a deployment as a whole.
///
/// # Errors
/// The first thing that cannot be.
pub(super) fn validate(mesh: &Mesh, wanted: &Apply) -> Result<(), Refusal> {
    for workload in &wanted.workloads {
        workload.requests.iter().try_for_each(|url| servable(workload, url))?;
    }
    let conflict =
        |message: String| Refusal::new(Outcome::Failed, message).hint("choose another namespace for this deployment, or clean the other one up");
    for service in &wanted.services {
        if let Some(value) = selection::not_understood(&service.matches) {
            let message = format!("a selector of NetworkService {} has the template {value:?}, which cannot be read on this machine", service.id);
            return Err(Refusal::new(Outcome::Usage, message).hint("here it is {{ .label }}, the name of a label of the client"));
        }
        mesh.manager.registry().check_service(&wanted.instance, &service.id).map_err(|error| conflict(error.to_string()))?;
    }
    fits(mesh, wanted)?;
    let mut made_by: BTreeMap<Namespaced, &Workload> = BTreeMap::new();
    for workload in &wanted.workloads {
        for pod in names::pods(workload) {
            if let Some(owner) = mesh.sandboxes.get(&pod).filter(|sandbox| sandbox.instance != wanted.instance) {
                return Err(conflict(format!("pod {pod} belongs to the deployment {}", owner.instance)));
            }
            if let Some(other) = made_by.insert(pod.clone(), workload) {
                return Err(Refusal::new(Outcome::Usage, format!("{other} and {workload} both make the pod {pod}")).hint("rename one of them"));
            }
        }
    }
    Ok(())
}

/// Counts the pods before any list of them is made.
fn fits(mesh: &Mesh, wanted: &Apply) -> Result<(), Refusal> {
    let others = mesh.sandboxes.values().filter(|sandbox| sandbox.instance != wanted.instance).count() as u64;
    let asked: u64 = wanted.workloads.iter().map(names::pod_count).sum();
    if asked.saturating_add(others) <= MOST_PODS {
        return Ok(());
    }
    let beside = if others > 0 { format!(" beside the {others} of other deployments") } else { String::new() };
    let largest = wanted.workloads.iter().max_by_key(|workload| names::pod_count(workload));
    let named = largest.map(|workload| format!(", {} of them for {workload}", names::pod_count(workload))).unwrap_or_default();
    let message = format!("{asked} pods{beside} are too many for this machine{named}: it takes {MOST_PODS} in all");
    Err(Refusal::new(Outcome::Usage, message).hint("ask for fewer replicas in the manifest, or use a cluster (--target cluster)"))
}

fn servable(workload: &Workload, url: &NsUrl) -> Result<(), Refusal> {
    if url.mechanism != Mechanism::Kernel {
        let message = format!("cannot support any of the requested mechanism: {} in {url}, which {workload} requests", url.mechanism);
        return Err(Refusal::new(Outcome::Usage, message).hint("this machine serves kernel:// only; others need a cluster (--target cluster)"));
    }
    if let Some(domain) = &url.domain {
        let message = format!("the domain {domain} cannot be reached from this machine: {url}, which {workload} requests");
        return Err(Refusal::new(Outcome::Usage, message).hint("other domains need a cluster (--target cluster)"));
    }
    Ok(())
}
