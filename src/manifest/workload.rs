use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Container, PodSpec},
    apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement, ObjectMeta},
};
use serde_json::json;

use crate::model::{ANNOTATION, EndpointSpec, Labels, Namespaced, NsUrl, PrefixGroups, Workload, WorkloadKind, is_nsm_client};

use super::{Document, ManifestError, Object, selector::selects};

/// kubectl's own way of saying which container is meant.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// The variable in which an endpoint is given its labels.
const LABELS: &str = "NSM_LABELS";

/// The parts of a workload that matter, whichever kind it is of.
struct Parts<'a> {
    kind: WorkloadKind,
    /// How many pods, as it was written; `None` for one a node.
    replicas: Option<i32>,
    selector: Option<&'a LabelSelector>,
    template: Option<&'a ObjectMeta>,
    spec: Option<&'a PodSpec>,
}

fn parts(object: &Object) -> Option<Parts<'_>> {
    // One where nothing is said, as Kubernetes has it.
    let count = |replicas: Option<i32>| Some(replicas.unwrap_or(1));
    Some(match object {
        Object::Pod(pod) => {
            Parts { kind: WorkloadKind::Pod, replicas: Some(1), selector: None, template: Some(&pod.metadata), spec: pod.spec.as_ref() }
        }
        Object::Deployment(object) => {
            let spec = object.spec.as_ref()?;
            Parts {
                kind: WorkloadKind::Deployment,
                replicas: count(spec.replicas),
                selector: Some(&spec.selector),
                template: spec.template.metadata.as_ref(),
                spec: spec.template.spec.as_ref(),
            }
        }
        Object::StatefulSet(object) => {
            let spec = object.spec.as_ref()?;
            Parts {
                kind: WorkloadKind::StatefulSet,
                replicas: count(spec.replicas),
                selector: Some(&spec.selector),
                template: spec.template.metadata.as_ref(),
                spec: spec.template.spec.as_ref(),
            }
        }
        Object::DaemonSet(object) => {
            let spec = object.spec.as_ref()?;
            Parts {
                kind: WorkloadKind::DaemonSet,
                replicas: None,
                selector: Some(&spec.selector),
                template: spec.template.metadata.as_ref(),
                spec: spec.template.spec.as_ref(),
            }
        }
        Object::Namespace(_) | Object::NetworkService(_) | Object::Other(_) => return None,
    })
}

/// The pod that an object makes; `None` where it makes none.
pub(super) fn pod_spec(object: &Object) -> Option<&PodSpec> {
    parts(object)?.spec
}

/// Where a document comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Somebody wrote it, and it is to be deployed.
    Written,
    /// It is there: Kubernetes has taken it, and its pods are known by what made them.
    Live,
}

/// What a document means for connections; `None` where it makes no pods.
///
/// `inherited` is the annotation of the namespace, which counts where the workload has none of its own.
pub(super) fn workload(document: &Document, namespace: &str, inherited: Option<&str>, origin: Origin) -> Result<Option<Workload>, ManifestError> {
    let Some(parts) = parts(&document.object) else { return Ok(None) };
    let bad = |reason: String| ManifestError::Document { place: document.place.clone(), reason };
    let spec = parts.spec.filter(|spec| !spec.containers.is_empty());
    let spec = spec.ok_or_else(|| bad(format!("{} {} has no container", document.kind, document.name())))?;
    let replicas = parts.replicas.map(u32::try_from).transpose();
    let replicas = replicas.map_err(|_| bad(format!("{} {} has fewer than 0 replicas", document.kind, document.name())))?;
    let annotation = |metadata: Option<&ObjectMeta>, key: &str| metadata.and_then(|m| m.annotations.as_ref()?.get(key).cloned());
    let own = annotation(Some(document.metadata()), ANNOTATION);
    let template = annotation(parts.template, ANNOTATION);
    if parts.kind != WorkloadKind::Pod && own.is_some() && template.is_some() {
        // Symptom 17: the webhook refuses the object.
        return Err(bad(format!(
            "{} {} and its pod template are both annotated with {ANNOTATION}, which NSM refuses",
            document.kind,
            document.name()
        )));
    }
    // What was injected once stays, also where the annotation of the namespace that asked for it has changed.
    let injected = spec.containers.iter().find_map(|container| environment(container, "NSM_NETWORK_SERVICES"));
    let requests = match template.or(own).as_deref().or(inherited).or(injected) {
        None => Vec::new(),
        Some(text) => NsUrl::parse_list(text).map_err(|reason| ManifestError::Annotation { place: document.place.clone(), reason })?,
    };
    let endpoint = spec.containers.iter().find_map(|container| Some((container, environment(container, "NSM_SERVICE_NAMES")?)));
    let default = annotation(parts.template, DEFAULT_CONTAINER);
    let container = default.or_else(|| endpoint.as_ref().map(|(container, _)| container.name.clone()));
    Ok(Some(Workload {
        kind: parts.kind,
        id: Namespaced::new(namespace, document.name()),
        replicas,
        pod_labels: parts.template.and_then(|metadata| metadata.labels.clone()).unwrap_or_default(),
        selector: if origin == Origin::Live { live_selector(&parts) } else { selector(&parts, document)? },
        container: container.unwrap_or_else(|| own_container(spec).to_owned()),
        requests,
        endpoint: endpoint.map(|(container, services)| endpoint_spec(container, services, document, origin)).transpose()?,
    }))
}

