//! The example, broken in every way that the catalogue of causes knows.

use crate::{
    check::fixture::{CLIENT, ENDPOINT, NOW, id, link, links, packet, ping, pod, pod_mut, printed, probes_mut, remove_pod, resolver},
    model::{AddressPair, ComponentState, EndpointSpec, EventRecord, Expectations, ObjectRef, Payload, PrefixGroups, Snapshot, Workload},
};

pub(super) const UNAFFINE: &str = "0/2 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 1 node(s) didn't match pod affinity rules. preemption: 0/2 nodes are available.";
pub(super) const REFUSED: &str = "Internal error occurred: failed calling webhook \"nsm-mutating-webhook.nsm-system.svc\": failed to call webhook: Post \"https://nsm-mutating-webhook.nsm-system.svc:443/mutate?timeout=10s\": dial tcp 10.96.7.7:443: connect: connection refused";

/// A healthy snapshot that is broken in one way, and what is then told.
pub(super) struct Broken {
    pub(super) what: &'static str,
    pub(super) change: fn(&mut Snapshot),
    /// The cause that comes first.
    pub(super) cause: &'static str,
    /// The first step that fails.
    pub(super) step: &'static str,
    /// A part of the evidence, or of what was seen where there is none.
    pub(super) says: &'static str,
    /// A part of the fix.
    pub(super) fix: &'static str,
}

pub(super) fn component<'a>(snapshot: &'a mut Snapshot, role: &str) -> &'a mut ComponentState {
    snapshot.system.components.iter_mut().find(|component| component.role == role).unwrap()
}

pub(super) fn unready(snapshot: &mut Snapshot, role: &str) {
    component(snapshot, role).ready = Ok((1, 0));
}

pub(super) fn absent(snapshot: &mut Snapshot, roles: &[&str]) {
    for component in snapshot.system.components.iter_mut().filter(|component| roles.contains(&component.role.as_str())) {
        (component.object, component.ready) = (None, Ok((1, 0)));
    }
}

pub(super) fn event(snapshot: &mut Snapshot, kind: &str, name: &str, reason: &str, message: &str) {
    let object = ObjectRef::namespaced(kind, "ns-kernel2kernel", name);
    let event = EventRecord { object, kind: "Warning".into(), reason: reason.into(), message: message.into(), count: 3, last_seen: Some(NOW - 5) };
    snapshot.system.events.as_mut().unwrap().push(event);
}

pub(super) fn log(snapshot: &mut Snapshot, pod: &str, container: &str, text: &str) {
    let tail = snapshot.system.logs.iter_mut().find(|log| log.pod.name == pod && log.container == container).unwrap();
    for second in 0..3 {
        let line = format!("Nov 23 12:01:0{second}.123 [ERRO] [id:{pod}-0] [type:networkService] {text}");
        tail.lines.as_mut().unwrap().push(line);
    }
}

/// The client waits in its init container.
pub(super) fn waiting(snapshot: &mut Snapshot) {
    let pod = pod_mut(&mut snapshot.observation, CLIENT);
    (pod.ready, pod.phase) = (false, "Pending".into());
    let init = &mut pod.init_containers[0];
    (init.ready, init.running) = (false, true);
    for container in &mut pod.containers {
        (container.ready, container.running, container.reason) = (false, false, Some("PodInitializing".into()));
    }
    snapshot.observation.probes.retain(|probes| probes.pod.name != CLIENT);
    probes_mut(&mut snapshot.observation, ENDPOINT).links = printed("ip addr", &links(""));
    probes_mut(&mut snapshot.observation, ENDPOINT).pings = vec![ping("172.16.1.101", 0)];
}

/// The client waits, and this is what its init container logs.
pub(super) fn failing(snapshot: &mut Snapshot, text: &str) {
    waiting(snapshot);
    log(
        snapshot,
        CLIENT,
        "cmd-nsc-init",
        &format!("try attempt has failed: rpc error: code = Unknown desc = {text}; cannot support any of the requested mechanism"),
    );
}

/// A container of a pod does not run, for a reason.
pub(super) fn stuck(snapshot: &mut Snapshot, pod: &str, reason: &str, message: &str, restarts: u32) {
    let pod = pod_mut(&mut snapshot.observation, pod);
    pod.ready = false;
    let container = &mut pod.containers[0];
    (container.ready, container.running, container.restarts) = (false, false, restarts);
    (container.reason, container.message) = (Some(reason.into()), Some(message.into()));
    let name = pod.id.name.clone();
    snapshot.observation.probes.retain(|probes| probes.pod.name != name);
}

pub(super) fn pending(snapshot: &mut Snapshot, why: &str) {
    waiting(snapshot);
    let pod = pod_mut(&mut snapshot.observation, CLIENT);
    (pod.node, pod.unschedulable) = (None, Some(why.into()));
    pod.init_containers[0].running = false;
    event(snapshot, "Pod", CLIENT, "FailedScheduling", why);
}

/// Nobody answers, and everything else stays.
pub(super) fn silent(snapshot: &mut Snapshot) {
    probes_mut(&mut snapshot.observation, CLIENT).pings = vec![ping("172.16.1.100", 0)];
    probes_mut(&mut snapshot.observation, ENDPOINT).pings = vec![ping("172.16.1.101", 0)];
}

pub(super) fn endpoint_removed(snapshot: &mut Snapshot) {
    silent(snapshot);
    remove_pod(&mut snapshot.observation, ENDPOINT);
}

