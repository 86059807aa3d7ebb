//! What the tests start from: the kernel2kernel example on a cluster, with everything as it should be.

use crate::{
    manifest::{Customisation, Source, embedded, plan, read},
    model::{
        ComponentState, ContainerState, EventRecord, ExecEnd, ExecOutput, Expectations, IdentityRule, Inventory, LogTail, Lookup, Namespaced,
        NetworkServiceState, NodeState, ObjectRef, Observation, Payload, Pinged, PodProbes, PodState, Probe, RegisteredEndpoint, Resolver, Snapshot,
        System, Unavailable, UnavailableKind, WebhookState,
    },
};

/// The example's namespace.
pub(crate) const NAMESPACE: &str = "ns-kernel2kernel";
/// The client's pod.
pub(crate) const CLIENT: &str = "alpine";
/// The endpoint's pod.
pub(crate) const ENDPOINT: &str = "nse-kernel-7d8b9c5f6-x2k4p";
/// When it was looked, in seconds since 1970.
pub(crate) const NOW: i64 = 1_800_000_000;

const LOOPBACK: &str = "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue qlen 1000\n    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n    inet 127.0.0.1/8 scope host lo\n";
const ETH0: &str = "2: eth0@if7: <BROADCAST,MULTICAST,UP,LOWER_UP,M-DOWN> mtu 1500 qdisc noqueue \n    link/ether 9e:11:22:33:44:55 brd ff:ff:ff:ff:ff:ff\n    inet 10.244.1.3/24 brd 10.244.1.255 scope global eth0\n";
const ETH0_ROUTES: &str = "default via 10.244.1.1 dev eth0 \n10.244.1.0/24 dev eth0 scope link  src 10.244.1.3 \n";

/// What the embedded manifests promise.
pub(crate) fn expectations() -> Expectations {
    plan(&read(&embedded()).unwrap(), &Customisation::default(), "default").unwrap().expectations
}

/// What other manifests promise, in the example's namespace.
pub(crate) fn expectations_of(text: &str) -> Expectations {
    let source = Source { name: "a.yaml".into(), text: text.into() };
    plan(&read(&[source]).unwrap(), &Customisation::default(), NAMESPACE).unwrap().expectations
}

/// Something in the example's namespace.
pub(crate) fn id(name: &str) -> Namespaced {
    Namespaced::new(NAMESPACE, name)
}

/// What may not be seen.
pub(crate) fn forbidden(what: &str) -> Unavailable {
    Unavailable { kind: UnavailableKind::Forbidden, reason: format!("{what} is forbidden") }
}

/// What a program printed, and how it ended.
pub(crate) fn ended<T>(command: &str, end: ExecEnd, stdout: &str, stderr: &str) -> Probe<T> {
    let command = command.split(' ').map(str::to_owned).collect();
    Probe::Output(ExecOutput { command, end, stdout: stdout.into(), stderr: stderr.into() })
}

/// What a program printed that ended well.
pub(crate) fn printed<T>(command: &str, stdout: &str) -> Probe<T> {
    ended(command, ExecEnd::Exited(0), stdout, "")
}

/// The interfaces of a pod: those that every pod has, and one of NSM's.
pub(crate) fn links(nsm: &str) -> String {
    format!("{LOOPBACK}{ETH0}{nsm}")
}

/// An interface of NSM's with its addresses, as busybox prints it.
pub(crate) fn link(name: &str, addresses: &[&str]) -> String {
    let family = |address: &str| if address.contains(':') { "inet6" } else { "inet" };
    let lines = addresses.iter().map(|address| format!("    {} {address} scope global {name}\n", family(address)));
    format!(
        "10: {name}@if9: <BROADCAST,MULTICAST,UP,LOWER_UP,M-DOWN> mtu 16000 qdisc noqueue \n    link/ether fa:65:6a:ff:bb:67 brd ff:ff:ff:ff:ff:ff\n"
    ) + &lines.collect::<String>()
}

/// What busybox's ping prints when as many of its four requests are answered.
pub(crate) fn ping(destination: &str, received: u32) -> Pinged {
    let loss = 100 - received * 25;
    let (end, times) = if received > 0 { (0, "round-trip min/avg/max = 0.256/0.430/0.671 ms\n") } else { (1, "") };
    let stdout = format!(
        "PING {destination} ({destination}): 56 data bytes\n\n--- {destination} ping statistics ---\n4 packets transmitted, {received} packets received, {loss}% packet loss\n{times}"
    );
    Pinged {
        destination: destination.parse().unwrap(),
        packet_bytes: None,
        result: ended(&format!("ping -c 4 {destination}"), ExecEnd::Exited(end), &stdout, ""),
    }
}

