//! Everything that is deployed on this machine, and how it is made to be what was asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    fs::File,
    io,
    sync::Arc,
};

use super::{
    api::Control,
    events::Events,
    forwarder::Connection,
    identity::Member,
    manager::{Manager, Refused},
    names,
    protocol::{AppliedAll, Apply, Refusal},
    sandbox::{CLIENT_CONTAINER, CLIENT_INIT_CONTAINER, Sandbox},
    validate::validate,
};
use crate::{
    model::{Applied, Event, Namespaced, ObjectRef, ObjectState, Outcome, Workload},
    net::{self, Namespace},
};

/// Where the events of an operation go while it works.
pub(super) type Emit<'a> = dyn FnMut(Event) + Send + 'a;

/// What is deployed, and by what it is carried.
#[derive(Debug)]
pub(super) struct Mesh {
    control: Arc<Control>,
    pub(super) manager: Manager,
    pub(super) sandboxes: BTreeMap<Namespaced, Sandbox>,
    pub(super) deployments: BTreeMap<String, Apply>,
    pub(super) events: Events,
}

/// The time by which registrations run out, in seconds since 1970.
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// The namespaces of a deployment.
pub(super) fn namespaces(deployment: &Apply) -> BTreeSet<&str> {
    let workloads = deployment.workloads.iter().map(|workload| &workload.id);
    let named = workloads.chain(deployment.services.iter().map(|service| &service.id)).map(|id| id.namespace.as_str());
    named.chain([deployment.namespace.as_str()]).collect()
}

/// The object that a workload is.
pub(super) fn object_of(workload: &Workload) -> ObjectRef {
    object(&workload.kind.to_string(), &workload.id)
}

/// An object of a kind.
pub(super) fn object(kind: &str, id: &Namespaced) -> ObjectRef {
    ObjectRef::namespaced(kind, &id.namespace, &id.name)
}

/// Sees that there are files to be opened for one more pod: its namespace, its sockets and what is passed over them. Where there
/// were only some of them, its parts would wait for each other.
fn spare() -> io::Result<()> {
    const A_POD: usize = 16;
    let null = File::open("/dev/null")?;
    (0..A_POD).map(|_| null.try_clone()).collect::<io::Result<Vec<File>>>().map(drop)
}

/// Whether two workloads make the same pods, if not as many.
fn same_template(one: &Workload, other: &Workload) -> bool {
    Workload { replicas: None, ..one.clone() } == Workload { replicas: None, ..other.clone() }
}

/// What a deployment had and is not to have any more.
fn no_longer_wanted(before: &Apply, wanted: &Apply) -> Vec<ObjectRef> {
    let workloads = before.workloads.iter().filter(|workload| !wanted.workloads.iter().any(|w| w.id == workload.id && w.kind == workload.kind));
    let services = before.services.iter().filter(|service| !wanted.services.iter().any(|w| w.id == service.id));
    let gone = namespaces(before).into_iter().filter(|name| !namespaces(wanted).contains(name)).map(|name| ObjectRef::cluster("Namespace", name));
    workloads.map(object_of).chain(services.map(|service| object("NetworkService", &service.id))).chain(gone).collect()
}

impl Mesh {
    /// A machine with nothing deployed.
    #[must_use]
    pub(super) fn new(control: Arc<Control>) -> Self {
        let manager = Manager::new(Arc::clone(&control));
        Self { control, manager, sandboxes: BTreeMap::new(), deployments: BTreeMap::new(), events: Events::default() }
    }

