//! Where a network service is deployed: a Kubernetes cluster with NSM, or this machine.
//!
//! A target does and looks; it judges nothing and prints nothing.
//!
//! ```text
//!                    ┌─► cluster   kube-rs: API server, exec
//!   commands ► Target┤
//!                    └─► local     the engine's unix socket
//! ```

pub mod cluster;
mod context;
#[cfg(target_os = "linux")]
pub mod local;

use self::cluster::Cluster;
#[cfg(target_os = "linux")]
use self::local::Local;
use crate::model::{Applied, Expectations, Inventory, ObjectRef, Plan, PodProbes, ProbeRequest, Removed, Result, System};

pub use context::Ctx;

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
    pub async fn apply(&self, ctx: &Ctx, plan: &Plan) -> Result<Vec<(ObjectRef, Applied)>> {
        either!(self, target => target.apply(ctx, plan).await)
    }

    /// Waits until every workload of the plan is ready.
    ///
    /// # Errors
    /// One is not, and will not be.
    pub async fn wait(&self, ctx: &Ctx, plan: &Plan) -> Result<()> {
        either!(self, target => target.wait(ctx, plan).await)
    }

    /// What exists.
    ///
    /// # Errors
    /// The target cannot be asked.
    pub async fn inventory(&self, ctx: &Ctx, expectations: &Expectations) -> Result<Inventory> {
        either!(self, target => target.inventory(ctx, expectations).await)
    }

    /// Looks into pods.
    ///
    /// # Errors
    /// The target cannot be asked.
    pub async fn probe(&self, ctx: &Ctx, requests: Vec<ProbeRequest>) -> Result<Vec<PodProbes>> {
        either!(self, target => target.probe(ctx, requests).await)
    }

    /// What carries the connections, what happened and what was logged.
    ///
    /// # Errors
    /// The target cannot be asked.
    pub async fn system(&self, ctx: &Ctx, expectations: &Expectations) -> Result<System> {
        either!(self, target => target.system(ctx, expectations).await)
    }

    /// Removes a deployment, and proves it.
    ///
    /// # Errors
    /// The target cannot be asked. What could not be removed is in the answer.
    pub async fn delete(&self, ctx: &Ctx, instance: &str) -> Result<Removed> {
        either!(self, target => target.delete(ctx, instance).await)
    }
}
