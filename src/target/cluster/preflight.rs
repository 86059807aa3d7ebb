use std::collections::{BTreeMap, BTreeSet};

use futures::{FutureExt, StreamExt, future::join_all, stream};
use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api, ResourceExt,
    api::{ListParams, PostParams},
};
use serde_json::Value;

use super::{
    Cluster, NSM_NAMESPACE, endpoint_resource, error,
    identity::{Rule, least_labels},
    inventory::registered,
    is_of,
    partial::Node,
    resource_named,
};
use crate::{
    model::{
        ComponentState, Facts, Holder, INSTANCE_LABEL, MANAGED_BY, MANAGED_BY_LABEL, Namespaced, NodeState, Permission, Plan, Result, SPIFFE_LABEL,
        Unavailable, WebhookState, Workload,
    },
    target::Ctx,
};

/// How many permissions are asked for at once: each is a question of a millisecond.
const AT_ONCE: usize = 16;

impl Cluster {
    /// What the cluster is like, all looked at at once and nothing changed.
    ///
    /// # Errors
    /// The command was stopped. What cannot be seen is in the answer.
    pub async fn preflight(&self, ctx: &Ctx, plan: &Plan, permissions: Vec<Permission>) -> Result<Facts> {
        let look = async {
            let permissions = stream::iter(permissions).map(|permission| self.may(permission)).buffered(AT_ONCE).collect::<Vec<_>>();
            let parts = async {
                let components = self.components().await;
                let on_nodes = self.on_nodes(&components).await;
                (components, on_nodes)
            };
            let names = plan.objects.iter().filter(|object| object.reference.kind == "Namespace").map(|object| object.reference.name.clone());
            let names: BTreeSet<String> = names.chain([plan.namespace.clone()]).collect();
            let namespaces = join_all(names.into_iter().map(|name| self.holder(name, &plan.instance)));
            let (permissions, (components, on_nodes), nodes, forwarders, webhook, identities, namespaces, services) =
                futures::join!(permissions, parts, self.nodes(), self.forwarders(), self.webhook(), self.covered(plan), namespaces, self.services());
            let version = self.version.clone();
            Ok(Facts { version, permissions, components, nodes, on_nodes, forwarders, webhook, identities, namespaces, services })
        };
        // Many looks at once make a large future, which is better off on the heap.
        ctx.run("looking whether the cluster is fit", look.boxed_local()).await
    }

