use std::{collections::BTreeSet, time::Duration};

use futures::{
    FutureExt, StreamExt,
    future::{join_all, try_join_all},
    stream,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, ObjectReference};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams},
};
use serde_json::Value;
use tokio::time::Instant;

use super::{Cluster, NSM_NAMESPACE, error, inventory::pages, resource};
use crate::{
    model::{
        ComponentState, EventRecord, Expectations, LogTail, NodeState, ObjectRef, PodState, Result, SPIRE_NAMESPACE, System, Unavailable,
        UnavailableKind, WebhookState, is_nsm_client,
    },
    target::Ctx,
};

/// How many logs are read at once.
const AT_ONCE: usize = 16;
/// The clients and endpoints whose logs are read: thirty that wait have nothing else to say than three.
const PODS: usize = 60;
/// The share of the time that is left which a part of the look may take: what hangs is not to keep the rest from being told.
const SHARE: f64 = 0.7;

/// A part of NSM or SPIRE that is a workload: its role, the kinds that it is shipped as, its namespace (`None`: any), and
/// how its name begins.
struct Part {
    role: &'static str,
    kinds: &'static [(&'static str, &'static str)],
    namespace: Option<&'static str>,
    name: &'static str,
}

const DEPLOYMENT: (&str, &str) = ("Deployment", "deployments");
const DAEMON_SET: (&str, &str) = ("DaemonSet", "daemonsets");
const STATEFUL_SET: (&str, &str) = ("StatefulSet", "statefulsets");

/// As upstream's manifests name them (deployments-k8s, apps/).
const PARTS: [Part; 6] = [
    Part { role: "nsmgr", kinds: &[DAEMON_SET], namespace: Some(NSM_NAMESPACE), name: "nsmgr" },
    Part { role: "forwarder", kinds: &[DAEMON_SET], namespace: Some(NSM_NAMESPACE), name: "forwarder" },
    Part { role: "registry", kinds: &[DEPLOYMENT], namespace: Some(NSM_NAMESPACE), name: "registry" },
    Part { role: "webhook", kinds: &[DEPLOYMENT], namespace: Some(NSM_NAMESPACE), name: "admission-webhook" },
    Part { role: "spire-agent", kinds: &[DAEMON_SET], namespace: None, name: "spire-agent" },
    Part { role: "spire-server", kinds: &[STATEFUL_SET, DEPLOYMENT], namespace: None, name: "spire-server" },
];

/// The definitions without which NSM is not installed.
const DEFINITIONS: [&str; 2] = ["networkservices.networkservicemesh.io", "networkserviceendpoints.networkservicemesh.io"];

/// The components, their pods, the nodes and the webhook.
type Parts =
    (Vec<ComponentState>, Result<Vec<PodState>, Unavailable>, Result<Vec<NodeState>, Unavailable>, Result<Option<WebhookState>, Unavailable>);

impl Cluster {
    /// NSM and SPIRE, the events of the namespaces concerned, and the ends of the logs on the way of the connections. What
    /// cannot be seen is in the answer.
    ///
    /// # Errors
    /// The command was stopped.
    pub async fn system(&self, ctx: &Ctx, expectations: &Expectations) -> Result<System> {
        let namespaces: BTreeSet<String> = expectations.workloads.iter().map(|workload| workload.id.namespace.clone()).collect();
        let limit = ctx.remaining().mul_f64(SHARE);
        let look = async {
            let own = BTreeSet::from([NSM_NAMESPACE, SPIRE_NAMESPACE].map(str::to_owned));
            let events = within(limit, "events", try_join_all(namespaces.difference(&own).map(|namespace| self.events(namespace))));
            // Who may not look there hears so of NSM's components already.
            let around = join_all(own.iter().map(|namespace| within(limit, "events", self.events(namespace))));
            let (parts, events, around, logs) = futures::join!(self.parts(limit), events, around, self.logs(expectations, &namespaces, limit));
            let (components, pods, nodes, webhook) = parts;
            let events = events.map(|events| {
                let mut events: Vec<EventRecord> = events.into_iter().chain(around.into_iter().flatten()).flatten().collect();
                events.sort_by_key(|event| event.last_seen);
                events
            });
            Ok(System { components, pods, nodes, webhook, events, logs })
        };
        ctx.run("looking at Network Service Mesh", look.boxed_local()).await
    }

