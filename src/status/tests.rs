use super::*;
use crate::{
    check::fixture::{CLIENT, ENDPOINT, NAMESPACE, NOW, client, expectations_of, forbidden, healthy, id, pod, pod_mut, probes_mut, remove_pod},
    model::{
        Carried, ComponentState, ConnectionStatus, EndpointStatus, Namespaced, NetworkServiceState, Outcome, Payload, RegisteredEndpoint,
        ServiceStatus,
    },
};

/// The example on a cluster whose forwarder has registered, after a change.
fn snapshot(change: impl FnOnce(&mut Snapshot)) -> Snapshot {
    let mut snapshot = healthy();
    let forwarder = RegisteredEndpoint {
        id: Namespaced::new("nsm-system", "forwarder-ovs-2f7nc"),
        services: vec!["forwarder".into()],
        spiffe_id: Some("spiffe://k8s.nsm/ns/nsm-system/pod/forwarder-ovs-2f7nc".into()),
        registered_by: None,
        expires_at: Some(NOW + 50),
        forwards_on: Some("worker".into()),
    };
    snapshot.observation.inventory.endpoints.as_mut().unwrap().push(forwarder);
    change(&mut snapshot);
    snapshot
}

fn of(change: impl FnOnce(&mut Snapshot)) -> Status {
    status(&snapshot(change), None, Some(NAMESPACE))
}

fn only(status: &Status) -> &ConnectionStatus {
    let [one] = status.connections.value().unwrap().as_slice() else { panic!("{status:?}") };
    one
}

fn services(status: &Status) -> &[ServiceStatus] {
    status.services.value().unwrap()
}

fn endpoints(status: &Status) -> &[EndpointStatus] {
    status.endpoints.value().unwrap()
}

fn why<T: std::fmt::Debug>(known: &Known<T>) -> &str {
    let Known::Unknown(why) = known else { panic!("{known:?} is known") };
    why
}

#[test]
fn a_connection_is_told_with_both_its_ends() {
    let status = of(|snapshot| pod_mut(&mut snapshot.observation, CLIENT).init_containers[0].since = Some(NOW - 90));
    assert_eq!((status.outcome(), status.findings.as_slice()), (Outcome::Passed, [].as_slice()));
    let one = only(&status);
    assert_eq!((&one.client, one.service.as_str(), one.mechanism.as_str()), (&id(CLIENT), "kernel2kernel", "kernel"));
    assert_eq!((one.interface.value().unwrap().as_str(), one.endpoint.value()), ("nsm-1", Some(&id(ENDPOINT))));
    assert_eq!(one.endpoint_interface.value().unwrap(), "kernel2ker-CKBv");
    let addresses: Vec<String> = one.addresses.iter().map(|pair| format!("{} {}", pair.client, pair.endpoint)).collect();
    assert_eq!((addresses, one.payload.value()), (vec!["172.16.1.101 172.16.1.100".to_owned()], Some(&Payload::Ethernet)));
    let path = one.path.value().unwrap();
    assert!(path.same_node && path.client_node == "worker", "{path:?}");
    assert_eq!(path.forwarders.value().unwrap(), &["forwarder-ovs-2f7nc"]);
    assert_eq!(one.since.value().unwrap().as_second(), NOW - 90);
    assert_eq!((one.verdict, &one.reason), (Verdict::Pass, &None));
}

#[test]
fn what_a_cluster_shows_nowhere_is_unknown_with_the_reason() {
    let status = of(|_| {});
    let one = only(&status);
    assert!(why(&one.heals).contains("NSM counts it nowhere"));
    assert!(why(&one.since).contains("does not say when its init container ended"));
    let status = of(|snapshot| pod_mut(&mut snapshot.observation, CLIENT).init_containers.clear());
    assert!(why(&only(&status).since).contains("no init container"));
}