/// What busybox's ping prints of a packet as long as the interface admits, or of a shorter one.
pub(crate) fn packet(destination: &str, length: u32, passes: bool) -> Pinged {
    let counts = if passes { "1 packets received, 0%" } else { "0 packets received, 100%" };
    let stdout = format!("--- {destination} ping statistics ---\n1 packets transmitted, {counts} packet loss\n");
    let result = ended(&format!("ping -s {} {destination}", length - 28), ExecEnd::Exited(i32::from(!passes)), &stdout, "");
    Pinged { destination: destination.parse().unwrap(), packet_bytes: Some(length), result }
}

/// What a pod's resolver answers, in which NSM has put one of its own: itself, and the cluster's.
pub(crate) fn resolver(own: bool, before: bool) -> Resolver {
    let lookup = |server: &str, answers: bool| {
        let words = if answers { "Address: 10.96.0.1\n" } else { "** server can't find kubernetes.default.svc.cluster.local: SERVFAIL\n" };
        let Probe::<()>::Output(answer) = ended(&format!("nslookup {server}"), ExecEnd::Exited(i32::from(!answers)), words, "") else {
            unreachable!()
        };
        Lookup { server: server.into(), answer }
    };
    let text = "#search ns.svc.cluster.local svc.cluster.local\n#nameserver 10.96.0.10\n\nnameserver 127.0.0.1\noptions ndots:5";
    Resolver { configuration: Probe::Value(text.into()), lookups: vec![lookup("127.0.0.1", own), lookup("10.96.0.10", before)] }
}

/// What was asked inside a pod that has one interface of NSM's; the path takes what the interface admits.
pub(crate) fn probes(pod: &str, container: &str, nsm: &str, routes: &str, routes_v6: &str, pings: &[Pinged]) -> PodProbes {
    PodProbes {
        pod: id(pod),
        container: container.into(),
        links: printed("ip addr", &links(nsm)),
        routes: printed("ip route", &format!("{ETH0_ROUTES}{routes}")),
        routes_v6: printed("ip -6 route", routes_v6),
        pings: pings.iter().cloned().chain(pings.iter().map(|ping| packet(&ping.destination.to_string(), 16000, true))).collect(),
        resolver: Some(resolver(true, true)),
        traces: None,
        counters: None,
    }
}

/// A container that runs.
pub(crate) fn container(name: &str) -> ContainerState {
    let image = format!("ghcr.io/networkservicemesh/ci/{name}:a00fa0f");
    ContainerState { name: name.into(), image, ready: true, running: true, restarts: 0, reason: None, message: None, since: None }
}

/// A pod that is ready.
pub(crate) fn pod(name: &str, app: &str, containers: &[&str]) -> PodState {
    PodState {
        id: id(name),
        labels: [("app".to_owned(), app.to_owned())].into(),
        annotation: None,
        controller: None,
        node: Some("worker".into()),
        phase: "Running".into(),
        ready: true,
        deleting: false,
        unschedulable: None,
        init_containers: Vec::new(),
        containers: containers.iter().map(|name| container(name)).collect(),
    }
}

/// A client that NSM's webhook has injected.
pub(crate) fn client(name: &str) -> PodState {
    let init = ContainerState { running: false, ..container("cmd-nsc-init") };
    let annotation = Some("kernel://kernel2kernel/nsm-1".to_owned());
    PodState { annotation, init_containers: vec![init], ..pod(name, name, &[name, "cmd-nsc"]) }
}

/// A pod of NSM or SPIRE on the example's node.
fn part_of_nsm(name: &str, maker: &str) -> PodState {
    let namespace = if maker.starts_with("spire") { "spire" } else { "nsm-system" };
    let kind = if maker.starts_with("registry") { "Deployment" } else { "DaemonSet" };
    PodState { id: Namespaced::new(namespace, name), controller: Some((kind.into(), maker.into())), ..pod(name, maker, &[maker]) }
}

fn component(role: &str, kind: &str, name: &str) -> ComponentState {
    let namespace = if role.starts_with("spire") { "spire" } else { "nsm-system" };
    let object = match kind {
        "CustomResourceDefinition" | "MutatingWebhookConfiguration" => ObjectRef::cluster(kind, name),
        _ => ObjectRef::namespaced(kind, namespace, name),
    };
    ComponentState { role: role.into(), object: Some(object), ready: Ok((1, 1)) }
}

fn log(pod: Namespaced, container: &str, line: &str) -> LogTail {
    LogTail { pod, container: container.into(), lines: Ok(vec![line.into()]) }
}

