use std::{cell::RefCell, collections::BTreeSet};

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams},
    core::PartialObjectMeta,
};
use serde_json::{Value, json};

use super::{Cluster, NSM_NAMESPACE, endpoint_resource, error, persist::attempt, resource, resource_named};
use crate::{
    model::{Expectations, RawObjects, Result, SPIRE_NAMESPACE, Unavailable, UnavailableKind},
    target::Ctx,
};

/// How many objects of a kind are kept: nobody reads more.
const MOST: usize = 1000;
/// How many are asked for at a time.
const PAGE: u32 = 250;
/// How many lists are asked for at once, beside the look itself.
const AT_ONCE: usize = 4;

const WORKLOADS: [(&str, &str, &str); 4] = [
    ("v1", "Pod", "pods"),
    ("apps/v1", "Deployment", "deployments"),
    ("apps/v1", "DaemonSet", "daemonsets"),
    ("apps/v1", "StatefulSet", "statefulsets"),
];

impl Cluster {
    /// The workloads of the namespaces concerned and of NSM's and SPIRE's own, with what NSM, the nodes, the webhook and the
    /// identities are; of ConfigMaps their names, of Secrets nothing. What cannot be listed, and what is more than a person
    /// reads, is in the answer.
    pub(in crate::target) async fn objects(&self, ctx: &Ctx, expectations: &Expectations) -> Vec<RawObjects> {
        let own = [NSM_NAMESPACE, SPIRE_NAMESPACE];
        let concerned = expectations.workloads.iter().map(|workload| workload.id.namespace.as_str());
        let namespaces: BTreeSet<&str> = concerned.chain(own).collect();
        let workloads =
            namespaces.iter().flat_map(|namespace| WORKLOADS.map(|(version, kind, plural)| (resource(version, kind, plural), Some(*namespace))));
        let around = [
            resource_named("NetworkService"),
            Some(endpoint_resource()),
            Some(resource("v1", "Node", "nodes")),
            Some(resource("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations")),
            Some(resource("spire.spiffe.io/v1alpha1", "ClusterSPIFFEID", "clusterspiffeids")),
        ];
        let asked: Vec<(ApiResource, Option<&str>)> = workloads.chain(around.into_iter().flatten().map(|resource| (resource, None))).collect();
        // What has answered counts, also where the rest is not waited for.
        let answered = RefCell::new(Vec::new());
        let listed = async {
            let lists = asked.iter().map(async |(resource, namespace)| (self.listed(resource, *namespace).await, resource, *namespace));
            let names = own.iter().map(async |namespace| (self.config_maps(namespace).await, *namespace));
            let mut lists = stream::iter(lists).buffered(AT_ONCE);
            while let Some((list, resource, namespace)) = lists.next().await {
                answered.borrow_mut().push(raw(&resource.plural, namespace, list));
            }
            let mut names = stream::iter(names).buffered(AT_ONCE);
            while let Some((list, namespace)) = names.next().await {
                answered.borrow_mut().push(raw("configmaps", Some(namespace), list));
            }
            Ok(())
        };
        let stopped = ctx.run("listing the objects for the bundle", Box::pin(listed)).await.err();
        let mut all = answered.into_inner();
        if let Some(failure) = stopped {
            let rest = asked.iter().skip(all.len());
            let unavailable = Unavailable { kind: UnavailableKind::NotAsked, reason: failure.message() };
            all.extend(rest.map(|(resource, namespace)| raw(&resource.plural, *namespace, Err(unavailable.clone()))));
        }
        all
    }

    async fn listed(&self, resource: &ApiResource, namespace: Option<&str>) -> Result<(Vec<Value>, usize), Unavailable> {
        let api = self.api(resource, namespace);
        let mut params = ListParams::default().limit(PAGE);
        let mut objects = Vec::new();
        loop {
            let page = attempt(async || api.list(&params).await).await.map_err(|error| error::unavailable(&error))?;
            let wanted = page.items.into_iter().filter(|object| resource.kind != "MutatingWebhookConfiguration" || object.name_any().contains("nsm"));
            objects.extend(wanted.map(|object| plain(resource, object)));
            let next = page.metadata.continue_.filter(|token| !token.is_empty());
            let left_out = page.metadata.remaining_item_count.and_then(|count| usize::try_from(count).ok());
            match next {
                None => return Ok((objects, 0)),
                Some(_) if objects.len() >= MOST => return Ok((objects, left_out.unwrap_or(1))),
                Some(token) => params = params.continue_token(&token),
            }
        }
    }

    /// The names of ConfigMaps, without what is in them ever being sent.
    async fn config_maps(&self, namespace: &str) -> Result<(Vec<Value>, usize), Unavailable> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let params = ListParams::default().limit(PAGE);
        let page = attempt(async || api.list_metadata(&params).await).await.map_err(|error| error::unavailable(&error))?;
        let left_out = page.metadata.remaining_item_count.and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
        let name = |object: &PartialObjectMeta<ConfigMap>| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": object.name_any(), "namespace": namespace}});
        Ok((page.items.iter().map(name).collect(), left_out))
    }
}

fn raw(plural: &str, namespace: Option<&str>, list: Result<(Vec<Value>, usize), Unavailable>) -> RawObjects {
    let left_out = list.as_ref().map_or(0, |(_, left_out)| *left_out);
    RawObjects { plural: plural.to_owned(), namespace: namespace.map(str::to_owned), objects: list.map(|(objects, _)| objects), left_out }
}

/// An object as `kubectl get -o yaml` shows it, without what only servers read. What is secret in it is not told here.
fn plain(resource: &ApiResource, mut object: DynamicObject) -> Value {
    object.metadata.managed_fields = None;
    if let Some(status) = object.data.get_mut("status").and_then(Value::as_object_mut).filter(|_| resource.kind == "Node") {
        // Every image that the node has ever run.
        status.remove("images");
    }
    let mut value = serde_json::to_value(object).unwrap_or_default();
    // A list says it once for all of its items.
    value["apiVersion"] = Value::from(resource.api_version.as_str());
    value["kind"] = Value::from(resource.kind.as_str());
    value
}
