//! Everything that is deployed on this machine, and how it is made to be what was asked for.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Display,
    fs::File,
    io,
    path::PathBuf,
    sync::Arc,
};

use tokio::sync::{Notify, mpsc};

use super::{
    api::{Asker, Control, Kept},
    events::Events,
    forwarder::Connection,
    heal::watch,
    identity::AgentSocket,
    manager::{Closed, Manager, Refused},
    metrics::Metrics,
    names,
    phases::Moment,
    program::Run,
    protocol::{AppliedAll, Apply, Refusal},
    sandbox::{CLIENT_CONTAINER, Sandbox},
    supervisor::Link,
    validate::validate,
};
use crate::{
    model::{Applied, ContainerProgram, ContainerRole, Event, Namespaced, NsUrl, ObjectRef, ObjectState, Outcome, Workload},
    net::Namespace,
};

/// Where the events of an operation go while it works.
pub(super) type Emit<'a> = dyn FnMut(Event) + Send + 'a;

/// What is deployed, and by what it is carried.
#[derive(Debug)]
pub(super) struct Mesh {
    pub(super) manager: Manager,
    pub(super) sandboxes: BTreeMap<Namespaced, Sandbox>,
    pub(super) deployments: BTreeMap<String, Apply>,
    pub(super) events: Events,
    pub(super) metrics: Metrics,
    /// What holds the namespaces and runs the programs.
    pub(super) link: Link,
    pub(super) host: Host,
    /// Where it is told that something has changed in a pod.
    pub(super) changes: mpsc::UnboundedSender<Namespaced>,
    /// Told when somebody who waits may be served.
    pub(super) may_serve: Arc<Notify>,
}

/// A deployment that is there but for its connections.
#[derive(Debug)]
pub(super) struct Applying {
    /// What it was before.
    before: Option<Apply>,
    /// What was done with each object but for its workloads.
    objects: Vec<(ObjectRef, Applied)>,
    /// The pods that are not as they were.
    changed: BTreeSet<Namespaced>,
}

/// Requests of a pod that nobody serves yet.
#[derive(Debug)]
pub(super) struct Ask {
    pod: Namespaced,
    /// By which the pod is told from a later one of its name.
    workload: Arc<Workload>,
    asker: Asker,
    requests: Vec<(usize, NsUrl)>,
}

/// What has come of them.
#[derive(Debug)]
pub(super) struct Answered {
    pod: Namespaced,
    workload: Arc<Workload>,
    made: Vec<(usize, Kept)>,
    refused: Option<String>,
}

impl Ask {
    /// Makes the requests, up to the first that nobody serves.
    pub(super) async fn make(self) -> Answered {
        let Self { pod, workload, asker, requests } = self;
        let (mut made, mut refused) = (Vec::new(), None);
        for (number, url) in requests {
            match asker.ask(number, &url).await {
                Ok(connection) => made.push((number, connection)),
                Err(status) => {
                    refused = Some(status.message().to_owned());
                    break;
                }
            }
        }
        Answered { pod, workload, made, refused }
    }
}

/// Where the engine is.
#[derive(Debug, Clone)]
pub(super) struct Host {
    /// The supervisor's process.
    pub(super) supervisor: u32,
    /// The engine's directory.
    pub(super) dir: PathBuf,
    /// How many managers there were before this one.
    pub(super) restarts: u32,
    /// The SPIRE agent that gives the identities.
    pub(super) agent: Option<AgentSocket>,
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

/// The programs of a workload.
pub(super) fn programs_of<'a>(wanted: &'a Apply, workload: &Workload) -> impl Iterator<Item = &'a ContainerProgram> {
    let (kind, id) = (workload.kind, workload.id.clone());
    wanted.programs.iter().filter(move |program| program.kind == kind && program.workload == id)
}

fn same_programs(wanted: &Apply, workload: &Workload, sandbox: &Sandbox) -> bool {
    programs_of(wanted, workload).eq(sandbox.programs.iter().map(|run| &run.program))
}

/// What a deployment had and is not to have any more.
fn no_longer_wanted(before: &Apply, wanted: &Apply) -> Vec<ObjectRef> {
    let workloads = before.workloads.iter().filter(|workload| !wanted.workloads.iter().any(|w| w.id == workload.id && w.kind == workload.kind));
    let services = before.services.iter().filter(|service| !wanted.services.iter().any(|w| w.id == service.id));
    let gone = namespaces(before).into_iter().filter(|name| !namespaces(wanted).contains(name)).map(|name| ObjectRef::cluster("Namespace", name));
    workloads.map(object_of).chain(services.map(|service| object("NetworkService", &service.id))).chain(gone).collect()
}

impl Mesh {
    /// Nothing yet.
    pub(super) fn new(control: Arc<Control>, link: Link, host: Host, changes: mpsc::UnboundedSender<Namespaced>) -> Self {
        let (sandboxes, deployments, events, metrics) = Default::default();
        let manager = Manager::new(control);
        Self { manager, sandboxes, deployments, events, metrics, link, host, changes, may_serve: Arc::default() }
    }

