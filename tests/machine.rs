//! An engine of its own for every test, and the programs that say whether it has told the truth.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use nsmctl::{
    cancel::Cancel,
    engine::protocol::Status,
    model::{
        Asks, ConnectionPhases, EndpointSpec, Expectations, Inventory, Namespaced, NetworkServiceSpec, NsUrl, ObjectRef, Payload, Phase, PhaseName,
        PingOptions, Plan, PlannedObject, PodProbes, PodState, ProbeRequest, Sink, Workload, WorkloadKind,
    },
    target::{Ctx, local::Local},
};
use serde_json::Value;
use tempfile::TempDir;

/// The namespace of every deployment here.
pub(crate) const NS: &str = "ns-test";

/// An engine in a directory of its own; it is ended with the test.
pub(crate) struct Machine {
    pub(crate) local: Local,
    pub(crate) ctx: Ctx,
    dir: PathBuf,
    _parent: TempDir,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let parent = TempDir::new().expect("a directory for the engine");
        let dir = parent.path().join("engine");
        let local = Local::new(&dir).with_program(env!("CARGO_BIN_EXE_nsmctl"));
        let ctx = Ctx::new(Cancel::default(), Duration::from_secs(60), Sink::none());
        Self { local, ctx, dir, _parent: parent }
    }

    /// An engine that is started with a variable in its environment.
    #[allow(dead_code, reason = "one of the binaries has no use for it")]
    pub(crate) fn with_environment(mut self, name: &str, value: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let script = self.dir.with_file_name("nsmctl");
        std::fs::write(&script, format!("#!/bin/sh\n{name}={value} exec {} \"$@\"\n", env!("CARGO_BIN_EXE_nsmctl"))).expect("a script");
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("a program");
        self.local = Local::new(&self.dir).with_program(script);
        self
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) async fn apply(&self, plan: &Plan) -> Vec<String> {
        let applied = self.local.apply(&self.ctx, plan).await.unwrap_or_else(|failure| panic!("{failure:?}"));
        applied.into_iter().map(|(object, applied)| format!("{object} {applied}")).collect()
    }

    /// The phases of a plan's connections.
    pub(crate) async fn phases(&self, plan: &Plan) -> Vec<ConnectionPhases> {
        self.local.phases(&self.ctx, plan).await.expect("phases")
    }

    pub(crate) async fn inventory(&self) -> Inventory {
        self.local.inventory(&self.ctx, &Expectations::default()).await.expect("an inventory")
    }

    pub(crate) async fn pod(&self, name: &str) -> PodState {
        let pods = self.inventory().await.pods.expect("pods");
        pods.into_iter().find(|pod| pod.id.name.starts_with(name)).unwrap_or_else(|| panic!("no pod {name}"))
    }

    pub(crate) async fn status(&self) -> Status {
        self.local.status(&self.ctx).await.expect("an answer").expect("an engine")
    }

    pub(crate) async fn probe(&self, name: &str, pings: &[&str]) -> PodProbes {
        let ping = PingOptions { count: 3, interval_ms: 10, wait_ms: 2000 };
        let pings = pings.iter().map(|address| address.parse().expect("an address")).collect();
        let request = ProbeRequest {
            pod: self.pod(name).await.id,
            container: "c".into(),
            asks: Asks { network: true, path_mtu: true, ..Asks::default() },
            pings,
            ping,
            debug_image: None,
        };
        self.local.probe(&self.ctx, vec![request]).await.expect("probes").remove(0)
    }

    /// Runs a program in a pod's network namespace.
    pub(crate) async fn run_in(&self, name: &str, command: &[&str]) -> Output {
        let status = self.status().await;
        let (_, path) = status.namespaces.iter().find(|(pod, _)| pod.name.starts_with(name)).unwrap_or_else(|| panic!("no pod {name}"));
        let mut nsenter = Command::new("nsenter");
        if !nix::unistd::geteuid().is_root() {
            nsenter.args([&format!("--user=/proc/{}/ns/user", status.pid), "--preserve-credentials"]);
        }
        let output = nsenter.arg(format!("--net={path}")).args(command).output().expect("nsenter of util-linux, which is this test's oracle");
        assert_ne!(output.status.code(), Some(127), "{command:?}, which is this test's oracle, is missing");
        output
    }

    /// What `ip` of iproute2 says, as JSON.
    pub(crate) async fn ip(&self, name: &str, arguments: &[&str]) -> Value {
        let output = self.run_in(name, &[&["ip", "-j"], arguments].concat()).await;
        assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Array(vec![]))
    }

    /// Changes something with `ip`.
    pub(crate) async fn ip_set(&self, name: &str, arguments: &[&str]) {
        let output = self.run_in(name, &[&["ip"], arguments].concat()).await;
        assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Destination, device and source of each route, as `ip` has them, but link-local ones.
    pub(crate) async fn routes(&self, name: &str, family: &str) -> Vec<String> {
        let routes = self.ip(name, &[family, "route", "show"]).await;
        let text = |route: &Value, key: &str| route[key].as_str().unwrap_or_default().to_owned();
        let all = routes
            .as_array()
            .expect("a list")
            .iter()
            .map(|route| format!("{} {} {}", text(route, "dst"), text(route, "dev"), text(route, "prefsrc")));
        all.filter(|route| !route.starts_with("fe80")).collect()
    }

    /// `NAME ADDRESS/LENGTH` for each address, as `ip` has them, but the loopback's and link-local ones.
    pub(crate) async fn addresses(&self, name: &str) -> Vec<String> {
        let links = self.ip(name, &["addr", "show"]).await;
        let mut addresses = Vec::new();
        for link in links.as_array().expect("a list").iter().filter(|link| link["ifname"] != "lo") {
            for address in link["addr_info"].as_array().expect("a list").iter().filter(|address| address["scope"] == "global") {
                assert_eq!(address["tentative"], Value::Null, "an address must be usable at once");
                addresses.push(format!("{} {}/{}", link["ifname"].as_str().unwrap(), address["local"].as_str().unwrap(), address["prefixlen"]));
            }
        }
        addresses
    }

    /// The index of an interface, which changes when it is made anew.
    pub(crate) async fn index(&self, name: &str, interface: &str) -> u64 {
        self.ip(name, &["link", "show", interface]).await[0]["ifindex"].as_u64().expect("an index")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Ok(mut stream) = UnixStream::connect(self.dir.join("engine.sock")) {
            let _ = stream.write_all(b"\"shutdown\"\n").and_then(|()| stream.read_to_end(&mut Vec::new()));
        }
    }
}

