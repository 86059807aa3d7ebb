//! Where a network service is deployed: a Kubernetes cluster with NSM, or this machine.
//!
//! A target does and looks; it judges nothing and prints nothing.
//!
//! ```text
//!                    ┌─► cluster   kube-rs: API server, exec
//!   commands ► Target┤
//!                    └─► local     the engine's unix socket
//! ```
//!
//! # Decisions
//!
//! - **A look never fails.** What cannot be seen (403, a lost exit status, a program that is missing) is recorded in its place
//!   and becomes the verdict *unknown*, never a pass.
//! - **Ownership by label.** Every object that deploy makes carries `app.kubernetes.io/managed-by=nsmctl`, `part-of` and
//!   `instance`. Deploy refuses to touch an object that does not carry its instance; cleanup removes only what does, by UID. The
//!   one exception are the NetworkServiceEndpoint objects that its own pods left in NSM's namespace: recognised by the SPIFFE ID of who
//!   registered them. A namespace is deleted only if nsmctl made it and nobody else has put anything into it.

pub mod cluster;
mod context;
#[cfg(target_os = "linux")]
pub mod local;
mod program;

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::mpsc;

use self::cluster::Cluster;
#[cfg(target_os = "linux")]
use self::local::Local;
use crate::model::{
    Applied, ConnectionPhases, Discovery, EngineState, ExecRequest, Expectations, Failure, Family, Inventory, LogLine, LogRange, LogSource, Mark,
    MetricsSource, Milestones, Namespaced, News, ObjectRef, Plan, PodProbes, ProbeRequest, RawObjects, Removed, Result, Scope, System, Unavailable,
};

pub use context::Ctx;
pub use program::{Program, Streams};

/// A namespace holds one deployment of nsmctl's. To deploy another service over it would remove the first one's objects,
/// which nobody has asked for.
fn another_service(plan: &Plan, part: &str, object: &ObjectRef) -> Failure {
    let message = format!("the deployment {} is of {part} ({object}), and this is {}; nothing was changed", plan.instance, plan.part_of);
    Failure::failed(message).hint("choose another --namespace or a --name-prefix, or `nsmctl cleanup` first")
}

/// How to apply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Take the fields that another manager has set.
    pub force_conflicts: bool,
}

/// How to delete.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Only say what would be removed.
    pub dry_run: bool,
    /// Take away the finalizers of what does not go by itself.
    pub force: bool,
}

/// How logs are followed.
#[derive(Debug)]
pub struct Follow {
    /// Up to where each log was read, or why it could not be.
    pub marks: Vec<Result<Mark, Unavailable>>,
    /// From how long before now on a log is read of which there was nothing.
    pub since: Option<Duration>,
    /// Where the news go.
    pub news: mpsc::Sender<News>,
}

/// A place to deploy to. What the methods mean is said where each kind of target has them.
#[derive(Debug, Clone)]
pub enum Target {
    /// A Kubernetes cluster.
    Cluster(Box<Cluster>),
    /// This machine.
    #[cfg(target_os = "linux")]
    Local(Local),
}

/// Calls the same method of whichever target it is.
macro_rules! either {
    ($self:expr, $target:ident => $call:expr) => {
        match $self {
            Self::Cluster($target) => $call,
            #[cfg(target_os = "linux")]
            Self::Local($target) => $call,
        }
    };
}

impl Target {
    /// Makes the target be what the plan says.
    ///
    /// # Errors
    /// The target does not take the plan.
    pub async fn apply(&self, ctx: &Ctx, plan: &Plan, options: ApplyOptions) -> Result<Vec<(ObjectRef, Applied)>> {
        match self {
            Self::Cluster(cluster) => cluster.apply(ctx, plan, options).await,
            // Nobody else changes what the engine holds, so there is nothing to be in conflict with.
            #[cfg(target_os = "linux")]
            Self::Local(local) => local.apply(ctx, plan).await,
        }
    }

    /// Waits until every workload of the plan is ready.
    ///
    /// # Errors
    /// One is not, and will not be.
    pub async fn wait(&self, ctx: &Ctx, plan: &Plan) -> Result<Milestones> {
        match self {
            Self::Cluster(cluster) => cluster.wait(ctx, plan).await,
            // The engine has made every request when an apply is done.
            #[cfg(target_os = "linux")]
            Self::Local(local) => local.wait(ctx, plan).await.map(|()| Milestones::default()),
        }
    }