#[test]
fn the_engine_tells_age_and_heals() {
    let carried =
        [Carried { instance: "example".into(), client: id(CLIENT), interface: "nsm-1".into(), since: NOW - 7, heals: 3, phases: Some(Vec::new()) }];
    let snapshot = snapshot(|snapshot| {
        snapshot.system.components = vec![ComponentState { role: "engine".into(), object: None, ready: Ok((1, 1)) }];
    });
    let told = status(&snapshot, Some(&EngineState { carried: carried.to_vec(), metrics: Some("http://127.0.0.1:9091/metrics".into()) }), None);
    let one = only(&told);
    assert_eq!((one.heals.value(), one.since.value().map(|since| since.as_second())), (Some(&3), Some(NOW - 7)));
    assert_eq!(one.path.value().unwrap().forwarders.value().unwrap(), &["the engine"]);
    assert_eq!(told.metrics, Some(Known::Value("http://127.0.0.1:9091/metrics".to_owned())));
    let told = status(&snapshot, Some(&EngineState::default()), None);
    assert_eq!(why(&only(&told).heals), "the engine carries no such connection");
}

#[test]
fn a_path_across_nodes_has_the_forwarder_of_each() {
    let across = |snapshot: &mut Snapshot| pod_mut(&mut snapshot.observation, ENDPOINT).node = Some("worker2".into());
    let second = |name: &str| {
        let first = healthy().system.pods.unwrap().into_iter().find(|pod| pod.id.name.starts_with("forwarder")).unwrap();
        PodState { id: Namespaced::new("nsm-system", name), node: Some("worker2".into()), ..first }
    };
    let forwarders = |status: &Status| only(status).path.value().unwrap().forwarders.clone();
    let with = |names: &[&str]| {
        of(|snapshot| {
            across(snapshot);
            snapshot.system.pods.as_mut().unwrap().extend(names.iter().map(|name| second(name)));
        })
    };
    assert_eq!(forwarders(&with(&["forwarder-ovs-b"])).value().unwrap(), &["forwarder-ovs-2f7nc", "forwarder-ovs-b"]);
    for names in [&[][..], &["forwarder-ovs-b", "forwarder-ovs-c"]] {
        assert!(why(&forwarders(&with(names))).contains("no forwarder, or several"), "{names:?}");
    }
    let unseen = of(|snapshot| snapshot.system.pods = Err(forbidden("pods")));
    assert_eq!(why(&forwarders(&unseen)), "pods is forbidden");
}

#[test]
fn a_registration_runs_out() {
    let left = |seconds: i64| of(|snapshot| snapshot.observation.inventory.endpoints.as_mut().unwrap()[0].expires_at = Some(NOW + seconds));
    let status = left(43);
    let [one] = endpoints(&status) else { panic!("the forwarder is no endpoint: {status:?}") };
    assert_eq!((one.expires_in_s.value(), one.verdict, one.node.value().map(String::as_str)), (Some(&43), Verdict::Pass, Some("worker")));
    assert_eq!(services(&status)[0].endpoints.value(), Some(&1));
    let status = left(0);
    assert_eq!((endpoints(&status)[0].verdict, services(&status)[0].endpoints.value()), (Verdict::Warn, Some(&0)));
    assert_eq!(status.outcome(), Outcome::Failed, "a connection hangs on it");
    assert_eq!(status.findings[0].check, "endpoint-registered");
    assert_eq!(left(1).outcome(), Outcome::Passed);
}

#[test]
fn a_component_is_told_node_by_node() {
    let status = of(|_| {});
    let forwarder = status.components.iter().find(|component| component.role == "forwarder").unwrap();
    let [instance] = forwarder.instances.value().unwrap().as_slice() else { panic!("{forwarder:?}") };
    assert_eq!((instance.node.value().unwrap().as_str(), instance.ready, instance.restarts), ("worker", true, 0));
    assert_eq!(instance.registered, Some(Known::Value(true)));
    assert!(instance.image.value().unwrap().ends_with("forwarder-ovs:a00fa0f"));
    assert!(why(&instance.since).contains("does not run, or does not say"));
}

