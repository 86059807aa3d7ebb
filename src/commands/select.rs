//! Which pod is meant.

use super::session::Session;
use crate::{
    model::{Expectations, Failure, PodState, Result, Workload, did_you_mean},
    target::Ctx,
};

/// A pod of the deployment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Chosen<'a> {
    pub(super) workload: &'a Workload,
    pub(super) pod: &'a PodState,
    /// How many pods the workload has, where nobody said which.
    pub(super) among: usize,
}

/// Finds the workload or pod of that name, else the first client. Of several pods that is the first ready one, else the
/// first whose own container runs, else the first.
///
/// # Errors
/// There is none of that name, which lists what there is; or the workload has no pods.
pub(super) fn choose<'a>(expectations: &'a Expectations, pods: &'a [PodState], name: Option<&str>) -> Result<Chosen<'a>> {
    let workloads = &expectations.workloads;
    let found = match name {
        None => workloads.iter().find(|workload| workload.is_client()).or_else(|| workloads.first()),
        Some(name) => workloads.iter().find(|workload| workload.id.name == name),
    };
    if let Some(workload) = found {
        let mut own: Vec<&PodState> = pods.iter().filter(|pod| workload.owns(pod)).collect();
        own.sort_by_key(|pod| (pod.deleting, !pod.ready, !runs(pod, &workload.container), &pod.id.name));
        let pod = own.first().copied();
        return pod.map(|pod| Chosen { workload, pod, among: own.len() }).ok_or_else(|| {
            Failure::cannot_tell(format!("{workload} has no pods")).hint("`nsmctl troubleshoot` names the cause; `nsmctl deploy` makes them")
        });
    }
    let name = name.unwrap_or_default();
    let pod = pods.iter().find(|pod| pod.id.name == name);
    let owner = pod.and_then(|pod| workloads.iter().find(|workload| workload.owns(pod)));
    owner.zip(pod).map(|(workload, pod)| Chosen { workload, pod, among: 1 }).ok_or_else(|| unknown(workloads, pods, name))
}

/// Whether a container of the pod runs.
pub(super) fn runs(pod: &PodState, container: &str) -> bool {
    pod.containers.iter().chain(&pod.init_containers).any(|known| known.name == container && known.running)
}

fn unknown(workloads: &[Workload], pods: &[PodState], name: &str) -> Failure {
    let of = |workload: &Workload| -> Vec<&str> {
        let own = pods.iter().filter(|pod| workload.owns(pod)).map(|pod| pod.id.name.as_str());
        own.filter(|pod| *pod != workload.id.name).collect()
    };
    let names: Vec<&str> = workloads.iter().flat_map(|workload| [vec![workload.id.name.as_str()], of(workload)].concat()).collect();
    let listed: Vec<String> = workloads
        .iter()
        .map(|workload| match of(workload).as_slice() {
            [] => workload.id.name.clone(),
            pods => format!("{} ({})", workload.id.name, pods.join(", ")),
        })
        .collect();
    let meant = did_you_mean(name, names.iter().copied());
    Failure::cannot_tell(format!("the deployment has no workload or pod {name}")).hint(format!("{meant}there is {}", listed.join(", ")))
}

/// The pods of the deployment.
///
/// # Errors
/// They cannot be seen, or there is nothing of the deployment.
pub(super) async fn pods(session: &Session, ctx: &Ctx) -> Result<Vec<PodState>> {
    let Session { target, plan, .. } = session;
    let inventory = target.inventory(ctx, &plan.expectations).await?;
    let pods = inventory.pods.map_err(|unavailable| Failure::cannot_tell(format!("cannot list the pods: {}", unavailable.reason)))?;
    if pods.iter().any(|pod| plan.expectations.workloads.iter().any(|workload| workload.owns(pod))) {
        return Ok(pods);
    }
    Err(session.absent(ctx, "").await)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::{Customisation, embedded, plan, read};

    fn example() -> Expectations {
        plan(&read(&embedded()).unwrap(), &Customisation::default(), "default").unwrap().expectations
    }

    fn pod(name: &str, labels: &[(&str, &str)], ready: bool, running: bool) -> PodState {
        let container = |name: &str| json!({"name": name, "image": "", "ready": running, "running": running, "restarts": 0});
        let labels: serde_json::Map<String, serde_json::Value> = labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        serde_json::from_value(json!({
            "id": {"namespace": "ns-kernel2kernel", "name": name}, "labels": labels, "phase": "Running", "ready": ready, "deleting": false,
            "init_containers": [], "containers": [container("cmd-nsc"), container("nse"), container("alpine")]
        }))
        .unwrap()
    }

    fn pods() -> Vec<PodState> {
        let endpoint = [("app", "nse-kernel"), ("spiffe.io/spiffe-id", "true")];
        vec![
            pod("alpine", &[], true, true),
            pod("nse-kernel-c", &endpoint, true, true),
            pod("nse-kernel-b", &endpoint, true, true),
            pod("nse-kernel-a", &endpoint, false, true),
        ]
    }

    #[test]
    fn without_a_name_it_is_the_first_client_and_its_own_container() {
        let (expectations, pods) = (example(), pods());
        let chosen = choose(&expectations, &pods, None).unwrap();
        assert_eq!((chosen.pod.id.name.as_str(), chosen.workload.container.as_str(), chosen.among), ("alpine", "alpine", 1));
    }

    #[test]
    fn of_several_pods_it_is_the_first_ready_one_unless_one_is_named() {
        let (expectations, mut pods) = (example(), pods());
        let name = |pods: &[PodState], name| choose(&expectations, pods, Some(name)).map(|chosen| chosen.pod.id.name.clone()).unwrap();
        assert_eq!(name(&pods, "nse-kernel"), "nse-kernel-b");
        assert_eq!(name(&pods, "nse-kernel-a"), "nse-kernel-a");
        pods.retain(|pod| pod.id.name != "nse-kernel-b" && pod.id.name != "nse-kernel-c");
        assert_eq!(name(&pods, "nse-kernel"), "nse-kernel-a", "one that is not ready is better than none");
    }

    #[test]
    fn a_name_that_is_not_there_lists_what_is() {
        let (expectations, pods) = (example(), pods());
        let failure = choose(&expectations, &pods, Some("alpin")).unwrap_err();
        assert_eq!(failure.message(), "the deployment has no workload or pod alpin");
        let hint = failure.hint.unwrap();
        assert!(hint.starts_with("did you mean alpine? there is "), "{hint}");
        assert!(hint.contains("nse-kernel (nse-kernel-c, nse-kernel-b, nse-kernel-a)") && hint.contains("alpine"), "{hint}");
        let failure = choose(&expectations, &pods, Some("xyz")).unwrap_err();
        assert!(failure.hint.unwrap().starts_with("there is "));
    }

    #[test]
    fn a_workload_without_pods_is_told() {
        let (expectations, pods) = (example(), vec![pods().remove(0)]);
        assert_eq!(choose(&expectations, &pods, Some("nse-kernel")).unwrap_err().message(), "Deployment ns-kernel2kernel/nse-kernel has no pods");
    }
}
