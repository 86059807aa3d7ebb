use serde_json::Value;

use super::*;
use crate::{
    manifest::{Source, embedded, plan, read},
    model::{Namespaced, OPTIONS_ANNOTATION, Plan},
};

fn from_text(text: &str, asked: &Customisation) -> Result<Plan, ManifestError> {
    plan(&read(&[Source { name: "a.yaml".into(), text: text.into() }]).unwrap(), asked, "current")
}

fn example(asked: &Customisation) -> Plan {
    plan(&read(&embedded()).unwrap(), asked, "current").unwrap()
}

/// The message and the hint of what is refused.
#[track_caller]
fn refused(planned: Result<Plan, ManifestError>) -> (String, String) {
    let error = planned.unwrap_err();
    let message = error.to_string();
    let ManifestError::Customisation { hint, .. } = error else { panic!("{message}") };
    (message, hint)
}

fn cidr(text: &str) -> Customisation {
    Customisation { cidr: Some(text.parse().unwrap()), ..Customisation::default() }
}

fn clients(count: u32) -> Customisation {
    Customisation { clients: Some(count), ..Customisation::default() }
}

fn body<'a>(plan: &'a Plan, name: &str) -> &'a Value {
    let object = plan.objects.iter().find(|object| object.reference.name == name && object.reference.kind != "NetworkService");
    &object.unwrap_or_else(|| panic!("no {name}")).body
}

