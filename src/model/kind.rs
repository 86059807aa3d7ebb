/// A kind of object that nsmctl deploys, and therefore removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Its API group and version, as in `apps/v1`.
    pub api_version: &'static str,
    /// Its kind, as in `Deployment`.
    pub kind: &'static str,
    /// Its resource, as in `deployments`.
    pub plural: &'static str,
}

/// What may stand in a manifest, in the order in which objects must exist: a namespace before what lives in it, a service
/// account before the pod that uses it. Cluster-wide rights (ClusterRole, webhooks, …) are left to kubectl on purpose:
/// cleanup must be able to remove what deploy made without touching what others share.
pub const KINDS: [Kind; 11] = [
    Kind { api_version: "v1", kind: "Namespace", plural: "namespaces" },
    Kind { api_version: "networkservicemesh.io/v1", kind: "NetworkService", plural: "networkservices" },
    Kind { api_version: "v1", kind: "ServiceAccount", plural: "serviceaccounts" },
    Kind { api_version: "rbac.authorization.k8s.io/v1", kind: "Role", plural: "roles" },
    Kind { api_version: "rbac.authorization.k8s.io/v1", kind: "RoleBinding", plural: "rolebindings" },
    Kind { api_version: "v1", kind: "ConfigMap", plural: "configmaps" },
    Kind { api_version: "v1", kind: "Service", plural: "services" },
    Kind { api_version: "apps/v1", kind: "Deployment", plural: "deployments" },
    Kind { api_version: "apps/v1", kind: "StatefulSet", plural: "statefulsets" },
    Kind { api_version: "apps/v1", kind: "DaemonSet", plural: "daemonsets" },
    Kind { api_version: "v1", kind: "Pod", plural: "pods" },
];

/// Where NSM's own parts are, and with them the registry's NetworkServiceEndpoint objects (upstream's manifests).
pub const NSM_NAMESPACE: &str = "nsm-system";
/// The namespace in which upstream's manifests install SPIRE.
pub const SPIRE_NAMESPACE: &str = "spire";

/// The label that says who made an object.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY_LABEL`], and the name of the field manager of server-side apply.
pub const MANAGED_BY: &str = "nsmctl";
/// The label that says what an object is part of.
pub const PART_OF_LABEL: &str = "app.kubernetes.io/part-of";
/// The label that says which deployment an object belongs to.
pub const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
/// The annotation that remembers what deploy was asked to do differently from the manifests, as flags.
pub const OPTIONS_ANNOTATION: &str = "nsmctl.networkservicemesh.io/options";
/// The annotation by which a pod requests network services.
pub const ANNOTATION: &str = "networkservicemesh.io";

/// The label that NSM's webhook gives to the pods that it injects and that endpoints carry by themselves: upstream's
/// ClusterSPIFFEIDs select by it.
pub const SPIFFE_LABEL: (&str, &str) = ("spiffe.io/spiffe-id", "true");