#[test]
fn what_was_evicted_and_has_been_replaced_is_not_shown() {
    let evicted = |others: bool| {
        let status = of(|snapshot| {
            let pods = snapshot.system.pods.as_mut().unwrap();
            let mut old = pods.iter().find(|pod| pod.id.name.starts_with("registry")).unwrap().clone();
            (old.id.name, old.phase, old.ready) = ("registry-k8s-old".into(), "Failed".into(), false);
            pods.retain(|pod| others || !pod.id.name.starts_with("registry"));
            pods.push(old);
        });
        let registry = status.components.into_iter().find(|component| component.role == "registry").unwrap();
        registry.instances.value().unwrap().iter().map(|pod| pod.pod.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!((evicted(true), evicted(false)), (vec!["registry-k8s-1".to_owned()], vec!["registry-k8s-old".to_owned()]));
}

#[test]
fn nodes_that_take_no_pods_are_told() {
    let told = |ready: bool, schedulable: bool| {
        let status = of(|snapshot| {
            let nodes = snapshot.system.nodes.as_mut().unwrap();
            (nodes[0].ready, nodes[0].schedulable) = (ready, schedulable);
        });
        status.findings.iter().map(|finding| format!("{} {}", finding.subject, finding.verdict)).collect::<Vec<_>>()
    };
    assert_eq!(told(true, true), [""; 0]);
    assert_eq!(told(true, false), ["all nodes fail"]);
    assert_eq!(told(false, false), ["worker warn", "all nodes fail"]);
}

#[test]
fn a_forwarder_that_nsm_does_not_know_is_broken() {
    let status = of(|snapshot| snapshot.observation.inventory.endpoints.as_mut().unwrap().truncate(1));
    let forwarder = status.components.iter().find(|component| component.role == "forwarder").unwrap();
    assert_eq!((forwarder.verdict, status.outcome()), (Verdict::Fail, Outcome::Failed));
}

#[test]
fn a_forwarder_that_no_node_wants_beside_another_is_in_order() {
    let unwanted = |snapshot: &mut Snapshot| {
        let other = snapshot.system.components.iter().find(|component| component.role == "forwarder").unwrap().clone();
        let object = other.object.clone().map(|object| crate::model::ObjectRef { name: "forwarder-vpp".into(), ..object });
        snapshot.system.components.push(ComponentState { object, ready: Ok((0, 0)), ..other });
    };
    assert_eq!(of(unwanted).outcome(), Outcome::Passed);
    let alone = of(|snapshot| snapshot.system.components.iter_mut().for_each(|component| component.ready = Ok((0, 0))));
    assert_eq!(alone.outcome(), Outcome::Failed);
}

#[test]
fn what_may_not_be_seen_is_unknown_and_never_in_order() {
    let pods = of(|snapshot| snapshot.observation.inventory.pods = Err(forbidden("pods")));
    assert_eq!((only(&pods).verdict, pods.outcome()), (Verdict::Unknown, Outcome::CannotTell));
    assert_eq!(why(&only(&pods).interface), "pods is forbidden");
    let components = of(|snapshot| snapshot.system.components[2].ready = Err(forbidden("daemonsets")));
    assert_eq!((components.components[2].verdict, components.outcome()), (Verdict::Unknown, Outcome::CannotTell));
    for change in [
        (|snapshot| snapshot.observation.inventory.services = Err(forbidden("networkservices"))) as fn(&mut Snapshot),
        |snapshot| snapshot.observation.inventory.endpoints = Err(forbidden("networkserviceendpoints")),
        |snapshot| {
            snapshot.expectations = Expectations::default();
            snapshot.deployed = Err(forbidden("pods"));
        },
    ] {
        assert_eq!(of(change).outcome(), Outcome::CannotTell);
    }
    let exec = of(|snapshot| probes_mut(&mut snapshot.observation, CLIENT).links = crate::model::Probe::Unavailable(forbidden("exec")));
    assert_eq!((only(&exec).verdict, exec.outcome()), (Verdict::Unknown, Outcome::CannotTell));
    assert_eq!((why(&only(&exec).interface), why(&only(&exec).endpoint)), ("exec is forbidden", "there is no connection"));
}

#[test]
fn a_client_that_is_gone_or_waits_has_no_connection() {
    let gone = of(|snapshot| remove_pod(&mut snapshot.observation, CLIENT));
    assert_eq!((only(&gone).reason.as_deref(), gone.outcome()), (Some("the client has no pod"), Outcome::Failed));
    let waits = of(|snapshot| {
        remove_pod(&mut snapshot.observation, CLIENT);
        let mut waiting = client(CLIENT);
        (waiting.ready, waiting.phase) = (false, "Pending".into());
        (waiting.init_containers[0].ready, waiting.init_containers[0].running) = (false, true);
        snapshot.observation.inventory.pods.as_mut().unwrap().push(waiting);
    });
    assert_eq!((only(&waits).verdict, only(&waits).reason.as_deref()), (Verdict::Fail, Some("the client's pod is Init:0/1")));
    assert_eq!(why(&only(&waits).since), "the request has not been served yet");
    let not_wanted = of(|snapshot| {
        remove_pod(&mut snapshot.observation, CLIENT);
        let client = snapshot.expectations.workloads.iter_mut().find(|workload| workload.is_client()).unwrap();
        client.replicas = Some(0);
        snapshot.deployed = Ok(Vec::new());
    });
    assert_eq!(only(&not_wanted).verdict, Verdict::Skip);
}

#[test]
fn an_interface_that_is_down_breaks_it() {
    let down = of(|snapshot| {
        let links = "10: nsm-1@if9: <BROADCAST,MULTICAST> mtu 16000 qdisc noqueue \n    inet 172.16.1.101/32 scope global nsm-1\n";
        probes_mut(&mut snapshot.observation, CLIENT).links = crate::check::fixture::printed("ip addr", links);
    });
    assert!(only(&down).reason.as_deref().unwrap().starts_with("interface up: <BROADCAST,MULTICAST>"), "{down:?}");
    assert_eq!(down.outcome(), Outcome::Failed);
}

#[test]
fn services_are_told_when_they_are_ambiguous_or_missing() {
    let ambiguous = of(|snapshot| {
        let other = NetworkServiceState { id: Namespaced::new("other", "kernel2kernel"), payload: Some(Payload::Ip), matches: Vec::new() };
        snapshot.observation.inventory.services.as_mut().unwrap().push(other);
    });
    let told: Vec<_> = services(&ambiguous).iter().map(|s| (s.namespace.as_deref().unwrap(), s.also_in.join(" "), s.verdict)).collect();
    assert_eq!(told, [(NAMESPACE, "other".to_owned(), Verdict::Warn), ("other", NAMESPACE.to_owned(), Verdict::Warn)]);
    let missing = of(|snapshot| snapshot.observation.inventory.services = Ok(Vec::new()));
    let [one] = services(&missing) else { panic!("{missing:?}") };
    assert_eq!((one.namespace.as_ref(), one.verdict, one.requests, missing.outcome()), (None, Verdict::Fail, 1, Outcome::Failed));
}

#[test]
fn a_namespace_holds_its_own_and_what_its_clients_ask_for() {
    let change = |snapshot: &mut Snapshot| {
        let service = |namespace: &str, name: &str| NetworkServiceState {
            id: Namespaced::new(namespace, name),
            payload: Some(Payload::Ip),
            matches: Vec::new(),
        };
        snapshot.observation.inventory.services = Ok(vec![service("shared", "kernel2kernel"), service("other", "else")]);
        let foreign = RegisteredEndpoint {
            id: Namespaced::new("nsm-system", "foreign"),
            services: vec!["else".into()],
            spiffe_id: Some("spiffe://d/ns/other/pod/foreign".into()),
            registered_by: None,
            expires_at: None,
            forwards_on: None,
        };
        snapshot.observation.inventory.endpoints.as_mut().unwrap().push(foreign);
    };
    let names = |namespace: Option<&str>| {
        let status = status(&snapshot(change), None, namespace);
        let services: Vec<String> = services(&status).iter().map(|service| service.name.clone()).collect();
        let endpoints: Vec<String> = endpoints(&status).iter().map(|endpoint| endpoint.name.clone()).collect();
        (services.join(" "), endpoints.join(" "))
    };
    assert_eq!(names(Some(NAMESPACE)), ("kernel2kernel".to_owned(), ENDPOINT.to_owned()));
    assert_eq!(names(None), ("else kernel2kernel".to_owned(), format!("foreign {ENDPOINT}")));
    let status = status(&snapshot(change), None, None);
    assert!(why(&endpoints(&status)[0].node).contains("was not looked into"));
    assert!(why(&endpoints(&status)[0].expires_at).contains("names no end"));
}

#[test]
fn a_mechanism_without_an_interface_is_judged_by_its_own_traces() {
    let memif = of(|snapshot| {
        let yaml = "apiVersion: v1\nkind: Pod\nmetadata: {name: alpine, annotations: {networkservicemesh.io: \"memif://kernel2kernel/nsm-1\"}}\nspec: {containers: [{name: alpine, image: x}]}\n";
        snapshot.expectations = expectations_of(yaml);
        probes_mut(&mut snapshot.observation, CLIENT).traces = Some(crate::model::Probe::Value(vec!["memif /a.sock".into()]));
        snapshot.observation.inventory.pods.as_mut().unwrap().push(pod("x", "x", &["c"]));
    });
    let one = only(&memif);
    assert_eq!((one.mechanism.as_str(), one.verdict), ("memif", Verdict::Pass), "{one:?}");
}

#[test]
fn nothing_is_pinged() {
    let Snapshot { expectations, observation, .. } = healthy();
    let requests = requests(&expectations, observation.pods());
    assert_eq!(requests.iter().map(|request| request.pod.name.as_str()).collect::<Vec<_>>(), [ENDPOINT, CLIENT]);
    for request in requests {
        assert!(request.pings.is_empty() && request.ping.count == 0 && request.debug_image.is_none(), "{request:?}");
        assert!(request.asks.network && !request.asks.path_mtu && !request.asks.resolver, "{request:?}");
    }
}

#[test]
fn counters_are_those_of_the_connections_interfaces() {
    use crate::model::{Counters, InterfaceCounters, Metrics, Outcome};
    let counted = |interface: &str, bytes: u64| InterfaceCounters {
        interface: interface.into(),
        counters: Counters { rx_bytes: bytes, rx_packets: bytes / 100, ..Counters::default() },
    };
    let at = |seconds: i64, bytes: u64, far: Option<Result<Vec<InterfaceCounters>, Unavailable>>| {
        let snapshot = snapshot(|snapshot| {
            probes_mut(&mut snapshot.observation, CLIENT).counters = Some(Ok(vec![counted("lo", 1), counted("nsm-1", bytes)]));
            probes_mut(&mut snapshot.observation, ENDPOINT).counters = far;
        });
        let status = status(&snapshot, None, None);
        let connections = counters(status.connections.value().unwrap(), &snapshot);
        Metrics { taken_at: time(NOW + seconds).unwrap(), sources: Known::Value(Vec::new()), families: Vec::new(), connections }
    };
    let before = at(0, 1000, None);
    let [one] = before.connections.as_slice() else { panic!("{before:?}") };
    assert_eq!(one.client.counters.value().unwrap().rx_bytes, 1000);
    assert!(why(&one.endpoint.counters).contains("no shell"));
    let mut now = at(4, 3000, Some(Ok(vec![counted("kernel2ker-CKBv", 5)])));
    assert_eq!(now.outcome(), Outcome::Passed);
    rate(&mut now, &before);
    let rates = now.connections[0].client.rates.unwrap();
    assert!((rates.rx_bytes_per_s - 500.0).abs() < 1e-9 && (rates.rx_packets_per_s - 5.0).abs() < 1e-9, "{rates:?}");
    assert_eq!(now.connections[0].endpoint.rates, None, "there was no earlier look");
    // An interface that was made anew counts from 0.
    let mut anew = at(8, 10, None);
    rate(&mut anew, &now);
    assert_eq!(anew.connections[0].client.rates, None);
    let hidden = at(0, 0, Some(Err(forbidden("exec"))));
    assert_eq!(why(&hidden.connections[0].endpoint.counters), "exec is forbidden");
    let requests = counting_requests(&healthy().expectations, healthy().observation.pods());
    assert!(requests.iter().all(|request| request.asks.counters && request.ping.count == 0));
}