    /// NSM and SPIRE with their pods, the nodes and the webhook, without events and logs. What cannot be seen is in the answer.
    ///
    /// # Errors
    /// The command was stopped.
    pub async fn overview(&self, ctx: &Ctx) -> Result<System> {
        let limit = ctx.remaining().mul_f64(SHARE);
        let look = async {
            let (components, pods, nodes, webhook) = self.parts(limit).await;
            Ok(System { pods, nodes, webhook, ..System::of(components) })
        };
        ctx.run("looking at Network Service Mesh", look.boxed_local()).await
    }

    async fn parts(&self, limit: Duration) -> Parts {
        let pods = within(limit, "NSM's pods", try_join_all([NSM_NAMESPACE, SPIRE_NAMESPACE].map(|namespace| self.pods(namespace))));
        let components = async {
            let components = within(limit, "NSM's components", async { Ok(self.components().await) }).await;
            components.unwrap_or_else(|unavailable| vec![ComponentState { role: "NSM".to_owned(), object: None, ready: Err(unavailable) }])
        };
        let (nodes, webhook) = (within(limit, "the nodes", self.nodes()), within(limit, "the webhook's configuration", self.webhook()));
        let (components, pods, nodes, webhook) = futures::join!(components, pods, nodes, webhook);
        (components, pods.map(|pods| pods.concat()), nodes, webhook)
    }

    pub(super) async fn components(&self) -> Vec<ComponentState> {
        let definitions = join_all(DEFINITIONS.iter().map(|name| self.definition(name)));
        let parts = join_all(PARTS.iter().map(|part| self.part(part)));
        let (mut components, parts, webhook) = futures::join!(definitions, parts, self.webhook_configuration());
        components.extend(parts.into_iter().flatten());
        components.push(webhook);
        components
    }

    async fn definition(&self, name: &str) -> ComponentState {
        let resource = resource("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions");
        let found = self.api(&resource, None).get_opt(name).await;
        let established = |object: &DynamicObject| {
            let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
            conditions.into_iter().flatten().any(|condition| condition["type"] == "Established" && condition["status"] == "True")
        };
        let ready = found.as_ref().map(|object| (1, u32::from(object.as_ref().is_some_and(established)))).map_err(error::unavailable);
        let object = Some(ObjectRef::cluster("CustomResourceDefinition", name)).filter(|_| matches!(found, Ok(Some(_))));
        ComponentState { role: "crd".to_owned(), object, ready }
    }

    async fn webhook_configuration(&self) -> ComponentState {
        let found = self.webhook_object().await;
        let ready = found.as_ref().map(|object| (1, u32::from(object.is_some()))).map_err(Clone::clone);
        let object = found.ok().flatten().map(|object| ObjectRef::cluster("MutatingWebhookConfiguration", object.name_any()));
        ComponentState { role: "webhook-configuration".to_owned(), object, ready }
    }

    /// NSM's webhook configuration.
    pub(super) async fn webhook_object(&self) -> Result<Option<DynamicObject>, Unavailable> {
        let resource = resource("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations");
        let listed = self.api(&resource, None).list(&ListParams::default()).await.map_err(|error| error::unavailable(&error))?;
        Ok(listed.items.into_iter().find(|object| object.name_any().contains("nsm")))
    }

    /// The workloads that are the part; one that is not there is told as not ready.
    async fn part(&self, part: &Part) -> Vec<ComponentState> {
        let state = |object: Option<ObjectRef>, ready| ComponentState { role: part.role.to_owned(), object, ready };
        let lists = part.kinds.iter().map(async |(kind, plural)| {
            let resource = resource("apps/v1", kind, plural);
            let params = match part.namespace {
                Some(_) => ListParams::default(),
                // Everywhere, so by its whole name.
                None => ListParams::default().fields(&format!("metadata.name={}", part.name)),
            };
            let listed = match self.api(&resource, part.namespace).list(&params).await {
                // Who may not look everywhere may perhaps look where upstream has it.
                Err(error) if part.namespace.is_none() && error::code(&error) == Some(403) => {
                    self.api(&resource, Some(SPIRE_NAMESPACE)).list(&params).await
                }
                listed => listed,
            };
            listed.map(|list| (resource, list.items))
        });
        let lists = match join_all(lists).await.into_iter().collect::<kube::Result<Vec<_>>>() {
            Ok(lists) => lists,
            Err(error) => return vec![state(None, Err(error::unavailable(&error)))],
        };
        let objects = lists.iter().flat_map(|(resource, objects)| objects.iter().map(move |object| (resource, object)));
        let own = objects.filter(|(_, object)| object.name_any().starts_with(part.name));
        let states: Vec<_> = own.map(|(resource, object)| state(Some(super::reference(resource, object)), Ok(counts(object)))).collect();
        if states.is_empty() { vec![state(None, Ok((1, 0)))] } else { states }
    }