/// The example on a cluster, connected.
pub(crate) fn healthy() -> Snapshot {
    let near = probes(CLIENT, "alpine", &link("nsm-1", &["172.16.1.101/32"]), "172.16.1.100 dev nsm-1 \n", "", &[ping("172.16.1.100", 4)]);
    let far = link("kernel2ker-CKBv", &["172.16.1.100/32"]);
    let far = probes(ENDPOINT, "nse", &far, "172.16.1.101 dev kernel2ker-CKBv \n", "", &[ping("172.16.1.101", 4)]);
    let registration = RegisteredEndpoint {
        id: Namespaced::new("nsm-system", ENDPOINT),
        services: vec!["kernel2kernel".into()],
        spiffe_id: Some(format!("spiffe://k8s.nsm/ns/{NAMESPACE}/pod/{ENDPOINT}")),
        registered_by: None,
        expires_at: Some(NOW + 40),
        forwards_on: None,
    };
    let expectations = expectations();
    Snapshot {
        planned: true,
        deployed: Ok(expectations.workloads.clone()),
        expectations,
        observation: Observation {
            taken_at: NOW,
            inventory: Inventory {
                pods: Ok(vec![pod(ENDPOINT, "nse-kernel", &["nse"]), client(CLIENT)]),
                services: Ok(vec![NetworkServiceState { id: id("kernel2kernel"), payload: Some(Payload::Ethernet), matches: Vec::new() }]),
                endpoints: Ok(vec![registration]),
                identities: Ok(vec![IdentityRule { name: "nsm-workloads".into(), pods: [id(ENDPOINT), id(CLIENT)].into() }]),
            },
            probes: vec![near, far],
        },
        system: system(),
    }
}

/// Network Service Mesh and SPIRE, in order.
fn system() -> System {
    let components = [
        ("crd", "CustomResourceDefinition", "networkservices.networkservicemesh.io"),
        ("crd", "CustomResourceDefinition", "networkserviceendpoints.networkservicemesh.io"),
        ("nsmgr", "DaemonSet", "nsmgr"),
        ("forwarder", "DaemonSet", "forwarder-ovs"),
        ("registry", "Deployment", "registry-k8s"),
        ("webhook", "Deployment", "admission-webhook-k8s"),
        ("webhook-configuration", "MutatingWebhookConfiguration", "nsm-mutating-webhook"),
        ("spire-agent", "DaemonSet", "spire-agent"),
        ("spire-server", "StatefulSet", "spire-server"),
    ];
    System {
        components: components.map(|(role, kind, name)| component(role, kind, name)).into(),
        pods: Ok([
            ("nsmgr-8w5kq", "nsmgr"),
            ("forwarder-ovs-2f7nc", "forwarder-ovs"),
            ("registry-k8s-1", "registry-k8s"),
            ("spire-agent-5tft2", "spire-agent"),
        ]
        .map(|(name, maker)| part_of_nsm(name, maker))
        .into()),
        nodes: Ok(vec![NodeState { name: "worker".into(), ready: true, schedulable: true }]),
        webhook: Ok(Some(WebhookState {
            name: "nsm-mutating-webhook".into(),
            calls: "Service nsm-system/admission-webhook-svc".into(),
            addresses: Some(1),
            has_authority: true,
        })),
        events: Ok(vec![EventRecord {
            object: ObjectRef::namespaced("Pod", NAMESPACE, CLIENT),
            kind: "Normal".into(),
            reason: "Started".into(),
            message: "Started container alpine".into(),
            count: 1,
            last_seen: Some(NOW - 60),
        }]),
        logs: vec![
            // What every first request says while the endpoint starts is history once the connection is there.
            log(id(CLIENT), "cmd-nsc-init", "Nov 23 12:00:00.123 [ERRO] [id:alpine-0] [type:networkService] endpoint candidates not found"),
            log(id(CLIENT), "cmd-nsc", "Nov 23 12:00:01.123 [INFO] [id:alpine-0] [type:networkService] connected"),
            log(id(ENDPOINT), "nse", "Nov 23 12:00:00.001 [INFO] [cmd:/bin/app] registered"),
            log(Namespaced::new("nsm-system", "nsmgr-8w5kq"), "nsmgr", "Nov 23 11:00:00.001 [INFO] [cmd:/bin/app] started"),
            log(Namespaced::new("nsm-system", "forwarder-ovs-2f7nc"), "forwarder-ovs", "Nov 23 11:00:00.001 [INFO] [cmd:/bin/app] started"),
        ],
    }
}

/// The pod of that name, to be changed.
pub(crate) fn pod_mut<'a>(observation: &'a mut Observation, name: &str) -> &'a mut PodState {
    observation.inventory.pods.as_mut().unwrap().iter_mut().find(|pod| pod.id.name == name).unwrap()
}

/// What was asked inside the pod of that name, to be changed.
pub(crate) fn probes_mut<'a>(observation: &'a mut Observation, name: &str) -> &'a mut PodProbes {
    observation.probes.iter_mut().find(|probes| probes.pod.name == name).unwrap()
}

/// Takes a pod away, with what was asked inside it.
pub(crate) fn remove_pod(observation: &mut Observation, name: &str) {
    observation.inventory.pods.as_mut().unwrap().retain(|pod| pod.id.name != name);
    observation.probes.retain(|probes| probes.pod.name != name);
}
