//! A Kubernetes cluster as a target, through kube-rs.
//!
//! ```text
//!   kubeconfig ──► connect ──► Cluster ─┬─► apply       server-side apply, in order
//!                                       ├─► wait        watches, until ready or hopeless
//!                                       ├─► inventory   pods, network services, endpoints
//!                                       ├─► exec        ip and ping in the workload's own container
//!                                       ├─► attach      a program of the person's, with its streams and exit code
//!                                       ├─► system      NSM, SPIRE, events, the ends of logs
//!                                       ├─► objects     as the API server has them, for people to read
//!                                       ├─► logs        logs on the way of a connection, and what is added to them
//!                                       └─► delete      what carries the instance's label, and the proof
//! ```
//!
//! # Decisions
//!
//! - **One exec a container.** An exec costs a node a tenth of a second of CPU. `target/cluster/look.sh` asks everything in one go, in words that
//!   every POSIX shell knows: interfaces, routes, pings to the peers that it reads off the routes, the path's MTU, the resolver. It parses nothing
//!   beyond that: its output is cut at its marks and goes the way of all words, to `check::parse`.
//! - **Waiting is by watch**, and ends early with a reason that will not pass (an image that cannot be pulled, a crash loop).
//!   Reasons that often pass (unschedulable: the example's client waits for its endpoint) count only after 15 seconds, and that of a
//!   client that waits for its endpoint's node never before the endpoint's own. What was just deployed is looked at again until the same connections were found unsettled three times:
//!   NSM's client makes its connection anew when its container starts.
//! - **Who would sit out a grace is given a shorter one.** NSM's client container does not end before its own first request has
//!   succeeded. Cleanup reads from its log whether it has, before it deletes anything: a pod's grace is that of its first deletion.

mod apply;
mod attach;
mod connect;
mod debug;
mod delete;
mod difference;
mod discover;
mod error;
mod exec;
mod exporters;
mod foreign;
mod gone;
mod identity;
mod in_place;
mod inventory;
mod kubeconfig;
mod logs;
mod look;
#[cfg(test)]
mod look_tests;
mod objects;
mod partial;
mod persist;
mod pinging;
mod pod;
mod preflight;
mod probe;
mod progress;
mod system;
mod tail;
mod unconnected;
mod until;
mod wait;

use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject},
};

pub use attach::Attached;
pub use connect::{Access, Lookup, contexts, lookup};
pub use pinging::Pinging;

use crate::model::{INSTANCE_LABEL, KINDS, Kind, MANAGED_BY, MANAGED_BY_LABEL, NSM_NAMESPACE, ObjectRef};

/// NSM's API (upstream: apis/networkservicemesh.io/v1).
const NSM_GROUP_VERSION: &str = "networkservicemesh.io/v1";

/// A cluster that has answered.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    server: String,
    context: Option<String>,
    namespace: String,
    version: String,
    clock_offset: i64,
}

impl Cluster {
    /// The API server's URL.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The kubeconfig's context; `None` inside a cluster.
    #[must_use]
    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// The context's namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The server's version, as in `v1.34.1`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How far its clock is ahead of this machine's, in seconds; 0 where they agree as far as can be told.
    #[must_use]
    pub fn clock_offset(&self) -> i64 {
        self.clock_offset
    }

    /// The objects of a kind, of one namespace or of all.
    fn api(&self, resource: &ApiResource, namespace: Option<&str>) -> Api<DynamicObject> {
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        }
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("server", &self.server).finish_non_exhaustive()
    }
}

/// The resource of an API version and a kind.
fn resource(api_version: &str, kind: &str, plural: &str) -> ApiResource {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

fn resource_of(kind: &Kind) -> ApiResource {
    resource(kind.api_version, kind.kind, kind.plural)
}

/// The resource of an object of a kind that nsmctl deploys.
fn resource_named(kind: &str) -> Option<ApiResource> {
    KINDS.iter().find(|known| known.kind == kind).map(resource_of)
}

/// NSM's registrations of endpoints.
fn endpoint_resource() -> ApiResource {
    resource(NSM_GROUP_VERSION, "NetworkServiceEndpoint", "networkserviceendpoints")
}

/// What selects the objects of a deployment.
fn selector(instance: &str) -> String {
    format!("{MANAGED_BY_LABEL}={MANAGED_BY},{INSTANCE_LABEL}={instance}")
}

fn is_of(instance: &str, object: &impl ResourceExt) -> bool {
    let label = |key| object.labels().get(key).map(String::as_str);
    label(MANAGED_BY_LABEL) == Some(MANAGED_BY) && label(INSTANCE_LABEL) == Some(instance)
}

/// The identity of an object of a resource.
fn reference(resource: &ApiResource, object: &DynamicObject) -> ObjectRef {
    ObjectRef { kind: resource.kind.clone(), namespace: object.metadata.namespace.clone(), name: object.metadata.name.clone().unwrap_or_default() }
}