    async fn events(&self, namespace: &str) -> Result<Vec<EventRecord>, Unavailable> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        pages(&api, "", record).await.map_err(|error| error::unavailable(&error))
    }

    /// The logs on the way: the client's injected containers, the endpoint's own, and those of NSM and SPIRE on their nodes.
    async fn logs(&self, expectations: &Expectations, namespaces: &BTreeSet<String>, limit: Duration) -> Vec<LogTail> {
        let end = Instant::now() + limit;
        let own = BTreeSet::from([NSM_NAMESPACE, SPIRE_NAMESPACE].map(str::to_owned));
        let listed = async { futures::join!(self.visible_pods(namespaces), self.visible_pods(&own)) };
        let Ok((mut pods, own)) = tokio::time::timeout_at(end, listed).await else { return Vec::new() };
        pods.retain(|pod| expectations.workloads.iter().any(|workload| workload.owns(pod)));
        // Those that are not ready have more to say.
        pods.sort_by_key(|pod| pod.ready);
        let mut asked: Vec<(&PodState, String)> = Vec::new();
        let mut nodes = BTreeSet::new();
        for (at, pod) in pods.iter().enumerate() {
            nodes.extend(pod.node.as_deref());
            let Some(workload) = expectations.workloads.iter().find(|workload| workload.owns(pod)).filter(|_| at < PODS) else { continue };
            let concerned = |name: &str| is_nsm_client(name) || (workload.endpoint.is_some() && name == workload.container);
            let containers = pod.init_containers.iter().chain(&pod.containers).filter(|container| concerned(&container.name));
            asked.extend(containers.map(|container| (pod, container.name.clone())));
        }
        let is_on_the_way = |pod: &&PodState| {
            let is_there = pod.node.as_deref().is_some_and(|node| nodes.contains(node));
            let is = |part: &str| pod.id.name.starts_with(part);
            (is_there && ["nsmgr", "forwarder", "spire-agent"].into_iter().any(is)) || is("registry")
        };
        let parts = own.iter().filter(is_on_the_way).filter_map(|pod| Some((pod, pod.containers.first()?.name.clone())));
        asked.extend(parts);
        let read = async |(pod, container): (&PodState, String)| {
            let tail = self.tail(&pod.id, container.clone());
            tokio::time::timeout_at(end, tail).await.unwrap_or_else(|_| {
                let node = pod.node.as_deref().map(|node| format!(" of node {node}")).unwrap_or_default();
                let reason = format!("the log did not come within {:.0} s: the kubelet{node} does not answer", limit.as_secs_f64());
                LogTail { pod: pod.id.clone(), container, lines: Err(Unavailable { kind: UnavailableKind::Timeout, reason }) }
            })
        };
        stream::iter(asked).map(read).buffered(AT_ONCE).collect().await
    }
}

/// What a part of the look comes to, or that it took too long.
async fn within<T>(limit: Duration, what: &str, part: impl Future<Output = Result<T, Unavailable>>) -> Result<T, Unavailable> {
    let late = |_| {
        let reason = format!("{what} did not come within {:.0} s", limit.as_secs_f64());
        Err(Unavailable { kind: UnavailableKind::Timeout, reason })
    };
    tokio::time::timeout(limit, part).await.unwrap_or_else(late)
}

/// How many there should be, and how many are ready.
fn counts(object: &DynamicObject) -> (u32, u32) {
    let number = |pointer: &str| object.data.pointer(pointer).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let wanted = number("/status/desiredNumberScheduled").or_else(|| number("/spec/replicas")).unwrap_or(1);
    (wanted, number("/status/numberReady").or_else(|| number("/status/readyReplicas")).unwrap_or(0))
}

fn last_seen(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    series.or(last).or(event.event_time.as_ref().map(|time| time.0)).or(event.metadata.creation_timestamp.as_ref().map(|time| time.0))
}

fn record(event: &Event) -> EventRecord {
    let ObjectReference { kind, namespace, name, .. } = event.involved_object.clone();
    let counted = event.series.as_ref().and_then(|series| series.count).or(event.count);
    EventRecord {
        object: ObjectRef { kind: kind.unwrap_or_default(), namespace, name: name.unwrap_or_default() },
        kind: event.type_.clone().unwrap_or_else(|| "Normal".to_owned()),
        reason: event.reason.clone().unwrap_or_default(),
        message: event.message.clone().unwrap_or_default(),
        count: counted.and_then(|count| u32::try_from(count).ok()).unwrap_or(1),
        last_seen: last_seen(event).map(Timestamp::as_second),
    }
}