    async fn may(&self, permission: Permission) -> (Permission, Result<bool, Unavailable>) {
        let (resource, subresource) = match permission.resource.split_once('/') {
            Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
            None => (permission.resource.as_str(), None),
        };
        let attributes = ResourceAttributes {
            group: Some(permission.group.clone()),
            resource: Some(resource.to_owned()),
            subresource,
            verb: Some(permission.verb.clone()),
            namespace: permission.namespace.clone(),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..SelfSubjectAccessReviewSpec::default() };
        let api: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let asked = api.create(&PostParams::default(), &SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() }).await;
        let allowed = asked.map(|review| review.status.is_some_and(|status| status.allowed)).map_err(|error| error::unavailable(&error));
        (permission, allowed)
    }

    pub(super) async fn nodes(&self) -> Result<Vec<NodeState>, Unavailable> {
        let api: Api<Node> = Api::all(self.client.clone());
        let nodes = api.list(&ListParams::default()).await.map_err(|error| error::unavailable(&error))?;
        Ok(nodes.iter().map(node_state).collect())
    }

    /// The ready pods of the parts that must be on every node.
    async fn on_nodes(&self, components: &[ComponentState]) -> Result<Vec<(String, String)>, Unavailable> {
        let everywhere = |component: &&ComponentState| component.object.as_ref().is_some_and(|object| object.kind == "DaemonSet");
        let parts: Vec<(&str, &str, &str)> = components
            .iter()
            .filter(everywhere)
            .filter_map(|component| {
                Some((component.role.as_str(), component.object.as_ref()?.namespace.as_deref()?, component.object.as_ref()?.name.as_str()))
            })
            .collect();
        let namespaces: BTreeSet<&str> = parts.iter().map(|(_, namespace, _)| *namespace).collect();
        let mut all = Vec::new();
        for pods in join_all(namespaces.into_iter().map(|namespace| self.pods(namespace))).await {
            for pod in pods?.into_iter().filter(|pod| pod.ready && !pod.deleting) {
                let part = parts.iter().find(|(_, namespace, name)| pod.id.namespace == *namespace && pod.id.name.starts_with(&format!("{name}-")));
                all.extend(part.zip(pod.node).map(|((role, ..), node)| ((*role).to_owned(), node)));
            }
        }
        Ok(all)
    }

    /// The nodes whose forwarder is registered (upstream: forwarders register as endpoints of the service `forwarder`).
    async fn forwarders(&self) -> Result<Vec<String>, Unavailable> {
        let listed = self.api(&endpoint_resource(), Some(NSM_NAMESPACE)).list(&ListParams::default()).await;
        let listed = listed.map_err(|error| error::unavailable(&error))?;
        Ok(listed.items.iter().filter_map(|object| registered(object).forwards_on).collect())
    }

    pub(super) async fn webhook(&self) -> Result<Option<WebhookState>, Unavailable> {
        let Some(found) = self.webhook_object().await? else { return Ok(None) };
        let config = found.data.pointer("/webhooks/0/clientConfig").cloned().unwrap_or_default();
        let text = |pointer: &str| config.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let has_authority = text("/caBundle").is_some_and(|bundle| !bundle.is_empty());
        let (calls, addresses) = match (text("/service/namespace"), text("/service/name")) {
            (Some(namespace), Some(name)) => (format!("Service {namespace}/{name}"), Some(self.addresses(&namespace, &name).await?)),
            _ => (text("/url").unwrap_or_else(|| "nothing".to_owned()), None),
        };
        Ok(Some(WebhookState { name: found.name_any(), calls, addresses, has_authority }))
    }

    /// How many ready addresses stand behind a Service.
    async fn addresses(&self, namespace: &str, service: &str) -> Result<usize, Unavailable> {
        let api: Api<EndpointSlice> = Api::namespaced(self.client.clone(), namespace);
        let params = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
        let slices = api.list(&params).await.map_err(|error| error::unavailable(&error))?;
        let ready = |slice: &EndpointSlice| {
            let endpoints = slice.endpoints.iter();
            endpoints.filter(|endpoint| endpoint.conditions.as_ref().is_none_or(|conditions| conditions.ready != Some(false))).count()
        };
        Ok(slices.iter().map(ready).sum())
    }

    /// Which workloads' pods each ClusterSPIFFEID will select.
    async fn covered(&self, plan: &Plan) -> Result<Vec<(String, Vec<Namespaced>)>, Unavailable> {
        let rules = self.rules().await?;
        let covers = |rule: &Rule| {
            let workloads = plan.expectations.workloads.iter();
            let covered = workloads.filter(|workload| rule.selects(&labels_of(workload), &namespace_labels(plan, &workload.id.namespace)));
            (rule.name.clone(), covered.map(|workload| workload.id.clone()).collect())
        };
        Ok(rules.iter().map(covers).collect())
    }

    async fn holder(&self, name: String, instance: &str) -> (String, Result<Holder, Unavailable>) {
        let Some(resource) = resource_named("Namespace") else { return (name, Ok(Holder::Nobody)) };
        let found = self.api(&resource, None).get_opt(&name).await;
        let holder = found.map_err(|error| error::unavailable(&error)).map(|found| match found {
            None => Holder::Nobody,
            Some(namespace) if namespace.metadata.deletion_timestamp.is_some() => Holder::Leaving,
            Some(namespace) if is_of(instance, &namespace) => Holder::Ours,
            Some(namespace) => match namespace.labels().get(MANAGED_BY_LABEL).map(String::as_str) {
                Some(MANAGED_BY) => Holder::Another(namespace.labels().get(INSTANCE_LABEL).cloned().unwrap_or_default()),
                _ => Holder::Others,
            },
        });
        (name, holder)
    }
}

fn node_state(node: &Node) -> NodeState {
    let spec = node.spec.clone().unwrap_or_default();
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let tainted = spec.taints.iter().flatten().any(|taint| taint.effect == "NoSchedule" || taint.effect == "NoExecute");
    NodeState { name: node.name_any(), ready, schedulable: ready && !spec.unschedulable.unwrap_or(false) && !tainted }
}

/// The labels of a workload's pods once NSM's webhook has seen them.
fn labels_of(workload: &Workload) -> BTreeMap<String, String> {
    let mut labels = workload.pod_labels.clone();
    if workload.is_client() {
        labels.insert(SPIFFE_LABEL.0.to_owned(), SPIFFE_LABEL.1.to_owned());
    }
    labels
}

fn namespace_labels(plan: &Plan, namespace: &str) -> BTreeMap<String, String> {
    let mut labels = least_labels(namespace);
    let object = plan.objects.iter().find(|object| object.reference.kind == "Namespace" && object.reference.name == namespace);
    let written = object.and_then(|object| object.body.pointer("/metadata/labels")).and_then(Value::as_object);
    labels.extend(written.into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))));
    labels
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(spec: &Value, ready: &str) -> NodeState {
        let node = json!({"metadata": {"name": "n"}, "spec": spec, "status": {"conditions": [{"type": "Ready", "status": ready}]}});
        node_state(&serde_json::from_value(node).unwrap())
    }

    #[test]
    fn a_node_takes_pods_if_it_is_ready_and_nothing_keeps_them_off() {
        assert!(node(&json!({}), "True").schedulable);
        assert!(!node(&json!({}), "Unknown").schedulable);
        assert!(!node(&json!({"unschedulable": true}), "True").schedulable);
        assert!(!node(&json!({"taints": [{"key": "a", "effect": "NoSchedule"}]}), "True").schedulable);
        assert!(node(&json!({"taints": [{"key": "a", "effect": "PreferNoSchedule"}]}), "True").schedulable);
    }
}
