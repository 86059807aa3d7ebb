//! Who serves whom: by labels, by load, and as far as the addresses go.

use serde_json::Value;

use nsmctl::model::{Labels, Match, NetworkServiceSpec, Outcome, Payload, Plan, Workload};

use crate::{
    machine::{Machine, client, endpoint, plan, service},
    program::Place,
};

fn labelled(name: &str, prefixes: &str, app: &str) -> Workload {
    let mut workload = endpoint(name, "s", prefixes);
    workload.endpoint.as_mut().unwrap().labels = Some(Labels::from([("app".to_owned(), app.to_owned())]));
    workload
}

/// The service `s` whose clients with the label `app: a` are served by one endpoint, and all others by another.
fn by_app(first: &str, rest: &str) -> NetworkServiceSpec {
    let written = format!(
        r#"[{{"source_selector": {{"app": "a"}}, "routes": [{{"destination_selector": {{"app": "{first}"}}}}]}},
            {{"routes": [{{"destination_selector": {{"app": "{rest}"}}}}]}}]"#
    );
    let written: Vec<Value> = serde_json::from_str(&written).unwrap();
    NetworkServiceSpec { matches: Match::read_list(&written).unwrap(), ..service("s", Payload::Ethernet) }
}

fn two_and_two(service: NetworkServiceSpec) -> Plan {
    let endpoints = [labelled("web", "10.0.0.0/24", "web"), labelled("db", "10.0.1.0/24", "db")];
    let clients = [client("one", "kernel://s/nsm-1?app=a"), client("two", "kernel://s/nsm-1?app=b")];
    plan("example", vec![service], [endpoints, clients].concat())
}

#[tokio::test]
async fn clients_are_served_by_the_endpoints_that_their_labels_select() {
    let machine = Machine::new();
    machine.apply(&two_and_two(by_app("web", "db"))).await;
    let seen = async || (machine.addresses("one").await, machine.addresses("two").await);
    let address = |text: &str| vec![format!("nsm-1 {text}/32")];
    assert_eq!(seen().await, (address("10.0.0.1"), address("10.0.1.1")));
    let index = machine.index("one", "nsm-1").await;
    machine.apply(&two_and_two(by_app("web", "db"))).await;
    assert_eq!(machine.index("one", "nsm-1").await, index, "nothing has changed");
    // Other matches, other endpoints; and one that stays stays as it is.
    machine.apply(&two_and_two(by_app("web", "web"))).await;
    assert_eq!((seen().await, machine.index("one", "nsm-1").await), ((address("10.0.0.1"), address("10.0.0.3")), index));
    machine.apply(&two_and_two(by_app("none", "{{ .podName }}"))).await;
    assert!(machine.addresses("one").await.is_empty() && machine.addresses("two").await.is_empty());
    assert_eq!(machine.pod("one").await.init_containers[0].message.as_deref(), Some("endpoint candidates not found"));
}