const CLIENT: &str = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: c, annotations: {networkservicemesh.io: kernel://s/nsm-1}}\n\
                      spec: {containers: [{name: c, image: x}]}\n";

fn endpoint(name: &str, services: &str, prefixes: &str) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  selector: {{matchLabels: {{app: {name}}}}}\n  \
         template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      containers:\n      - name: nse\n        image: x\n        env:\n        \
         - {{name: NSM_CIDR_PREFIX, value: \"{prefixes}\"}}\n        - {{name: NSM_SERVICE_NAMES, value: \"{services}\"}}\n"
    )
}

#[test]
fn nothing_asked_is_nothing_changed() {
    let documents = read(&embedded()).unwrap();
    let values = |documents: &[Document]| documents.iter().map(|document| document.value.clone()).collect::<Vec<_>>();
    assert_eq!(values(&customise(&documents, &Customisation::default(), "current").unwrap()), values(&documents));
}

#[test]
fn what_was_asked_is_remembered_on_the_objects_and_not_on_their_pods() {
    let asked = Customisation {
        namespace: Some("demo".into()),
        name_prefix: Some("blue-".into()),
        cross_node: true,
        images: vec![("nse".into(), "x:1".into())],
        ..cidr("10.0.0.0/29")
    };
    let plan = example(&asked);
    let options = "--cidr=10.0.0.0/29 --image=nse=x:1 --cross-node";
    assert_eq!(plan.options.as_deref(), Some(options));
    for object in &plan.objects {
        assert_eq!(object.body["metadata"]["annotations"][OPTIONS_ANNOTATION], options, "{}", object.reference);
        assert!(object.body["spec"]["template"]["metadata"]["annotations"].is_null(), "{}", object.reference);
    }
    let plain = example(&Customisation { namespace: Some("demo".into()), ..Customisation::default() });
    assert_eq!(plain.options, None);
    assert!(plain.objects.iter().all(|object| object.body["metadata"]["annotations"][OPTIONS_ANNOTATION].is_null()));
}

#[test]
fn a_cidr_is_applied_and_expected() {
    let plan = example(&cidr("10.0.0.100/31,2001:db8::/127"));
    let connection = &plan.expectations.connections[0];
    let pairs = connection.addresses.as_ref().unwrap();
    assert_eq!(pairs.iter().map(|pair| pair.client.to_string()).collect::<Vec<_>>(), ["10.0.0.101", "2001:db8::1"]);
    let variables = body(&plan, "nse-kernel")["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
    assert_eq!(variables.len(), 8, "it stands in the place of the old one");
    assert_eq!(variables[5], json!({"name": "NSM_CIDR_PREFIX", "value": "10.0.0.100/31,2001:db8::/127"}));
}

#[test]
fn a_cidr_takes_the_place_of_any_other_source_of_it() {
    let text = endpoint("a", "s", "").replace("value: \"\"}", "valueFrom: {configMapKeyRef: {name: m, key: k}}}");
    let plan = from_text(&(text + CLIENT), &cidr("[10.0.0.0/31,10.0.1.0/31]")).unwrap();
    let variables = &body(&plan, "a")["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!(variables[0], json!({"name": "NSM_CIDR_PREFIX", "value": "[10.0.0.0/31,10.0.1.0/31]"}));
    let none = endpoint("a", "s", "x").replace("        - {name: NSM_CIDR_PREFIX, value: \"x\"}\n", "");
    let plan = from_text(&(none + CLIENT), &cidr("10.0.0.0/31")).unwrap();
    assert!(plan.expectations.connections[0].addresses.is_some());
}

#[test]
fn a_cidr_needs_one_endpoint() {
    let (message, hint) = refused(from_text(CLIENT, &cidr("10.0.0.0/31")));
    assert_eq!(message, "--cidr: there is no endpoint in the manifests that could give out addresses");
    assert!(hint.contains("NSM_SERVICE_NAMES"), "{hint}");
    let two = endpoint("a", "s", "10.0.0.0/31") + &endpoint("b", "t", "10.0.1.0/31");
    let (message, _) = refused(from_text(&two, &cidr("10.0.0.0/31")));
    assert_eq!(message, "--cidr: there are 2 endpoints in the manifests, and one prefix cannot be for all: Deployment a, Deployment b");
}

#[test]
fn a_cidr_that_serves_nobody_is_refused() {
    let (message, hint) = refused(plan(&read(&embedded()).unwrap(), &cidr("10.0.0.1/32"), "current"));
    assert_eq!(message, "--cidr 10.0.0.1/32: 10.0.0.1/32 holds 0 clients, and 1 is asked for");
    assert_eq!(hint, "--cidr 10.0.0.0/31 holds them");
}

#[test]
fn clients_are_pods_of_their_own() {
    let asked = Customisation { clients: Some(3), ..cidr("10.0.0.0/29") };
    let plan = example(&asked);
    let pods: Vec<&str> = plan.objects.iter().filter(|o| o.reference.kind == "Pod").map(|o| o.reference.name.as_str()).collect();
    assert_eq!(pods, ["alpine", "alpine-2", "alpine-3"]);
    assert_eq!(body(&plan, "alpine-3")["metadata"]["annotations"]["networkservicemesh.io"], "kernel://kernel2kernel/nsm-1");
    let expected: Vec<_> = plan.expectations.connections.iter().map(|c| (c.client.name.as_str(), c.addresses.is_some())).collect();
    assert_eq!(expected, [("alpine", false), ("alpine-2", false), ("alpine-3", false)]);
    assert_eq!(plan.expectations.workloads.len(), 4);
    assert!(plan.expectations.connections.iter().all(|c| c.endpoint == Some(Namespaced::new("ns-kernel2kernel", "nse-kernel"))));
    assert_eq!(example(&clients(1)).expectations, example(&Customisation::default()).expectations);
}

#[test]
fn what_makes_pods_is_scaled_and_a_daemon_set_is_not() {
    let workload = |kind: &str| {
        let text = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: c}\nspec:\n  selector: {matchLabels: {app: c}}\n  template:\n    \
                    metadata: {labels: {app: c}, annotations: {networkservicemesh.io: kernel://s/nsm-1}}\n    spec: {containers: [{name: c, image: x}]}\n";
        endpoint("a", "s", "10.0.0.0/28") + &text.replace("Deployment", kind)
    };
    for kind in ["Deployment", "StatefulSet"] {
        let plan = from_text(&workload(kind), &clients(5)).unwrap();
        assert_eq!((&body(&plan, "c")["spec"]["replicas"], plan.expectations.workloads[1].replicas), (&json!(5), Some(5)));
    }
    let (message, _) = refused(from_text(&workload("DaemonSet"), &clients(5)));
    assert_eq!(message, "--clients 5: DaemonSet c runs one pod on each node, so their number cannot be chosen");
    let (message, hint) = refused(from_text(&workload("Deployment"), &clients(9)));
    assert_eq!(message, "--clients 9: 10.0.0.0/28 holds 8 clients, and 9 are asked for");
    assert_eq!(hint, "--cidr 10.0.0.0/27 holds them");
}

#[test]
fn a_client_without_a_pod_and_a_name_that_grows_too_long() {
    let (message, hint) = refused(from_text(&endpoint("a", "s", "10.0.0.0/31"), &clients(2)));
    assert_eq!(message, "--clients 2: there is no client in the manifests");
    assert!(hint.contains("networkservicemesh.io: kernel://"), "{hint}");
    let long = "c".repeat(62);
    let text = endpoint("a", "s", "10.0.0.0/24") + &CLIENT.replace("{name: c, ann", &format!("{{name: {long}, ann"));
    let (message, _) = refused(from_text(&text, &clients(2)));
    assert_eq!(message, format!("--clients 2: a pod would be called {long}-2: it is longer than 63 characters"));
    let taken = endpoint("a", "s", "10.0.0.0/24") + CLIENT + &CLIENT.replace("{name: c, ann", "{name: c-2, ann");
    assert!(from_text(&taken, &clients(2)).unwrap_err().to_string().contains("Pod current/c-2 stands in the manifests twice"));
}

#[test]
fn too_many_clients_are_told_which_prefix_would_do() {
    let try_with = |prefixes: &str, count: u32| refused(from_text(&(endpoint("a", "s", prefixes) + CLIENT), &clients(count)));
    let both = |message: &str, hint: &str| (message.to_owned(), hint.to_owned());
    assert_eq!(
        try_with("172.16.1.100/31", 3),
        both("--clients 3: 172.16.1.100/31 holds 1 client, and 3 are asked for", "--cidr 172.16.1.96/29 holds them")
    );
    assert_eq!(
        try_with("2001:db8::64/127", 1000),
        both("--clients 1000: 2001:db8::64/127 holds 1 client, and 1000 are asked for", "--cidr 2001:db8::/117 holds them")
    );
    assert_eq!(try_with("10.0.0.0/31,2001:db8::/64", 2).1, "--cidr 10.0.0.0/30,2001:db8::/64 holds them");
    assert_eq!(try_with("10.0.0.0/31,10.0.0.2/31", 2).1, "give Deployment a more addresses", "wider ones would overlap");
}

#[test]
fn connections_are_what_counts() {
    let double = endpoint("a", "s,t", "10.0.0.0/30") + &CLIENT.replace("kernel://s/nsm-1", "\"kernel://s/nsm-1,kernel://t/nsm-2\"");
    assert!(from_text(&double, &clients(1)).is_ok());
    let (message, hint) = refused(from_text(&double, &clients(2)));
    assert_eq!(message, "--clients 2: 10.0.0.0/30 holds 2 connections, and 4 are asked for");
    assert_eq!(hint, "--cidr 10.0.0.0/29 holds them");
    // Each pod of the endpoint gives out all of its addresses.
    let wide = endpoint("a", "s", "10.0.0.0/31").replace("spec:\n  selector", "spec:\n  replicas: 3\n  selector") + CLIENT;
    assert!(from_text(&wide, &clients(3)).is_ok());
    assert_eq!(refused(from_text(&wide, &clients(4))).1, "--cidr 10.0.0.0/30 holds them");
    // Of several endpoints, the one that is too small is named; of a service that two offer, nobody knows.
    let two = endpoint("a", "s", "10.0.0.0/31") + &endpoint("b", "t", "10.0.1.0/31") + CLIENT;
    assert_eq!(refused(from_text(&two, &clients(2))).1, "NSM_CIDR_PREFIX 10.0.0.0/30 of Deployment a holds them");
    assert!(from_text(&two.replace("\"t\"", "\"s\""), &clients(2)).is_ok());
    // Without a prefix in the manifests, what the endpoint gives is not known.
    assert!(from_text(&(endpoint("a", "s", "") + CLIENT), &clients(2)).is_ok());
}

#[test]
fn a_link_of_a_chain_is_no_client() {
    let link = endpoint("link", "s", "10.0.1.0/29").replace("{name: link}", "{name: link, annotations: {networkservicemesh.io: kernel://t/nsm-1}}");
    let plan = from_text(&(endpoint("end", "t", "10.0.0.0/31") + &link + CLIENT), &clients(2)).unwrap();
    assert_eq!(body(&plan, "link")["spec"].get("replicas"), None);
    assert_eq!(plan.objects.len(), 4);
}

#[test]
fn cross_node_turns_the_affinity_around() {
    let across = Customisation { cross_node: true, ..Customisation::default() };
    let plan = example(&across);
    let term = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "nse-kernel"}}});
    // And waits for its having one: two clients on two nodes would leave the endpoint none.
    let after = json!({"topologyKey": "kubernetes.io/os", "labelSelector": {"matchLabels": {"app": "nse-kernel"}}});
    let required = |term: Value| json!({"requiredDuringSchedulingIgnoredDuringExecution": [term]});
    let expected = json!({"podAntiAffinity": required(term), "podAffinity": required(after)});
    assert_eq!(body(&plan, "alpine")["spec"]["affinity"], expected);
    // And with a prefix it is the endpoint beside it that is kept away from.
    let plan =
        example(&Customisation { name_prefix: Some("blue-".into()), clients: Some(2), ..Customisation { cross_node: true, ..cidr("10.0.0.0/30") } });
    for name in ["blue-alpine", "blue-alpine-2"] {
        for side in ["podAntiAffinity", "podAffinity"] {
            let terms = &body(&plan, name)["spec"]["affinity"][side]["requiredDuringSchedulingIgnoredDuringExecution"];
            assert_eq!(terms[0]["labelSelector"]["matchLabels"]["app"], "blue-nse-kernel", "{name} {side}");
        }
    }
}

