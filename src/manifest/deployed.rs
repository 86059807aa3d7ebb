//! What the workloads of a cluster promise, whoever deployed them.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::{
    Document, ManifestError,
    promises::promises,
    workload::{Origin, workload},
};
use crate::model::{
    ANNOTATION, Discovery, EndpointSpec, Expectations, Namespaced, NetworkServiceSpec, NetworkServiceState, PodIndex, Scope, Workload,
};

/// What the clients of a scope were promised. Workloads that take no part in a connection are left out; of those whose
/// annotation cannot be read it is said why.
#[must_use]
pub fn deployed(discovery: &Discovery, scope: &Scope) -> Expectations {
    let (workloads, mut unreadable) = read(discovery);
    let (mut clients, others): (Vec<Workload>, Vec<Workload>) =
        workloads.into_iter().partition(|workload| workload.is_client() && scope.holds(&workload.id.namespace));
    let wanted: BTreeSet<String> = clients.iter().flat_map(|client| client.requests.iter().map(|url| url.service.clone())).collect();
    let offers = |workload: &Workload| workload.endpoint.iter().flat_map(|endpoint| &endpoint.services).any(|service| wanted.contains(service));
    clients.extend(others.into_iter().filter(offers).map(|workload| Workload { requests: Vec::new(), ..workload }));
    let services = discovery.inventory.services.iter().flatten();
    let spec = |service: &NetworkServiceState| {
        Some(NetworkServiceSpec { id: service.id.clone(), payload: service.payload?, matches: service.matches.clone() })
    };
    let services = services.filter_map(spec);
    let services = services.filter(|service| wanted.contains(&service.id.name)).collect();
    unreadable.retain(|(id, _)| scope.holds(&id.namespace));
    let mut promised = promises(clients, services);
    if scope.namespace.is_some() {
        // Clients of other namespaces may have come first, so that only the one pair that there is is certain.
        promised.connections.iter_mut().filter(|connection| connection.prefixes.capacity() > 1).for_each(|connection| connection.addresses = None);
    }
    Expectations { unreadable, ..promised }
}

/// Every client and every endpoint that there is, also one that nobody asks for.
#[must_use]
pub fn deployed_workloads(discovery: &Discovery) -> Vec<Workload> {
    let (mut workloads, _) = read(discovery);
    workloads.retain(|workload| workload.is_client() || workload.endpoint.is_some());
    workloads
}

/// The workloads, and of those whose annotation cannot be read why.
fn read(discovery: &Discovery) -> (Vec<Workload>, Vec<(Namespaced, String)>) {
    let inherited: HashMap<&str, &str> = discovery.objects.iter().filter_map(namespace_annotation).collect();
    let (mut workloads, mut unreadable) = (discovery.workloads.clone(), Vec::new());
    for object in discovery.objects.iter().filter(|object| object["kind"] != "Namespace") {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (namespace, place) = (text("/metadata/namespace"), format!("{} {}", text("/kind"), text("/metadata/name")));
        let read = Document::new(object.clone(), &place);
        match read.and_then(|document| workload(&document, namespace, inherited.get(namespace).copied(), Origin::Live)) {
            Ok(found) => workloads.extend(found),
            Err(error) if is_concerned(object, inherited.contains_key(namespace)) => {
                unreadable.push((Namespaced::new(namespace, text("/metadata/name")), reason(error)));
            }
            // What has nothing to do with NSM may be as it likes.
            Err(_) => {}
        }
    }
    mark_endpoints(&mut workloads, discovery);
    (workloads, unreadable)
}

/// Whether an object is one of NSM's clients or endpoints, or wants to be.
fn is_concerned(object: &Value, inherits: bool) -> bool {
    let annotated = |pointer: &str| object.pointer(pointer).is_some_and(|annotations| annotations.get(ANNOTATION).is_some());
    let containers = ["/spec/containers", "/spec/template/spec/containers"].map(|pointer| object.pointer(pointer).and_then(Value::as_array));
    let mut variables = containers.into_iter().flatten().flatten().filter_map(|container| container["env"].as_array()).flatten();
    let is_nsm = |variable: &Value| variable["name"].as_str().is_some_and(|name| name.starts_with("NSM_"));
    inherits || annotated("/metadata/annotations") || annotated("/spec/template/metadata/annotations") || variables.any(is_nsm)
}