#[tokio::test]
async fn labels_that_clients_and_endpoints_add_themselves_can_be_selected_by() {
    let machine = Machine::new();
    let written: Vec<Value> =
        serde_json::from_str(r#"[{"routes": [{"destination_selector": {"nodeName": "{{ .nodeName }}", "app": "db"}}]}]"#).unwrap();
    let service = NetworkServiceSpec { matches: Match::read_list(&written).unwrap(), ..service("s", Payload::Ethernet) };
    machine.apply(&two_and_two(service)).await;
    assert_eq!(
        (machine.addresses("one").await, machine.addresses("two").await),
        (vec!["nsm-1 10.0.1.1/32".into()], vec!["nsm-1 10.0.1.3/32".into()])
    );
}

#[tokio::test]
async fn a_template_that_is_not_understood_is_refused() {
    let machine = Machine::new();
    let failure = machine.local.apply(&machine.ctx, &two_and_two(by_app("{{ printf .app }}", "db"))).await.unwrap_err();
    let expected = "a selector of NetworkService ns-test/s has the template \"{{ printf .app }}\", which cannot be read on this machine";
    assert_eq!((failure.outcome, failure.message().as_str()), (Outcome::Usage, expected));
}

#[tokio::test]
async fn clients_are_spread_over_endpoints_that_are_alike() {
    let machine = Machine::new();
    let endpoints = vec![endpoint("web", "s", "10.0.0.0/24"), endpoint("db", "s", "10.0.1.0/24")];
    let clients = (0..6).map(|number| client(&format!("client-{number}"), "kernel://s/nsm-1"));
    machine.apply(&plan("example", vec![service("s", Payload::Ethernet)], endpoints.into_iter().chain(clients).collect())).await;
    for pod in ["web", "db"] {
        assert_eq!(machine.addresses(pod).await.len(), 3, "{pod}");
    }
}

/// A /30 is enough for two connections. What one has is excluded for the other, so that with the same addresses at both endpoints neither
/// gets what the other has.
#[tokio::test]
async fn connections_of_one_client_share_no_address() {
    let machine = Machine::new();
    let endpoints = vec![endpoint("first", "s", "10.0.0.0/30"), endpoint("second", "t", "10.0.0.0/30")];
    let services = || vec![service("s", Payload::Ethernet), service("t", Payload::Ethernet)];
    let with = |urls: &str| plan("example", services(), [endpoints.clone(), vec![client("alpine", urls)]].concat());
    machine.apply(&with("kernel://s/nsm-1,kernel://t/nsm-2")).await;
    assert_eq!(machine.addresses("alpine").await, ["nsm-1 10.0.0.1/32", "nsm-2 10.0.0.3/32"]);
    assert_eq!(machine.routes("alpine", "-4").await, ["10.0.0.0 nsm-1 10.0.0.1", "10.0.0.2 nsm-2 10.0.0.3"]);
    // Two to one service; a third has no address left, and says so.
    machine.apply(&with("kernel://s/nsm-1,kernel://s/nsm-2,kernel://s/nsm-3")).await;
    assert_eq!(machine.addresses("alpine").await, ["nsm-1 10.0.0.1/32", "nsm-2 10.0.0.3/32"]);
    assert_eq!(machine.pod("alpine").await.init_containers[0].message.as_deref(), Some("IPPool is empty"));
    // The pod is made anew; what it had has come back to the pool.
    machine.apply(&with("kernel://s/nsm-1,kernel://s/nsm-2")).await;
    assert!(machine.pod("alpine").await.ready);
}

const MANIFEST: &str = "apiVersion: networkservicemesh.io/v1
kind: NetworkService
metadata: {name: s}
spec:
  payload: ETHERNET
  matches:
  - source_selector: {app: a}
    routes: [{destination_selector: {app: web}}]
  - routes: [{destination_selector: {app: db}}]
---
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: nse, image: x, env: [{name: NSM_SERVICE_NAMES, value: s}, {name: NSM_CIDR_PREFIX, value: 10.0.0.0/31}, {name: NSM_LABELS, value: \"app:web\"}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db}
spec: {containers: [{name: nse, image: x, env: [{name: NSM_SERVICE_NAMES, value: s}, {name: NSM_CIDR_PREFIX, value: 10.0.1.0/31}, {name: NSM_LABELS, value: \"app:db\"}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: one, annotations: {networkservicemesh.io: \"kernel://s/nsm-1?app=a\"}}
spec: {containers: [{name: c, image: x}]}
---
apiVersion: v1
kind: Pod
metadata: {name: two, annotations: {networkservicemesh.io: kernel://s/nsm-1}}
spec: {containers: [{name: c, image: x}]}
";

#[test]
fn verify_expects_the_endpoints_that_are_selected() {
    let place = Place::new();
    let file = place.write("a.yaml", MANIFEST);
    let file = file.to_str().unwrap();
    place.run(&["deploy", "-n", "ns-select", "-f", file]).exits(0);
    let ran = place.run(&["verify", "-n", "ns-select", "-f", file, "-o", "json"]);
    let document = ran.exits(0).json();
    let addresses = document["findings"].as_array().unwrap().iter().filter(|finding| finding["check"] == "address");
    let expected: Vec<String> = addresses.map(|finding| format!("{} {}", finding["subject"].as_str().unwrap(), finding["expected"])).collect();
    let has = |subject: &str, address: &str| expected.iter().any(|line| line.starts_with(subject) && line.contains(address));
    assert!(has("one nsm-1", "10.0.0.1") && has("two nsm-1", "10.0.1.1"), "{expected:?}");
    place.run(&["verify", "-A"]).exits(0);

    let bad = place.write("bad.yaml", &MANIFEST.replace("destination_selector: {app: db}", "destinationSelector: {app: db}"));
    let ran = place.run(&["deploy", "-n", "ns-select", "-f", bad.to_str().unwrap()]);
    ran.exits(2).says(&["NetworkService s: spec.matches[1].routes[0] has a field \"destinationSelector\", which is called destination_selector"]);
}
