//! The cluster, and kubectl as the witness.

use std::{
    collections::BTreeSet,
    env, fs,
    io::Write,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

use crate::program::{Place, Ran, Running};

/// The tests share one cluster of two cores, and some break it for a while: one after the other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The example's namespace.
pub(crate) const EXAMPLE: &str = "ns-kernel2kernel";

/// What others than the tests make, change and remove all the time, and statuses that are listed as if they were objects.
const CHANGE_BY_THEMSELVES: [&str; 6] = [
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
    "endpointslices.discovery.k8s.io",
    "certificatesigningrequests.certificates.k8s.io",
    "componentstatuses",
];

/// A cluster for one test: what the test deploys and makes is removed with it.
pub(crate) struct Cluster {
    pub(crate) place: Place,
    kubeconfig: PathBuf,
    namespaces: Vec<String>,
    objects: Vec<Vec<String>>,
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    /// The cluster, with none of the example on it.
    pub(crate) fn new() -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let named = env::var_os("NSMCTL_E2E_KUBECONFIG").filter(|value| !value.is_empty());
        let kubeconfig = PathBuf::from(named.expect("NSMCTL_E2E_KUBECONFIG must name the kubeconfig of a cluster to run these tests on"));
        let place = Place::new();
        fs::create_dir(place.path(".kube")).expect("a directory");
        fs::copy(&kubeconfig, place.path(".kube/config")).expect("the kubeconfig");
        let cluster = Self { place, kubeconfig, namespaces: vec![EXAMPLE.to_owned()], objects: vec![], _turn: turn };
        cluster.sweep();
        cluster
    }

    /// A namespace that the test uses, removed with it.
    pub(crate) fn with_namespace(mut self, name: &str) -> Self {
        self.sweep_namespaces(&[name.to_owned()]);
        self.namespaces.push(name.to_owned());
        self
    }

    /// What the test makes outside of its namespaces, as `kubectl delete` takes it, removed with it.
    pub(crate) fn with_objects(mut self, objects: &[&str]) -> Self {
        let objects: Vec<String> = objects.iter().map(|&object| object.to_owned()).collect();
        self.sweep_objects(&objects);
        self.objects.push(objects);
        self
    }

    fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let program = env::var_os("NSMCTL_E2E_BIN").map(|dir| PathBuf::from(dir).join("kubectl")).filter(|path| path.exists());
        let mut command = Command::new(program.unwrap_or_else(|| "kubectl".into()));
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(arguments);
        // A Ctrl-C is for the tests, which have things to put back; kubectl would end at once.
        command.process_group(0);
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.kubectl_command(arguments).output().expect("kubectl, which is these tests' witness; NSMCTL_E2E_BIN can name its directory")
    }

    /// What kubectl prints; it must succeed.
    #[track_caller]
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        self.try_kubectl(arguments).unwrap_or_else(|error| panic!("kubectl {arguments:?}: {error}"))
    }

    /// What kubectl prints, or why it does not.
    pub(crate) fn try_kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.output(arguments);
        let printed = if output.status.success() { &output.stdout } else { &output.stderr };
        let printed = String::from_utf8_lossy(printed).into_owned();
        if output.status.success() { Ok(printed) } else { Err(printed) }
    }

    /// Whether kubectl succeeds.
    pub(crate) fn runs(&self, arguments: &[&str]) -> bool {
        self.output(arguments).status.success()
    }

    /// Whether kubectl finds it.
    pub(crate) fn has(&self, arguments: &[&str]) -> bool {
        self.runs(&[&["get"], arguments].concat())
    }

    #[track_caller]
    pub(crate) fn get(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.kubectl(&[&["get", "-o", "json"], arguments].concat())).expect("JSON")
    }

    /// Applies YAML as somebody else.
    #[track_caller]
    pub(crate) fn apply(&self, yaml: &str) {
        let mut child = self.kubectl_command(&["apply", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("kubectl");
        child.stdin.take().expect("a pipe").write_all(yaml.as_bytes()).expect("a reader");
        assert!(child.wait().expect("an end").success(), "{yaml}");
    }

    /// Runs nsmctl on the cluster.
    pub(crate) fn nsmctl(&self, arguments: &[&str]) -> Ran {
        self.place.run(arguments)
    }

    /// Begins a run of nsmctl that is to be disturbed.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.place.start(arguments)
    }

    /// Every object of the example that kubectl finds in any namespace.
    pub(crate) fn traces(&self) -> Vec<String> {
        let label = "app.kubernetes.io/managed-by=nsmctl";
        let kinds = "namespaces,networkservices,deployments,replicasets,pods,configmaps,services";
        let labelled = self.kubectl(&["get", kinds, "-A", "-l", label, "-o", "name"]);
        let registered = self.kubectl(&["get", "networkserviceendpoints", "-A", "-o", "name"]);
        let registered = registered.lines().filter(|name| name.contains("nse-kernel"));
        let services = self.kubectl(&["get", "networkservices", "-A", "-o", "name"]);
        labelled.lines().chain(registered).chain(services.lines()).map(str::to_owned).collect()
    }

    /// Everything that is there, of every kind that can be listed: a line an object, with its UID, so that one that was made anew is
    /// another, and its generation, so that one that was changed is another too.
    pub(crate) fn listing(&self) -> BTreeSet<String> {
        let kinds = self.kubectl(&["api-resources", "--verbs=list", "-o", "name"]);
        let kinds: Vec<&str> = kinds.lines().filter(|kind| !CHANGE_BY_THEMSELVES.contains(kind)).collect();
        let listing = self.kubectl(&["get", &kinds.join(","), "-A", "-o", "json"]);
        let listing: Value = serde_json::from_str(&listing).expect("JSON");
        let objects = listing["items"].as_array().expect("a list").iter().filter(|object| object["metadata"]["uid"].is_string());
        let line = |object: &Value| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (kind, metadata) = (text(&object["kind"]), &object["metadata"]);
            let namespace = metadata["namespace"].as_str().map(|namespace| format!("{namespace}/")).unwrap_or_default();
            // A registration is renewed again and again.
            let generation = if kind == "NetworkServiceEndpoint" { &Value::Null } else { &metadata["generation"] };
            format!("{kind} {namespace}{} (UID {}, generation {generation})", text(&metadata["name"]), text(&metadata["uid"]))
        };
        objects.map(line).collect()
    }

    /// The listing is still this one.
    #[track_caller]
    pub(crate) fn is_as_it_was(&self, before: &BTreeSet<String>, after_what: &str) {
        let now = self.listing();
        let gone = before.difference(&now).map(|object| format!("gone: {object}"));
        let new = now.difference(before).map(|object| format!("new: {object}"));
        let differences: Vec<String> = gone.chain(new).collect();
        assert!(differences.is_empty(), "after {after_what} the listing is another:\n{}", differences.join("\n"));
    }

    /// Removes what tests make, by kubectl: also where nsmctl is what is broken.
    fn sweep(&self) {
        self.sweep_namespaces(&self.namespaces);
        for objects in &self.objects {
            self.sweep_objects(objects);
        }
        let registered = self.output(&["get", "networkserviceendpoints", "-n", "nsm-system", "-o", "name"]);
        // A cluster without NSM has none.
        let registered = String::from_utf8_lossy(&registered.stdout).into_owned();
        for name in registered.lines().filter(|name| name.contains("nse-kernel")) {
            self.output(&["delete", "-n", "nsm-system", name, "--ignore-not-found"]);
        }
    }

    fn sweep_objects(&self, objects: &[String]) {
        let objects: Vec<&str> = objects.iter().map(String::as_str).collect();
        self.output(&[&["delete", "--ignore-not-found"], objects.as_slice()].concat());
    }

    fn sweep_namespaces(&self, names: &[String]) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let there = self.kubectl(&[&["get", "namespaces", "--ignore-not-found", "-o", "name"], names.as_slice()].concat());
        for namespace in there.lines().filter_map(|name| name.strip_prefix("namespace/")) {
            // What a test has stuck must not stick to the next.
            let stuck = ["patch", "networkservice", "kernel2kernel", "-n", namespace, "--type=merge", "-p", "{\"metadata\":{\"finalizers\":null}}"];
            self.output(&stuck);
            // Who deletes a namespace with pods in it looks again after half of the pods' grace, which is 16 s; and a client without a
            // connection sits its grace out.
            let workloads = "deployments,statefulsets,daemonsets,pods";
            self.output(&["delete", workloads, "--all", "-n", namespace, "--grace-period=3", "--timeout=60s"]);
            self.output(&["delete", "namespace", namespace, "--ignore-not-found", "--wait=true", "--timeout=60s"]);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.sweep();
    }
}

/// The example's manifests, changed: file by file, in the order of application.
pub(crate) fn manifests(change: impl Fn(&str) -> String) -> String {
    [
        include_str!("../../manifests/namespace.yaml"),
        include_str!("../../manifests/netsvc.yaml"),
        include_str!("../../manifests/nse-base.yaml"),
        include_str!("../../manifests/client.yaml"),
    ]
    .map(change)
    .join("\n---\n")
}