/// Sees that the four phases are there in their order, that each ends after the one before it, and that none ends before its last step.
pub(crate) fn phases_add_up(connection: &ConnectionPhases) {
    let phases = &connection.phases;
    assert_eq!(phases.iter().map(|phase| phase.phase).collect::<Vec<_>>(), PhaseName::ALL, "{phases:#?}");
    assert!(phases.iter().map(Phase::ended_us).is_sorted(), "{phases:#?}");
    for phase in phases {
        let ends = phase.steps.iter().map(|step| step.at_us);
        assert!(ends.clone().is_sorted() && ends.max() == Some(i64::try_from(phase.took_us).unwrap()), "{phase:#?}");
    }
    assert!(phases[3].security.is_some() && phases[..3].iter().all(|phase| phase.security.is_none()), "{phases:#?}");
}

pub(crate) fn service(name: &str, payload: Payload) -> NetworkServiceSpec {
    NetworkServiceSpec { id: Namespaced::new(NS, name), payload, matches: Vec::new() }
}

fn workload(kind: WorkloadKind, name: &str) -> Workload {
    let labels = BTreeMap::from([("app".to_owned(), name.to_owned())]);
    let (id, container) = (Namespaced::new(NS, name), "c".to_owned());
    Workload { kind, id, replicas: Some(1), pod_labels: labels.clone(), selector: labels, container, requests: vec![], endpoint: None }
}

/// A pod in which nothing of the engine's own is.
#[allow(dead_code, reason = "one of the binaries has no use for it")]
pub(crate) fn bare(name: &str) -> Workload {
    workload(WorkloadKind::Pod, name)
}

pub(crate) fn client(name: &str, urls: &str) -> Workload {
    Workload { requests: NsUrl::parse_list(urls).expect("URLs"), ..workload(WorkloadKind::Pod, name) }
}

pub(crate) fn endpoint(name: &str, service: &str, prefixes: &str) -> Workload {
    let spec = EndpointSpec { services: vec![service.to_owned()], labels: None, prefixes: prefixes.parse().expect("prefixes") };
    Workload { endpoint: Some(spec), ..workload(WorkloadKind::Deployment, name) }
}

pub(crate) fn plan(instance: &str, services: Vec<NetworkServiceSpec>, workloads: Vec<Workload>) -> Plan {
    let planned = |reference| PlannedObject { reference, api_version: "v1".into(), plural: "x".into(), source: "test".into(), body: Value::Null };
    let mut objects = vec![ObjectRef::cluster("Namespace", NS)];
    objects.extend(services.iter().map(|service| ObjectRef::namespaced("NetworkService", NS, &service.id.name)));
    objects.extend(workloads.iter().map(|workload| ObjectRef::namespaced(workload.kind.to_string(), NS, &workload.id.name)));
    let expectations = Expectations { workloads, services, connections: vec![], unreadable: Vec::new() };
    Plan {
        instance: instance.into(),
        part_of: "test".into(),
        namespace: NS.into(),
        options: None,
        objects: objects.into_iter().map(planned).collect(),
        expectations,
        programs: Vec::new(),
    }
}

/// The kernel2kernel example.
pub(crate) fn example() -> Plan {
    let workloads = vec![endpoint("nse-kernel", "kernel2kernel", "172.16.1.100/31"), client("alpine", "kernel://kernel2kernel/nsm-1")];
    plan("example", vec![service("kernel2kernel", Payload::Ethernet)], workloads)
}
