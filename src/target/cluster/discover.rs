use std::collections::BTreeSet;

use futures::{
    FutureExt,
    future::{join_all, try_join_all},
};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde_json::{Value, json};

use super::{Cluster, error, inventory::PAGE, persist::attempt, pod::pod_state, resource_named};
use crate::{
    model::{ANNOTATION, Discovery, Failure, Inventory, Namespaced, PodState, RegisteredEndpoint, Result, Scope, Unavailable, UnavailableKind},
    target::Ctx,
};

/// The kinds that make pods. What else does so, its pods stand for themselves.
const MAKERS: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];
/// The environment by which a container is NSM's client or an endpoint (upstream: cmd-nsc, cmd-nse-icmp-responder).
const VARIABLES: [&str; 3] = ["NSM_NETWORK_SERVICES", "NSM_SERVICE_NAMES", "NSM_CIDR_PREFIX"];

/// A pod as it is kept, and its object where nothing made it that is looked at itself.
type Found = (PodState, Option<Value>);

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
            let places: Vec<Option<&str>> = [scoped].into_iter().chain(elsewhere.into_iter().map(Some)).collect();
            let namespaces = join_all(places.iter().map(|place| self.annotated(*place))).await.concat();
            let inheriting: BTreeSet<&str> = namespaces.iter().filter_map(|namespace| namespace["metadata"]["name"].as_str()).collect();
            let keep = |pod: &Pod| keep(pod, &inheriting, &registered);
            let pods = try_join_all(places.iter().map(|place| self.pods_as(*place, "", keep)));
            let makers = places.iter().flat_map(|place| MAKERS.map(|kind| (*place, kind)));
            let makers = join_all(makers.map(|(place, kind)| self.makers(place, kind)));
            let (pods, makers) = futures::join!(pods, makers);
            let pods: Result<Vec<Found>, Unavailable> = pods.map(|pods| pods.into_iter().flatten().collect());
            let pods = pods.map_err(|unavailable| hidden(scope, &unavailable))?;
            let (states, free): (Vec<PodState>, Vec<Option<Value>>) = pods.into_iter().unzip();
            let identities = self.identities(rules, &states).await;
            // Pods of a maker that cannot be seen stand for themselves.
            let objects = namespaces.into_iter().chain(makers.into_iter().flatten()).chain(free.into_iter().flatten()).collect();
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

    /// The namespaces that are annotated, as far as they can be seen.
    async fn annotated(&self, name: Option<&str>) -> Vec<Value> {
        let Some(resource) = resource_named("Namespace") else { return Vec::new() };
        let found = match name {
            Some(name) => {
                let api = self.api(&resource, None);
                attempt(async || api.get_opt(name).await).await.map(|found| found.into_iter().collect()).unwrap_or_default()
            }
            None => self.pages(&resource, None, Clone::clone).await.unwrap_or_default(),
        };
        let annotated = found.into_iter().filter(|namespace: &DynamicObject| namespace.annotations().contains_key(ANNOTATION));
        annotated.map(|namespace| trimmed("v1", "Namespace", &namespace)).collect()
    }

    /// What makes pods; where it may not be seen, nothing.
    async fn makers(&self, namespace: Option<&str>, kind: &str) -> Vec<Value> {
        let Some(resource) = resource_named(kind) else { return Vec::new() };
        self.pages(&resource, namespace, |object| trimmed(&resource.api_version, kind, object)).await.unwrap_or_default()
    }

    async fn pages<T>(&self, resource: &ApiResource, namespace: Option<&str>, keep: impl Fn(&DynamicObject) -> T) -> Result<Vec<T>, Unavailable> {
        let api = self.api(resource, namespace);
        let mut params = ListParams::default().limit(PAGE);
        let mut kept = Vec::new();
        loop {
            let page = attempt(async || api.list(&params).await).await.map_err(|error| error::unavailable(&error))?;
            kept.extend(page.items.iter().map(&keep));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(kept),
            }
        }
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

fn keep(pod: &Pod, inheriting: &BTreeSet<&str>, registered: &BTreeSet<Namespaced>) -> Found {
    let state = pod_state(pod);
    let has_maker = state.controller.as_ref().is_some_and(|(kind, _)| MAKERS.contains(&kind.as_str()));
    let has_ended = matches!(state.phase.as_str(), "Succeeded" | "Failed");
    let environment = || pod.spec.iter().flat_map(|spec| &spec.containers).flat_map(|container| container.env.iter().flatten());
    let is_concerned = || {
        state.annotation.is_some()
            || inheriting.contains(state.id.namespace.as_str())
            || registered.contains(&state.id)
            || environment().any(|variable| VARIABLES.contains(&variable.name.as_str()))
    };
    let object = (!has_maker && !has_ended && !state.deleting && is_concerned()).then(|| {
        let containers = pod.spec.as_ref().and_then(|spec| serde_json::to_value(&spec.containers).ok()).unwrap_or_default();
        let metadata = json!({"name": state.id.name, "namespace": state.id.namespace, "labels": state.labels, "annotations": pod.annotations()});
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata_trimmed(&metadata), "spec": {"containers": containers_trimmed(&containers)}})
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
