//! Every cause: data, one a place, in the order in which they are told.

mod data_path;
mod pods;
mod request;
mod system;

use super::cause::Cause;

/// The problems of the source document's table of common issues.
const NO_INTERFACE: Option<&str> = Some("No nsm-1 interface");
const PING_TIMEOUT: Option<&str> = Some("Ping timeout");
const POD_PENDING: Option<&str> = Some("Pod pending");
const CONNECTION_REFUSED: Option<&str> = Some("Connection refused");

/// A part of NSM, or what carries it, is away: nothing that needs it works.
const NSM_AWAY: &[&str] = &[
    "engine-not-running",
    "nsm-not-installed",
    "node-not-ready",
    "component-out-of-memory",
    "spire-not-ready",
    "registry-not-ready",
    "manager-not-ready",
    "forwarder-not-ready",
];
/// The webhook keeps pods from being created, or leaves them as they are.
const WEBHOOK: &[&str] = &["webhook-orphaned", "webhook-down", "webhook-untrusted", "webhook-configuration-missing"];
/// A pod gets no identity.
const NO_IDENTITY: &[&str] = &["spiffe-label-missing", "spiffe-id-missing", "svid-missing"];
/// A pod does not come to run.
const NOT_RUNNING: &[&str] = &["not-deployed", "pod-refused", "unschedulable", "image-pull", "out-of-memory", "crash-loop", "container-not-started"];
/// Nobody is there to answer.
const ENDPOINT_AWAY: &[&str] = &["endpoint-scaled-down", "endpoint-gone"];
/// The two ends of a connection are not what they should be.
const BROKEN_ENDS: &[&str] = &[
    "interface-down",
    "peer-end-down",
    "address-missing",
    "peer-address-missing",
    "peer-end-missing",
    "interface-missing",
    "address-wrong",
    "prefixes-overlap",
    "route-refusing",
    "route-missing",
];

/// Where Kubernetes, SPIRE and NSM themselves say more.
const DEBUG_PODS: &str = "https://kubernetes.io/docs/tasks/debug/debug-application/debug-pods/";
const DEPLOYMENTS: &str = "https://github.com/networkservicemesh/deployments-k8s";
const WEBHOOK_REPOSITORY: &str = "https://github.com/networkservicemesh/cmd-admission-webhook-k8s";
const CLIENT_REPOSITORY: &str = "https://github.com/networkservicemesh/cmd-nsc";
const ENDPOINT_REPOSITORY: &str = "https://github.com/networkservicemesh/cmd-nse-icmp-responder";
const MANAGER_REPOSITORY: &str = "https://github.com/networkservicemesh/cmd-nsmgr";
const FORWARDER_REPOSITORY: &str = "https://github.com/networkservicemesh/cmd-forwarder-ovs";
const REGISTRY_REPOSITORY: &str = "https://github.com/networkservicemesh/cmd-registry-k8s";
const SPIRE_DOCUMENTS: &str = "https://spiffe.io/docs/latest/deploying/registering/";
const IP_MANUAL: &str = "https://man7.org/linux/man-pages/man8/ip.8.html";

/// Every cause, in the order in which they are told: nearest the start of the path first, and a root before what follows
/// from it. The last ones quote what there is where nothing else is known.
pub fn causes() -> impl Iterator<Item = &'static Cause> {
    [system::CAUSES, pods::CAUSES, request::CAUSES, data_path::CAUSES].into_iter().flatten()
}

/// The cause with an id.
#[must_use]
pub fn cause(id: &str) -> Option<&'static Cause> {
    causes().find(|cause| cause.id == id)
}

/// The causes that may directly follow from one.
#[must_use]
pub fn leads_to(id: &str) -> Vec<&'static str> {
    causes().filter(|cause| cause.follows.concat().contains(&id)).map(|cause| cause.id).collect()
}
