//! `verify -A` on a cluster of thousands of clients, and how its cost grows with their number.
//!
//! `cargo bench --bench scale` serves the lists of such a cluster from this process, page by page, and refuses every exec, so that
//! only discovery and judgement count: of the program the wall time and the peak of its memory; of the library the parts by
//! themselves, judged on what healthy pods would have said. `NSMCTL_BENCH_CLIENTS` is the largest number of clients, 5000 where
//! it is not set; it is halved three times. Twice as many may cost twice as much, and no more.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a benchmark prints, and one that cannot go on says so")]

use std::{
    collections::HashMap,
    env, fs,
    io::{BufRead, BufReader, Write},
    net::{IpAddr, Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};
use nsmctl::{
    cancel::Cancel,
    check::{Look, Thresholds, evaluate, follow_up_requests, probe_requests},
    manifest::deployed,
    model::{
        Discovery, ExecEnd, ExecOutput, Finding, Observation, Outcome, Pinged, PodProbes, Probe, ProbeRequest, Scope, Sink, Unavailable,
        UnavailableKind,
    },
    target::{
        Ctx,
        cluster::{Access, Cluster, Lookup, lookup},
    },
};
use serde_json::{Value, json};

/// What is to be reached with 5,000 clients.
const GOAL_CLIENTS: usize = 5000;
const GOAL_TIME: Duration = Duration::from_secs(5);
const GOAL_MEGABYTES: f64 = 150.0;
/// How much more of the processor's time twice as many may cost: twice, and what a busy machine adds.
const LINEAR: f64 = 2.5;
/// How many requests may be under way at once: one look at each of sixteen pods, and the lists.
const BOUND: usize = 32;
/// How much a page holds.
const PAGE: usize = 500;
/// How often the memory of the program is looked at. The kernel keeps the peak; only what is reached last may be missed.
const LOOK: Duration = Duration::from_millis(1);

/// How clients and endpoints belong together.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    /// How many clients an endpoint has.
    share: fn(usize) -> usize,
    /// Whether all ask for the same service.
    is_one_service: bool,
}

/// The one that the goal is for, first.
const SHAPES: [Shape; 3] = [
    Shape { name: "a service for every ten clients", share: |_| 10, is_one_service: false },
    Shape { name: "an endpoint for every client", share: |_| 1, is_one_service: false },
    Shape { name: "one service of ten endpoints for all", share: |clients| clients.div_ceil(10), is_one_service: true },
];

/// A cluster that could be there.
struct World {
    clients: usize,
    share: usize,
    is_one_service: bool,
}

/// Every other one is a Pod, every other one is made by a Deployment.
fn is_made(at: usize) -> bool {
    at % 2 == 1
}

impl World {
    fn new(shape: Shape, clients: usize) -> Self {
        Self { clients, share: (shape.share)(clients), is_one_service: shape.is_one_service }
    }

    fn endpoints(&self) -> usize {
        self.clients.div_ceil(self.share)
    }

    fn service(&self, endpoint: usize) -> String {
        if self.is_one_service { "service".to_owned() } else { format!("service-{endpoint}") }
    }

    /// How many addresses an endpoint gives out.
    fn span(&self) -> u32 {
        u32::try_from(self.share * 2).expect("a small number").next_power_of_two()
    }

    fn prefix(&self, endpoint: usize) -> String {
        format!("{}/{}", self.address(endpoint, 0), 32 - self.span().trailing_zeros())
    }