/// This machine with nothing on it.
pub(super) fn no_engine(snapshot: &mut Snapshot) {
    snapshot.observation.inventory.pods = Ok(Vec::new());
    snapshot.observation.inventory.services = Ok(Vec::new());
    snapshot.observation.inventory.endpoints = Ok(Vec::new());
    snapshot.observation.probes.clear();
    snapshot.system.components = vec![ComponentState { role: "engine".into(), object: None, ready: Ok((1, 0)) }];
    snapshot.system.logs.clear();
    snapshot.system.events = Ok(Vec::new());
}

/// The same snapshot as if taken of this machine.
pub(super) fn local(snapshot: &mut Snapshot) {
    let component = |role: &str| ComponentState { role: role.into(), object: None, ready: Ok((1, 1)) };
    snapshot.system.components = ["engine", "registry", "manager", "forwarder"].map(component).into();
    snapshot.system.logs.retain(|log| log.pod.namespace != "nsm-system");
}

pub(super) fn client_links(snapshot: &mut Snapshot, nsm: &str) {
    probes_mut(&mut snapshot.observation, CLIENT).links = printed("ip addr", &links(nsm));
}

pub(super) fn undeployed(snapshot: &mut Snapshot) {
    snapshot.observation.inventory.pods = Ok(Vec::new());
    snapshot.observation.inventory.services = Ok(Vec::new());
    snapshot.observation.inventory.endpoints = Ok(Vec::new());
    snapshot.observation.probes.clear();
}

pub(super) fn uninjected(snapshot: &mut Snapshot) {
    let pod = pod_mut(&mut snapshot.observation, CLIENT);
    pod.init_containers.clear();
    pod.containers.truncate(1);
    client_links(snapshot, "");
    probes_mut(&mut snapshot.observation, CLIENT).routes = printed("ip route", "default via 10.244.1.1 dev eth0 \n");
    probes_mut(&mut snapshot.observation, ENDPOINT).links = printed("ip addr", &links(""));
    silent(snapshot);
}

