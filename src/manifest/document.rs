use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, Deployment, StatefulSet},
        core::v1::{Namespace, Pod},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ManifestError, NetworkService};
use crate::model::{KINDS, Kind};

/// One object of a manifest: what was written, and what it was understood as.
#[derive(Debug, Clone)]
pub struct Document {
    /// File and line.
    pub place: String,
    /// What was written. This is what is applied, so that no field gets lost on the way through a type.
    pub value: Value,
    /// Its API group and version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// What it was understood as.
    pub object: Object,
}

/// The objects that nsmctl understands.
#[derive(Debug, Clone)]
pub enum Object {
    /// A namespace.
    Namespace(Box<Namespace>),
    /// A network service.
    NetworkService(Box<NetworkService>),
    /// A pod.
    Pod(Box<Pod>),
    /// A Deployment.
    Deployment(Box<Deployment>),
    /// A StatefulSet.
    StatefulSet(Box<StatefulSet>),
    /// A DaemonSet.
    DaemonSet(Box<DaemonSet>),
    /// Something that workloads need and that says nothing about connections.
    Other(Box<ObjectMeta>),
}

impl Document {
    /// Understands one object.
    ///
    /// # Errors
    /// [`ManifestError::Document`] where it is no object, of a kind that nsmctl does not deploy, or not as its kind must be.
    pub fn new(value: Value, place: &str) -> Result<Self, ManifestError> {
        let bad = |reason: String| ManifestError::Document { place: place.to_owned(), reason };
        let word = |key: &str| {
            let text = value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
            text.map(str::to_owned).ok_or_else(|| bad(format!("this is no Kubernetes object: it has no {key}")))
        };
        let (api_version, kind) = (word("apiVersion")?, word("kind")?);
        if !KINDS.iter().any(|k| (k.api_version, k.kind) == (api_version.as_str(), kind.as_str())) {
            return Err(bad(match KINDS.iter().find(|k| k.kind == kind) {
                Some(Kind { api_version: expected, .. }) => format!("{kind} is of apiVersion {expected}, and this says {api_version}"),
                None => format!("{kind} ({api_version}) is not a kind that nsmctl deploys; apply it with kubectl"),
            }));
        }
        let object = understand(&kind, &value).map_err(|reason| bad(format!("{kind}: {reason}")))?;
        let document = Self { place: place.to_owned(), value, api_version, kind, object };
        if document.metadata().name.as_deref().unwrap_or_default().is_empty() {
            return Err(bad(format!("{} has no metadata.name", document.kind)));
        }
        match name_fault(&document.kind, document.name()) {
            Some(fault) => Err(bad(format!("{} {:?} cannot have that name: {fault}", document.kind, document.name()))),
            None => Ok(document),
        }
    }

    /// The same document with something changed in it, understood anew.
    pub(super) fn changed(&self, change: impl FnOnce(&mut Value)) -> Result<Self, ManifestError> {
        let mut value = self.value.clone();
        change(&mut value);
        Self::new(value, &self.place)
    }

    /// Name, namespace, labels.
    #[must_use]
    pub fn metadata(&self) -> &ObjectMeta {
        match &self.object {
            Object::Namespace(object) => &object.metadata,
            Object::NetworkService(object) => &object.metadata,
            Object::Pod(object) => &object.metadata,
            Object::Deployment(object) => &object.metadata,
            Object::StatefulSet(object) => &object.metadata,
            Object::DaemonSet(object) => &object.metadata,
            Object::Other(metadata) => metadata,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }

    /// Its resource, as in `deployments`.
    #[must_use]
    pub fn plural(&self) -> &'static str {
        KINDS[self.rank()].plural
    }

    /// Its place in the order in which objects must exist: a namespace before what lives in it, a service account before
    /// the pod that uses it.
    #[must_use]
    pub fn rank(&self) -> usize {
        KINDS.iter().position(|k| k.kind == self.kind).unwrap_or(0)
    }
}