#[test]
fn cross_node_keeps_what_ties_a_client_to_others() {
    let affinity = json!({
        "nodeAffinity": {"x": 1},
        "podAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}, {"key": "tier", "operator": "DoesNotExist"}]}},
                {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "cache"}}},
                {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}},
                {"topologyKey": "topology.kubernetes.io/zone", "labelSelector": {"matchLabels": {"app": "a"}}},
                {"topologyKey": "kubernetes.io/hostname"}],
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname"}}]},
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "b"}}}]}
    });
    let text = affinity.to_string().replace("\"nodeAffinity\":{\"x\":1},", "");
    let client = CLIENT.replace("image: x}]}", &format!("image: x}}], affinity: {text}}}"));
    let plan = from_text(&(endpoint("a", "s", "10.0.0.0/31") + &client), &Customisation { cross_node: true, ..Customisation::default() }).unwrap();
    let after = &body(&plan, "c")["spec"]["affinity"];
    let required = |side: &str| after[side]["requiredDuringSchedulingIgnoredDuringExecution"].as_array().unwrap().len();
    assert_eq!((required("podAffinity"), required("podAntiAffinity")), (5, 2), "{after}");
    assert_eq!(after["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"].as_array().unwrap().len(), 1);
}

#[test]
fn who_would_wait_for_each_other_does_not_wait() {
    let link = |name: &str, offers: &str, asks: &str| {
        let text = CLIENT
            .replace("{name: c, annotations", &format!("{{name: {name}, labels: {{app: {name}}}, annotations"))
            .replace("://s/", &format!("://{asks}/"));
        text.replace("image: x}", &format!("image: x, env: [{{name: NSM_SERVICE_NAMES, value: {offers}}}]}}"))
    };
    let text = link("one", "a", "b") + &link("two", "b", "a") + &link("three", "c", "a");
    let plan = from_text(&text, &Customisation { cross_node: true, ..Customisation::default() }).unwrap();
    let waits = |name: &str| body(&plan, name).pointer("/spec/affinity/podAffinity").is_some();
    assert_eq!((waits("one"), waits("two"), waits("three")), (false, false, true));
}

