use std::time::Duration;

use kube::{
    Api,
    api::{Patch, PatchParams},
    runtime::wait::await_condition,
};
use serde_json::json;

use super::{
    Cluster, error,
    partial::{ContainerStatus, Pod},
    persist::attempt,
};
use crate::model::{Namespaced, Result, Unavailable, UnavailableKind};

/// What the names of the containers begin with, so that one that still runs is used again.
const NAME: &str = "nsmctl-debug-";
/// How long such a container lives: a look or two. Kubernetes lets nobody take it away again, so it ends by itself.
const LIFE: &str = "120";
/// How long its image may take to be there.
const START: Duration = Duration::from_secs(20);

impl Cluster {
    /// A container with `ip` and `ping` beside those of the pod: one that is left from before, else a new one, an ephemeral
    /// container. It ends by itself.
    pub(super) async fn debug_container(&self, pod: &Namespaced, image: &str) -> Result<String, Unavailable> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
        let found = attempt(async || api.get(&pod.name).await).await.map_err(|error| error::unavailable(&error))?;
        if let Some(running) = statuses(&found).find(|status| is_running(status)) {
            return Ok(running.name.clone());
        }
        let used = found.spec.iter().flat_map(|spec| spec.ephemeral_containers.iter().flatten()).filter(|c| c.name.starts_with(NAME)).count();
        let name = format!("{NAME}{}", used + 1);
        let container = json!({"name": name, "image": image, "command": ["sleep", LIFE], "imagePullPolicy": "IfNotPresent"});
        let patch = Patch::Strategic(json!({"spec": {"ephemeralContainers": [container]}}));
        let patched = attempt(async || api.patch_ephemeral_containers(&pod.name, &PatchParams::default(), &patch).await).await;
        patched.map_err(|error| {
            let Unavailable { kind, reason } = error::unavailable(&error);
            Unavailable {
                kind,
                reason: format!(
                    "the image has no ip or ping, and a container that has may not be put beside it (patch pods/ephemeralcontainers): {reason}"
                ),
            }
        })?;
        let started =
            await_condition(api, &pod.name, |pod: Option<&Pod>| pod.is_none_or(|pod| statuses(pod).any(|s| s.name == name && is_settled(s))));
        let lost =
            |kind, reason: String| Unavailable { kind, reason: format!("the image has no ip or ping, and the container {name} beside it {reason}") };
        let pod = match tokio::time::timeout(START, started).await {
            Err(_) => return Err(lost(UnavailableKind::Timeout, format!("did not start within {} s", START.as_secs()))),
            Ok(Err(error)) => return Err(lost(UnavailableKind::Transport, format!("cannot be watched: {error}"))),
            Ok(Ok(pod)) => pod,
        };
        let status = pod.as_ref().and_then(|pod| statuses(pod).find(|status| status.name == name).cloned());
        match status {
            Some(status) if is_running(&status) => Ok(name),
            Some(status) => Err(lost(UnavailableKind::NoProgram, format!("does not run: {}", why(&status)))),
            None => Err(lost(UnavailableKind::NotFound, "is gone with its pod".to_owned())),
        }
    }
}

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let all = pod.status.iter().flat_map(|status| status.ephemeral_container_statuses.iter().flatten());
    all.filter(|status| status.name.starts_with(NAME))
}

fn is_running(status: &ContainerStatus) -> bool {
    status.state.as_ref().is_some_and(|state| state.running.is_some())
}

/// Whether it will not come any further by waiting.
fn is_settled(status: &ContainerStatus) -> bool {
    let state = status.state.clone().unwrap_or_default();
    let waits = state.waiting.and_then(|waiting| waiting.reason).unwrap_or_default();
    state.running.is_some() || state.terminated.is_some() || waits.ends_with("BackOff") || waits.starts_with("Err") || waits.starts_with("Invalid")
}

fn why(status: &ContainerStatus) -> String {
    let state = status.state.clone().unwrap_or_default();
    let waits = state.waiting.map(|waiting| (waiting.reason, waiting.message));
    let ended = state.terminated.map(|ended| (ended.reason, ended.message));
    let (reason, message) = waits.or(ended).unwrap_or_default();
    [reason, message].into_iter().flatten().collect::<Vec<_>>().join(": ")
}