#[rustfmt::skip]
pub(super) const BROKEN: &[Broken] = &[
    Broken { what: "no engine", cause: "engine-not-running", step: "nsm", says: "the engine is not running", fix: "nsmctl deploy --target local",
        change: no_engine },
    Broken { what: "a machine that allows no namespaces", cause: "namespaces-forbidden", step: "nsm", says: "user.max_net_namespaces", fix: "sudo nsmctl deploy --target local",
        change: |s| { no_engine(s); event(s, "Machine", "this machine", "NamespacesForbidden", "cannot make a user namespace: no space left\nnext: sysctl user.max_net_namespaces=15000"); } },
    Broken { what: "a bare cluster", cause: "nsm-not-installed", step: "nsm", says: "crd is missing", fix: "examples/basic",
        change: |s| { undeployed(s); absent(s, &["crd", "nsmgr", "forwarder", "registry", "webhook", "webhook-configuration", "spire-agent", "spire-server"]); } },
    Broken { what: "no resource definitions", cause: "nsm-not-installed", step: "nsm", says: "crd is missing", fix: "kubectl apply -k",
        change: |s| absent(s, &["crd"]) },
    Broken { what: "SPIRE's agent is not ready", cause: "spire-not-ready", step: "nsm", says: "error getting x509 source", fix: "kubectl -n spire rollout restart daemonset/spire-agent",
        change: |s| { unready(s, "spire-agent"); log(s, "nsmgr-8w5kq", "nsmgr", "error getting x509 source: retrieving svid"); } },
    Broken { what: "SPIRE's agent is missing", cause: "spire-not-ready", step: "nsm", says: "spire-agent is missing", fix: "examples/spire/single_cluster",
        change: |s| absent(s, &["spire-agent"]) },
    Broken { what: "the manager is not ready", cause: "manager-not-ready", step: "nsm", says: "nsm.io.sock: connect: connection refused", fix: "kubectl -n nsm-system rollout restart daemonset/nsmgr",
        change: |s| { unready(s, "nsmgr"); failing(s, "failed to dial unix:///var/lib/networkservicemesh/nsm.io.sock: connect: connection refused"); } },
    Broken { what: "the webhook does not run and a pod is refused", cause: "webhook-down", step: "nsm", says: "connect: connection refused", fix: "rollout restart deployment/admission-webhook-k8s",
        change: |s| { endpoint_removed(s); unready(s, "webhook"); event(s, "ReplicaSet", "nse-kernel-7d8b9c5f6", "FailedCreate", REFUSED); } },
    Broken { what: "the webhook seems ready and does not answer", cause: "webhook-down", step: "pods", says: "failed calling webhook", fix: "rollout restart deployment/admission-webhook-k8s",
        change: |s| { endpoint_removed(s); event(s, "ReplicaSet", "nse-kernel-7d8b9c5f6", "FailedCreate", REFUSED); } },
    Broken { what: "the webhook's certificate is not trusted", cause: "webhook-untrusted", step: "pods", says: "certificate signed by unknown authority", fix: "rollout restart deployment/admission-webhook-k8s",
        change: |s| { endpoint_removed(s); event(s, "ReplicaSet", "nse-kernel-7d8b9c5f6", "FailedCreate", "failed calling webhook \"admission-webhook-svc.networkservicemesh.io\": failed to call webhook: Post \"https://a/mutate?timeout=10s\": tls: x509: certificate signed by unknown authority"); } },
    Broken { what: "a forwarder is not ready", cause: "forwarder-not-ready", step: "nsm", says: "DaemonSet nsm-system/forwarder-ovs: 0 of 1 ready", fix: "rollout restart daemonset/forwarder-ovs",
        change: |s| unready(s, "forwarder") },
    Broken { what: "the webhook's configuration is missing", cause: "webhook-configuration-missing", step: "nsm", says: "no MutatingWebhookConfiguration", fix: "rollout restart deployment/admission-webhook-k8s",
        change: |s| { absent(s, &["webhook-configuration"]); uninjected(s); } },
    Broken { what: "SPIRE does not know the endpoint", cause: "svid-missing", step: "pods", says: "no identity issued (3 times, Nov 23 12:01:00 to Nov 23 12:01:02)", fix: "kubectl get clusterspiffeid",
        change: |s| { stuck(s, ENDPOINT, "CrashLoopBackOff", "back-off 40s", 4); log(s, ENDPOINT, "nse", "error getting x509 source: rpc error: code = PermissionDenied desc = no identity issued"); } },
    Broken { what: "nothing is deployed", cause: "not-deployed", step: "pods", says: "no pod of Deployment ns-kernel2kernel/nse-kernel, Pod ns-kernel2kernel/alpine", fix: "nsmctl deploy",
        change: undeployed },
    Broken { what: "a quota refuses the endpoint", cause: "pod-refused", step: "pods", says: "exceeded quota", fix: "kubectl -n ns-kernel2kernel describe deployment/nse-kernel",
        change: |s| { endpoint_removed(s); event(s, "ReplicaSet", "nse-kernel-7d8b9c5f6", "FailedCreate", "pods \"nse-kernel-x\" is forbidden: exceeded quota: small"); } },
    Broken { what: "the endpoint is not there to run beside", cause: "unschedulable-affinity", step: "pods", says: "didn't match pod affinity rules", fix: "nsmctl deploy   # Deployment ns-kernel2kernel/nse-kernel must run first",
        change: |s| { pending(s, UNAFFINE); remove_pod(&mut s.observation, ENDPOINT); } },
    Broken { what: "no node has the labels", cause: "unschedulable", step: "pods", says: "didn't match Pod's node affinity/selector", fix: "kubectl get nodes --show-labels",
        change: |s| pending(s, "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.") },
    Broken { what: "no node has the memory", cause: "unschedulable", step: "pods", says: "Insufficient memory", fix: "kubectl describe nodes",
        change: |s| pending(s, "0/2 nodes are available: 2 Insufficient memory.") },
    Broken { what: "the endpoint's image cannot be pulled", cause: "image-pull", step: "pods", says: "manifest unknown", fix: "ghcr.io/networkservicemesh/ci/nse:a00fa0f",
        change: |s| { stuck(s, ENDPOINT, "ImagePullBackOff", "Back-off pulling image: manifest unknown", 0); silent_client(s); } },
    Broken { what: "the endpoint runs out of memory", cause: "out-of-memory", step: "pods", says: "OOMKilled", fix: "kubectl -n ns-kernel2kernel set resources deployment/nse-kernel -c nse --limits=memory=256Mi",
        change: |s| stuck(s, ENDPOINT, "CrashLoopBackOff", "back-off 40s restarting failed container; last: OOMKilled", 5) },
    Broken { what: "the endpoint crashes", cause: "crash-loop", step: "pods", says: "NSM_CIDR_PREFIX: invalid CIDR address", fix: "kubectl -n ns-kernel2kernel logs nse-kernel-7d8b9c5f6-x2k4p -c nse --previous",
        change: |s| { stuck(s, ENDPOINT, "CrashLoopBackOff", "back-off 40s", 4); log(s, ENDPOINT, "nse", "NSM_CIDR_PREFIX: invalid CIDR address"); } },
    Broken { what: "the endpoint's socket cannot be mounted", cause: "container-not-started", step: "pods", says: "/run/spire/sockets is not a directory", fix: "kubectl -n ns-kernel2kernel describe pod nse-kernel-7d8b9c5f6-x2k4p",
        change: |s| { stuck(s, ENDPOINT, "ContainerCreating", "", 0); event(s, "Pod", ENDPOINT, "FailedMount", "hostPath type check failed: /run/spire/sockets is not a directory"); } },
    Broken { what: "the endpoint's pod is gone and the interface stays", cause: "endpoint-gone", step: "pods", says: "4 packets transmitted, 0 packets received", fix: "nsmctl deploy   # brings deployment/nse-kernel back",
        change: endpoint_removed },
    Broken { what: "the client is gone", cause: "workload-missing", step: "pods", says: "0 of 1 pods", fix: "nsmctl deploy",
        change: |s| remove_pod(&mut s.observation, CLIENT) },
    Broken { what: "the client is older than its annotation", cause: "not-injected", step: "injection", says: "its containers are alpine", fix: "kubectl -n ns-kernel2kernel delete pod alpine && nsmctl deploy",
        change: |s| { uninjected(s); pod_mut(&mut s.observation, CLIENT).annotation = None; } },
    Broken { what: "a blank behind a comma", cause: "annotation-malformed", step: "request", says: "error processing rootConf from env", fix: "kubectl -n ns-kernel2kernel delete pod alpine",
        change: |s| { failing(s, "error processing rootConf from env"); pod_mut(&mut s.observation, CLIENT).annotation = Some("kernel://a/nsm-1, kernel://b/nsm-2".into()); } },
    Broken { what: "a blank behind a comma, and the init container gives up", cause: "annotation-malformed", step: "pods", says: "error processing rootConf from env", fix: "kubectl -n ns-kernel2kernel delete pod alpine",
        change: |s| { failing(s, "error processing rootConf from env"); let init = &mut pod_mut(&mut s.observation, CLIENT).init_containers[0]; (init.running, init.restarts, init.reason) = (false, 4, Some("CrashLoopBackOff".into())); } },
    Broken { what: "the client asks for an unknown service", cause: "service-unknown", step: "request", says: "did you mean kernel2kernel?", fix: "kubectl get netsvc -A",
        change: |s| { failing(s, "network service kernel2kernl is not found"); pod_mut(&mut s.observation, CLIENT).annotation = Some("kernel://kernel2kernl/nsm-9".into()); } },
    Broken { what: "the client asks for another interface", cause: "annotation-differs", step: "request", says: "kernel://kernel2kernel/nsm-9", fix: "kubectl -n ns-kernel2kernel delete pod alpine",
        change: |s| { waiting(s); pod_mut(&mut s.observation, CLIENT).annotation = Some("kernel://kernel2kernel/nsm-9".into()); } },
    Broken { what: "a definition is not established", cause: "component-not-ready", step: "nsm", says: "0 of 1 ready", fix: "kubectl apply -k",
        change: |s| unready(s, "crd") },
    Broken { what: "the registry is not ready", cause: "registry-not-ready", step: "nsm", says: "registry-k8s: 0 of 1 ready", fix: "rollout restart deployment/registry-k8s",
        change: |s| unready(s, "registry") },
    Broken { what: "the node of the client has no forwarder", cause: "forwarder-not-ready", step: "nsm", says: "no ready pod on node worker", fix: "kubectl -n nsm-system get daemonset/forwarder-ovs -o yaml",
        change: |s| { s.system.pods.as_mut().unwrap().retain(|pod| !pod.id.name.starts_with("forwarder")); silent(s); } },
    Broken { what: "the kubelet of the client's node is gone", cause: "node-not-ready", step: "nsm", says: "does not say that it is ready", fix: "kubectl describe node worker",
        change: |s| { s.system.nodes.as_mut().unwrap()[0].ready = false; silent(s); } },
    Broken { what: "the forwarder is killed for its memory", cause: "component-out-of-memory", step: "nsm", says: "OOMKilled", fix: "kubectl -n nsm-system set resources daemonset/forwarder-ovs",
        change: |s| { unready(s, "forwarder"); silent(s); let pod = s.system.pods.as_mut().unwrap().iter_mut().find(|pod| pod.id.name.starts_with("forwarder")).unwrap();
            pod.ready = false; (pod.containers[0].ready, pod.containers[0].reason) = (false, Some("OOMKilled".into())); } },
    Broken { what: "the webhook is gone and its configuration stays", cause: "webhook-orphaned", step: "nsm", says: "the webhook's Deployment is not", fix: "kubectl delete mutatingwebhookconfiguration nsm-mutating-webhook",
        change: |s| { absent(s, &["webhook"]); endpoint_removed(s); event(s, "ReplicaSet", "nse-kernel-7d8b9c5f6", "FailedCreate", REFUSED); } },
    Broken { what: "the webhook's configuration has no authority", cause: "webhook-untrusted", step: "nsm", says: "no caBundle", fix: "rollout restart deployment/admission-webhook-k8s",
        change: |s| s.system.webhook.as_mut().unwrap().as_mut().unwrap().has_authority = false },
    Broken { what: "the endpoint's template lacks the label", cause: "spiffe-label-missing", step: "identity", says: "is without spiffe.io/spiffe-id=true", fix: "kubectl -n ns-kernel2kernel patch deployment/nse-kernel",
        change: |s| { unknown(s, ENDPOINT); failing(s, "network service endpoint candidates not found"); s.observation.inventory.endpoints = Ok(Vec::new()); } },
    Broken { what: "no rule selects the endpoint", cause: "spiffe-id-missing", step: "identity", says: "not by nsm-workloads", fix: "kubectl get clusterspiffeid",
        change: |s| { unknown(s, ENDPOINT); pod_mut(&mut s.observation, ENDPOINT).labels.insert("spiffe.io/spiffe-id".into(), "true".into()); s.observation.inventory.endpoints = Ok(Vec::new()); waiting(s); } },
    Broken { what: "two annotations", cause: "annotation-twice", step: "pods", says: "several places", fix: "annotate deployment/nse-kernel networkservicemesh.io-",
        change: |s| { endpoint_removed(s); event(s, "ReplicaSet", "nse-kernel-7d8b9c5f6", "FailedCreate", "admission webhook denied the request: Annotations can't be provided in several places"); } },
    Broken { what: "the endpoint is scaled to 0", cause: "endpoint-scaled-down", step: "pods", says: "is scaled to 0 replicas", fix: "kubectl -n ns-kernel2kernel scale deployment/nse-kernel --replicas=1",
        change: |s| { endpoint_removed(s); deployed_mut(s).replicas = Some(0); } },
    Broken { what: "the endpoint runs with another service", cause: "endpoint-offers-another", step: "request", says: "runs with NSM_SERVICE_NAMES=other", fix: "set env deployment/nse-kernel NSM_SERVICE_NAMES=kernel2kernel",
        change: |s| { silent(s); s.observation.inventory.endpoints = Ok(Vec::new()); deployed_mut(s).endpoint.as_mut().unwrap().services = vec!["other".into()]; } },
    Broken { what: "the registry may not write", cause: "registry-refused", step: "request", says: "failed to create a nse", fix: "deployment/registry-k8s",
        change: |s| failing(s, "failed to create a nse: forbidden") },
    Broken { what: "an identity ran out", cause: "svid-rotating", step: "request", says: "certificate has expired", fix: "daemonset/spire-agent",
        change: |s| failing(s, "x509: certificate has expired or is not yet valid") },
    Broken { what: "a program is missing in the forwarder", cause: "forwarder-program-missing", step: "request", says: "exec: no command", fix: "another image",
        change: |s| failing(s, "exec: no command") },
    Broken { what: "VPP has not the tunnel's address", cause: "tunnel-address-wrong", step: "request", says: "tunnelIP", fix: "NSM_TUNNEL_IP-",
        change: |s| failing(s, "unable to find interface in vpp with tunnelIP 10.0.0.9") },
    Broken { what: "the link's name is taken", cause: "link-not-made", step: "request", says: "failed to find link", fix: "15 characters",
        change: |s| failing(s, "failed to find link c-1234567890") },
    Broken { what: "the namespace's file never came", cause: "descriptor-lost", step: "request", says: "nil file", fix: "on the node worker",
        change: |s| failing(s, "nil file for inode://4/4026532837") },
    Broken { what: "the forwarder was replaced", cause: "forwarder-replaced", step: "request", says: "is not available", fix: "rollout status",
        change: |s| failing(s, "forwarder forwarder-ovs-old is not available") },
    Broken { what: "the next hop does not take a connection", cause: "dial-timeout", step: "request", says: "context deadline exceeded", fix: "NSM_DIAL_TIMEOUT",
        change: |s| failing(s, "failed to dial tcp://10.0.0.1:5001: context deadline exceeded") },
    Broken { what: "an attempt takes too long", cause: "request-timeout", step: "request", says: "DeadlineExceeded", fix: "NSM_REQUEST_TIMEOUT",
        change: |s| failing(s, "code = DeadlineExceeded") },
    Broken { what: "cmd-nsc may not ping", cause: "ping-not-permitted", step: "ping", says: "permission denied", fix: "ping_group_range",
        change: |s| { silent(s); log(s, CLIENT, "cmd-nsc", "Ping failed: socket: permission denied"); } },
    Broken { what: "cmd-nsc has lost its manager", cause: "control-plane-down", step: "ping", says: "Control plane is down", fix: "kubectl -n nsm-system get pods",
        change: |s| { silent(s); log(s, CLIENT, "cmd-nsc", "Control plane is down"); } },
    Broken { what: "the client's address was deleted", cause: "address-missing", step: "interface", says: "is UP and has no address", fix: "delete pod alpine",
        change: |s| { silent(s); client_links(s, &link("nsm-1", &["fe80::1/64"])); } },
    Broken { what: "long packets are lost", cause: "mtu-overstated", step: "ping", says: "they are lost; 1500 bytes pass", fix: "ip link set nsm-1 mtu 1500",
        change: |s| { let pings = &mut probes_mut(&mut s.observation, CLIENT).pings; pings.retain(|ping| ping.packet_bytes.is_none());
            pings.extend([packet("172.16.1.100", 16000, false), packet("172.16.1.100", 1500, true)]); } },
    Broken { what: "NSM's resolver does not answer", cause: "dns-broken", step: "dns", says: "SERVFAIL", fix: "NSM_LOCAL_DNS_SERVER_ENABLED=false",
        change: |s| probes_mut(&mut s.observation, CLIENT).resolver = Some(resolver(false, true)) },
    Broken { what: "no NetworkService", cause: "network-service-missing", step: "request", says: "network service kernel2kernel is not found", fix: "nsmctl deploy   # creates NetworkService kernel2kernel",
        change: |s| { failing(s, "network service kernel2kernel is not found"); s.observation.inventory.services = Ok(Vec::new()); } },
    Broken { what: "payload MPLS", cause: "payload-unknown", step: "request", says: "cannot support any of the requested mechanism", fix: "to ETHERNET",
        change: |s| { failing(s, "no match"); s.observation.inventory.services.as_mut().unwrap()[0].payload = None; } },
    Broken { what: "payload IP", cause: "payload-differs", step: "request", says: "network service kernel2kernel is not found", fix: "nsmctl deploy",
        change: |s| { failing(s, "network service kernel2kernel is not found"); s.observation.inventory.services.as_mut().unwrap()[0].payload = Some(Payload::Ip); } },
    Broken { what: "the registration ran out", cause: "endpoint-expired", step: "request", says: "the registration of nse-kernel-7d8b9c5f6-x2k4p ran out 90 s ago", fix: "kubectl -n ns-kernel2kernel rollout restart deployment/nse-kernel",
        change: |s| { silent(s); s.observation.inventory.endpoints.as_mut().unwrap()[0].expires_at = Some(NOW - 90); } },
    Broken { what: "nobody is registered", cause: "endpoint-not-registered", step: "request", says: "endpoint candidates not found", fix: "kubectl -n ns-kernel2kernel rollout restart deployment/nse-kernel",
        change: |s| { failing(s, "network service endpoint candidates not found"); s.observation.inventory.endpoints = Ok(Vec::new()); } },
    Broken { what: "registered for another service", cause: "endpoint-offers-another", step: "request", says: "is registered for other and not for kernel2kernel", fix: "set env deployment/nse-kernel NSM_SERVICE_NAMES=kernel2kernel",
        change: |s| { waiting(s); s.observation.inventory.endpoints.as_mut().unwrap()[0].services = vec!["other".into()]; } },
    Broken { what: "the endpoint runs without a prefix, and makes a link without addresses", cause: "endpoint-without-prefix", step: "interface", says: "NSM_CIDR_PREFIX of Deployment", fix: "set env deployment/nse-kernel NSM_CIDR_PREFIX=",
        change: |s| { silent(s); client_links(s, &link("nsm-1", &[])); far_links(s, &link("kernel2ker-CKBv", &[])); deployed_mut(s).endpoint.as_mut().unwrap().prefixes = PrefixGroups::default(); } },
    Broken { what: "a second client of a /31", cause: "address-pool-empty", step: "request", says: "IPPool is empty", fix: "kubectl -n ns-kernel2kernel set env deployment/nse-kernel NSM_CIDR_PREFIX=172.16.1.0/24",
        change: |s| failing(s, "IPPool is empty") },
    Broken { what: "only the endpoint knows that its pool is empty", cause: "address-pool-empty", step: "request", says: "nse: IPPool is empty", fix: "set env deployment/nse-kernel",
        change: |s| { failing(s, "context deadline exceeded"); log(s, ENDPOINT, "nse", "IPPool is empty"); } },
    Broken { what: "addresses overlap", cause: "address-excluded", step: "request", says: "is excluded", fix: "kubectl -n ns-kernel2kernel set env deployment/nse-kernel",
        change: |s| failing(s, "IP 172.16.1.100 is excluded, but it was found in response IPs") },
    Broken { what: "a token is refused", cause: "not-authorized", step: "request", says: "no sufficient privileges", fix: "clocks",
        change: |s| failing(s, "no sufficient privileges") },
    Broken { what: "no forwarder on the node", cause: "no-forwarder", step: "request", says: "no candidates found", fix: "on node worker",
        change: |s| failing(s, "no candidates found") },
    Broken { what: "an endpoint of before", cause: "endpoint-stale", step: "request", says: "network service endpoint nse-old is not found", fix: "delete pod alpine",
        change: |s| failing(s, "network service endpoint nse-old is not found") },
    Broken { what: "selectors pass the endpoint over", cause: "no-matching-endpoint", step: "request", says: "endpoint candidates not found", fix: "kubectl get netsvc kernel2kernel",
        change: |s| failing(s, "network service endpoint candidates not found") },
    Broken { what: "a socket with nobody behind it", cause: "connection-refused", step: "request", says: "nsm.io.sock: connect: connection refused", fix: "kubectl -n nsm-system rollout restart daemonset",
        change: |s| failing(s, "dial unix /var/lib/networkservicemesh/nsm.io.sock: connect: connection refused") },
    Broken { what: "an error of its own", cause: "request-failed", step: "request", says: "a new one; cannot support any of the requested mechanism (3 times, Nov 23 12:01:00 to Nov 23 12:01:02)", fix: "kubectl -n ns-kernel2kernel logs alpine -c cmd-nsc-init",
        change: |s| failing(s, "a new one") },
    Broken { what: "the interface is switched off", cause: "interface-down", step: "interface", says: "nsm-1@if9: <BROADCAST,MULTICAST,M-DOWN>", fix: "delete pod alpine",
        change: |s| { silent(s); client_links(s, &link("nsm-1", &["172.16.1.101/32"]).replace("UP,LOWER_UP,", "")); } },
    Broken { what: "nobody at the other end", cause: "peer-end-missing", step: "interface", says: "NO-CARRIER", fix: "delete pod alpine",
        change: |s| { silent(s); client_links(s, &link("nsm-1", &["172.16.1.101/32"]).replace("UP,LOWER_UP", "NO-CARRIER,UP")); } },
    Broken { what: "the endpoint has lost its end", cause: "peer-end-missing", step: "interface", says: "$ ip addr", fix: "delete pod alpine",
        change: |s| { silent(s); probes_mut(&mut s.observation, ENDPOINT).links = printed("ip addr", &links("")); } },
    Broken { what: "the endpoint's end is switched off", cause: "peer-end-down", step: "interface", says: "kernel2ker-CKBv of nse-kernel-7d8b9c5f6-x2k4p is there without UP", fix: "delete pod alpine",
        change: |s| { silent(s); client_links(s, &link("nsm-1", &["172.16.1.101/32"]).replace("UP,LOWER_UP", "NO-CARRIER,UP")); far_links(s, &link("kernel2ker-CKBv", &["172.16.1.100/32"]).replace("UP,LOWER_UP,", "")); } },
    Broken { what: "the endpoint's end is switched off and has lost its address by that", cause: "peer-end-down", step: "interface", says: "without UP", fix: "delete pod alpine",
        change: |s| { silent(s); client_links(s, &link("nsm-1", &["172.16.1.101/32"]).replace("UP,LOWER_UP", "NO-CARRIER,UP")); far_links(s, &link("kernel2ker-CKBv", &[]).replace("UP,LOWER_UP,", "")); } },
    Broken { what: "the endpoint's address was deleted", cause: "peer-address-missing", step: "interface", says: "kernel2ker-CKBv of nse-kernel-7d8b9c5f6-x2k4p has not 172.16.1.100", fix: "delete pod alpine",
        change: |s| { silent(s); far_links(s, &link("kernel2ker-CKBv", &["fe80::1/64"])); } },
    Broken { what: "the interface was deleted", cause: "interface-missing", step: "interface", says: "Data plane is down", fix: "delete pod alpine",
        change: |s| { silent(s); client_links(s, ""); log(s, CLIENT, "cmd-nsc", "Data plane is down"); } },
    Broken { what: "another address", cause: "address-wrong", step: "interface", says: "172.16.1.103/32", fix: "delete pod alpine",
        change: |s| { silent(s); client_links(s, &link("nsm-1", &["172.16.1.103/32"])); } },
    Broken { what: "no route to the peer", cause: "route-missing", step: "interface", says: "default via 10.244.1.1 dev eth0", fix: "delete pod alpine",
        change: |s| { silent(s); probes_mut(&mut s.observation, CLIENT).routes = printed("ip route", "default via 10.244.1.1 dev eth0 \n"); } },
    Broken { what: "a blackhole in the way", cause: "route-refusing", step: "interface", says: "a blackhole route to 172.16.1.100/32 takes what is for 172.16.1.100", fix: "delete pod alpine",
        change: |s| { silent(s); probes_mut(&mut s.observation, CLIENT).routes = printed("ip route", "default via 10.244.1.1 dev eth0 \nblackhole 172.16.1.100 \n"); } },
    Broken { what: "a blackhole on the way back", cause: "route-refusing", step: "ping", says: "in nse-kernel-7d8b9c5f6-x2k4p, a blackhole route to 172.16.1.101/32 takes what is for 172.16.1.101", fix: "rollout restart deployment/nse-kernel",
        change: |s| { silent(s); probes_mut(&mut s.observation, ENDPOINT).routes = printed("ip route", "default via 10.244.1.1 dev eth0 \nblackhole 172.16.1.101 \n"); } },
    Broken { what: "an end that asks for no link-layer address", cause: "data-path", step: "ping", says: "nsm-1 of alpine has NOARP", fix: "delete pod alpine",
        change: |s| { silent(s); client_links(s, &link("nsm-1", &["172.16.1.101/32"]).replace("MULTICAST,", "MULTICAST,NOARP,")); } },
    Broken { what: "a small MTU", cause: "data-path", step: "ping", says: "kernel2ker-CKBv of nse-kernel-7d8b9c5f6-x2k4p has an MTU of 68, and IPv4 needs 576", fix: "delete pod alpine",
        change: |s| { silent(s); far_links(s, &link("kernel2ker-CKBv", &["172.16.1.100/32"]).replace("mtu 16000", "mtu 68")); } },
    Broken { what: "NSM's client has seen that packets are lost", cause: "data-path", step: "ping", says: "No packets received", fix: "delete pod alpine",
        change: |s| { silent(s); log(s, CLIENT, "cmd-nsc", "No packets received from 172.16.1.100"); } },
    Broken { what: "the webhook cannot read the annotation", cause: "annotation-malformed", step: "pods", says: "Malformed NS annotation", fix: "is corrected",
        change: |s| { remove_pod(&mut s.observation, CLIENT); event(s, "Pod", CLIENT, "FailedCreate", "admission webhook denied the request: Malformed NS annotation: ://"); } },
    Broken { what: "packets are lost", cause: "data-path", step: "ping", says: "4 packets transmitted, 0 packets received", fix: "delete pod alpine",
        change: silent },
    Broken { what: "a pod is not ready and nobody says why", cause: "unexplained", step: "pods", says: "Readiness probe failed", fix: "kubectl get events",
        change: |s| { let pod = pod_mut(&mut s.observation, CLIENT); pod.ready = false; pod.containers[0].ready = false; event(s, "Pod", CLIENT, "Unhealthy", "Readiness probe failed"); } },
];

