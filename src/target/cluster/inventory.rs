use std::{collections::BTreeSet, fmt::Debug};

use futures::{
    FutureExt,
    future::{join_all, try_join_all},
};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Cluster, endpoint_resource, error, partial::Pod, persist::attempt, pod::pod_state, resource_named};
use crate::{
    model::{
        Expectations, Inventory, Match, Namespaced, NetworkServiceState, Payload, PodState, RegisteredEndpoint, Result, Unavailable, UnavailableKind,
    },
    target::Ctx,
};

/// How much is asked for at a time: a page of pods is a few megabytes.
const PAGE: u32 = 500;

impl Cluster {
    /// The pods of the namespaces of the expectations, and the network services and endpoints of all. What cannot be seen
    /// is in the answer, with the reason.
    ///
    /// # Errors
    /// The command was stopped.
    pub async fn inventory(&self, ctx: &Ctx, expectations: &Expectations) -> Result<Inventory> {
        let look = async {
            let namespaces: BTreeSet<&str> = expectations.workloads.iter().map(|workload| workload.id.namespace.as_str()).collect();
            let pods = try_join_all(namespaces.into_iter().map(|namespace| self.pods(namespace)));
            let (pods, services, endpoints, rules) = futures::join!(pods, self.services(), self.endpoints(), self.rules());
            let pods = pods.map(|pods| pods.concat());
            let identities = self.identities(rules, pods.as_deref().unwrap_or_default()).await;
            Ok(Inventory { pods, services, endpoints, identities })
        };
        ctx.run("looking at the cluster", look.boxed_local()).await
    }

    /// The names of all namespaces.
    ///
    /// # Errors
    /// They may not be listed, or the server does not answer.
    pub async fn namespaces(&self) -> Result<Vec<String>> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        pages(&api, "", ResourceExt::name_any).await.map_err(|error| error::failure(&error, "list the namespaces"))
    }

    pub(super) async fn pods(&self, namespace: &str) -> Result<Vec<PodState>, Unavailable> {
        self.pods_as(Some(namespace), "", pod_state).await
    }

    /// The pods of a namespace, or of all, that a selector selects, page by page, so that only what is kept of them takes memory.
    pub(super) async fn pods_as<T>(&self, namespace: Option<&str>, selector: &str, keep: impl Fn(&Pod) -> T) -> Result<Vec<T>, Unavailable> {
        let api: Api<Pod> = match namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        pages(&api, selector, keep).await.map_err(|error| error::unavailable(&error))
    }

    pub(super) async fn services(&self) -> Result<Vec<NetworkServiceState>, Unavailable> {
        let Some(resource) = resource_named("NetworkService") else { return Ok(Vec::new()) };
        let state = |object: &DynamicObject| NetworkServiceState {
            id: id(object),
            payload: payload(object.data.pointer("/spec/payload")),
            matches: matches(object.data.pointer("/spec/matches")),
        };
        self.of_nsm(&resource, state).await
    }

    pub(super) async fn endpoints(&self) -> Result<Vec<RegisteredEndpoint>, Unavailable> {
        self.of_nsm(&endpoint_resource(), registered).await
    }

    /// NSM's own objects of a kind, of all namespaces.
    async fn of_nsm<T>(&self, resource: &ApiResource, keep: impl Fn(&DynamicObject) -> T) -> Result<Vec<T>, Unavailable> {
        pages(&self.api(resource, None), "", keep).await.map_err(|error| match error::unavailable(&error) {
            Unavailable { kind: UnavailableKind::NotFound, .. } => Unavailable {
                kind: UnavailableKind::NotFound,
                reason: format!("the cluster does not serve {}: NSM is not installed", resource.api_version),
            },
            unavailable => unavailable,
        })
    }

    /// The pods of several namespaces; of those that cannot be seen, none.
    pub(super) async fn visible_pods(&self, namespaces: &BTreeSet<String>) -> Vec<PodState> {
        join_all(namespaces.iter().map(|namespace| self.pods(namespace))).await.into_iter().flatten().flatten().collect()
    }
}