    fn address(&self, endpoint: usize, at: usize) -> IpAddr {
        let offset = u32::try_from(endpoint).expect("a small number") * self.span() + u32::try_from(at).expect("a small number");
        IpAddr::V4(Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 0).to_bits() + offset))
    }

    /// The addresses of a client and of its endpoint.
    fn pair(&self, client: usize) -> (IpAddr, IpAddr) {
        let (endpoint, at) = (client / self.share, client % self.share * 2);
        (self.address(endpoint, at + 1), self.address(endpoint, at))
    }

    fn client(&self, client: usize) -> Value {
        let annotations = json!({"networkservicemesh.io": format!("kernel://{}/nsm-1", self.service(client / self.share))});
        pod(&format!("team-{}", client % 50), &format!("client-{client}"), is_made(client), &annotations, &json!([]))
    }

    fn endpoint(&self, endpoint: usize) -> Value {
        pod("endpoints", &format!("nse-{endpoint}"), is_made(endpoint), &json!({}), &self.environment(endpoint))
    }

    fn environment(&self, endpoint: usize) -> Value {
        json!([{"name": "NSM_SERVICE_NAMES", "value": self.service(endpoint)}, {"name": "NSM_CIDR_PREFIX", "value": self.prefix(endpoint)}])
    }

    fn deployments(&self) -> Vec<Value> {
        let made = |count: usize| (0..count).filter(|at| is_made(*at));
        let clients = made(self.clients).map(|client| {
            let annotations = self.client(client)["metadata"]["annotations"].clone();
            deployment(&format!("team-{}", client % 50), &format!("client-{client}"), &annotations, &json!([]))
        });
        let endpoints = made(self.endpoints()).map(|at| deployment("endpoints", &format!("nse-{at}"), &json!({}), &self.environment(at)));
        clients.chain(endpoints).collect()
    }

    fn services(&self) -> Vec<Value> {
        let count = if self.is_one_service { 1 } else { self.endpoints() };
        let service = |at| json!({"metadata": {"name": self.service(at), "namespace": "endpoints"}, "spec": {"payload": "ETHERNET"}});
        (0..count).map(service).collect()
    }

    fn registrations(&self) -> Vec<Value> {
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
    fn healthy(&self, request: &ProbeRequest) -> PodProbes {
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
        }
    }
}

fn said<T>(command: &str, words: &str) -> Probe<T> {
    let command = command.split(' ').map(str::to_owned).collect();
    Probe::Output(ExecOutput { command, end: ExecEnd::Exited(0), stdout: words.to_owned(), stderr: String::new() })
}

fn pod_name(name: &str, is_made: bool) -> String {
    if is_made { format!("{name}-5d8f-x2k4p") } else { name.to_owned() }
}