/// What is broken by what was promised: other manifests than the example's.
pub(super) struct Promised {
    pub(super) change: fn(&mut Expectations),
    pub(super) broken: Broken,
}

#[rustfmt::skip]
pub(super) const PROMISED: &[Promised] = &[
    Promised { change: |e| { e.services.clear(); e.connections[0].payload = None; }, broken: Broken {
        what: "no document makes the NetworkService", cause: "network-service-missing", step: "request", says: "and the manifests have none of that name", fix: "nsmctl deploy   # after a NetworkService kernel2kernel is added to the manifests",
        change: |s| { failing(s, "network service kernel2kernel is not found"); s.observation.inventory.services = Ok(Vec::new()); } } },
    Promised { change: |e| { e.workloads.remove(0); unpromise(e); e.connections[0].endpoint = None; }, broken: Broken {
        what: "no workload offers the service", cause: "endpoint-missing", step: "request", says: "no workload of the manifests offers it", fix: "nsmctl deploy   # after a workload with kernel2kernel in its NSM_SERVICE_NAMES is added",
        change: |s| { failing(s, "network service endpoint candidates not found"); remove_pod(&mut s.observation, ENDPOINT); s.observation.inventory.endpoints = Ok(Vec::new()); } } },
    Promised { change: |e| { e.workloads[0].replicas = Some(0); e.connections[0].addresses = None; }, broken: Broken {
        what: "an endpoint with replicas 0", cause: "endpoint-scaled-down", step: "request", says: "its manifest says replicas: 0", fix: "kubectl -n ns-kernel2kernel scale deployment/nse-kernel --replicas=1",
        change: |s| { failing(s, "network service endpoint candidates not found"); remove_pod(&mut s.observation, ENDPOINT); s.observation.inventory.endpoints = Ok(Vec::new()); } } },
    Promised { change: |e| e.connections[0].url = "memif://kernel2kernel/nsm-1".parse().unwrap(), broken: Broken {
        what: "a mechanism that the injected client does not make", cause: "mechanism-unsupported", step: "request", says: "it asks for memif", fix: "one of kernel and vfio",
        change: |s| { failing(s, "no match"); pod_mut(&mut s.observation, CLIENT).annotation = None; } } },
    Promised { change: |e| { another_service(e); e.connections[1].prefixes = "10.0.0.0/31".parse().unwrap(); e.connections[1].addresses = Some(vec![AddressPair { client: [10, 0, 0, 1].into(), endpoint: [10, 0, 0, 0].into() }]); }, broken: Broken {
        what: "two interfaces with each other's addresses", cause: "interface-names-swapped", step: "interface", says: "nsm-1 has what nsm-2 should have", fix: "is given an interface",
        change: |s| { twice(s); silent(s); client_links(s, &(link("nsm-1", &["10.0.0.1/32"]) + &link("nsm-2", &["172.16.1.101/32"]))); } } },
    Promised { change: unpromise, broken: Broken {
        what: "an endpoint without a prefix", cause: "endpoint-without-prefix", step: "request", says: "NSM_CIDR_PREFIX of Deployment ns-kernel2kernel/nse-kernel is empty or not there", fix: "set env deployment/nse-kernel NSM_CIDR_PREFIX=172.16.1.100/31",
        change: |s| failing(s, "IPPool is empty") } },
    Promised { change: another_service, broken: Broken {
        what: "two services with one prefix, and the second has none left", cause: "prefixes-overlap", step: "request", says: "alpine asks for kernel2kernel, which has 172.16.1.100/31, and for other, which has 172.16.1.0/24", fix: "set env deployment/nse-other NSM_CIDR_PREFIX=10.200.0.0/24   # any that Deployment ns-kernel2kernel/nse-kernel does not have",
        change: |s| { twice(s); failing(s, "IPPool is empty"); } } },
    Promised { change: another_service, broken: Broken {
        what: "two services with one prefix, and the second gives other addresses", cause: "prefixes-overlap", step: "interface", says: "172.16.1.103/32 instead of 172.16.1.101", fix: "set env deployment/nse-other NSM_CIDR_PREFIX=10.200.0.0/24",
        change: |s| { twice(s); silent(s); client_links(s, &(link("nsm-2", &["172.16.1.1/32"]) + &link("nsm-1", &["172.16.1.103/32"]))); far_links(s, &link("kernel2ker-CKBv", &["172.16.1.102/32"])); } } },
];

