//! What one manager leaves to the next: everything that it knows and the kernel does not.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    events::Events,
    forwarder::{Connection, End, look},
    heal::watch,
    mesh::{Mesh, now, object},
    names,
    program::{Run, SavedRun},
    protocol::Apply,
    sandbox::Sandbox,
};
use crate::{
    model::{AddressPair, EventRecord, InterfaceName, Namespaced, Payload},
    net::{self, Namespace},
};

/// Everything that is deployed, in a form that can be kept.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    deployments: BTreeMap<String, Apply>,
    pods: Vec<Pod>,
    connections: Vec<Connected>,
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

#[derive(Debug, Serialize, Deserialize)]
struct Connected {
    request: usize,
    service: Namespaced,
    payload: Payload,
    client: (Namespaced, InterfaceName),
    endpoint: (Namespaced, InterfaceName),
    pairs: Vec<AddressPair>,
    since: i64,
    heals: u32,
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
        let end = |end: &End| (end.pod.clone(), end.interface.clone());
        let connected = |connection: &Connection| Connected {
            request: connection.request,
            service: connection.service.clone(),
            payload: connection.payload,
            client: end(&connection.client),
            endpoint: end(&connection.endpoint),
            pairs: connection.pairs.clone(),
            since: connection.since,
            heals: connection.heals,
        };
        let state = State {
            deployments: self.deployments.clone(),
            pods: self.sandboxes.values().filter_map(pod).collect(),
            connections: self.manager.connections().iter().map(connected).collect(),
            events: self.events.list(),
        };
        let saved = serde_json::to_vec(&state).map_err(std::io::Error::from).and_then(|bytes| self.link.save(&bytes));
        if let Err(error) = saved {
            super::supervisor::log(&format!("the state cannot be kept for another manager: {error}"));
        }
    }

    /// Goes on from what the last manager has left. What it was in the middle of is undone: pods that it had not told of are
    /// gone with it, and links that belong to no connection are removed.
    pub(super) async fn restore(&mut self, state: &[u8], mut namespaces: BTreeMap<u64, Namespace>) {
        let state: State = match serde_json::from_slice(state) {
            Ok(state) => state,
            Err(error) => return super::supervisor::log(&format!("what the last manager has left cannot be read: {error}")),
        };
        self.events = Events::restore(state.events);
        for (instance, deployment) in &state.deployments {
            for service in &deployment.services {
                self.manager.registry.put_service(instance, service);
            }
        }
        self.deployments = state.deployments;
        for pod in state.pods {
            self.restore_pod(pod, &mut namespaces).await;
        }
        for unknown in namespaces.values() {
            self.link.release(unknown);
        }
        for connected in state.connections {
            let end = |(pod, interface): (Namespaced, InterfaceName)| {
                let namespace = self.sandboxes.get(&pod)?.namespace.clone();
                Some(End { pod, namespace, interface })
            };
            if let (Some(client), Some(endpoint)) = (end(connected.client), end(connected.endpoint)) {
                let Connected { request, service, payload, pairs, since, heals, .. } = connected;
                self.manager.adopt(Connection { request, service, payload, client, endpoint, pairs, since, heals });
            }
        }
        self.sweep().await;
    }

    async fn restore_pod(&mut self, pod: Pod, namespaces: &mut BTreeMap<u64, Namespace>) {
        let workloads = self.deployments.get(&pod.instance).map(|deployment| deployment.workloads.as_slice()).unwrap_or_default();
        let workload = workloads.iter().find(|workload| names::pods(workload).contains(&pod.id)).cloned();
        let (Some(workload), Some(namespace)) = (workload, namespaces.remove(&pod.namespace)) else {
            return self.events.warning(object("Pod", &pod.id), "Lost", "its network namespace was not handed over");
        };
        let programs: Vec<Run> = pod.programs.into_iter().map(Run::restore).collect();
        // Also where a program is the endpoint: where that runs no more, it is told so next.
        if let Some(spec) = &workload.endpoint {
            self.manager.add_endpoint(&pod.id, &pod.instance, &namespace, spec, now());
        }
        let mut sandbox = Sandbox::new(pod.id.clone(), pod.instance, Arc::new(workload), namespace);
        (sandbox.waiting, sandbox.logs, sandbox.programs) = (pod.waiting, pod.logs, programs);
        // Without it what is lost is not noticed, and told when somebody looks.
        sandbox.watching = watch(&pod.id, &sandbox.namespace, self.changes.clone()).await.ok();
        self.sandboxes.insert(pod.id, sandbox);
    }

    /// Removes the links of requests that the last manager was still serving.
    async fn sweep(&self) {
        for sandbox in self.sandboxes.values() {
            let ends = self.manager.connections().iter().flat_map(|connection| [&connection.client, &connection.endpoint]);
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