    /// Whether nothing is deployed.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.deployments.is_empty()
    }

    /// Makes a deployment be what was asked for: what is so already stays, what differs is made anew, what is no longer
    /// asked for goes. A connection that is broken is closed. Its requests are to be made next, and then it is to be told by
    /// [`applied`](Self::applied).
    ///
    /// # Errors
    /// It asks for what this machine cannot do or what is another deployment's: nothing has changed then. Or the kernel
    /// refuses: a new deployment is removed again, an existing one keeps what it has.
    pub(super) async fn apply(&mut self, wanted: &Apply, emit: &mut Emit<'_>) -> Result<Applying, Refusal> {
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
        Ok(Applying { before, objects, changed: touched.into_iter().chain(repaired).collect() })
    }

    /// What has come of a deployment. That nobody serves a request is no error: it is in the result, and the request is made again
    /// and again.
    pub(super) fn applied(&self, Applying { before, mut objects, changed }: Applying, wanted: &Apply, emit: &mut Emit<'_>) -> AppliedAll {
        for workload in &wanted.workloads {
            let known = before.as_ref().and_then(|before| before.workloads.iter().find(|w| w.id == workload.id && w.kind == workload.kind));
            let changed = names::pods(workload).iter().any(|pod| changed.contains(pod));
            let applied = match known {
                None => Applied::Created,
                Some(known) if known == workload && !changed => Applied::Unchanged,
                Some(_) => Applied::Configured,
            };
            emit(Event::Object(object_of(workload), ObjectState::Applied(applied)));
            objects.push((object_of(workload), applied));
        }
        AppliedAll { objects, pending: self.report_pods(&wanted.instance, emit), metrics: None }
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
            self.close_on_purpose(|connection| connection.service == service.id).await;
        }
        let mut objects = Vec::new();
        for service in &wanted.services {
            let applied = self.manager.registry().put_service(&wanted.instance, service);
            // Another payload needs other links.
            self.close_on_purpose(|connection| connection.service == service.id && connection.payload != service.payload).await;
            if applied == Applied::Configured {
                let passed_over = self.manager.control.passed_over(service);
                self.close_on_purpose(|connection| passed_over.contains(&(connection.client.pod.clone(), connection.request))).await;
            }
            objects.push((object("NetworkService", &service.id), applied));
        }
        objects
    }

    /// Closes connections that are not wanted any more: what is made in their place later is no healing.
    async fn close_on_purpose(&mut self, which: impl Fn(&Connection) -> bool) {
        for (connection, _) in self.manager.close(which).await {
            self.manager.control.forget_served(&connection.client.pod);
        }
    }

    /// Makes and removes pods; the result is what was made.
    async fn apply_workloads(&mut self, before: Option<&Apply>, wanted: &Apply) -> Result<BTreeSet<Namespaced>, Refusal> {
        let mut pods: BTreeMap<Namespaced, Arc<Workload>> = BTreeMap::new();
        for workload in &wanted.workloads {
            let shared = Arc::new(workload.clone());
            pods.extend(names::pods(workload).into_iter().map(|pod| (pod, Arc::clone(&shared))));
        }
        let stays = |sandbox: &Sandbox| {
            let same = |workload: &Arc<Workload>| same_template(workload, &sandbox.workload) && same_programs(wanted, workload, sandbox);
            pods.get(&sandbox.pod).is_some_and(same)
        };
        let own = self.sandboxes.values().filter(|sandbox| before.is_some() && sandbox.instance == wanted.instance);
        let leaving: Vec<_> = own.filter(|sandbox| !stays(sandbox)).map(|sandbox| sandbox.pod.clone()).collect();
        for pod in &leaving {
            self.remove_pod(pod).await;
        }
        let mut made = BTreeSet::new();
        for (pod, workload) in pods {
            if !self.sandboxes.contains_key(&pod) {
                let programs = programs_of(wanted, &workload).map(|program| Run::new(program.clone())).collect();
                self.make_pod(&pod, &wanted.instance, workload, programs).await?;
                self.start_programs(&pod);
                made.insert(pod);
            }
        }
        Ok(made)
    }

    async fn make_pod(&mut self, pod: &Namespaced, instance: &str, workload: Arc<Workload>, programs: Vec<Run>) -> Result<(), Refusal> {
        let refuse = |error: &dyn Display, is_out_of_files: bool| {
            let hint = match is_out_of_files {
                true => "each pod is some open files of the engine: end it with `nsmctl cleanup`, raise the limit with `ulimit -n`, and deploy again",
                false => "raise the limit in /proc/sys/user/max_net_namespaces, if it is reached",
            };
            Refusal::new(Outcome::Failed, format!("cannot make the pod {pod}: {error}")).hint(hint)
        };
        let refuse_net = |error: crate::net::Error| refuse(&error, error.is_out_of_files());
        self.manager.control.start(pod, Moment::now(), "sandbox begun");
        spare().map_err(|error| refuse(&error, true))?;
        let namespace = Namespace::create().await.map_err(refuse_net)?;
        self.link.hold(&namespace).map_err(refuse_net)?;
        let mut sandbox = Sandbox::new(pod.clone(), instance.to_owned(), Arc::clone(&workload), namespace.clone());
        sandbox.programs = programs;
        sandbox.watching = Some(watch(pod, &namespace, self.changes.clone()).await.map_err(refuse_net)?);
        self.manager.control.sandboxes.insert(sandbox.member()).map_err(|error| refuse(&error, false))?;
        if sandbox.runs(ContainerRole::Client) {
            // It requests for itself.
            sandbox.waiting = None;
        }
        if let Some(spec) = workload.endpoint.as_ref().filter(|_| !sandbox.runs(ContainerRole::Endpoint)) {
            let failed = |error: Refused| Refusal::new(Outcome::Failed, format!("cannot start the endpoint {pod}: {error}"));
            self.manager.add_endpoint(&sandbox.member(), spec, HashMap::new()).await.map_err(failed)?;
            let text = format!("registered endpoint {} for {}, addresses from {}", pod.name, spec.services.join(", "), spec.prefixes);
            sandbox.log(&workload.container, "INFO", &pod.name, &text);
        }
        self.sandboxes.insert(pod.clone(), sandbox);
        self.events.normal(object("Pod", pod), "Created", "made a network namespace");
        Ok(())
    }

    /// Removes a pod and closes what it takes part in; the result is what was closed, with errors of the kernel.
    pub(super) async fn remove_pod(&mut self, pod: &Namespaced) -> Closed {
        for key in self.retire(|sandbox| sandbox.pod == *pod) {
            self.link.stop(&key, true).await;
            self.link.forget(&key);
        }
        let closed = self.manager.remove_pod(pod).await;
        if let Some(sandbox) = self.sandboxes.remove(pod) {
            self.link.release(&sandbox.namespace);
        }
        self.events.normal(object("Pod", pod), "Removed", "let go of its network namespace");
        closed
    }

    /// Closes connections that are no longer whole; the result is their clients.
    pub(super) async fn close_broken(&mut self) -> BTreeSet<Namespaced> {
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

    /// Whether somebody waits, and an endpoint has registered since it asked what it was answered last.
    pub(super) fn may_be_served(&self) -> bool {
        let registrations = self.manager.control.journal.registrations();
        self.sandboxes.values().any(|sandbox| sandbox.is_own_client() && sandbox.waiting.is_some() && sandbox.answered != registrations)
    }

    /// Whether requests are being made just now.
    pub(super) fn is_anybody_asking(&self) -> bool {
        self.sandboxes.values().any(|sandbox| sandbox.asking.is_some())
    }

    /// The pods with requests that nobody serves, each of which is to [`ask`](Self::ask) next. Who is asking already is left out.
    pub(super) fn unserved(&mut self) -> Vec<Namespaced> {
        let registrations = self.manager.control.journal.registrations();
        // Once for all of them: it is looked again and again.
        let served = self.manager.control.served();
        let is_unserved = |sandbox: &&mut Sandbox| {
            let mut requests = 0..sandbox.workload.requests.len();
            sandbox.is_own_client() && sandbox.asking.is_none() && requests.any(|request| !served.contains(&(sandbox.pod.clone(), request)))
        };
        let unserved = self.sandboxes.values_mut().filter(is_unserved).map(|sandbox| {
            sandbox.asking = Some(registrations);
            sandbox.pod.clone()
        });
        unserved.collect()
    }

    /// The requests of a pod that nobody serves: to be made without holding anything, for whoever serves nobody may take its time to
    /// say so, and then to be told by [`answered`](Self::answered).
    pub(super) async fn ask(&mut self, pod: &Namespaced) -> Option<Ask> {
        let sandbox = self.sandboxes.get_mut(pod)?;
        match self.manager.asking(&sandbox.member(), &sandbox.workload.requests).await {
            Ok((asker, requests)) => Some(Ask { pod: pod.clone(), workload: Arc::clone(&sandbox.workload), asker, requests }),
            // It has no identity, or is not taken.
            Err(refused) => {
                sandbox.be_answered(Some(refused.to_string()));
                None
            }
        }
    }

    /// Takes note of what has come of a request that was made again; whether its pod is served now.
    pub(super) fn answered(&mut self, Answered { pod, workload, made, refused }: Answered) -> bool {
        let Some(sandbox) = self.sandboxes.get_mut(&pod) else { return false };
        if !Arc::ptr_eq(&sandbox.workload, &workload) {
            sandbox.asking = None;
            return false;
        }
        let is_served = refused.is_none();
        sandbox.be_answered(refused);
        self.manager.keep(&pod, made);
        is_served
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