fn reason(error: ManifestError) -> String {
    match error {
        ManifestError::Document { reason, .. } => reason,
        ManifestError::Annotation { reason, .. } => reason.to_string(),
        ManifestError::Prefix { reason, .. } => reason.to_string(),
        other => other.to_string(),
    }
}

fn namespace_annotation(object: &Value) -> Option<(&str, &str)> {
    let annotation = object["metadata"]["annotations"].get(ANNOTATION).and_then(Value::as_str)?;
    (object["kind"] == "Namespace").then_some((object["metadata"]["name"].as_str()?, annotation))
}

/// Whoever has registered is an endpoint, also where its environment does not say so.
fn mark_endpoints(workloads: &mut [Workload], discovery: &Discovery) {
    let registered = discovery.inventory.endpoints.iter().flatten().filter(|endpoint| endpoint.forwards_on.is_none());
    let mut by_pod: HashMap<Namespaced, Vec<String>> = HashMap::new();
    for endpoint in registered {
        if let Some(pod) = endpoint.pod() {
            by_pod.entry(pod).or_default().extend(endpoint.services.clone());
        }
    }
    let index = PodIndex::new(discovery.inventory.pods.iter().flatten().filter(|pod| by_pod.contains_key(&pod.id)));
    // A pod is the first one's that owns it.
    let mut owned: HashSet<&Namespaced> = HashSet::new();
    for workload in workloads {
        let own = index.of(workload).into_iter().filter(|pod| owned.insert(&pod.id));
        for service in own.filter_map(|pod| by_pod.get(&pod.id)).flatten() {
            let endpoint = workload.endpoint.get_or_insert_with(EndpointSpec::default);
            if !endpoint.services.contains(service) {
                endpoint.services.push(service.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        check::fixture,
        model::{Inventory, Payload, PodState, RegisteredEndpoint, WorkloadKind},
    };

    fn pod(name: &str, annotations: &Value, env: &Value) -> Value {
        let metadata = json!({"name": name, "namespace": "a", "annotations": annotations});
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [{"name": "own"}, {"name": "more", "env": env}]}})
    }

    /// A Deployment, its own annotations and those of its template.
    fn deployment(name: &str, own: &Value, template: &Value, env: &Value) -> Value {
        let template = json!({"metadata": {"labels": {"app": name}, "annotations": template}, "spec": {"containers": [{"name": "own", "env": env}]}});
        let spec = json!({"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template});
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "a", "annotations": own}, "spec": spec})
    }

    fn namespace(name: &str, url: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "annotations": asks(url)}})
    }

    fn asks(url: &str) -> Value {
        json!({"networkservicemesh.io": url})
    }

    fn offers(service: &str) -> Value {
        json!([{"name": "NSM_SERVICE_NAMES", "value": service}, {"name": "NSM_CIDR_PREFIX", "value": "10.0.0.0/24"}])
    }

    fn none() -> Value {
        json!(null)
    }

    fn of(mut object: Value, namespace: &str) -> Value {
        object["metadata"]["namespace"] = json!(namespace);
        object
    }

    fn discovery(objects: Vec<Value>) -> Discovery {
        let service = NetworkServiceState { id: Namespaced::new("a", "s"), payload: Some(Payload::Ethernet), matches: Vec::new() };
        let inventory = Inventory { pods: Ok(Vec::new()), services: Ok(vec![service]), endpoints: Ok(Vec::new()), identities: Ok(Vec::new()) };
        Discovery { objects, workloads: Vec::new(), inventory }
    }

    /// Each connection as its client, its request and who may be at its other end.
    fn connections(discovery: &Discovery, scope: &Scope) -> Vec<String> {
        let found = deployed(discovery, scope);
        assert!(found.connections.iter().all(|connection| found.workload(&connection.client).is_some()), "{found:?}");
        let ends = |candidates: &[Namespaced]| candidates.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        found.connections.iter().map(|c| format!("{} {} -> {}", c.client, c.url, ends(&c.candidates)).trim_end().to_owned()).collect()
    }

    fn all(objects: Vec<Value>) -> Vec<String> {
        connections(&discovery(objects), &Scope::default())
    }

    #[test]
    fn a_client_is_one_by_any_of_the_annotations_that_nsm_reads() {
        let url = "kernel://s/nsm-1";
        assert_eq!(all(vec![pod("p", &asks(url), &none())]), ["a/p kernel://s/nsm-1 ->"]);
        assert_eq!(all(vec![deployment("d", &none(), &asks(url), &none())]), ["a/d kernel://s/nsm-1 ->"]);
        assert_eq!(all(vec![deployment("d", &asks(url), &none(), &none())]), ["a/d kernel://s/nsm-1 ->"]);
        let inherited = vec![namespace("a", "kernel://all/nsm-0"), pod("p", &none(), &none()), pod("q", &asks(url), &none())];
        assert_eq!(all(inherited), ["a/p kernel://all/nsm-0 ->", "a/q kernel://s/nsm-1 ->"]);
        assert!(all(vec![namespace("b", url), pod("p", &none(), &none())]).is_empty(), "the namespace is another one");
    }

    #[test]
    fn a_client_is_one_by_the_container_that_was_injected() {
        let env = json!([{"name": "NSM_NETWORK_SERVICES", "value": "kernel://s/nsm-1"}]);
        assert_eq!(all(vec![pod("p", &none(), &env)]), ["a/p kernel://s/nsm-1 ->"]);
        let found = deployed(&discovery(vec![pod("p", &none(), &env)]), &Scope::default());
        assert_eq!((found.workloads[0].container.as_str(), found.services[0].payload), ("own", Payload::Ethernet));
    }

    #[test]
    fn several_urls_are_several_connections() {
        let found = all(vec![pod("p", &asks("kernel://s/nsm-1,kernel://t/nsm-2"), &none()), pod("e", &none(), &offers("t,s"))]);
        assert_eq!(found, ["a/p kernel://s/nsm-1 -> a/e", "a/p kernel://t/nsm-2 -> a/e"]);
    }

    #[test]
    fn an_endpoint_may_be_in_another_namespace_and_is_no_client_there() {
        let endpoint = of(pod("e", &asks("kernel://s/nsm-9"), &offers("s")), "b");
        let objects = vec![pod("p", &asks("kernel://s/nsm-1"), &none()), endpoint, of(pod("q", &asks("kernel://s/nsm-1"), &none()), "b")];
        let scope = Scope { namespace: Some("a".into()), ..Scope::default() };
        assert_eq!(connections(&discovery(objects.clone()), &scope), ["a/p kernel://s/nsm-1 -> b/e"]);
        let found = deployed(&discovery(objects), &scope);
        assert_eq!(found.workloads.iter().map(|workload| workload.id.to_string()).collect::<Vec<_>>(), ["a/p", "b/e"]);
        assert_eq!(found.connections[0].prefixes.to_string(), "10.0.0.0/24");
        assert_eq!(found.connections[0].addresses, None, "b/q may have come first");
    }

    #[test]
    fn the_addresses_of_one_namespace_are_certain_only_where_no_other_can_have_taken_them() {
        let addresses = |prefix: &str, scope: Option<&str>| {
            let env = json!([{"name": "NSM_SERVICE_NAMES", "value": "s"}, {"name": "NSM_CIDR_PREFIX", "value": prefix}]);
            let objects = vec![pod("p", &asks("kernel://s/nsm-1"), &none()), pod("e", &none(), &env)];
            let scope = Scope { namespace: scope.map(str::to_owned), ..Scope::default() };
            deployed(&discovery(objects), &scope).connections[0].addresses.as_ref().map(|pairs| pairs[0].client.to_string())
        };
        assert_eq!(addresses("10.0.0.0/24", Some("a")), None);
        assert_eq!(addresses("10.0.0.0/24", None).as_deref(), Some("10.0.0.1"), "there is nobody else");
        assert_eq!(addresses("10.0.0.0/31", Some("a")).as_deref(), Some("10.0.0.1"), "nobody else is served");
    }

    #[test]
    fn who_has_registered_is_an_endpoint_also_where_its_environment_does_not_say_so() {
        let registered = |pod: &str, service: &str, forwards_on: Option<&str>| RegisteredEndpoint {
            id: Namespaced::new("nsm-system", pod),
            services: vec![service.into()],
            spiffe_id: Some(format!("spiffe://k8s.nsm/ns/a/pod/{pod}")),
            registered_by: None,
            expires_at: None,
            forwards_on: forwards_on.map(str::to_owned),
        };
        let state = |name: &str, controller: Option<(&str, &str)>| PodState {
            id: Namespaced::new("a", name),
            controller: controller.map(|(kind, name)| (kind.into(), name.into())),
            ..fixture::pod(name, name, &["own"])
        };
        let client = || pod("p", &asks("kernel://s/nsm-1"), &none());
        let objects = vec![client(), deployment("d", &none(), &none(), &none()), pod("free", &none(), &offers("t")), pod("other", &none(), &none())];
        let mut discovery = discovery(objects);
        assert_eq!(connections(&discovery, &Scope::default()), ["a/p kernel://s/nsm-1 ->"]);
        discovery.inventory.pods = Ok(vec![state("d-1", Some(("Deployment", "d"))), state("free", None), state("other", None), state("p", None)]);
        discovery.inventory.endpoints = Ok(vec![
            registered("d-1", "s", None),
            registered("free", "s", None),
            registered("other", "s", Some("node")),
            registered("gone", "s", None),
        ]);
        assert_eq!(connections(&discovery, &Scope::default()), ["a/p kernel://s/nsm-1 -> a/d a/free"]);
        let found = deployed(&discovery, &Scope::default());
        let free = found.workload(&Namespaced::new("a", "free")).unwrap();
        assert_eq!(free.endpoint.as_ref().unwrap().services, ["t", "s"], "what it has registered comes to what it says");
        assert_eq!(found.connections[0].endpoint, None, "of two nobody can tell which");
        // What forwards is no endpoint of a service, whatever it is called.
        assert_eq!(found.workload(&Namespaced::new("a", "other")), None);
    }

    #[test]
    fn who_takes_no_part_is_left_out() {
        let objects = vec![
            pod("p", &asks("kernel://s/nsm-1"), &none()),
            pod("bystander", &none(), &none()),
            deployment("web", &none(), &none(), &none()),
            pod("unasked", &none(), &offers("nobody-asks")),
        ];
        let found = deployed(&discovery(objects), &Scope::default());
        assert_eq!(found.workloads.iter().map(|workload| (workload.kind, workload.id.name.as_str())).collect::<Vec<_>>(), [(WorkloadKind::Pod, "p")]);
        assert!(deployed(&discovery(vec![pod("bystander", &none(), &none())]), &Scope::default()).services.is_empty());
    }

    #[test]
    fn a_bystander_that_cannot_be_read_disturbs_nobody() {
        let odd = |annotations: Value| json!({"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "x", "annotations": annotations}, "spec": {"replicas": -1, "selector": {}, "template": {}}});
        assert!(deployed(&discovery(vec![odd(none())]), &Scope::default()).unreadable.is_empty());
        assert_eq!(deployed(&discovery(vec![odd(asks("kernel://s"))]), &Scope::default()).unreadable.len(), 1);
    }

    #[test]
    fn an_annotation_that_cannot_be_read_is_said_to_be_so() {
        let objects = vec![
            pod("p", &asks("kernel//s"), &none()),
            deployment("d", &asks("kernel://s/nsm-1"), &asks("kernel://s/nsm-1"), &none()),
            of(pod("q", &asks("kernel://"), &none()), "b"),
            pod("well", &asks("kernel://s/nsm-1"), &none()),
        ];
        let found = deployed(&discovery(objects.clone()), &Scope::default());
        let names: Vec<String> = found.unreadable.iter().map(|(id, _)| id.to_string()).collect();
        assert_eq!(names, ["a/p", "a/d", "b/q"]);
        assert!(found.unreadable[0].1.contains("kernel//s") && found.unreadable[1].1.contains("both annotated"), "{:?}", found.unreadable);
        assert_eq!(found.connections.len(), 1, "the others are verified all the same");
        let scope = Scope { namespace: Some("b".into()), ..Scope::default() };
        assert_eq!(deployed(&discovery(objects), &scope).unreadable.len(), 1);
    }
}