    /// Whether nothing is deployed.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.deployments.is_empty()
    }

    /// Makes a deployment be what was asked for: what is so already stays, what differs is made anew, what is no longer
    /// asked for goes. A connection that is broken is made anew too.
    ///
    /// # Errors
    /// It asks for what this machine cannot do or what is another deployment's: nothing has changed then. Or the kernel
    /// refuses: a new deployment is removed again, an existing one keeps what it has. That nobody serves a request is no
    /// error: it is in the result, and the request is made again whenever something changes.
    pub(super) async fn apply(&mut self, wanted: &Apply, emit: &mut Emit<'_>) -> Result<AppliedAll, Refusal> {
        validate(self, wanted)?;
        let before = self.deployments.get(&wanted.instance).cloned();
        let mut objects = self.apply_namespaces(before.as_ref(), wanted);
        self.deployments.insert(wanted.instance.clone(), wanted.clone());
        objects.extend(self.apply_services(before.as_ref(), wanted).await);
        for (object, applied) in &objects {
            emit(Event::Object(object.clone(), ObjectState::Applied(*applied)));
        }
        let touched = match self.apply_workloads(before.as_ref(), wanted).await {
            Ok(touched) => touched,
            Err(refusal) => {
                if before.is_none() {
                    self.delete(&wanted.instance, emit).await;
                }
                return Err(refusal);
            }
        };
        for object in before.iter().flat_map(|before| no_longer_wanted(before, wanted)) {
            emit(Event::Object(object, ObjectState::Gone));
        }
        let repaired = self.close_broken().await;
        self.serve_requests().await;
        for workload in &wanted.workloads {
            let known = before.as_ref().and_then(|before| before.workloads.iter().find(|w| w.id == workload.id && w.kind == workload.kind));
            let changed = names::pods(workload).iter().any(|pod| touched.contains(pod) || repaired.contains(pod));
            let applied = match known {
                None => Applied::Created,
                Some(known) if known == workload && !changed => Applied::Unchanged,
                Some(_) => Applied::Configured,
            };
            emit(Event::Object(object_of(workload), ObjectState::Applied(applied)));
            objects.push((object_of(workload), applied));
        }
        Ok(AppliedAll { objects, pending: self.report_pods(&wanted.instance, emit) })
    }

    /// A namespace is there as long as a deployment has something in it.
    fn apply_namespaces(&self, before: Option<&Apply>, wanted: &Apply) -> Vec<(ObjectRef, Applied)> {
        let others = self.deployments.iter().filter(|(instance, _)| **instance != wanted.instance);
        let others: BTreeSet<&str> = others.flat_map(|(_, deployment)| namespaces(deployment)).collect();
        let own = before.map(namespaces).unwrap_or_default();
        let applied = |name: &&str| match () {
            () if own.contains(name) => Applied::Unchanged,
            () if others.contains(name) => Applied::Used,
            () => Applied::Created,
        };
        namespaces(wanted).into_iter().map(|name| (ObjectRef::cluster("Namespace", name), applied(&name))).collect()
    }

    async fn apply_services(&mut self, before: Option<&Apply>, wanted: &Apply) -> Vec<(ObjectRef, Applied)> {
        let known = before.map(|before| before.services.as_slice()).unwrap_or_default();
        for service in known.iter().filter(|service| !wanted.services.iter().any(|w| w.id == service.id)) {
            self.manager.registry().remove_service(&service.id);
            self.manager.close(|connection| connection.service == service.id).await;
        }
        let mut objects = Vec::new();
        for service in &wanted.services {
            let applied = self.manager.registry().put_service(&wanted.instance, service);
            // Another payload needs other links.
            self.manager.close(|connection| connection.service == service.id && connection.payload != service.payload).await;
            objects.push((object("NetworkService", &service.id), applied));
        }
        objects
    }

    /// Makes and removes pods; the result is what was made.
    async fn apply_workloads(&mut self, before: Option<&Apply>, wanted: &Apply) -> Result<BTreeSet<Namespaced>, Refusal> {
        let mut pods: BTreeMap<Namespaced, Arc<Workload>> = BTreeMap::new();
        for workload in &wanted.workloads {
            let shared = Arc::new(workload.clone());
            pods.extend(names::pods(workload).into_iter().map(|pod| (pod, Arc::clone(&shared))));
        }
        let stays = |sandbox: &Sandbox| pods.get(&sandbox.pod).is_some_and(|workload| same_template(workload, &sandbox.workload));
        let own = self.sandboxes.values().filter(|sandbox| before.is_some() && sandbox.instance == wanted.instance);
        let leaving: Vec<_> = own.filter(|sandbox| !stays(sandbox)).map(|sandbox| sandbox.pod.clone()).collect();
        for pod in &leaving {
            self.remove_pod(pod).await;
        }
        let mut made = BTreeSet::new();
        for (pod, workload) in pods {
            if !self.sandboxes.contains_key(&pod) {
                self.make_pod(&pod, &wanted.instance, workload).await?;
                made.insert(pod);
            }
        }
        Ok(made)
    }

    async fn make_pod(&mut self, pod: &Namespaced, instance: &str, workload: Arc<Workload>) -> Result<(), Refusal> {
        let refuse = |error: &dyn Display, is_out_of_files: bool| {
            let hint = match is_out_of_files {
                true => "each pod takes open files of the engine: end it with `nsmctl cleanup`, raise the limit with `ulimit -n`, and deploy again",
                false => "raise the limit in /proc/sys/user/max_net_namespaces, if it is reached",
            };
            Refusal::new(Outcome::Failed, format!("cannot make the pod {pod}: {error}")).hint(hint)
        };
        spare().map_err(|error| refuse(&error, true))?;
        let namespace = Namespace::create().await.map_err(|error| refuse(&error, error.is_out_of_files()))?;
        let member = Member { pod: pod.clone(), instance: instance.to_owned(), namespace: namespace.clone() };
        self.control.sandboxes.insert(member.clone()).map_err(|error| refuse(&error, false))?;
        let mut sandbox = Sandbox::new(pod.clone(), instance.to_owned(), Arc::clone(&workload), namespace.clone());
        if let Some(spec) = &workload.endpoint {
            let failed = |error: Refused| Refusal::new(Outcome::Failed, format!("cannot start the endpoint {pod}: {error}"));
            self.manager.add_endpoint(&member, spec).await.map_err(failed)?;
            let text = format!("registered endpoint {} for {}, addresses from {}", pod.name, spec.services.join(", "), spec.prefixes);
            sandbox.log(&workload.container, "INFO", &pod.name, &text);
        }
        self.sandboxes.insert(pod.clone(), sandbox);
        self.events.normal(object("Pod", pod), "Created", "made a network namespace");
        Ok(())
    }

    /// Removes a pod and closes what it takes part in; the result is what was closed, with errors of the kernel.
    pub(super) async fn remove_pod(&mut self, pod: &Namespaced) -> Vec<(Connection, Option<net::Error>)> {
        let closed = self.manager.remove_pod(pod).await;
        self.sandboxes.remove(pod);
        self.events.normal(object("Pod", pod), "Removed", "let go of its network namespace");
        closed
    }

    /// Closes connections that are no longer whole; the result is their clients.
    async fn close_broken(&mut self) -> BTreeSet<Namespaced> {
        let mut broken = BTreeSet::new();
        for connection in self.manager.connections() {
            if let Some(fault) = connection.fault().await {
                let pod = connection.client.pod.clone();
                self.events.warning(object("Pod", &pod), "DataPlaneDown", &fault);
                if let Some(sandbox) = self.sandboxes.get_mut(&pod) {
                    sandbox.log(CLIENT_CONTAINER, "WARN", &pod.name, &format!("Data plane is down: {fault}"));
                }
                broken.insert((pod, connection.request));
            }
        }
        self.manager.close(|connection| broken.contains(&(connection.client.pod.clone(), connection.request))).await;
        broken.into_iter().map(|(pod, _)| pod).collect()
    }

    /// Makes every request that nobody serves yet, of every deployment.
    pub(super) async fn serve_requests(&mut self) {
        let Self { manager, sandboxes, events, .. } = self;
        for sandbox in sandboxes.values_mut().filter(|sandbox| sandbox.workload.is_client()) {
            serve(manager, events, sandbox).await;
        }
    }

    fn report_pods(&self, instance: &str, emit: &mut Emit<'_>) -> Vec<(Namespaced, String)> {
        let mut pending = Vec::new();
        for sandbox in self.sandboxes.values().filter(|sandbox| sandbox.instance == instance) {
            let state = sandbox.waiting.clone().map_or(ObjectState::Ready, ObjectState::Waiting);
            emit(Event::Object(object("Pod", &sandbox.pod), state));
            pending.extend(sandbox.waiting.clone().map(|reason| (sandbox.pod.clone(), reason)));
        }
        pending
    }
}

