use super::*;
use crate::{
    manifest::{Source, embedded, read},
    model::{AddressPair, Mechanism, Payload, WorkloadKind},
};

fn documents(text: &str) -> Vec<Document> {
    read(&[Source { name: "a.yaml".into(), text: text.into() }]).unwrap()
}

fn in_namespace(namespace: &str) -> Customisation {
    Customisation { namespace: Some(namespace.into()), ..Customisation::default() }
}

fn example() -> Plan {
    plan(&read(&embedded()).unwrap(), &Customisation::default(), "default").unwrap()
}

const ENDPOINT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: nse}
spec:
  selector: {matchLabels: {app: nse}}
  template:
    metadata: {labels: {app: nse}}
    spec:
      containers:
      - name: nse
        image: x
        env:
        - {name: NSM_SERVICE_NAMES, value: \"a, b\"}
        - {name: NSM_CIDR_PREFIX, value: \"10.0.0.0/30,2001:db8::/126\"}
";

fn client(name: &str, annotation: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, annotations: {{networkservicemesh.io: \"{annotation}\"}}}}\nspec: {{containers: [{{name: c, image: x}}]}}\n"
    )
}

#[test]
fn the_example_is_read_out_of_its_manifests() {
    let plan = example();
    assert_eq!((plan.namespace.as_str(), plan.instance.as_str(), plan.part_of.as_str()), ("ns-kernel2kernel", "ns-kernel2kernel", "kernel2kernel"));
    let objects: Vec<String> = plan.objects.iter().map(|o| o.reference.to_string()).collect();
    assert_eq!(
        objects,
        [
            "Namespace ns-kernel2kernel",
            "NetworkService ns-kernel2kernel/kernel2kernel",
            "Deployment ns-kernel2kernel/nse-kernel",
            "Pod ns-kernel2kernel/alpine"
        ]
    );
    let [connection] = &plan.expectations.connections[..] else { panic!("{:?}", plan.expectations.connections) };
    assert_eq!(connection.url.mechanism, Mechanism::Kernel);
    assert_eq!(connection.url.to_string(), "kernel://kernel2kernel/nsm-1");
    assert_eq!(connection.payload, Some(Payload::Ethernet));
    assert_eq!(connection.endpoint, Some(Namespaced::new("ns-kernel2kernel", "nse-kernel")));
    let pair = AddressPair { client: "172.16.1.101".parse().unwrap(), endpoint: "172.16.1.100".parse().unwrap() };
    assert_eq!(connection.addresses, Some(vec![pair]));
    let [nse, alpine] = &plan.expectations.workloads[..] else { panic!() };
    assert_eq!((nse.kind, nse.container.as_str(), nse.is_client()), (WorkloadKind::Deployment, "nse", false));
    assert_eq!((alpine.kind, alpine.container.as_str(), alpine.endpoint.as_ref()), (WorkloadKind::Pod, "alpine", None));
}

#[test]
fn every_object_and_template_carries_the_deployments_labels_and_selectors_do_not() {
    let plan = example();
    for object in &plan.objects {
        let labels = &object.body["metadata"]["labels"];
        assert_eq!(labels[MANAGED_BY_LABEL], "nsmctl", "{}", object.reference);
        assert_eq!(labels[PART_OF_LABEL], "kernel2kernel", "{}", object.reference);
        assert_eq!(labels[INSTANCE_LABEL], "ns-kernel2kernel", "{}", object.reference);
        assert_eq!(object.body["metadata"]["namespace"].as_str(), object.reference.namespace.as_deref(), "{}", object.reference);
    }
    let deployment = &plan.objects[2].body;
    assert_eq!(deployment["spec"]["template"]["metadata"]["labels"][INSTANCE_LABEL], "ns-kernel2kernel");
    assert_eq!(deployment["spec"]["template"]["metadata"]["labels"]["spiffe.io/spiffe-id"], "true");
    assert_eq!(deployment["spec"]["selector"], json!({"matchLabels": {"app": "nse-kernel"}}));
}

#[test]
fn another_namespace_takes_everything_along() {
    let plan = plan(&read(&embedded()).unwrap(), &in_namespace("elsewhere"), "default").unwrap();
    assert_eq!(plan.objects[0].reference, ObjectRef::cluster("Namespace", "elsewhere"));
    assert_eq!(plan.objects[0].body["metadata"]["name"], "elsewhere");
    assert!(plan.objects[1..].iter().all(|object| object.reference.namespace.as_deref() == Some("elsewhere")));
    assert_eq!(plan.instance, "elsewhere");
    assert_eq!(plan.expectations.connections[0].client, Namespaced::new("elsewhere", "alpine"));
}

#[test]
fn without_a_namespace_the_current_one_is_used() {
    let plan = plan(&documents(ENDPOINT), &Customisation::default(), "current").unwrap();
    assert_eq!(plan.objects[0].reference.namespace.as_deref(), Some("current"));
}

#[test]
fn a_written_namespace_stays_and_may_not_be_contradicted() {
    let text = "apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: {name: a, namespace: written}\n";
    let planned = plan(&documents(text), &Customisation::default(), "current").unwrap();
    assert_eq!(planned.objects[0].reference.namespace.as_deref(), Some("written"));
    let error = plan(&documents(text), &in_namespace("asked"), "current").unwrap_err().to_string();
    assert_eq!(error, "a.yaml:1: NetworkService a is written for namespace written, and --namespace says asked");
}

#[test]
fn addresses_are_certain_only_for_a_single_connection() {
    let one = plan(&documents(&format!("{ENDPOINT}{}", client("c", "kernel://a/nsm-1"))), &Customisation::default(), "n").unwrap();
    let pairs = one.expectations.connections[0].addresses.as_ref().unwrap();
    assert_eq!(pairs.iter().map(|p| p.client.to_string()).collect::<Vec<_>>(), ["10.0.0.1", "2001:db8::1"]);
    for clients in [client("c", "kernel://a/nsm-1,kernel://b/nsm-2"), client("c", "kernel://a/nsm-1") + &client("d", "kernel://b/nsm-1")] {
        let two = plan(&documents(&format!("{ENDPOINT}{clients}")), &Customisation::default(), "n").unwrap();
        assert_eq!(two.expectations.connections.iter().map(|c| c.addresses.is_some()).collect::<Vec<_>>(), [false, false]);
        assert!(two.expectations.connections.iter().all(|c| c.endpoint == Some(Namespaced::new("n", "nse"))));
    }
}

#[test]
fn a_service_that_nobody_here_offers_has_no_known_endpoint() {
    let plan = plan(&documents(&client("c", "kernel://elsewhere/nsm-1")), &Customisation::default(), "n").unwrap();
    let connection = &plan.expectations.connections[0];
    assert_eq!((connection.endpoint.as_ref(), connection.payload, connection.addresses.as_ref()), (None, None, None));
}

#[test]
fn the_namespaces_annotation_counts_where_a_pod_has_none() {
    let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: ns, annotations: {networkservicemesh.io: kernel://a/nsm-7}}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: x}]}\n";
    let plan = plan(&documents(text), &Customisation::default(), "default").unwrap();
    assert_eq!(plan.expectations.connections[0].url.to_string(), "kernel://a/nsm-7");
}

#[test]
fn contradictions_are_errors_with_their_place() {
    let error = |text: &str| plan(&documents(text), &Customisation::default(), "n").unwrap_err().to_string();
    let malformed = error(&client("c", "kernel://a/nsm-1, kernel://b/nsm-2"));
    assert!(malformed.starts_with("a.yaml:2: annotation networkservicemesh.io: malformed network service URL \" kernel://b/nsm-2\""), "{malformed}");
    let prefix = error(&ENDPOINT.replace("10.0.0.0/30", "10.0.0.0/99"));
    assert!(prefix.starts_with("a.yaml:2: NSM_CIDR_PREFIX: \"10.0.0.0/99\" is no address prefix"), "{prefix}");
    let twice = error(&(client("c", "kernel://a/nsm-1") + &client("c", "kernel://a/nsm-1")));
    assert_eq!(twice, "a.yaml:7: Pod n/c stands in the manifests twice");
    let payload = error("apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: {name: a}\nspec: {payload: MPLS}\n");
    assert_eq!(payload, "a.yaml:1: payload \"MPLS\" of NetworkService a: NSM knows ETHERNET and IP");
    let both = error(
        &ENDPOINT
            .replace("{name: nse}\nspec", "{name: nse, annotations: {networkservicemesh.io: kernel://a}}\nspec")
            .replace("{labels: {app: nse}}", "{labels: {app: nse}, annotations: {networkservicemesh.io: kernel://a}}"),
    );
    assert_eq!(both, "a.yaml:2: Deployment nse and its pod template are both annotated with networkservicemesh.io, which NSM refuses");
}

#[test]
fn label_values_are_cut_to_what_kubernetes_takes() {
    assert_eq!(label_value(&format!("{}-x", "a".repeat(62))), "a".repeat(62));
}
