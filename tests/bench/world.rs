//! A cluster that could be there, of as many clients as one likes, and an API server of a few words that tells of it.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::{IpAddr, Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::Child,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};
use nsmctl::model::{ExecEnd, ExecOutput, Pinged, PodProbes, Probe, ProbeRequest, Unavailable, UnavailableKind};
use serde_json::{Value, json};

/// How much a page holds.
const PAGE: usize = 500;
/// How long every log is, whatever is asked for, in bytes.
pub(crate) const LOG: usize = 8 * 1024 * 1024;

/// How clients and endpoints belong together.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// How many clients an endpoint has.
    pub(crate) share: fn(usize) -> usize,
    /// Whether all ask for the same service.
    pub(crate) is_one_service: bool,
}

/// The one that the goal is for, first.
pub(crate) const SHAPES: [Shape; 3] = [
    Shape { name: "a service for every ten clients", share: |_| 10, is_one_service: false },
    Shape { name: "an endpoint for every client", share: |_| 1, is_one_service: false },
    Shape { name: "one service of ten endpoints for all", share: |clients| clients.div_ceil(10), is_one_service: true },
];

/// A cluster that could be there.
pub(crate) struct World {
    pub(crate) clients: usize,
    pub(crate) share: usize,
    pub(crate) is_one_service: bool,
}

/// Every other one is a Pod, every other one is made by a Deployment.
pub(crate) fn is_made(at: usize) -> bool {
    at % 2 == 1
}

impl World {
    pub(crate) fn new(shape: Shape, clients: usize) -> Self {
        Self { clients, share: (shape.share)(clients), is_one_service: shape.is_one_service }
    }

    pub(crate) fn endpoints(&self) -> usize {
        self.clients.div_ceil(self.share)
    }

    pub(crate) fn service(&self, endpoint: usize) -> String {
        if self.is_one_service { "service".to_owned() } else { format!("service-{endpoint}") }
    }

    /// How many addresses an endpoint gives out.
    pub(crate) fn span(&self) -> u32 {
        u32::try_from(self.share * 2).expect("a small number").next_power_of_two()
    }

    pub(crate) fn prefix(&self, endpoint: usize) -> String {
        format!("{}/{}", self.address(endpoint, 0), 32 - self.span().trailing_zeros())
    }

    pub(crate) fn address(&self, endpoint: usize, at: usize) -> IpAddr {
        let offset = u32::try_from(endpoint).expect("a small number") * self.span() + u32::try_from(at).expect("a small number");
        IpAddr::V4(Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 0).to_bits() + offset))
    }

    /// The addresses of a client and of its endpoint.
    pub(crate) fn pair(&self, client: usize) -> (IpAddr, IpAddr) {
        let (endpoint, at) = (client / self.share, client % self.share * 2);
        (self.address(endpoint, at + 1), self.address(endpoint, at))
    }

    pub(crate) fn client(&self, client: usize) -> Value {
        let annotations = json!({"networkservicemesh.io": format!("kernel://{}/nsm-1", self.service(client / self.share))});
        pod(&format!("team-{}", client % 50), &format!("client-{client}"), is_made(client), &annotations, &json!([]))
    }

    pub(crate) fn endpoint(&self, endpoint: usize) -> Value {
        pod("endpoints", &format!("nse-{endpoint}"), is_made(endpoint), &json!({}), &self.environment(endpoint))
    }

    pub(crate) fn environment(&self, endpoint: usize) -> Value {
        json!([{"name": "NSM_SERVICE_NAMES", "value": self.service(endpoint)}, {"name": "NSM_CIDR_PREFIX", "value": self.prefix(endpoint)}])
    }

    pub(crate) fn deployments(&self) -> Vec<Value> {
        let made = |count: usize| (0..count).filter(|at| is_made(*at));
        let clients = made(self.clients).map(|client| {
            let annotations = self.client(client)["metadata"]["annotations"].clone();
            deployment(&format!("team-{}", client % 50), &format!("client-{client}"), &annotations, &json!([]))
        });
        let endpoints = made(self.endpoints()).map(|at| deployment("endpoints", &format!("nse-{at}"), &json!({}), &self.environment(at)));
        clients.chain(endpoints).collect()
    }

    pub(crate) fn services(&self) -> Vec<Value> {
        let count = if self.is_one_service { 1 } else { self.endpoints() };
        let service = |at| json!({"metadata": {"name": self.service(at), "namespace": "endpoints"}, "spec": {"payload": "ETHERNET"}});
        (0..count).map(service).collect()
    }

    pub(crate) fn registrations(&self) -> Vec<Value> {
        let registration = |at| {
            let name = pod_name(&format!("nse-{at}"), is_made(at));
            let spec = json!({
                "name": name, "network_service_names": [self.service(at)], "url": format!("inode://4/{at}"),
                "path_ids": [format!("spiffe://k8s.nsm/ns/endpoints/pod/{name}"), "spiffe://k8s.nsm/ns/nsm-system/pod/nsmgr"],
                "expiration_time": {"seconds": 4_000_000_000_u64}
            });
            json!({"metadata": {"name": name, "namespace": "nsm-system"}, "spec": spec})
        };
        (0..self.endpoints()).map(registration).collect()
    }

    /// What a pod would say that is as it should be, in busybox's words.
    pub(crate) fn healthy(&self, request: &ProbeRequest) -> PodProbes {
        let number = |name: &str| name.split('-').nth(1).and_then(|number| number.parse().ok()).unwrap_or_default();
        let at: usize = number(&request.pod.name);
        let pairs: Vec<(IpAddr, IpAddr)> = if request.pod.name.starts_with("nse-") {
            let own = at * self.share..((at + 1) * self.share).min(self.clients);
            own.map(|client| self.pair(client)).map(|(client, endpoint)| (endpoint, client)).collect()
        } else {
            vec![self.pair(at)]
        };
        let mut links = "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue qlen 1000\n    inet 127.0.0.1/8 scope host lo\n".to_owned();
        let mut routes = "default via 10.244.1.1 dev eth0 \n10.244.1.0/24 dev eth0 scope link  src 10.244.1.3 \n".to_owned();
        for (index, (own, peer)) in pairs.iter().enumerate() {
            let name = format!("nsm-{}", index + 1);
            links += &format!("{}: {name}@if9: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc noqueue \n    inet {own}/32 scope global {name}\n", index + 2);
            routes += &format!("{peer} dev {name} \n");
        }
        let ping = |(_, peer): &(IpAddr, IpAddr)| {
            let usual = "4 packets transmitted, 4 packets received, 0% packet loss\nround-trip min/avg/max = 0.1/0.2/0.3 ms\n";
            let long = "1 packets transmitted, 1 packets received, 0% packet loss\n";
            [(None, usual), (Some(1500), long)].map(|(packet_bytes, words)| Pinged { destination: *peer, packet_bytes, result: said("ping", words) })
        };
        PodProbes {
            pod: request.pod.clone(),
            container: request.container.clone(),
            links: said("ip addr", &links),
            routes: said("ip route", &routes),
            routes_v6: said("ip -6 route", ""),
            pings: pairs.iter().flat_map(ping).collect(),
            resolver: None,
            traces: Some(Probe::Unavailable(Unavailable { kind: UnavailableKind::NotAsked, reason: "it was not asked".to_owned() })),
            counters: None,
        }
    }
}