/// The endpoint gives addresses out of nothing.
fn unpromise(expectations: &mut Expectations) {
    for endpoint in expectations.workloads.iter_mut().filter_map(|workload| workload.endpoint.as_mut()) {
        endpoint.prefixes = PrefixGroups::default();
    }
    (expectations.connections[0].prefixes, expectations.connections[0].addresses) = (PrefixGroups::default(), None);
}

/// The client asks for a second service, whose prefix holds that of the first.
fn another_service(expectations: &mut Expectations) {
    let mut endpoint = expectations.workloads[0].clone();
    endpoint.id.name = "nse-other".into();
    endpoint.selector = [("app".to_owned(), "nse-other".to_owned())].into();
    endpoint.endpoint = Some(EndpointSpec { services: vec!["other".into()], labels: None, prefixes: "172.16.1.0/24".parse().unwrap() });
    let mut service = expectations.services[0].clone();
    service.id.name = "other".into();
    let mut connection = expectations.connections[0].clone();
    (connection.url, connection.endpoint) = ("kernel://other/nsm-2".parse().unwrap(), Some(endpoint.id.clone()));
    (connection.prefixes, connection.addresses) = ("172.16.1.0/24".parse().unwrap(), None);
    expectations.workloads.iter_mut().filter(|workload| workload.is_client()).for_each(|client| client.requests.push(connection.url.clone()));
    expectations.workloads.push(endpoint);
    expectations.services.push(service);
    expectations.connections.push(connection);
}

