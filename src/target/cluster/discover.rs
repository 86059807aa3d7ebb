use std::collections::{BTreeSet, HashSet};

use futures::{FutureExt, StreamExt, future::join_all, stream};
use kube::{ResourceExt, api::DynamicObject};
use serde_json::{Value, json};

use super::{
    Cluster, error,
    inventory::pages,
    partial::{Pod, PodSpec},
    persist::attempt,
    pod::pod_state,
    resource_named,
};
use crate::{
    model::{ANNOTATION, Discovery, Failure, Inventory, Namespaced, PodState, RegisteredEndpoint, Result, Scope, Unavailable, UnavailableKind},
    target::Ctx,
};

/// The kinds that make pods. What else does so, its pods stand for themselves.
const MAKERS: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];
/// The environment by which a container is NSM's client or an endpoint (upstream: cmd-nsc, cmd-nse-icmp-responder).
const VARIABLES: [&str; 3] = ["NSM_NETWORK_SERVICES", "NSM_SERVICE_NAMES", "NSM_CIDR_PREFIX"];

/// How many namespaces are looked through at once.
const AT_ONCE: usize = 4;

/// A pod as it is kept, and its object where nothing made it that is looked at itself.
type Found = (PodState, Option<Value>);

/// What there is in one namespace, or in all.
struct Place {
    /// The namespaces that are annotated, and what makes pods.
    objects: Vec<Value>,
    pods: Result<Vec<Found>, Unavailable>,
}

impl Cluster {
    /// The clients of a scope, and the endpoints of all that have registered, with what stands around them.
    ///
    /// # Errors
    /// The command was stopped, or the clients cannot be listed. What else cannot be seen is in the answer.
    pub async fn discover(&self, ctx: &Ctx, scope: &Scope) -> Result<Discovery> {
        let look = async {
            let scoped = scope.namespace.as_deref();
            let (services, endpoints, rules) = futures::join!(self.services(), self.endpoints(), self.rules());
            let registered: BTreeSet<Namespaced> =
                endpoints.iter().flatten().filter(|e| e.forwards_on.is_none()).filter_map(RegisteredEndpoint::pod).collect();
            let elsewhere: BTreeSet<&str> = registered.iter().map(|pod| pod.namespace.as_str()).filter(|name| !scope.holds(name)).collect();
            let Place { mut objects, pods } = self.place(scoped, &registered).await;
            let mut pods = pods.map_err(|unavailable| hidden(scope, &unavailable))?;
            // Of the endpoints in other namespaces those count that can be seen.
            let others = stream::iter(elsewhere).map(|name| self.place(Some(name), &registered)).buffered(AT_ONCE);
            for other in others.collect::<Vec<_>>().await {
                objects.extend(other.objects);
                pods.extend(other.pods.unwrap_or_default());
            }
            let (states, free): (Vec<PodState>, Vec<Option<Value>>) = pods.into_iter().unzip();
            let identities = self.identities(rules, &states).await;
            objects.extend(free.into_iter().flatten());
            Ok(Discovery { objects, workloads: Vec::new(), inventory: Inventory { pods: Ok(states), services, endpoints, identities } })
        };
        ctx.run("looking for NSM's clients", look.boxed_local()).await
    }

    /// The pods that a selector selects; the API server reads it.
    ///
    /// # Errors
    /// The command was stopped, the pods cannot be listed, or the selector is none.
    pub async fn select(&self, ctx: &Ctx, namespace: Option<&str>, selector: &str) -> Result<BTreeSet<Namespaced>> {
        let id = |pod: &Pod| Namespaced::new(pod.namespace().unwrap_or_default(), pod.name_any());
        let look = async {
            let selected = self.pods_as(namespace, selector, id).await;
            let selected = selected.map_err(|unavailable| {
                Failure::usage(format!("--selector {selector}: {}", unavailable.reason))
                    .hint("say it as kubectl does, as in app=alpine or 'tier in (a,b)'")
            })?;
            Ok(selected.into_iter().collect())
        };
        ctx.run("selecting pods", look).await
    }

    async fn place(&self, name: Option<&str>, registered: &BTreeSet<Namespaced>) -> Place {
        let makers = join_all(MAKERS.map(|kind| self.makers(name, kind)));
        let (namespaces, makers) = futures::join!(self.annotated(name), makers);
        let inheriting: BTreeSet<&str> = namespaces.iter().filter_map(|namespace| namespace["metadata"]["name"].as_str()).collect();
        let mut seen = HashSet::new();
        for maker in makers.iter().flatten() {
            let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
            seen.insert((text(&maker["kind"]), text(&maker["metadata"]["namespace"]), text(&maker["metadata"]["name"])));
        }
        let pods = self.pods_as(name, "", |pod| keep(pod, &inheriting, &seen, registered)).await;
        Place { objects: namespaces.into_iter().chain(makers.into_iter().flatten()).collect(), pods }
    }