#[test]
fn cross_node_needs_somebody_to_be_kept_away_from() {
    let across = Customisation { cross_node: true, ..Customisation::default() };
    let (message, _) = refused(from_text(CLIENT, &across));
    assert_eq!(message, "--cross-node: nothing in the manifests offers what Pod c requests, so it is not known what to keep it away from");
    let (message, _) = refused(from_text(&endpoint("a", "s", "10.0.0.0/31"), &across));
    assert_eq!(message, "--cross-node: there is no client in the manifests that could be kept off a node");
    let bare = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: e}\nspec: {containers: [{name: c, image: x, env: [{name: NSM_SERVICE_NAMES, value: s}]}]}\n";
    let (message, _) = refused(from_text(&(bare.to_owned() + CLIENT), &across));
    assert_eq!(message, "--cross-node: Pod e has no labels by which a client could be kept away from it");
}

#[test]
fn a_payload_is_that_of_every_service() {
    let plan = example(&Customisation { payload: Some(Payload::Ip), ..Customisation::default() });
    assert_eq!((plan.expectations.services[0].payload, plan.expectations.connections[0].payload), (Payload::Ip, Some(Payload::Ip)));
    assert_eq!(plan.objects[1].body["spec"]["payload"], "IP");
    let bare = "apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: {name: s}\n";
    let plan = from_text(bare, &Customisation { payload: Some(Payload::Ethernet), ..Customisation::default() }).unwrap();
    assert_eq!(plan.objects[0].body["spec"]["payload"], "ETHERNET");
    let (message, _) = refused(from_text(CLIENT, &Customisation { payload: Some(Payload::Ip), ..Customisation::default() }));
    assert_eq!(message, "--payload: there is no NetworkService in the manifests");
}