/// What is kept of the objects that a selector selects, page by page.
pub(super) async fn pages<K, T>(api: &Api<K>, selector: &str, keep: impl Fn(&K) -> T) -> kube::Result<Vec<T>>
where
    K: Clone + DeserializeOwned + Debug,
{
    let mut params = ListParams::default().limit(PAGE).labels(selector);
    let mut kept = Vec::new();
    loop {
        match attempt(async || api.list(&params).await).await {
            Ok(page) => {
                kept.extend(page.items.iter().map(&keep));
                match page.metadata.continue_.filter(|token| !token.is_empty()) {
                    Some(token) => params = params.continue_token(&token),
                    None => return Ok(kept),
                }
            }
            // The list has grown too old between two pages; all at once is what kubectl asks for then.
            Err(error) if error::code(&error) == Some(410) && params.continue_token.is_some() => {
                params = ListParams::default().labels(selector);
                kept.clear();
            }
            Err(error) => return Err(error),
        }
    }
}

fn id(object: &DynamicObject) -> Namespaced {
    Namespaced::new(object.namespace().unwrap_or_default(), object.name_any())
}

/// A payload as NSM reads it: none means IP (upstream: payload.IP is the default of sdk's registry).
fn payload(written: Option<&Value>) -> Option<Payload> {
    match written.and_then(Value::as_str) {
        None | Some("" | "IP") => Some(Payload::Ip),
        Some("ETHERNET") => Some(Payload::Ethernet),
        Some(_) => None,
    }
}

/// Matches as far as they can be read: where they cannot, nobody knows whom they select, and every endpoint is taken for one that may be.
fn matches(written: Option<&Value>) -> Vec<Match> {
    written.and_then(Value::as_array).and_then(|list| Match::read_list(list).ok()).unwrap_or_default()
}

/// A registration, read with care: its schema is open, and fields come and go between NSM's versions.
pub(super) fn registered(object: &DynamicObject) -> RegisteredEndpoint {
    let spec = |pointer: &str| object.data.pointer(&format!("/spec{pointer}"));
    let services = spec("/network_service_names").and_then(Value::as_array);
    RegisteredEndpoint {
        id: id(object),
        services: services.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        spiffe_id: spec("/path_ids/0").and_then(Value::as_str).map(str::to_owned),
        registered_by: None,
        expires_at: spec("/expiration_time/seconds").and_then(Value::as_i64),
        // Forwarders register as endpoints of the service `forwarder`, with the node that they serve.
        forwards_on: spec("/network_service_labels/forwarder/labels/nodeName").and_then(Value::as_str).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_registration_is_read() {
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "networkservicemesh.io/v1", "kind": "NetworkServiceEndpoint", "metadata": {"name": "nse-1", "namespace": "nsm-system"},
            "spec": {"network_service_names": ["a", "b"], "expiration_time": {"seconds": 7, "nanos": 1}, "path_ids": ["spiffe://d/ns/n/pod/nse-1"]}
        }))
        .unwrap();
        let endpoint = registered(&object);
        assert_eq!((endpoint.services.as_slice(), endpoint.expires_at), (["a".to_owned(), "b".to_owned()].as_slice(), Some(7)));
        assert_eq!((endpoint.id.to_string(), endpoint.spiffe_id.as_deref()), ("nsm-system/nse-1".to_owned(), Some("spiffe://d/ns/n/pod/nse-1")));
    }

    #[test]
    fn a_registration_without_fields_is_still_one() {
        let object: DynamicObject = serde_json::from_value(json!({"metadata": {"name": "x"}, "spec": {"path_ids": "?"}})).unwrap();
        assert_eq!((registered(&object).services.len(), registered(&object).spiffe_id), (0, None));
    }

    #[test]
    fn matches_that_cannot_be_read_select_nobody() {
        let written = json!([{"routes": [{"destination_selector": {"app": "web"}}]}]);
        assert_eq!(matches(Some(&written))[0].routes[0].destination_selector["app"], "web");
        assert!(matches(Some(&json!([{"routes": 7}]))).is_empty() && matches(Some(&json!("x"))).is_empty() && matches(None).is_empty());
    }

    #[test]
    fn a_payload_that_nsm_does_not_know_is_none() {
        assert_eq!(payload(None), Some(Payload::Ip));
        assert_eq!(payload(Some(&json!("ETHERNET"))), Some(Payload::Ethernet));
        assert_eq!(payload(Some(&json!("MPLS"))), None);
    }
}