/// The first container that NSM's webhook has not put there.
fn own_container(spec: &PodSpec) -> &str {
    let own = spec.containers.iter().find(|container| !is_nsm_client(&container.name)).or(spec.containers.first());
    own.map_or("", |container| &container.name)
}

fn live_selector(parts: &Parts<'_>) -> BTreeMap<String, String> {
    parts.selector.and_then(|selector| selector.match_labels.clone()).unwrap_or_default()
}

/// What the pods are selected by, which the template's labels have to fit: Kubernetes refuses the object otherwise.
fn selector(parts: &Parts<'_>, document: &Document) -> Result<BTreeMap<String, String>, ManifestError> {
    let Some(selector) = parts.selector else { return Ok(BTreeMap::new()) };
    let (kind, name) = (&document.kind, document.name());
    let bad = |reason: String| ManifestError::Document { place: document.place.clone(), reason };
    let wanted = selector.match_labels.clone().unwrap_or_default();
    let expressions = selector.match_expressions.as_deref().unwrap_or_default();
    if wanted.is_empty() && expressions.is_empty() {
        return Err(bad(format!("{kind} {name} has no spec.selector.matchLabels, so that no pod is its own")));
    }
    let list = |labels: &BTreeMap<String, String>| labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
    let labels = parts.template.and_then(|template| template.labels.clone()).unwrap_or_default();
    let worn = |labels: &BTreeMap<String, String>| if labels.is_empty() { "no labels".to_owned() } else { format!("the labels {}", list(labels)) };
    if wanted.iter().any(|(key, value)| labels.get(key) != Some(value)) {
        return Err(bad(format!("{kind} {name} selects pods with {}, and its template has {}", list(&wanted), worn(&labels))));
    }
    if expressions.is_empty() {
        return Ok(wanted);
    }
    let word = |expression: &LabelSelectorRequirement| match expression.values.as_deref().unwrap_or_default() {
        [] => format!("{} {}", expression.key, expression.operator),
        values => format!("{} {} ({})", expression.key, expression.operator, values.join(", ")),
    };
    let misses = |expression: &&LabelSelectorRequirement| !selects(&json!({"matchExpressions": [expression]}), &labels);
    if let Some(expression) = expressions.iter().find(misses) {
        let reason = format!("{kind} {name} selects pods with {}, and its template has {}", word(expression), worn(&labels));
        return Err(bad(reason));
    }
    // Its pods are known by what made them; where nothing says that, by all the labels that they are given.
    Ok(labels)
}

fn endpoint_spec(container: &Container, services: &str, document: &Document, origin: Origin) -> Result<EndpointSpec, ManifestError> {
    let prefixes = environment(container, "NSM_CIDR_PREFIX").unwrap_or_default();
    let bad = |reason| ManifestError::Prefix { place: document.place.clone(), reason };
    let prefixes: PrefixGroups = prefixes.parse().map_err(bad)?;
    prefixes.prefixes().try_for_each(|prefix| prefix.check_usable()).map_err(bad)?;
    let services = services.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let bad = |reason| ManifestError::Document { place: document.place.clone(), reason: format!("{} {}: {reason}", document.kind, document.name()) };
    let labels = match environment(container, LABELS) {
        Some(text) => Some(endpoint_labels(text, origin).map_err(bad)?),
        None if container.env_from.is_some() || container.env.iter().flatten().any(|variable| variable.name == LABELS) => None,
        None => Some(Labels::new()),
    };
    Ok(EndpointSpec { services, labels, prefixes })
}

/// The labels that an endpoint registers with, as NSM's endpoints read them: `key:value,key:value` (kelseyhightower/envconfig).
fn endpoint_labels(text: &str, origin: Origin) -> Result<Labels, String> {
    let mut labels = Labels::new();
    for pair in text.split(',').filter(|_| !text.trim().is_empty()) {
        let Some((key, value)) = pair.split_once(':').filter(|(_, value)| !value.contains(':')) else {
            return Err(format!("{LABELS} has {pair:?} in it, which is no label: it is written key:value,key:value"));
        };
        // NSM takes a blank for a part of the name or the value, where no selector finds it.
        if origin == Origin::Written && (key.trim() != key || value.trim() != value || key.is_empty()) {
            return Err(format!("{LABELS} has {pair:?} in it: there is no blank around a key or a value, and each has a key"));
        }
        labels.insert(key.to_owned(), value.to_owned());
    }
    Ok(labels)
}