pub(crate) fn said<T>(command: &str, words: &str) -> Probe<T> {
    let command = command.split(' ').map(str::to_owned).collect();
    Probe::Output(ExecOutput { command, end: ExecEnd::Exited(0), stdout: words.to_owned(), stderr: String::new() })
}

pub(crate) fn pod_name(name: &str, is_made: bool) -> String {
    if is_made { format!("{name}-5d8f-x2k4p") } else { name.to_owned() }
}

/// A pod as an API server has it: most of it is of no interest here, and has to be read all the same.
pub(crate) fn pod(namespace: &str, name: &str, is_made: bool, annotations: &Value, env: &Value) -> Value {
    let mut metadata = json!({
        "name": pod_name(name, is_made), "namespace": namespace, "uid": format!("00000000-{name}"), "resourceVersion": "12345",
        "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app": name, "spiffe.io/spiffe-id": "true", "pod-template-hash": "5d8f"},
        "annotations": annotations,
        "managedFields": [{"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields()}]
    });
    if is_made {
        let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{name}-5d8f"), "uid": "u", "controller": true});
        metadata["ownerReferences"] = json!([owner]);
    }
    let mounts = json!([{"name": "kube-api-access", "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]);
    let sockets =
        json!([{"name": "SPIFFE_ENDPOINT_SOCKET", "value": "unix:///run/spire/sockets/agent.sock"}, {"name": "NSM_LOG_LEVEL", "value": "TRACE"}]);
    let containers = json!([
        {"name": "own", "image": "alpine:3.15.0", "env": env, "volumeMounts": mounts, "terminationMessagePath": "/dev/termination-log"},
        {"name": "cmd-nsc", "image": "ghcr.io/networkservicemesh/ci/cmd-nsc:a00fa0f", "env": sockets, "volumeMounts": mounts}
    ]);
    let status = |name: &str| {
        json!({"name": name, "image": "i", "imageID": "sha256:0000", "containerID": "containerd://0000", "ready": true, "restartCount": 0,
               "started": true, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}})
    };
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
    let volumes =
        json!([{"name": "kube-api-access", "projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]}}]);
    json!({
        "metadata": metadata,
        "spec": {"nodeName": "node-1", "containers": containers, "volumes": volumes, "serviceAccountName": "default"},
        "status": {
            "phase": "Running", "conditions": conditions,
            "containerStatuses": [status("own"), status("cmd-nsc")]
        }
    })
}

/// Who has set which field: more than half of what a list of pods is.
pub(crate) fn fields() -> Value {
    let field = |at: usize| (format!("f:field-{at}"), json!({".": {}, "f:type": {}, "f:lastTransitionTime": {}}));
    (0..40).map(field).collect()
}

pub(crate) fn deployment(namespace: &str, name: &str, annotations: &Value, env: &Value) -> Value {
    let metadata = json!({"name": name, "namespace": namespace, "uid": format!("00000000-{name}"), "managedFields": [{"fieldsV1": fields()}]});
    let template = json!({"metadata": {"labels": {"app": name}, "annotations": annotations}, "spec": {"containers": [{"name": "own", "image": "alpine:3.15.0", "env": env}]}});
    let spec = json!({"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template});
    json!({"metadata": metadata, "spec": spec, "status": {"replicas": 1, "readyReplicas": 1}})
}

/// Prebuilt answers, by path and token.
pub(crate) type Pages = HashMap<(String, String), Vec<u8>>;

pub(crate) fn pages(world: &World) -> Pages {
    let mut pages = Pages::new();
    let mut list = |path: &str, items: Vec<Value>| {
        let count = items.chunks(PAGE).len();
        for (at, chunk) in items.chunks(PAGE).enumerate() {
            let next = if at + 1 < count { (at + 1).to_string() } else { String::new() };
            let token = if at == 0 { String::new() } else { at.to_string() };
            let body = json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1", "continue": next}, "items": chunk});
            pages.insert((path.to_owned(), token), body.to_string().into_bytes());
        }
    };
    let pods = (0..world.clients).map(|at| world.client(at)).chain((0..world.endpoints()).map(|at| world.endpoint(at)));
    list("/api/v1/pods", pods.collect());
    list("/apis/apps/v1/deployments", world.deployments());
    list("/apis/networkservicemesh.io/v1/networkservices", world.services());
    list("/apis/networkservicemesh.io/v1/networkserviceendpoints", world.registrations());
    list(
        "/apis/spire.spiffe.io/v1alpha1/clusterspiffeids",
        vec![json!({"metadata": {"name": "all"}, "spec": {"podSelector": {"matchLabels": {"spiffe.io/spiffe-id": "true"}}}})],
    );
    let version = json!({"major": "1", "minor": "34", "gitVersion": "v1.34.1", "gitCommit": "", "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "", "platform": ""});
    pages.insert(("/version".to_owned(), String::new()), version.to_string().into_bytes());
    pages
}

/// An API server of a few words.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) at_once: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn new(pages: Pages) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (pages, now, at_once) = (Arc::new(pages), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let most = at_once.clone();
        // It ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (pages, now, most) = (pages.clone(), now.clone(), most.clone());
                thread::spawn(move || answer_all(&stream, &pages, &now, &most));
            }
        });
        Self { url, at_once }
    }
}

pub(crate) fn answer_all(stream: &TcpStream, pages: &Pages, now: &AtomicUsize, most: &AtomicUsize) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|length| length > 0) {
        let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
        while line.trim_end() != "" {
            line.clear();
            if reader.read_line(&mut line).is_err() {
                return;
            }
        }
        line.clear();
        most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
        let written = answer(stream, pages, &target);
        now.fetch_sub(1, SeqCst);
        if written.is_err() {
            return;
        }
    }
}

pub(crate) fn answer(mut stream: &TcpStream, pages: &Pages, target: &str) -> std::io::Result<()> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let token = query.split('&').find_map(|pair| pair.strip_prefix("continue=")).unwrap_or_default();
    let refusal = json!({"kind": "Status", "status": "Failure", "code": 403, "message": "pods/exec is forbidden: User \"jane\" cannot create resource \"pods/exec\""});
    let empty = json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []});
    let (code, body) = match pages.get(&(path.to_owned(), token.to_owned())) {
        Some(page) => ("200 OK", page.clone()),
        None if path.ends_with("/log") => return log(stream),
        None if path.ends_with("/exec") => ("403 Forbidden", refusal.to_string().into_bytes()),
        None => ("200 OK", empty.to_string().into_bytes()),
    };
    let head = format!("HTTP/1.1 {code}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), &body].concat())
}

pub(crate) fn kubeconfig(home: &Path, server: &str) {
    let text = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "here", "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}], "users": [{"name": "u", "user": {"token": "t"}}]
    });
    fs::write(home.join("config"), text.to_string()).expect("a kubeconfig");
}

/// The peak of a program's memory in megabytes, as far as it has come.
pub(crate) fn peak(child: &Child) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let kilobytes: u32 = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()?;
    Some(f64::from(kilobytes) / 1024.0)
}

/// The processor's time of the programs that have ended.
pub(crate) fn used() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage");
    Duration::from_micros((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()).unsigned_abs())
}

/// A log as a client of NSM's writes it that is refused again and again.
fn log(mut stream: &TcpStream) -> std::io::Result<()> {
    let line = "Nov 23 12:00:00.123 [ERRO] [id:alpine-0] [type:networkService] try attempt has failed: Error returned from networkservice/networkServiceClient.Request: IPPool is empty: all candidates have failed\n";
    let chunk = line.repeat(64 * 1024 / line.len());
    let count = LOG.div_ceil(chunk.len());
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n", chunk.len() * count);
    stream.write_all(head.as_bytes())?;
    (0..count).try_for_each(|_| stream.write_all(chunk.as_bytes()))
}
