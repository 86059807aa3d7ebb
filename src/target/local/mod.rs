//! This machine as a target: the client of the engine.
//!
//! ```text
//!   Local ──► socket in DIR ──► engine        one process for everything that is deployed on this machine;
//!     └─────► `nsmctl engine run --dir DIR`   started by the first apply, ends with the last deployment
//! ```

mod connection;
mod identities;
mod logs;
mod program;
mod start;

use std::{
    collections::BTreeSet,
    os::unix::net::UnixStream,
    path::{Path, PathBuf, absolute},
    time::Duration,
};

pub(super) use self::logs::engine_source;
pub use self::program::Started;
use self::{
    connection::{Connection, unexpected},
    start::{refusal, start},
};
use super::{Ctx, another_service};
pub use crate::engine::protocol::{Lose, Loss};
use crate::{
    engine::{
        PARTS, clear, no_identities,
        protocol::{AppliedAll, Apply, Reply, Request, Status, VERSION},
        socket_path,
    },
    model::{
        Applied, Carried, ComponentState, ConnectionPhases, ContainerState, Discovery, EngineState, Event, EventRecord, Expectations, Failure,
        Family, INSTANCE_LABEL, IntoFailure, Inventory, Known, MetricsSource, Namespaced, ObjectRef, ObjectState, Outcome, PART_OF_LABEL, Plan,
        PodProbes, PodState, ProbeRequest, Removed, Result, Scope, System, Unavailable, UnavailableKind, Workload,
    },
};

/// The pause before the directory is tried again while another engine starts or ends in it: both take a few
/// milliseconds, and neither can be waited for by a process that is not its parent.
const PAUSE: Duration = Duration::from_millis(20);
/// How often an apply is tried where the engine goes away in between: once may be a deployment that ended just then.
const TRIES: u32 = 3;

/// This machine.
#[derive(Debug, Clone)]
pub struct Local {
    dir: PathBuf,
    program: Option<PathBuf>,
    /// How long X.509 SVIDs are to be valid.
    svid_ttl: Option<Duration>,
}