/// Why Kubernetes does not take the name for an object of the kind.
fn name_fault(kind: &str, name: &str) -> Option<&'static str> {
    // They are only a part of a path (kubernetes, `IsValidPathSegmentName`).
    if ["Role", "RoleBinding"].contains(&kind) {
        let is_fit = name != "." && name != ".." && !name.contains(['/', '%']);
        return (!is_fit).then_some("it must not be . or .. or have / or % in it");
    }
    let is_label = |label: &str| {
        let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !label.is_empty() && label.chars().all(is_inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    if kind == "Namespace" {
        return (name.len() > 63 || !is_label(name))
            .then_some("it must be of at most 63 characters a-z, 0-9 and -, with none of - at its ends (RFC 1123)");
    }
    let is_fit = name.len() <= 253 && name.split('.').all(is_label);
    (!is_fit).then_some("it must be of at most 253 characters a-z, 0-9, - and ., with none of - and . at its ends (RFC 1123)")
}

fn understand(kind: &str, value: &Value) -> Result<Object, serde_json::Error> {
    fn typed<T: DeserializeOwned>(value: &Value) -> Result<Box<T>, serde_json::Error> {
        T::deserialize(value).map(Box::new)
    }
    #[derive(serde::Deserialize)]
    struct Any {
        metadata: ObjectMeta,
    }
    Ok(match kind {
        "Namespace" => Object::Namespace(typed(value)?),
        "NetworkService" => Object::NetworkService(typed(value)?),
        "Pod" => Object::Pod(typed(value)?),
        "Deployment" => Object::Deployment(typed(value)?),
        "StatefulSet" => Object::StatefulSet(typed(value)?),
        "DaemonSet" => Object::DaemonSet(typed(value)?),
        _ => Object::Other(Box::new(typed::<Any>(value)?.metadata)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn error(value: Value) -> String {
        Document::new(value, "a.yaml:1").unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_object_says_so() {
        assert_eq!(error(json!("text")), "a.yaml:1: this is no Kubernetes object: it has no apiVersion");
        assert_eq!(error(json!({"apiVersion": "v1"})), "a.yaml:1: this is no Kubernetes object: it has no kind");
        assert_eq!(error(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}})), "a.yaml:1: Pod has no metadata.name");
    }

    #[test]
    fn names_are_such_as_kubernetes_takes() {
        let document = |kind: &str, name: &str| {
            let api_version = KINDS.iter().find(|known| known.kind == kind).unwrap().api_version;
            Document::new(json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}), "a.yaml:1")
        };
        let long = "x".repeat(254);
        for (kind, name) in [
            ("Pod", "../../x y"),
            ("Pod", "Upper"),
            ("Pod", "a..b"),
            ("Pod", "-a"),
            ("Pod", &long),
            ("Namespace", "a.b"),
            ("Role", "a/b"),
            ("Role", ".."),
        ] {
            let error = document(kind, name).unwrap_err().to_string();
            assert!(error.starts_with(&format!("a.yaml:1: {kind} {name:?} cannot have that name: ")), "{error}");
        }
        for (kind, name) in [("Pod", "a-1.b"), ("Pod", "0"), ("Namespace", "ns-1"), ("Role", "system:x Y"), ("RoleBinding", "Upper")] {
            assert!(document(kind, name).is_ok(), "{kind} {name}");
        }
    }

    #[test]
    fn kinds_that_are_not_deployed_are_named() {
        let text = error(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a"}}));
        assert_eq!(text, "a.yaml:1: ClusterRole (rbac.authorization.k8s.io/v1) is not a kind that nsmctl deploys; apply it with kubectl");
        let text = error(json!({"apiVersion": "v1", "kind": "NetworkService", "metadata": {"name": "a"}}));
        assert_eq!(text, "a.yaml:1: NetworkService is of apiVersion networkservicemesh.io/v1, and this says v1");
    }

    #[test]
    fn a_wrong_field_is_named() {
        let text = error(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": "x"}}));
        assert!(text.starts_with("a.yaml:1: Pod: ") && text.contains("sequence"), "{text}");
    }
}