/// A pod as an API server has it: most of it is of no interest here, and has to be read all the same.
fn pod(namespace: &str, name: &str, is_made: bool, annotations: &Value, env: &Value) -> Value {
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
fn fields() -> Value {
    let field = |at: usize| (format!("f:field-{at}"), json!({".": {}, "f:type": {}, "f:lastTransitionTime": {}}));
    (0..40).map(field).collect()
}

fn deployment(namespace: &str, name: &str, annotations: &Value, env: &Value) -> Value {
    let metadata = json!({"name": name, "namespace": namespace, "uid": format!("00000000-{name}"), "managedFields": [{"fieldsV1": fields()}]});
    let template = json!({"metadata": {"labels": {"app": name}, "annotations": annotations}, "spec": {"containers": [{"name": "own", "image": "alpine:3.15.0", "env": env}]}});
    let spec = json!({"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template});
    json!({"metadata": metadata, "spec": spec, "status": {"replicas": 1, "readyReplicas": 1}})
}

/// Prebuilt answers, by path and token.
type Pages = HashMap<(String, String), Vec<u8>>;

fn pages(world: &World) -> Pages {
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
struct Server {
    url: String,
    at_once: Arc<AtomicUsize>,
}

impl Server {
    fn new(pages: Pages) -> Self {
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

fn answer_all(stream: &TcpStream, pages: &Pages, now: &AtomicUsize, most: &AtomicUsize) {
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

fn answer(mut stream: &TcpStream, pages: &Pages, target: &str) -> std::io::Result<()> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let token = query.split('&').find_map(|pair| pair.strip_prefix("continue=")).unwrap_or_default();
    let refusal = json!({"kind": "Status", "status": "Failure", "code": 403, "message": "pods/exec is forbidden: User \"jane\" cannot create resource \"pods/exec\""});
    let empty = json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []});
    let (code, body) = match pages.get(&(path.to_owned(), token.to_owned())) {
        Some(page) => ("200 OK", page.clone()),
        None if path.ends_with("/exec") => ("403 Forbidden", refusal.to_string().into_bytes()),
        None => ("200 OK", empty.to_string().into_bytes()),
    };
    let head = format!("HTTP/1.1 {code}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), &body].concat())
}

fn kubeconfig(home: &Path, server: &str) {
    let text = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "here", "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}], "users": [{"name": "u", "user": {"token": "t"}}]
    });
    fs::write(home.join("config"), text.to_string()).expect("a kubeconfig");
}

/// The peak of a program's memory in megabytes, as far as it has come.
fn peak(child: &Child) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let kilobytes: u32 = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()?;
    Some(f64::from(kilobytes) / 1024.0)
}

/// What one run of the program cost.
#[derive(Debug, Clone, Copy)]
struct Run {
    wall: Duration,
    cpu: Duration,
    /// The peak of its memory.
    megabytes: f64,
    /// How many connections it judged.
    judged: usize,
}

/// The processor's time of the programs that have ended.
fn used() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage");
    Duration::from_micros((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()).unsigned_abs())
}

fn run(home: &Path, format: &str) -> Run {
    let output = home.join("output");
    let file = fs::File::create(&output).expect("a file");
    let mut program = Command::new(env!("CARGO_BIN_EXE_nsmctl"));
    program.args(["verify", "-A", "-o", format, "--timeout", "10m"]).env_clear().env("KUBECONFIG", home.join("config")).env("HOME", home);
    program.env("NSMCTL_RUNTIME_DIR", home.join("run")).stdin(Stdio::null()).stdout(file).stderr(Stdio::null());
    let (before, begun) = (used(), Instant::now());
    let mut child = program.spawn().expect("nsmctl");
    let mut megabytes = 0.0;
    let status = loop {
        megabytes = peak(&child).unwrap_or(megabytes);
        match child.try_wait().expect("a state") {
            Some(status) => break status,
            None => thread::sleep(LOOK),
        }
    };
    let (wall, cpu) = (begun.elapsed(), used() - before);
    // No exec is allowed, so that nothing of what is inside the pods can be told.
    assert_eq!(status.code(), Some(3), "nsmctl verify -A");
    let text = fs::read_to_string(output).expect("its output");
    let judged = if format == "json" {
        let document: Value = serde_json::from_str(&text).expect("one JSON document");
        document["findings"].as_array().into_iter().flatten().filter(|finding| finding["check"] == "interface").count()
    } else {
        text.lines().filter(|line| line.starts_with("interface up ")).count()
    };
    Run { wall, cpu, megabytes, judged }
}

/// The parts of a verification by themselves: discovery, what was promised, what to ask, judgement.
fn parts(world: &World, home: &Path) -> [Duration; 4] {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let begun = Instant::now();
    let discovery: Discovery = runtime.block_on(async {
        let ctx = Ctx::new(Cancel::default(), Duration::from_secs(600), Sink::none());
        let access = Access { kubeconfig: Some(home.join("config")), context: None };
        let Ok(Lookup::Found(found)) = lookup(&access).await else { panic!("the kubeconfig names no cluster") };
        let cluster = Cluster::connect(&ctx, *found).await.expect("a cluster");
        cluster.discover(&ctx, &Scope::default()).await.expect("what there is")
    });
    let discovered = begun.elapsed();
    let begun = Instant::now();
    let expectations = deployed(&discovery, &Scope::default());
    let promised = begun.elapsed();
    assert_eq!(expectations.connections.len(), world.clients);
    let begun = Instant::now();
    let requests = probe_requests(&expectations, discovery.inventory.pods.as_deref().unwrap_or_default(), &Look::default());
    let first = begun.elapsed();
    assert_eq!(requests.len(), world.clients + world.endpoints());
    let probes = requests.iter().map(|request| world.healthy(request)).collect();
    let observation = Observation { taken_at: 1_800_000_000, inventory: discovery.inventory, probes };
    let begun = Instant::now();
    let more = follow_up_requests(&expectations, &observation, &Look::default());
    let asked = first + begun.elapsed();
    assert!(more.is_empty(), "{:?}", more.first());
    let begun = Instant::now();
    let findings = evaluate(&expectations, &observation, Thresholds::default());
    let judged = begun.elapsed();
    let wrong = findings.iter().find(|finding| finding.verdict.outcome() != Outcome::Passed);
    assert_eq!(Finding::outcome(&findings), Outcome::Passed, "{wrong:?}");
    [discovered, promised, asked, judged]
}

fn ratio(now: Duration, before: Option<Duration>) -> String {
    before.map_or_else(String::new, |before| format!(" (x{:.2})", now.as_secs_f64() / before.as_secs_f64()))
}

fn main() {
    // `cargo bench` says so; on any other build the figures mean nothing.
    println!("{} build", if cfg!(debug_assertions) { "debug" } else { "release" });
    let largest: usize = env::var("NSMCTL_BENCH_CLIENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(GOAL_CLIENTS);
    let sizes = [largest / 8, largest / 4, largest / 2, largest];
    for (index, shape) in SHAPES.into_iter().enumerate() {
        println!("\n{}:", shape.name);
        let (mut before, mut before_parts) = (None, None);
        for clients in sizes {
            let (world, home) = (World::new(shape, clients), tempfile::tempdir().expect("a directory"));
            let server = Server::new(pages(&world));
            kubeconfig(home.path(), &server.url);
            // The better of two: what else the machine does only adds.
            let mut runs = [run(home.path(), "json"), run(home.path(), "json")];
            runs.sort_by_key(|run| run.cpu);
            let Run { wall, cpu, megabytes, .. } = runs[0];
            assert!(runs.iter().all(|run| run.judged == clients), "not every connection was judged: {runs:?}");
            let growth = ratio(cpu, before);
            println!("{clients:>5} clients: {:.2} s, {:.2} s of CPU{growth}, {megabytes:.0} MB", wall.as_secs_f64(), cpu.as_secs_f64());
            let times = parts(&world, home.path());
            let of = |at: usize, name: &str| {
                format!("{name} {:.0} ms{}", times[at].as_secs_f64() * 1000.0, ratio(times[at], before_parts.map(|parts: [Duration; 4]| parts[at])))
            };
            println!("               library: {}, {}, {}, {}", of(0, "discovery"), of(1, "promises"), of(2, "questions"), of(3, "judgement"));
            let at_once = server.at_once.load(SeqCst);
            assert!(at_once <= BOUND, "{at_once} requests were under way at once");
            if clients == largest {
                let table = run(home.path(), "table");
                let Run { wall: shown, megabytes: peak, judged, .. } = table;
                println!(
                    "               as a table: {:.2} s, {peak:.0} MB, {judged} connections; at most {at_once} requests at once",
                    shown.as_secs_f64()
                );
                verdict(index, clients, wall.max(shown), megabytes.max(peak));
                let growth = before.map_or(0.0, |before: Duration| cpu.as_secs_f64() / before.as_secs_f64());
                println!("growth: {} (x{growth:.2} for twice as many)", if growth <= LINEAR { "linear" } else { "MORE THAN LINEAR" });
            }
            (before, before_parts) = (Some(cpu), Some(times));
        }
    }
}

/// Says whether the goal is met, for the shape that it is for.
fn verdict(shape: usize, clients: usize, wall: Duration, megabytes: f64) {
    if shape != 0 || clients != GOAL_CLIENTS || cfg!(debug_assertions) {
        return;
    }
    let is = |met: bool| if met { "met" } else { "MISSED" };
    println!("goal of {} s: {}; goal of {GOAL_MEGABYTES:.0} MB: {}", GOAL_TIME.as_secs(), is(wall < GOAL_TIME), is(megabytes < GOAL_MEGABYTES));
}