/// The second service and its endpoint are there, and the client asks for both.
fn twice(snapshot: &mut Snapshot) {
    pod_mut(&mut snapshot.observation, CLIENT).annotation = Some("kernel://kernel2kernel/nsm-1,kernel://other/nsm-2".into());
    let inventory = &mut snapshot.observation.inventory;
    inventory.pods.as_mut().unwrap().push(pod("nse-other-1", "nse-other", &["nse"]));
    inventory.identities.as_mut().unwrap()[0].pods.insert(id("nse-other-1"));
    let mut service = inventory.services.as_ref().unwrap()[0].clone();
    service.id.name = "other".into();
    inventory.services.as_mut().unwrap().push(service);
    let mut registration = inventory.endpoints.as_ref().unwrap()[0].clone();
    (registration.id.name, registration.services) = ("nse-other-1".into(), vec!["other".into()]);
    inventory.endpoints.as_mut().unwrap().push(registration);
}

fn far_links(snapshot: &mut Snapshot, nsm: &str) {
    probes_mut(&mut snapshot.observation, ENDPOINT).links = printed("ip addr", &links(nsm));
}

/// No rule selects the pod any more.
pub(super) fn unknown(snapshot: &mut Snapshot, pod: &str) {
    snapshot.observation.inventory.identities.as_mut().unwrap()[0].pods.retain(|id| id.name != pod);
}

/// The endpoint's workload as it is deployed.
pub(super) fn deployed_mut(snapshot: &mut Snapshot) -> &mut Workload {
    snapshot.deployed.as_mut().unwrap().iter_mut().find(|workload| workload.endpoint.is_some()).unwrap()
}

/// The client's pings are lost; the endpoint was not asked.
pub(super) fn silent_client(snapshot: &mut Snapshot) {
    probes_mut(&mut snapshot.observation, CLIENT).pings = vec![ping("172.16.1.100", 0)];
}
