use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Container, PodSpec},
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};

use crate::model::{ANNOTATION, EndpointSpec, Namespaced, NsUrl, Workload, WorkloadKind};

use super::{Document, ManifestError, Object};

/// kubectl's own way of saying which container is meant.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// The parts of a workload that matter, whichever kind it is of.
struct Parts<'a> {
    kind: WorkloadKind,
    replicas: Option<u32>,
    selector: Option<&'a LabelSelector>,
    template: Option<&'a ObjectMeta>,
    spec: Option<&'a PodSpec>,
}

fn parts(object: &Object) -> Option<Parts<'_>> {
    let count = |replicas: Option<i32>| Some(replicas.and_then(|n| u32::try_from(n).ok()).unwrap_or(1));
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

/// What a document means for connections; `None` where it makes no pods.
///
/// `inherited` is the annotation of the namespace, which counts where the workload has none of its own.
pub(super) fn workload(document: &Document, namespace: &str, inherited: Option<&str>) -> Result<Option<Workload>, ManifestError> {
    let Some(parts) = parts(&document.object) else { return Ok(None) };
    let bad = |reason: String| ManifestError::Document { place: document.place.clone(), reason };
    let spec = parts.spec.filter(|spec| !spec.containers.is_empty());
    let spec = spec.ok_or_else(|| bad(format!("{} {} has no container", document.kind, document.name())))?;
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
    let requests = match template.or(own).as_deref().or(inherited) {
        None => Vec::new(),
        Some(text) => NsUrl::parse_list(text).map_err(|reason| ManifestError::Annotation { place: document.place.clone(), reason })?,
    };
    let endpoint = spec.containers.iter().find_map(|container| Some((container, environment(container, "NSM_SERVICE_NAMES")?)));
    let default = annotation(parts.template, DEFAULT_CONTAINER);
    let container = default.or_else(|| endpoint.as_ref().map(|(container, _)| container.name.clone()));
    Ok(Some(Workload {
        kind: parts.kind,
        id: Namespaced::new(namespace, document.name()),
        replicas: parts.replicas,
        pod_labels: parts.template.and_then(|metadata| metadata.labels.clone()).unwrap_or_default(),
        selector: selector(parts.selector, document)?,
        container: container.unwrap_or_else(|| spec.containers[0].name.clone()),
        requests,
        endpoint: endpoint.map(|(container, services)| endpoint_spec(container, services, document)).transpose()?,
    }))
}

fn selector(selector: Option<&LabelSelector>, document: &Document) -> Result<BTreeMap<String, String>, ManifestError> {
    let Some(selector) = selector else { return Ok(BTreeMap::new()) };
    if selector.match_expressions.as_ref().is_some_and(|expressions| !expressions.is_empty()) {
        let reason = format!("{} {} selects its pods with matchExpressions; nsmctl finds pods by matchLabels", document.kind, document.name());
        return Err(ManifestError::Document { place: document.place.clone(), reason });
    }
    Ok(selector.match_labels.clone().unwrap_or_default())
}

fn endpoint_spec(container: &Container, services: &str, document: &Document) -> Result<EndpointSpec, ManifestError> {
    let prefixes = environment(container, "NSM_CIDR_PREFIX").unwrap_or_default();
    let prefixes = prefixes.parse().map_err(|reason| ManifestError::Prefix { place: document.place.clone(), reason })?;
    let services = services.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    Ok(EndpointSpec { services, prefixes })
}

fn environment<'a>(container: &'a Container, name: &str) -> Option<&'a str> {
    container.env.iter().flatten().find(|variable| variable.name == name)?.value.as_deref()
}
