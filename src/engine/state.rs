//! What one manager leaves to the next: everything that it knows and the kernel does not.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::Display,
    os::fd::OwnedFd,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    api::SavedApi,
    events::Events,
    forwarder::look,
    heal::watch,
    identity::{Identity, SavedIdentity},
    mesh::{Mesh, object},
    names,
    phases::Moment,
    program::{Run, SavedRun},
    protocol::Apply,
    sandbox::Sandbox,
};
use crate::{
    model::{ContainerRole, EventRecord, InterfaceName, Namespaced},
    net::{self, Namespace},
};

/// What the supervisor has held meanwhile.
#[derive(Debug)]
pub(super) struct Held {
    /// Network namespaces by their numbers.
    pub(super) namespaces: BTreeMap<u64, Namespace>,
    /// The sockets of endpoints that have registered.
    pub(super) endpoints: BTreeMap<Namespaced, OwnedFd>,
}

/// Everything that is deployed, in a form that can be kept. It holds private keys, and is kept in memory alone.
#[derive(Serialize, Deserialize)]
pub(super) struct State {
    identity: SavedIdentity,
    api: SavedApi,
    deployments: BTreeMap<String, Apply>,
    pods: Vec<Pod>,
    events: Vec<EventRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Pod {
    id: Namespaced,
    instance: String,
    namespace: u64,
    waiting: Option<String>,
    logs: BTreeMap<String, VecDeque<String>>,
    programs: Vec<SavedRun>,
}

impl State {
    /// What the last manager has left, where that can be read.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let complain = |error: &serde_json::Error| super::supervisor::log(&format!("what the last manager has left cannot be read: {error}"));
        serde_json::from_slice(bytes).inspect_err(complain).ok()
    }

    /// The identities: a manager that follows is the same authority.
    ///
    /// # Errors
    /// They are none.
    pub(super) fn identity(&self) -> Result<Identity, super::identity::Error> {
        Identity::restore(&self.identity)
    }
}

impl Mesh {
    /// Has everything kept for the next manager.
    pub(super) fn save(&self) {
        let pod = |sandbox: &Sandbox| {
            let (id, instance, waiting) = (sandbox.pod.clone(), sandbox.instance.clone(), sandbox.waiting.clone());
            let programs: Vec<SavedRun> = sandbox.programs.iter().map(Run::save).collect();
            // What programs have logged is handed over by the supervisor.
            let is_own = |container: &String| !sandbox.programs.iter().any(|run| run.program.container == *container);
            let logs = sandbox.logs.iter().filter(|(container, _)| is_own(container)).map(|(name, lines)| (name.clone(), lines.clone())).collect();
            Some(Pod { id, instance, namespace: sandbox.namespace.inode().ok()?, waiting, logs, programs })
        };
        let state = State {
            identity: self.manager.control.identity.save(),
            api: self.manager.control.save(),
            deployments: self.deployments.clone(),
            pods: self.sandboxes.values().filter_map(pod).collect(),
            events: self.events.list(),
        };
        let saved = serde_json::to_vec(&state).map_err(std::io::Error::from).and_then(|bytes| self.link.save(&bytes));
        if let Err(error) = saved {
            super::supervisor::log(&format!("the state cannot be kept for another manager: {error}"));
        }
    }

    /// Goes on from what the last manager has left, as far as nobody needs to be asked for it. What it was in the middle of is
    /// undone: pods that it had not told of are gone with it. The result is what is to be resumed.
    pub(super) async fn restore(&mut self, state: State, held: Held) -> SavedApi {
        let Held { mut namespaces, endpoints } = held;
        self.events = Events::restore(state.events);
        for (instance, deployment) in &state.deployments {
            for service in &deployment.services {
                self.manager.registry().put_service(instance, service);
            }
        }
        self.deployments = state.deployments;
        for pod in state.pods {
            self.restore_pod(pod, &mut namespaces).await;
        }
        for unknown in namespaces.values() {
            self.link.release(unknown);
        }
        self.manager.control.restore_registrations(&state.api, endpoints);
        state.api
    }