    /// The phases in which the connections of a plan came to be; `None` where the target does not tell.
    ///
    /// # Errors
    /// The target cannot be asked.
    pub async fn phases(&self, ctx: &Ctx, plan: &Plan) -> Result<Option<Vec<ConnectionPhases>>> {
        match self {
            // NSM publishes none there.
            Self::Cluster(_) => Ok(None),
            #[cfg(target_os = "linux")]
            Self::Local(local) => local.phases(ctx, plan).await.map(Some),
        }
    }

    /// The time by the target's own clock, in seconds since 1970.
    #[must_use]
    pub fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let here = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        match self {
            Self::Cluster(cluster) => here.saturating_add(cluster.clock_offset()),
            #[cfg(target_os = "linux")]
            Self::Local(_) => here,
        }
    }

    /// What exists.
    ///
    /// # Errors
    /// The target cannot be asked.
    pub async fn inventory(&self, ctx: &Ctx, expectations: &Expectations) -> Result<Inventory> {
        either!(self, target => target.inventory(ctx, expectations).await)
    }

    /// The options that the deployment of a plan was made with.
    ///
    /// # Errors
    /// The target cannot be asked.
    pub async fn options(&self, ctx: &Ctx, plan: &Plan) -> Result<Option<String>> {
        match self {
            Self::Cluster(cluster) => ctx.run("looking at what was deployed", async { Ok(cluster.options(ctx, plan).await) }).await,
            #[cfg(target_os = "linux")]
            Self::Local(local) => local.options(ctx, plan).await,
        }
    }

    /// The workloads of a plan's deployment, where none of them is the plan's: it was made from other manifests.
    ///
    /// # Errors
    /// The target cannot be asked.
    pub async fn other_workloads(&self, ctx: &Ctx, plan: &Plan) -> Result<Vec<ObjectRef>> {
        match self {
            Self::Cluster(cluster) => ctx.run("looking at what was deployed", async { Ok(cluster.other_workloads(plan).await) }).await,
            #[cfg(target_os = "linux")]
            Self::Local(local) => local.other_workloads(ctx, plan).await,
        }
    }

    /// What there is of NSM, whoever deployed it.
    ///
    /// # Errors
    /// The target cannot be asked.
    pub async fn discover(&self, ctx: &Ctx, scope: &Scope) -> Result<Discovery> {
        either!(self, target => target.discover(ctx, scope).await)
    }

    /// The pods that a selector selects.
    ///
    /// # Errors
    /// The target cannot be asked, or the selector is none.
    pub async fn select(&self, ctx: &Ctx, namespace: Option<&str>, selector: &str) -> Result<BTreeSet<Namespaced>> {
        either!(self, target => target.select(ctx, namespace, selector).await)
    }

    /// Looks into pods; what was seen until the command was stopped is in `seen`.
    ///
    /// # Errors
    /// The target cannot be asked, or the command was stopped.
    pub async fn probe(&self, ctx: &Ctx, requests: Vec<ProbeRequest>, seen: &mut Vec<PodProbes>) -> Result<()> {
        match self {
            Self::Cluster(cluster) => cluster.probe(ctx, requests, seen).await,
            // The engine answers for all of them at once.
            #[cfg(target_os = "linux")]
            Self::Local(local) => local.probe(ctx, requests).await.map(|probes| seen.extend(probes)),
        }
    }

    /// Starts a program in a pod.
    ///
    /// # Errors
    /// It cannot be started: no such pod, no permission.
    pub async fn start(&self, ctx: &Ctx, request: &ExecRequest) -> Result<Program> {
        match self {
            Self::Cluster(cluster) => cluster.start(ctx, request).await.map(|attached| Program::Cluster(Box::new(attached))),
            #[cfg(target_os = "linux")]
            Self::Local(local) => local.start(ctx, request).await.map(Program::Local),
        }
    }

    /// What carries the connections of these nodes and has a log.
    ///
    /// # Errors
    /// The command was stopped. Why they cannot be seen, where they cannot, is in the answer.
    pub async fn carriers(&self, ctx: &Ctx, nodes: &BTreeSet<String>) -> Result<Result<Vec<LogSource>, Unavailable>> {
        match self {
            Self::Cluster(cluster) => ctx.run("looking for the managers and forwarders", async { Ok(cluster.carriers(nodes).await) }).await,
            #[cfg(target_os = "linux")]
            Self::Local(_) => Ok(Ok(vec![local::engine_source()])),
        }
    }

    /// What was logged, of each source or why it cannot be told.
    ///
    /// # Errors
    /// The target cannot be asked.
    pub async fn logs(&self, ctx: &Ctx, sources: &[LogSource], range: LogRange) -> Result<Vec<Result<Vec<LogLine>, Unavailable>>> {
        match self {
            Self::Cluster(cluster) => ctx.run("reading the logs", async { Ok(cluster.read_logs(sources, range).await) }).await,
            #[cfg(target_os = "linux")]
            Self::Local(local) => local.read_logs(ctx, sources, range).await,
        }
    }

    /// Tells what is logged from the marks on, until nothing more can come.
    ///
    /// # Errors
    /// The target cannot be asked.
    pub async fn follow(&self, ctx: &Ctx, sources: &[LogSource], follow: Follow) -> Result<()> {
        match self {
            Self::Cluster(cluster) => {
                cluster.follow_logs(sources, follow).await;
                Ok(())
            }
            #[cfg(target_os = "linux")]
            Self::Local(local) => local.follow_logs(ctx, sources, follow).await,
        }
    }

    /// What carries the connections, what happened and what was logged.
    ///
    /// # Errors
    /// The target cannot be asked.
    pub async fn system(&self, ctx: &Ctx, expectations: &Expectations) -> Result<System> {
        either!(self, target => target.system(ctx, expectations).await)
    }

    /// What carries the connections, without what happened and was logged, and what it knows of each connection; `None` where
    /// it tells nobody.
    ///
    /// # Errors
    /// The target cannot be asked.
    pub async fn overview(&self, ctx: &Ctx) -> Result<(System, Option<EngineState>)> {
        match self {
            Self::Cluster(cluster) => cluster.overview(ctx).await.map(|system| (system, None)),
            #[cfg(target_os = "linux")]
            Self::Local(local) => local.overview(ctx).await.map(|(system, state)| (system, Some(state))),
        }
    }

    /// What NSM's parts expose of metrics, or what this machine's engine has counted.
    ///
    /// # Errors
    /// The target cannot be asked. Why they cannot be seen, where they cannot, is in the answer.
    pub async fn exported(&self, ctx: &Ctx) -> Result<Result<Vec<(MetricsSource, Vec<Family>)>, Unavailable>> {
        match self {
            Self::Cluster(cluster) => cluster.exported(ctx).await,
            #[cfg(target_os = "linux")]
            Self::Local(local) => local.counted(ctx).await.map(Ok),
        }
    }

    /// The objects around the workloads as the API server has them, for people to read; this machine has none.
    pub async fn objects(&self, ctx: &Ctx, expectations: &Expectations) -> Vec<RawObjects> {
        match self {
            Self::Cluster(cluster) => cluster.objects(ctx, expectations).await,
            #[cfg(target_os = "linux")]
            Self::Local(_) => Vec::new(),
        }
    }

    /// Removes a deployment, and proves it.
    ///
    /// # Errors
    /// The target cannot be asked. What could not be removed is in the answer.
    pub async fn delete(&self, ctx: &Ctx, instance: &str, options: DeleteOptions) -> Result<Removed> {
        match self {
            Self::Cluster(cluster) => cluster.delete(ctx, instance, options).await,
            #[cfg(target_os = "linux")]
            Self::Local(local) if options.dry_run => local.held(ctx, instance).await.map(|would| Removed { would, ..Removed::default() }),
            // What the engine holds has no finalizers.
            #[cfg(target_os = "linux")]
            Self::Local(local) => local.delete(ctx, instance).await,
        }
    }

    /// The namespaces that there are.
    ///
    /// # Errors
    /// They cannot be seen, or the target cannot be asked.
    pub async fn namespaces(&self, ctx: &Ctx) -> Result<Vec<String>> {
        match self {
            Self::Cluster(cluster) => ctx.run("listing the namespaces", cluster.namespaces()).await,
            // The engine's namespaces are those of its deployments.
            #[cfg(target_os = "linux")]
            Self::Local(local) => local.deployments(ctx).await,
        }
    }

    /// The deployments that there are; of what cannot be seen, none.
    pub async fn deployments(&self, ctx: &Ctx) -> Vec<String> {
        match self {
            Self::Cluster(cluster) => ctx.run("looking for deployments", async { Ok(cluster.deployments().await) }).await.unwrap_or_default(),
            #[cfg(target_os = "linux")]
            Self::Local(local) => local.deployments(ctx).await.unwrap_or_default(),
        }
    }

    /// What there is of a plan, to say what a command that was stopped leaves behind.
    ///
    /// # Errors
    /// The target cannot be asked.
    pub async fn existing(&self, ctx: &Ctx, plan: &Plan) -> Result<Vec<ObjectRef>> {
        match self {
            Self::Cluster(cluster) => ctx.run("looking at what is there", async { Ok(cluster.existing(plan).await) }).await,
            #[cfg(target_os = "linux")]
            Self::Local(local) => local.held(ctx, &plan.instance).await,
        }
    }
}