impl Local {
    /// The engine of a directory, which need not exist or run.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        // The engine works in another directory.
        Self { dir: absolute(&dir).unwrap_or(dir), program: None, svid_ttl: None }
    }

    /// Starts the engine with another program than the one that runs.
    #[must_use]
    pub fn with_program(self, program: impl Into<PathBuf>) -> Self {
        Self { program: Some(program.into()), ..self }
    }

    /// The engine's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether an engine answers. Tells nothing about what it holds.
    #[must_use]
    pub fn is_running(&self) -> bool {
        socket_path(&self.dir).is_ok_and(|path| UnixStream::connect(path).is_ok())
    }

    /// Makes this machine be what the plan says, and starts the engine where none runs.
    ///
    /// # Errors
    /// The plan asks for what this machine cannot do, the engine does not start, or it is of another version. That a
    /// client's request is not served yet is no error; [`Self::wait`] tells.
    pub async fn apply(&self, ctx: &Ctx, plan: &Plan) -> Result<Vec<(ObjectRef, Applied)>> {
        let expectations = &plan.expectations;
        let request = Request::Apply(Apply {
            instance: plan.instance.clone(),
            namespace: plan.namespace.clone(),
            workloads: expectations.workloads.clone(),
            services: expectations.services.clone(),
            options: plan.options.clone(),
            programs: plan.programs.clone(),
        });
        if let Some((part, object)) = self.other_service(ctx, plan).await? {
            return Err(another_service(plan, &part, &object));
        }
        let all = ctx.run("applying on this machine", self.apply_request(ctx, &request)).await?;
        ctx.events.info(match &all.metrics {
            Some(address) => format!("metrics of the engine: {address}"),
            None => "no port of 127.0.0.1 is free for the engine's metrics; `nsmctl metrics` has them".to_owned(),
        });
        Ok(in_order(ctx, plan, all))
    }

    /// Another service than the plan's that the deployment of the same name is of.
    async fn other_service(&self, ctx: &Ctx, plan: &Plan) -> Result<Option<(String, ObjectRef)>> {
        let pods = self.inventory(ctx, &Expectations::default()).await?.pods.unwrap_or_default();
        let label = |pod: &PodState, key: &str| pod.labels.get(key).cloned();
        let own = pods.iter().filter(|pod| label(pod, INSTANCE_LABEL).as_deref() == Some(&plan.instance));
        let other = own.filter_map(|pod| Some((label(pod, PART_OF_LABEL).filter(|part| *part != plan.part_of)?, &pod.id))).next();
        Ok(other.map(|(part, id)| (part, ObjectRef::namespaced("Pod", &id.namespace, &id.name))))
    }

    async fn apply_request(&self, ctx: &Ctx, request: &Request) -> Result<AppliedAll> {
        for _ in 0..TRIES {
            let mut connection = self.connect_or_start().await?.same_version()?;
            let Some(identities) = self.identities(&mut connection, ctx).await? else {
                connection.closed().await;
                continue;
            };
            match connection.ask(request, &ctx.events).await? {
                Some(Reply::Applied(all)) => {
                    self.settle_identities(&mut connection, ctx, &identities).await?;
                    return Ok(all);
                }
                // Its last deployment went just now; the next engine takes it.
                Some(Reply::Ending | Reply::Restarting) | None => connection.closed().await,
                Some(reply) => return Err(unexpected(&reply)),
            }
        }
        Err(Failure::failed("the engine ends as soon as it is asked to apply").hint(format!("its last words may be in {}", self.dir.display())))
    }

    fn own_program(&self) -> Result<PathBuf> {
        match &self.program {
            Some(program) => Ok(program.clone()),
            None => std::env::current_exe().or_fail(Outcome::Failed, "cannot find nsmctl's own program"),
        }
    }

    async fn connect_or_start(&self) -> Result<Connection> {
        let program = self.own_program()?;
        loop {
            if let Some(connection) = Connection::open(&self.dir).await? {
                return Ok(connection);
            }
            if !start(&program, &self.dir, self.svid_ttl).await? {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Waits until every pod of the plan is ready. For what the engine does itself there is little to wait for: it has made every request
    /// that it can when an apply is done, and one that is not served then stays so until an endpoint registers. A program takes a moment
    /// to show that it stays, and what it registers to serve those who wait; one that ends again and again is not waited for.
    ///
    /// # Errors
    /// A pod is missing or not ready.
    pub async fn wait(&self, ctx: &Ctx, plan: &Plan) -> Result<()> {
        let inventory = loop {
            let inventory = self.inventory(ctx, &plan.expectations).await?;
            if !inventory.pods.as_deref().unwrap_or_default().iter().any(may_become_ready) {
                break inventory;
            }
            // What programs do is seen from here only.
            let phases = self.phases(ctx, plan).await?;
            phases.into_iter().flat_map(|connection| connection.phases).for_each(|phase| ctx.events.emit(Event::Phase(Box::new(phase))));
            ctx.pause("waiting for the pods to be ready", PAUSE).await?;
        };
        let pods = inventory.pods.as_deref().unwrap_or_default();
        let mut faults = Vec::new();
        for workload in &plan.expectations.workloads {
            let object = ObjectRef::namespaced(workload.kind.to_string(), &workload.id.namespace, &workload.id.name);
            match fault_of(workload, pods) {
                None => ctx.events.object(&object, ObjectState::Ready),
                Some(fault) => {
                    ctx.events.object(&object, ObjectState::Waiting(fault.clone()));
                    faults.push(format!("{workload} is not ready: {fault}"));
                }
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(Failure::failed(faults.join("; ")).hint("`nsmctl troubleshoot` names the cause")) }
    }

    /// The phases in which the connections of a plan came to be, as far as the engine has seen them; nothing where none runs.
    ///
    /// # Errors
    /// The engine cannot be asked.
    pub async fn phases(&self, ctx: &Ctx, plan: &Plan) -> Result<Vec<ConnectionPhases>> {
        let carried = match self.ask(ctx, "looking at the connections", &Request::Carried).await? {
            Some(Reply::Carried(state)) => state.carried,
            Some(reply) => return Err(unexpected(&reply)),
            None => Vec::new(),
        };
        let own = carried.into_iter().filter(|carried| carried.instance == plan.instance);
        let phases = |Carried { client, interface, phases, .. }| Some(ConnectionPhases { client, interface, phases: phases? });
        Ok(own.filter_map(phases).collect())
    }

    /// What exists in the namespaces of the expectations, and the network services and endpoints of all.
    ///
    /// # Errors
    /// The engine cannot be asked. That none runs is no error: then nothing exists.
    pub async fn inventory(&self, ctx: &Ctx, expectations: &Expectations) -> Result<Inventory> {
        let Some(reply) = self.ask(ctx, "looking at this machine", &Request::Inventory).await? else {
            return Ok(Inventory { pods: Ok(Vec::new()), services: Ok(Vec::new()), endpoints: Ok(Vec::new()), identities: Err(no_identities()) });
        };
        let Reply::Inventory(inventory) = reply else { return Err(unexpected(&reply)) };
        let mut inventory = *inventory;
        if let (Ok(pods), false) = (&mut inventory.pods, expectations.workloads.is_empty()) {
            let namespaces = namespaces(expectations);
            pods.retain(|pod| namespaces.contains(pod.id.namespace.as_str()));
        }
        Ok(inventory)
    }

    /// The options that the deployment of a plan was made with; `None` for none, and where it is not there.
    ///
    /// # Errors
    /// The engine cannot be asked.
    pub async fn options(&self, ctx: &Ctx, plan: &Plan) -> Result<Option<String>> {
        let request = Request::Options { instance: plan.instance.clone() };
        match self.ask(ctx, "looking at this machine", &request).await? {
            Some(Reply::Options(options)) => Ok(options),
            Some(reply) => Err(unexpected(&reply)),
            None => Ok(None),
        }
    }

    /// The pods that carry the label of a plan's deployment, where none of them is the plan's: it was made from other manifests.
    ///
    /// # Errors
    /// The engine cannot be asked.
    pub async fn other_workloads(&self, ctx: &Ctx, plan: &Plan) -> Result<Vec<ObjectRef>> {
        let pods = self.inventory(ctx, &Expectations::default()).await?.pods.unwrap_or_default();
        let is_own = |pod: &&PodState| pod.labels.get(INSTANCE_LABEL) == Some(&plan.instance);
        let own: Vec<&PodState> = pods.iter().filter(is_own).collect();
        let is_planned = own.iter().any(|pod| plan.expectations.workloads.iter().any(|workload| workload.owns(pod)));
        let others = own.into_iter().filter(|_| !is_planned);
        Ok(others.map(|pod| ObjectRef::namespaced("Pod", &pod.id.namespace, &pod.id.name)).collect())
    }

    /// What the engine holds, whichever deployment it is of.
    ///
    /// # Errors
    /// The engine cannot be asked. That none runs is no error: then there is nothing.
    pub async fn discover(&self, ctx: &Ctx, _: &Scope) -> Result<Discovery> {
        let inventory = self.inventory(ctx, &Expectations::default()).await?;
        let workloads = match self.ask(ctx, "looking at this machine", &Request::Workloads).await? {
            Some(Reply::Workloads(workloads)) => workloads,
            Some(reply) => return Err(unexpected(&reply)),
            None => Vec::new(),
        };
        Ok(Discovery { objects: Vec::new(), workloads, inventory })
    }

    /// The pods that a selector selects: labels that are equal, as in `app=alpine,tier=a`.
    ///
    /// # Errors
    /// The engine cannot be asked, or the selector is none.
    pub async fn select(&self, ctx: &Ctx, namespace: Option<&str>, selector: &str) -> Result<BTreeSet<Namespaced>> {
        let pairs: Option<Vec<(&str, &str)>> = selector.split(',').map(|term| term.split_once('=').filter(|(key, _)| !key.ends_with('!'))).collect();
        let pairs = pairs.ok_or_else(|| {
            Failure::usage(format!("--selector {selector}: on this machine labels can only be equal to something"))
                .hint("say it as in app=alpine,tier=a")
        })?;
        let inventory = self.inventory(ctx, &Expectations::default()).await?;
        let equal =
            |pod: &PodState| pairs.iter().all(|(key, value)| pod.labels.get(*key).is_some_and(|label| label == value.trim_start_matches('=')));
        let pods = inventory.pods.into_iter().flatten().filter(|pod| equal(pod) && namespace.is_none_or(|name| name == pod.id.namespace));
        Ok(pods.map(|pod| pod.id).collect())
    }

    /// Looks into pods, in the order of the requests.
    ///
    /// # Errors
    /// The engine cannot be asked. That a pod does not exist is in its answer.
    pub async fn probe(&self, ctx: &Ctx, requests: Vec<ProbeRequest>) -> Result<Vec<PodProbes>> {
        let request = Request::Probe(requests);
        match self.ask(ctx, "looking into the pods", &request).await? {
            Some(Reply::Probes(probes)) => Ok(probes),
            Some(reply) => Err(unexpected(&reply)),
            None => Ok(if let Request::Probe(requests) = request { requests.iter().map(no_engine).collect() } else { Vec::new() }),
        }
    }

    /// The parts of the engine, what happened and what was logged; of pods, in the namespaces of the expectations.
    ///
    /// # Errors
    /// The engine cannot be asked. That none runs is in the answer: its component has none ready.
    pub async fn system(&self, ctx: &Ctx, expectations: &Expectations) -> Result<System> {
        let Some(reply) = self.ask(ctx, "looking at the engine", &Request::System).await? else {
            let engine = ComponentState { role: "engine".to_owned(), object: None, ready: Ok((1, 0)) };
            let system = System::of(vec![engine]);
            // One that cannot be started is not only one that was not.
            return Ok(match ctx.run("trying whether an engine could be started", refusal(&self.own_program()?)).await? {
                Some(message) => System { events: Ok(vec![forbidden(message)]), ..system },
                None => system,
            });
        };
        let Reply::System(system) = reply else { return Err(unexpected(&reply)) };
        let mut system = *system;
        if !expectations.workloads.is_empty() {
            let namespaces = namespaces(expectations);
            let concerned = |namespace: &str| namespaces.contains(namespace);
            system.logs.retain(|log| concerned(&log.pod.namespace));
            if let Ok(events) = &mut system.events {
                events.retain(|event| event.object.namespace.as_deref().is_none_or(concerned));
            }
        }
        Ok(system)
    }

    /// What carries the connections, and what the engine knows of each.
    ///
    /// # Errors
    /// The engine cannot be asked. That none runs is in the answer: its component has none ready.
    pub async fn overview(&self, ctx: &Ctx) -> Result<(System, EngineState)> {
        let component = |role: &str, ready| ComponentState { role: role.to_owned(), object: None, ready: Ok((1, ready)) };
        match self.ask(ctx, "looking at the engine", &Request::Carried).await? {
            Some(Reply::Carried(state)) => Ok((System::of(PARTS.map(|role| component(role, 1)).to_vec()), state)),
            Some(reply) => Err(unexpected(&reply)),
            None => Ok((System::of(vec![component("engine", 0)]), EngineState::default())),
        }
    }

    /// What the engine has counted; nothing where none runs.
    ///
    /// # Errors
    /// The engine cannot be asked.
    pub async fn counted(&self, ctx: &Ctx) -> Result<Vec<(MetricsSource, Vec<Family>)>> {
        let counted = match self.ask(ctx, "asking the engine for its metrics", &Request::Metrics).await? {
            Some(Reply::Metrics(counted)) => counted,
            Some(reply) => return Err(unexpected(&reply)),
            None => return Ok(Vec::new()),
        };
        let source = MetricsSource {
            role: "engine".to_owned(),
            name: "engine".to_owned(),
            node: None,
            exposes: Known::of(counted.address, "no port of 127.0.0.1 was free; its socket has them all the same"),
            samples: counted.families.iter().map(|family| family.samples.len()).sum(),
        };
        Ok(vec![(source, counted.families)])
    }

    /// Removes a deployment. With the last one the engine ends, and that is waited for.
    ///
    /// # Errors
    /// The engine cannot be asked, or it is of another version and holds other deployments too. That there is no such
    /// deployment, or no engine, is no error.
    pub async fn delete(&self, ctx: &Ctx, instance: &str) -> Result<Removed> {
        ctx.run("removing the deployment from this machine", self.delete_instance(ctx, instance)).await
    }

    async fn delete_instance(&self, ctx: &Ctx, instance: &str) -> Result<Removed> {
        let mut request = Request::Delete { instance: instance.to_owned() };
        loop {
            let Some(mut connection) = Connection::open(&self.dir).await? else {
                clear(&self.dir)?;
                return Ok(Removed { proof: vec!["no engine runs on this machine".to_owned()], ..Removed::default() });
            };
            if connection.hello.version != VERSION && connection.hello.instances.iter().all(|held| held == instance) {
                // Every version understands this one, and nobody else loses anything by it.
                request = Request::Shutdown;
            } else {
                connection = connection.same_version()?;
            }
            match connection.ask(&request, &ctx.events).await? {
                Some(Reply::Removed(mut removed)) => {
                    if self.has_ended(ctx, connection).await? {
                        removed.proof.push("the engine has ended; its socket, log and lock are removed".to_owned());
                    }
                    return Ok(removed);
                }
                Some(Reply::Ending | Reply::Restarting) | None => connection.closed().await,
                Some(reply) => return Err(unexpected(&reply)),
            }
        }
    }

    /// Whether the engine ends now that it has answered; waits for it then.
    async fn has_ended(&self, ctx: &Ctx, mut connection: Connection) -> Result<bool> {
        if let Some(Reply::Status(_)) = connection.ask(&Request::Status, &ctx.events).await? {
            return Ok(false);
        }
        connection.closed().await;
        clear(&self.dir)?;
        Ok(true)
    }

    /// What a cleanup of the deployment would remove, in that order; nothing where no engine runs.
    ///
    /// # Errors
    /// The engine cannot be asked.
    pub async fn held(&self, ctx: &Ctx, instance: &str) -> Result<Vec<ObjectRef>> {
        match self.ask(ctx, "looking at this machine", &Request::Held { instance: instance.to_owned() }).await? {
            Some(Reply::Held(objects)) => Ok(objects),
            Some(reply) => Err(unexpected(&reply)),
            None => Ok(Vec::new()),
        }
    }

    /// The deployments that the engine holds; none where none runs.
    ///
    /// # Errors
    /// The engine cannot be asked. That it is of another version is no error.
    pub async fn deployments(&self, ctx: &Ctx) -> Result<Vec<String>> {
        let open = ctx.run("looking for deployments on this machine", Connection::open(&self.dir)).await?;
        Ok(open.map(|connection| connection.hello.instances).unwrap_or_default())
    }

    /// Where the engine and the network namespaces of its pods are; `None` where none runs.
    ///
    /// # Errors
    /// The engine cannot be asked.
    pub async fn status(&self, ctx: &Ctx) -> Result<Option<Status>> {
        match self.ask(ctx, "looking at the engine", &Request::Status).await? {
            Some(Reply::Status(status)) => Ok(Some(status)),
            Some(reply) => Err(unexpected(&reply)),
            None => Ok(None),
        }
    }

    /// Puts another manager in the place of the one that runs, and waits until it answers; `None` where no engine runs.
    ///
    /// # Errors
    /// The engine cannot be asked.
    pub async fn restart(&self, ctx: &Ctx) -> Result<Option<(Status, Status)>> {
        let Some(before) = self.status(ctx).await? else { return Ok(None) };
        let step = async {
            if let Some(connection) = Connection::open(&self.dir).await? {
                let mut connection = connection.same_version()?;
                connection.ask(&Request::Restart, &ctx.events).await?;
                connection.closed().await;
            }
            Ok(())
        };
        ctx.run("restarting the engine's manager", step).await?;
        Ok(self.status(ctx).await?.map(|after| (before, after)))
    }

    /// Ends the endpoint of a connection, and says what that costs.
    ///
    /// # Errors
    /// The engine cannot be asked, or there is no such connection.
    pub async fn lose(&self, ctx: &Ctx, lose: Lose) -> Result<Loss> {
        match self.ask(ctx, "waiting until the connection works again", &Request::Lose(lose)).await? {
            Some(Reply::Lost(loss)) => Ok(loss),
            Some(reply) => Err(unexpected(&reply)),
            None => Err(Failure::cannot_tell("no engine runs on this machine")),
        }
    }

    /// Asks an engine that may not run; `None` where it does not, or ends just now.
    async fn ask(&self, ctx: &Ctx, what: &str, request: &Request) -> Result<Option<Reply>> {
        let step = async {
            for _ in 0..TRIES {
                let Some(connection) = Connection::open(&self.dir).await? else { return Ok(None) };
                let mut connection = connection.same_version()?;
                match connection.ask(request, &ctx.events).await? {
                    Some(Reply::Ending) => return Ok(None),
                    // Its manager was restarted, or was killed with the question in hand.
                    Some(Reply::Restarting) | None => connection.closed().await,
                    Some(reply) => return Ok(Some(reply)),
                }
            }
            Ok(None)
        };
        ctx.run(what, step).await
    }
}

/// What was applied in the order of the plan; what this machine has no counterpart for is named and left out.
fn in_order(ctx: &Ctx, plan: &Plan, all: AppliedAll) -> Vec<(ObjectRef, Applied)> {
    let mut ordered = Vec::new();
    let mut rest = all.objects;
    for object in &plan.objects {
        match rest.iter().position(|(reference, _)| *reference == object.reference) {
            Some(index) => ordered.push(rest.remove(index)),
            None => ctx.events.warn(format!("{} has no counterpart on this machine and is left out", object.reference)),
        }
    }
    // The namespace of a plan that brings none of its own.
    ordered.splice(0..0, rest);
    ordered
}

fn namespaces(expectations: &Expectations) -> BTreeSet<&str> {
    expectations.workloads.iter().map(|workload| workload.id.namespace.as_str()).collect()
}

fn fault_of(workload: &Workload, pods: &[PodState]) -> Option<String> {
    let mut own = pods.iter().filter(|pod| workload.owns(pod)).peekable();
    if own.peek().is_none() && workload.replicas != Some(0) {
        return Some("it has no pods".to_owned());
    }
    let waiting = own.find(|pod| !pod.ready)?;
    let containers = waiting.init_containers.iter().chain(&waiting.containers);
    let reason = containers.filter(|container| !container.ready).find_map(|container| container.message.clone());
    Some(reason.unwrap_or_else(|| waiting.status()))
}

/// Whether a pod is not ready only because a program of its has not run for long enough yet, or others come first, or because its requests
/// are being made again.
fn may_become_ready(pod: &PodState) -> bool {
    let all = || pod.init_containers.iter().chain(&pod.containers).filter(|container| !container.ready);
    let is_final = |container: &ContainerState| match container.reason.as_deref() {
        None | Some("PodInitializing") => false,
        Some(_) => true,
    };
    !pod.ready && all().any(|container| container.running && container.reason.is_none()) && !all().any(is_final)
}

fn no_engine(request: &ProbeRequest) -> PodProbes {
    let absent = Unavailable { kind: UnavailableKind::NotFound, reason: "nothing is deployed on this machine".to_owned() };
    PodProbes::unavailable(request, &absent)
}

/// What an event says that stands for a machine on which the engine cannot run.
fn forbidden(message: String) -> EventRecord {
    let object = ObjectRef::cluster("Machine", "this machine");
    EventRecord { object, kind: "Warning".to_owned(), reason: "NamespacesForbidden".to_owned(), message, count: 1, last_seen: None }
}