#[test]
fn images_come_from_where_they_are_asked_to() {
    let asked = |registry: Option<&str>, list: &[(&str, &str)]| Customisation {
        image_registry: registry.map(str::to_owned),
        images: list.iter().map(|(container, image)| ((*container).to_owned(), (*image).to_owned())).collect(),
        ..Customisation::default()
    };
    let of = |asked: &Customisation| images(&example(asked).objects);
    assert_eq!(of(&Customisation::default()), ["alpine:3.15.0", "ghcr.io/networkservicemesh/ci/cmd-nse-icmp-responder:a00fa0f"]);
    let mirrored = ["m.example.com/nsm/alpine:3.15.0", "m.example.com/nsm/networkservicemesh/ci/cmd-nse-icmp-responder:a00fa0f"];
    assert_eq!(of(&asked(Some("m.example.com/nsm"), &[])), mirrored);
    assert_eq!(of(&asked(Some("m.example.com/nsm"), &[("nse", "x.example.com/nse:1")])), [mirrored[0], "x.example.com/nse:1"]);
    let initial = CLIENT.replace("spec: {", "spec: {initContainers: [{name: i, image: quay.io/i}, {name: j, image: x}], ");
    let plan = from_text(&initial, &asked(Some("m:1"), &[("i", "i:2")])).unwrap();
    assert_eq!(images(&plan.objects), ["i:2", "m:1/x"]);
    let (message, hint) = refused(plan_of_example(&asked(None, &[("nsee", "x")])));
    assert_eq!((message.as_str(), hint.as_str()), ("--image nsee=x: no container in the manifests is called nsee", "there are: alpine, nse"));
    let (message, _) = refused(plan_of_example(&asked(None, &[("nse", "x"), ("nse", "y")])));
    assert_eq!(message, "--image nse=y: container nse was given the image x before");
}

fn plan_of_example(asked: &Customisation) -> Result<Plan, ManifestError> {
    plan(&read(&embedded()).unwrap(), asked, "current")
}

#[test]
fn an_annotated_namespace_makes_clients_too() {
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: ns, annotations: {networkservicemesh.io: kernel://s/nsm-1}}\n";
    let text =
        namespace.to_owned() + &endpoint("a", "s", "10.0.0.0/29") + &CLIENT.replace(", annotations: {networkservicemesh.io: kernel://s/nsm-1}", "");
    let plan = from_text(&text, &Customisation { cross_node: true, ..clients(2) }).unwrap();
    let affine = |name: &str| body(&plan, name).pointer("/spec/affinity/podAntiAffinity").is_some();
    assert_eq!((affine("c"), affine("c-2")), (true, true));
    assert_eq!(body(&plan, "a").pointer("/spec/template/spec/affinity"), None, "it is not kept away from itself");
}