    /// Goes on with endpoints and connections, for which the API must be answered. Links that belong to no connection are removed.
    pub(super) async fn resume(&mut self, saved: SavedApi) {
        let complain = |pod: &Namespaced, error: &dyn Display| super::supervisor::log(&format!("pod {pod}: {error}"));
        for sandbox in self.sandboxes.values().filter(|sandbox| !sandbox.runs(ContainerRole::Endpoint)) {
            self.manager.control.start(&sandbox.pod, Moment::now(), "started again by another manager");
            if let Some(spec) = &sandbox.workload.endpoint
                && let Err(error) = self.manager.add_endpoint(&sandbox.member(), spec, saved.given_by(&sandbox.pod)).await
            {
                complain(&sandbox.pod, &error);
            }
        }
        self.manager.control.restore_connections(saved);
        for sandbox in self.sandboxes.values().filter(|sandbox| sandbox.is_own_client()) {
            if let Err(error) = self.manager.resume(&sandbox.member()).await {
                complain(&sandbox.pod, &error);
            }
        }
        self.sweep().await;
        // That they have registered again is not worth telling.
        self.manager.control.journal.take();
    }

    async fn restore_pod(&mut self, pod: Pod, namespaces: &mut BTreeMap<u64, Namespace>) {
        let workloads = self.deployments.get(&pod.instance).map(|deployment| deployment.workloads.as_slice()).unwrap_or_default();
        let workload = workloads.iter().find(|workload| names::pods(workload).contains(&pod.id)).cloned();
        let (Some(workload), Some(namespace)) = (workload, namespaces.remove(&pod.namespace)) else {
            return self.events.warning(object("Pod", &pod.id), "Lost", "its network namespace was not handed over");
        };
        let programs: Vec<Run> = pod.programs.into_iter().map(Run::restore).collect();
        let mut sandbox = Sandbox::new(pod.id.clone(), pod.instance, Arc::new(workload), namespace);
        (sandbox.waiting, sandbox.logs, sandbox.programs) = (pod.waiting, pod.logs, programs);
        // Without it what is lost is not noticed, and told when somebody looks.
        sandbox.watching = watch(&pod.id, &sandbox.namespace, self.changes.clone()).await.ok();
        if let Err(error) = self.manager.control.sandboxes.insert(sandbox.member()) {
            return self.events.warning(object("Pod", &pod.id), "Lost", error);
        }
        self.sandboxes.insert(pod.id, sandbox);
    }

    /// Removes the links of requests that the last manager was still serving.
    async fn sweep(&self) {
        let connections = self.manager.connections();
        for sandbox in self.sandboxes.values() {
            let ends = connections.iter().flat_map(|connection| [&connection.client, &connection.endpoint]);
            let known: BTreeSet<String> = ends.filter(|end| end.pod == sandbox.pod).map(|end| end.interface.to_string()).collect();
            let requests = self.deployments.values().flat_map(|deployment| &deployment.workloads).flat_map(|workload| &workload.requests);
            let asked: Vec<_> = requests.map(|url| (url.service.clone(), url.interface.clone())).collect();
            let is_ours = move |name: &str| {
                let made = |(service, interface): &(String, Option<InterfaceName>)| {
                    interface.as_ref().is_some_and(|interface| interface.as_str() == name) || names::is_interface_of(name, service)
                };
                asked.iter().any(made) && !known.contains(name)
            };
            let remove = async move |handle: net::Handle| {
                let (links, ..) = look(handle.clone()).await?;
                for link in links.iter().filter(|link| is_ours(&link.name)) {
                    net::delete_link(&handle, &link.name).await?;
                }
                Ok(())
            };
            if let Err(error) = sandbox.namespace.run(remove).await {
                super::supervisor::log(&format!("pod {}: {error}", sandbox.pod));
            }
        }
    }
}