/// Makes a client's requests one after the other, as NSM's init container does, until one is not served.
async fn serve(manager: &mut Manager, events: &mut Events, sandbox: &mut Sandbox) {
    let workload = Arc::clone(&sandbox.workload);
    sandbox.waiting = None;
    for (request, url) in workload.requests.iter().enumerate() {
        if manager.connection_of(&sandbox.pod, request).is_some() {
            continue;
        }
        let member = Member { pod: sandbox.pod.clone(), instance: sandbox.instance.clone(), namespace: sandbox.namespace.clone() };
        let id = format!("{}-{request}", sandbox.pod.name);
        match manager.request(&member, request, url).await {
            Ok(connection) => {
                let addresses = connection.pairs.iter().map(|pair| format!("{} and {}", pair.client, pair.endpoint)).collect::<Vec<_>>().join(", ");
                let text =
                    format!("connected to {} of {} over {} with {addresses}", connection.endpoint.pod, url.service, connection.client.interface);
                events.normal(object("Pod", &sandbox.pod), "Connected", &text);
                sandbox.log(CLIENT_INIT_CONTAINER, "INFO", &id, &text);
            }
            Err(error) => {
                let text = error.to_string();
                events.warning(object("Pod", &sandbox.pod), "RequestFailed", &text);
                sandbox.log(CLIENT_INIT_CONTAINER, "ERRO", &id, &format!("request to {url} failed: {text}"));
                sandbox.waiting = Some(text);
                return;
            }
        }
    }
}