    /// The namespaces that are annotated, as far as they can be seen.
    async fn annotated(&self, name: Option<&str>) -> Vec<Value> {
        let Some(resource) = resource_named("Namespace") else { return Vec::new() };
        let found = match name {
            Some(name) => {
                let api = self.api(&resource, None);
                attempt(async || api.get_opt(name).await).await.map(|found| found.into_iter().collect()).unwrap_or_default()
            }
            None => pages(&self.api(&resource, None), "", Clone::clone).await.unwrap_or_default(),
        };
        let annotated = found.into_iter().filter(|namespace: &DynamicObject| namespace.annotations().contains_key(ANNOTATION));
        annotated.map(|namespace| trimmed("v1", "Namespace", &namespace)).collect()
    }

    /// What makes pods; where it may not be seen, nothing.
    async fn makers(&self, namespace: Option<&str>, kind: &str) -> Vec<Value> {
        let Some(resource) = resource_named(kind) else { return Vec::new() };
        let trim = |object: &DynamicObject| trimmed(&resource.api_version, kind, object);
        pages(&self.api(&resource, namespace), "", trim).await.unwrap_or_default()
    }
}

fn hidden(scope: &Scope, unavailable: &Unavailable) -> Failure {
    let failure = Failure::cannot_tell(format!("NSM's clients cannot be looked for: {}", unavailable.reason));
    match (unavailable.kind, &scope.namespace) {
        (UnavailableKind::Forbidden, None) => failure.hint("ask for the permission to list pods in all namespaces, or name one with --namespace"),
        (UnavailableKind::Forbidden, Some(_)) => failure.hint("ask for this permission, or use another --context"),
        _ => failure.hint(error::WRONG_SERVER),
    }
}

/// `seen` has the kind, the namespace and the name of what makes pods, as far as it can be seen: the pods of what cannot stand
/// for themselves.
fn keep(pod: &Pod, inheriting: &BTreeSet<&str>, seen: &HashSet<(String, String, String)>, registered: &BTreeSet<Namespaced>) -> Found {
    let state = pod_state(pod);
    let maker = state.controller.as_ref().map(|(kind, name)| (kind.clone(), state.id.namespace.clone(), name.clone()));
    let has_maker = maker.is_some_and(|maker| seen.contains(&maker));
    let has_ended = matches!(state.phase.as_str(), "Succeeded" | "Failed");
    let environment = || pod.spec.iter().flat_map(PodSpec::containers).flat_map(|container| container.env.iter().flatten());
    let is_concerned = || {
        state.annotation.is_some()
            || inheriting.contains(state.id.namespace.as_str())
            || registered.contains(&state.id)
            || environment().any(|variable| VARIABLES.contains(&variable.name.as_str()))
    };
    let object = (!has_maker && !has_ended && !state.deleting && is_concerned()).then(|| {
        let containers = pod.spec.iter().flat_map(PodSpec::containers).map(|container| json!({"name": container.name, "env": container.env}));
        let metadata = json!({"name": state.id.name, "namespace": state.id.namespace, "labels": state.labels, "annotations": pod.annotations()});
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata_trimmed(&metadata), "spec": {"containers": containers_trimmed(&containers.collect())}})
    });
    (state, object)
}

/// An object without what says nothing about connections: of five thousand, the rest would fill the memory.
fn trimmed(api_version: &str, kind: &str, object: &DynamicObject) -> Value {
    let metadata =
        json!({"name": object.name_any(), "namespace": object.namespace(), "labels": object.labels(), "annotations": object.annotations()});
    let mut value = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata_trimmed(&metadata)});
    let spec = |pointer: &str| object.data.pointer(&format!("/spec{pointer}")).cloned().unwrap_or_default();
    if MAKERS.contains(&kind) {
        let containers = containers_trimmed(&spec("/template/spec/containers"));
        let template = json!({"metadata": metadata_trimmed(&spec("/template/metadata")), "spec": {"containers": containers}});
        value["spec"] = json!({"replicas": spec("/replicas"), "selector": spec("/selector"), "template": template});
    }
    value
}

fn metadata_trimmed(metadata: &Value) -> Value {
    let mut kept = json!({});
    for key in ["name", "namespace", "labels"] {
        if let Some(value) = metadata.get(key).filter(|value| !value.is_null()) {
            kept[key] = value.clone();
        }
    }
    for key in [ANNOTATION, "kubectl.kubernetes.io/default-container"] {
        if let Some(value) = metadata.get("annotations").and_then(|annotations| annotations.get(key)) {
            kept["annotations"][key] = value.clone();
        }
    }
    kept
}

fn containers_trimmed(containers: &Value) -> Value {
    let trim = |container: &Value| {
        let env = container["env"].as_array().into_iter().flatten();
        let env: Vec<&Value> = env.filter(|variable| variable["name"].as_str().is_some_and(|name| VARIABLES.contains(&name))).collect();
        json!({"name": container["name"], "env": env})
    };
    containers.as_array().into_iter().flatten().map(trim).collect()
}