fn environment<'a>(container: &'a Container, name: &str) -> Option<&'a str> {
    container.env.iter().flatten().find(|variable| variable.name == name)?.value.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Source, read};

    /// What is said of a Deployment in which one text stands for another.
    fn said(written: &str, instead: &str) -> Result<Option<Workload>, String> {
        let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: nse}\nspec:\n  replicas: 2\n  selector: {matchLabels: {app: nse}}\n  \
                    template:\n    metadata: {labels: {app: nse, tier: x}, annotations: {networkservicemesh.io: \"kernel://t/nsm-1\"}}\n    \
                    spec: {containers: [{name: c, image: x, env: [{name: NSM_SERVICE_NAMES, value: s}, {name: NSM_CIDR_PREFIX, value: \"10.0.0.0/31\"}]}]}\n";
        assert!(text.contains(written), "{written}");
        let documents = read(&[Source { name: "a.yaml".into(), text: text.replacen(written, instead, 1) }]).unwrap();
        workload(&documents[0], "ns", None, Origin::Written).map_err(|error| error.to_string())
    }

    #[test]
    fn pods_may_be_selected_by_expressions() {
        let expressions = |expression: &str| said("{matchLabels: {app: nse}}", &format!("{{matchExpressions: [{expression}]}}"));
        let labels = [("app", "nse"), ("tier", "x")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        for expression in ["{key: app, operator: In, values: [nse, b]}", "{key: tier, operator: Exists}", "{key: b, operator: DoesNotExist}"] {
            assert_eq!(expressions(expression).unwrap().unwrap().selector, labels.clone().into(), "{expression}");
        }
        let error = expressions("{key: app, operator: NotIn, values: [nse]}").unwrap_err();
        assert_eq!(error, "a.yaml:1: Deployment nse selects pods with app NotIn (nse), and its template has the labels app=nse,tier=x");
    }

    #[test]
    fn an_endpoint_has_the_labels_of_its_environment() {
        let labels = |more: &str| {
            let instead = format!("value: \"10.0.0.0/31\"}}{more}");
            said("value: \"10.0.0.0/31\"}", &instead).map(|workload| workload.unwrap().endpoint.unwrap().labels)
        };
        let app = [("app", "web"), ("tier", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(labels(", {name: NSM_LABELS, value: \"app:web,tier:\"}"), Ok(Some(app.into())));
        assert_eq!((labels(""), labels(", {name: NSM_LABELS, value: \"\"}")), (Ok(Some(Labels::new())), Ok(Some(Labels::new()))));
        let elsewhere = ", {name: NSM_LABELS, valueFrom: {configMapKeyRef: {name: a, key: b}}}";
        assert_eq!(labels(elsewhere), Ok(None), "the value is not in the manifest");
        for (written, reason) in [
            ("app", "NSM_LABELS has \"app\" in it, which is no label: it is written key:value,key:value"),
            ("a:b:c", "NSM_LABELS has \"a:b:c\" in it, which is no label"),
            ("app:web,", "NSM_LABELS has \"\" in it, which is no label"),
            ("app: web", "NSM_LABELS has \"app: web\" in it: there is no blank around a key or a value"),
            (":web", "each has a key"),
        ] {
            let error = labels(&format!(", {{name: NSM_LABELS, value: \"{written}\"}}")).unwrap_err();
            assert!(error.starts_with("a.yaml:1: Deployment nse: ") && error.contains(reason), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_deployed_is_refused_with_the_reason() {
        assert_eq!(said("x", "x").unwrap().unwrap().replicas, Some(2));
        for (written, instead, reason) in [
            ("replicas: 2", "replicas: -3", "a.yaml:1: Deployment nse has fewer than 0 replicas"),
            ("{app: nse}", "{app: zzz}", "a.yaml:1: Deployment nse selects pods with app=zzz, and its template has the labels app=nse,tier=x"),
            ("{matchLabels: {app: nse}}", "{}", "a.yaml:1: Deployment nse has no spec.selector.matchLabels, so that no pod is its own"),
            ("10.0.0.0/31", "10.0.0.0/31,fe80::10/127", "fe80::10/127 cannot be given out: fe80::/10 is link-local"),
            ("nsm-1", "nsm-1,kernel://u/nsm-1", "\"kernel://u/nsm-1\": its interface is also that of kernel://t/nsm-1"),
            ("nsm-1", "lo", "lo is every pod's own loopback interface"),
            ("nsm-1", "nsm-1,", "it ends with a comma"),
        ] {
            let error = said(written, instead).unwrap_err();
            assert!(error.contains(reason), "{instead}: {error}");
        }
    }
}
