//! What is refused, each with its exit code, its reason and the next step, and with standard output empty or whole.

use std::{fs, io::Write, net::TcpListener, os::unix::fs::PermissionsExt, process::Stdio};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::{
    program::{Place, eventually},
    scripted::{Cluster, ok, silence, status},
};

const COMMANDS: [&str; 4] = ["deploy", "verify", "troubleshoot", "cleanup"];

#[test]
fn no_kubeconfig_with_target_cluster() {
    let place = Place::new();
    for command in COMMANDS {
        let ran = place.run(&[command, "--target", "cluster"]);
        ran.exits(3).prints_nothing().says(&["error: --target asks for a cluster, and there is no kubeconfig", "next: ", "--target local"]);
        let ran = place.run(&[command, "--target", "cluster", "-o", "json"]);
        assert_eq!(ran.exits(3).json()["error"]["message"], "--target asks for a cluster, and there is no kubeconfig");
    }
}

#[test]
fn a_kubeconfig_that_is_named_and_not_there() {
    let place = Place::new();
    place.run(&["verify", "--kubeconfig", "nowhere"]).exits(2).prints_nothing().says(&["--kubeconfig names nowhere, which does not exist"]);
    let output = place.command(&["verify"]).env("KUBECONFIG", "/nowhere/config").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "a name that leads nowhere is no reason to work somewhere else: {output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("KUBECONFIG names /nowhere/config"), "{output:?}");
}

#[test]
fn a_variable_that_stands_for_an_option_is_named() {
    let place = Place::new();
    let said = |arguments: &[&str]| {
        let output = place.command(arguments).env("NSMCTL_OUTPUT", "yaml").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let text = said(&["verify"]);
    assert!(text.contains("invalid value 'yaml' for '--output <") && text.contains("tip: the value is that of the variable NSMCTL_OUTPUT"), "{text}");
    // What is typed counts, and is what is wrong.
    let text = said(&["verify", "--output", "yaml"]);
    assert!(text.contains("invalid value 'yaml' for '--output <") && !text.contains("NSMCTL_OUTPUT"), "{text}");
}

#[test]
fn a_kubeconfig_that_is_no_kubeconfig() {
    let place = Place::new();
    let path = place.write("config", "clusters: [");
    let ran = place.run(&["verify", "--kubeconfig", path.to_str().unwrap()]);
    ran.exits(3).prints_nothing().says(&["cannot read ", "config"]);
}

#[test]
fn a_context_that_is_not_there() {
    let place = Place::new();
    place.kubeconfig("http://127.0.0.1:1");
    place.run(&["verify", "--context", "other"]).exits(2).prints_nothing().says(&["has no context other", "it has here"]);
}

#[test]
fn a_kubeconfig_without_a_context_is_no_cluster() {
    let place = Place::new();
    fs::create_dir(place.path(".kube")).unwrap();
    place.write(".kube/config", "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\ncurrent-context: \"\"\nusers: []\n");
    place.run(&["verify"]).exits(3).says(&["target: this machine", "names no current context"]);
    place.run(&["verify", "--target", "cluster"]).exits(3).prints_nothing().says(&["names no current context"]);
}

#[test]
fn an_unreachable_server_is_an_error_and_never_a_reason_to_work_on_this_machine() {
    let place = Place::new();
    // Bound and closed: nobody listens there now.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    place.kubeconfig(&format!("https://127.0.0.1:{port}"));
    for command in COMMANDS {
        let ran = place.run(&[command]);
        ran.exits(3).says(&[
            &format!("target: cluster https://127.0.0.1:{port}, context here"),
            "cannot reach the cluster",
            "Connection refused",
            "next: ",
        ]);
        // The path is whole, and unknown at its first step.
        assert_eq!(ran.stdout.contains("target out of reach") && ran.stdout.contains("ping"), command == "troubleshoot", "{ran:?}");
    }
    assert!(place.engine().is_none());
    place.is_clean();
}

#[test]
fn a_server_that_accepts_and_says_nothing() {
    let place = Place::new();
    let _silent = place.silent_server();
    let ran = place.run(&["verify", "--timeout", "300ms"]);
    ran.exits(4).prints_nothing().says(&["the time is up after 300ms, while connecting to the cluster", "--timeout"]);
}

#[test]
fn credentials_that_the_server_does_not_know() {
    let place = Place::new();
    let cluster = Cluster::new(|_, _| Some(status(401, "Unauthorized", "Unauthorized")));
    place.kubeconfig(&cluster.url());
    place.run(&["deploy"]).exits(3).prints_nothing().says(&["cannot reach the cluster", "Unauthorized", "log in again"]);
}

#[test]
fn a_cluster_without_nsm() {
    let place = Place::new();
    let cluster = Cluster::new(|_, path| path.contains("networkservicemesh").then(|| status(404, "NotFound", "404 page not found")));
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["deploy"]);
    ran.exits(1).says(&["error: Network Service Mesh is not installed on the cluster", "nothing was changed", "next: install NSM"]);
    assert!(ran.stdout.contains("not installed") && ran.stdout.contains(" failed"), "the table is whole: {ran:?}");
    cluster.is_untouched();
    let ran = place.run(&["troubleshoot"]);
    ran.exits(1);
    assert!(ran.stdout.contains("first broken link: NSM installed"), "{ran:?}");
    place.is_clean();
}

#[test]
fn no_permission() {
    let place = Place::new();
    let message = "namespaces \"ns-kernel2kernel\" is forbidden: User \"jane\" cannot get resource \"namespaces\" in API group \"\"";
    let cluster = Cluster::new(move |method, path| {
        (method == "GET" && path != "/version" && path != "/apis/networkservicemesh.io/v1").then(|| status(403, "Forbidden", message))
    });
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["deploy"]);
    ran.exits(3).prints_nothing().says(&[
        "cannot look at Namespace ns-kernel2kernel",
        "User \"jane\" cannot get resource",
        "ask for this permission",
    ]);
    cluster.is_untouched();
    // What cannot be seen is unknown, and not a pass.
    let ran = place.run(&["verify", "-o", "json"]);
    let document = ran.exits(3).json();
    let findings = document["findings"].as_array().unwrap();
    let verdicts: Vec<&str> = findings.iter().map(|finding| finding["verdict"].as_str().unwrap()).collect();
    assert!(verdicts.contains(&"unknown") && verdicts.iter().all(|verdict| ["unknown", "skip"].contains(verdict)), "{document}");
    let ran = place.run(&["cleanup"]);
    ran.exits(3).prints_nothing().says(&["cannot list what is to be removed", "cannot get resource"]);
    cluster.is_untouched();
}

#[test]
fn an_object_of_somebody_else_under_the_same_name() {
    let place = Place::new();
    let theirs = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "alpine", "namespace": "ns-kernel2kernel", "uid": "1", "resourceVersion": "1"}});
    let cluster = Cluster::new(move |_, path| path.ends_with("/pods/alpine").then(|| ok(theirs.clone())));
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["deploy"]);
    ran.exits(1).prints_nothing().says(&[
        "Pod ns-kernel2kernel/alpine exists already and is not of this deployment",
        "nothing was changed",
        "--namespace",
    ]);
    cluster.is_untouched();
}

#[test]
fn a_webhook_that_is_down() {
    let place = Place::new();
    let message = "Internal error occurred: failed calling webhook \"nsm.x\": Post \"https://a\": connect: connection refused";
    let cluster =
        Cluster::new(move |method, path| (method == "PATCH" && path.ends_with("/pods/alpine")).then(|| status(500, "InternalError", message)));
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["deploy"]);
    ran.exits(1).prints_nothing().says(&[
        "cannot apply Pod ns-kernel2kernel/alpine (client.yaml:",
        "failed calling webhook",
        "a webhook refuses every pod",
    ]);
    place.is_clean();
}

#[test]
fn an_interrupt_in_the_middle_of_each_command() {
    // The step in whose middle the signal comes, and what is said about it.
    let middles = [
        ("deploy", "PATCH /api/v1/namespaces/ns-kernel2kernel", "stopped while applying to the cluster"),
        ("verify", "GET /api/v1/namespaces/ns-kernel2kernel/pods", "stopped while looking at the cluster"),
        ("troubleshoot", "GET /api/v1/namespaces/ns-kernel2kernel/pods", "stopped while looking"),
        ("cleanup", "GET /api/v1/namespaces", "stopped while looking for what is to be removed"),
    ];
    for (command, middle, said) in middles {
        let place = Place::new();
        let cluster = Cluster::new(move |method, path| (format!("{method} {path}") == middle).then(silence));
        place.kubeconfig(&cluster.url());
        let running = place.start(&[command, "-o", "json"]);
        eventually(middle, || cluster.seen().iter().any(|request| request == middle));
        running.signal(Signal::SIGINT);
        let ran = running.end();
        ran.exits(130).says(&["stopping; once more to leave at once", said]);
        assert_eq!(ran.json()["outcome"], "interrupted");
        place.is_clean();
    }
}

#[test]
fn an_interrupt_while_standard_input_is_awaited() {
    let place = Place::new();
    let mut child = place.command(&["deploy", "-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take().unwrap();
    eventually("the thread that reads", || has_threads(child.id(), 2));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    drop(stdin);
    place.is_clean();
}

#[test]
fn the_second_interrupt_leaves_at_once() {
    let place = Place::new();
    let labels = json!({"app.kubernetes.io/managed-by": "nsmctl", "app.kubernetes.io/instance": "ns-kernel2kernel"});
    let pod = json!({"metadata": {"name": "stuck", "namespace": "ns-kernel2kernel", "uid": "1", "resourceVersion": "1", "labels": labels}});
    let pods = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": [pod]});
    let watched = "/api/v1/namespaces/ns-kernel2kernel/pods";
    let cluster = Cluster::new(move |method, path| match (method, path) {
        ("GET", "/api/v1/pods") => Some(ok(pods.clone())),
        ("GET", _) if path.starts_with(watched) => Some(silence()),
        ("DELETE", _) => Some(ok(pod.clone())),
        _ => None,
    });
    place.kubeconfig(&cluster.url());
    let running = place.start(&["cleanup"]);
    eventually("the wait", || cluster.seen().iter().any(|request| request == &format!("GET {watched}")));
    running.signal(Signal::SIGINT);
    // It asks once more why the pod is still there, and the server is silent.
    eventually("the last question", || cluster.seen().iter().any(|request| request == &format!("GET {watched}/stuck")));
    running.signal(Signal::SIGINT);
    let ran = running.end();
    ran.exits(130).prints_nothing();
    assert!(!ran.stderr.contains("error:"), "{ran:?}");
    place.is_clean();
}

fn has_threads(pid: u32, count: usize) -> bool {
    fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|tasks| tasks.count() >= count)
}

#[test]
fn a_timeout_in_the_middle_of_each_command() {
    let middles = [
        ("deploy", "PATCH /api/v1/namespaces/ns-kernel2kernel/pods/alpine"),
        ("verify", "GET /api/v1/namespaces/ns-kernel2kernel/pods"),
        ("troubleshoot", "GET /api/v1/namespaces/ns-kernel2kernel/pods"),
        ("cleanup", "GET /api/v1/namespaces"),
    ];
    for (command, middle) in middles {
        let place = Place::new();
        let cluster = Cluster::new(move |method, path| (format!("{method} {path}") == middle).then(silence));
        place.kubeconfig(&cluster.url());
        let ran = place.run(&[command, "--timeout", "400ms", "-o", "json"]);
        ran.exits(4).says(&["error: the time is up after 400ms, while ", "next: give it longer with --timeout"]);
        assert_eq!(ran.json()["outcome"], "timed-out");
        place.is_clean();
    }
}

#[test]
fn a_pod_that_never_becomes_ready_is_named_when_the_time_is_up() {
    let place = Place::new();
    let cluster = Cluster::new(|_, _| None);
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["deploy", "--timeout", "3s", "-o", "json"]);
    ran.exits(4).says(&["while waiting for Deployment ns-kernel2kernel/nse-kernel (it does not exist yet) and Pod ns-kernel2kernel/alpine"]);
    // What was applied is in the document, so nothing is lost.
    assert_eq!(ran.json()["applied"].as_array().unwrap().len(), 4);
}

#[test]
fn two_nsmctl_at_once() {
    let place = Place::new();
    let middle = "PATCH /api/v1/namespaces/ns-kernel2kernel";
    let cluster = Cluster::new(move |method, path| (format!("{method} {path}") == middle).then(silence));
    place.kubeconfig(&cluster.url());
    let first = place.start(&["deploy"]);
    eventually(middle, || cluster.seen().iter().any(|request| request == middle));
    for command in ["deploy", "cleanup"] {
        let ran = place.run(&[command]);
        let holder = format!("nsmctl deploy (process {}, since ", first.pid());
        ran.exits(1).prints_nothing().says(&[&holder, &format!("so this {command} does nothing"), &format!("`kill {}`", first.pid())]);
    }
    // Looking disturbs nobody, and another deployment is another matter.
    place.run(&["verify"]).exits(3);
    place.run(&["cleanup", "-n", "other"]).exits(0);
    first.signal(Signal::SIGTERM);
    first.end().exits(143).prints_nothing();
    place.run(&["cleanup"]).exits(0);
    place.is_clean();
}

#[test]
fn a_lock_of_one_that_was_killed_holds_nobody_up() {
    let place = Place::new();
    let middle = "PATCH /api/v1/namespaces/ns-kernel2kernel";
    let cluster = Cluster::new(move |method, path| (format!("{method} {path}") == middle).then(silence));
    place.kubeconfig(&cluster.url());
    let first = place.start(&["deploy"]);
    eventually(middle, || cluster.seen().iter().any(|request| request == middle));
    first.signal(Signal::SIGKILL);
    assert_eq!(first.end().code, None);
    place.run(&["cleanup"]).exits(0);
    place.is_clean();
}

#[test]
fn manifests_that_cannot_be_read() {
    let place = Place::new();
    let text = |name: &str, text: &str| place.write(name, text).display().to_string();
    let empty = place.path("empty");
    fs::create_dir(&empty).unwrap();
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: {networkservicemesh.io: \"kernel://s/an-interface-too-long\"}}\nspec: {containers: [{name: c}]}\n";
    let cases = [
        ("nowhere.yaml".to_owned(), "cannot read nowhere.yaml: No such file"),
        (empty.display().to_string(), "has no .yaml, .yml or .json file in it"),
        (text("broken.yaml", "kind: [\n"), "broken.yaml:"),
        (text("twice.yaml", "apiVersion: v1\nkind: Pod\nkind: Pod\n"), "twice.yaml:3: duplicate mapping key: kind\n"),
        (text("nothing.yaml", "# nothing\n"), "nothing.yaml holds no object"),
        (text("other.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"), "Secret (v1) is not a kind that nsmctl deploys"),
        (text("list.yaml", "- 1\n"), "this is no Kubernetes object"),
        (text("long.yaml", pod), "an-interface-too-long"),
    ];
    for (path, reason) in cases {
        for command in COMMANDS {
            place.run(&[command, "-f", &path]).exits(2).prints_nothing().says(&["error: ", reason, "next: "]);
        }
    }
    place.is_clean();
}

#[test]
fn manifests_without_an_end() {
    let ran = Place::new().run(&["manifests", "-f", "/dev/zero"]);
    ran.exits(2).prints_nothing().says(&["error: /dev/zero holds more than 64 MiB, and no manifests do", "next: name a file"]);
}

#[test]
fn standard_input_without_manifests() {
    // Nothing is on the standard input of a test.
    let ran = Place::new().run(&["manifests", "-f", "-"]);
    ran.exits(2).prints_nothing().says(&["error: standard input holds no object", "next: "]);
}

#[test]
fn manifests_that_may_not_be_read() {
    let place = Place::new();
    let path = place.write("secret.yaml", "a: b\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = place.command(&["deploy", "-f", path.to_str().unwrap()]);
    if nix::unistd::geteuid().is_root() {
        use std::os::unix::process::CommandExt;
        // Root may read everything.
        std::os::unix::fs::chown(place.path(""), Some(65534), Some(65534)).unwrap();
        command.uid(65534).gid(65534);
    }
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{stderr}");
    assert!(stderr.contains("cannot read ") && stderr.contains("Permission denied"), "{stderr}");
}

#[test]
fn a_command_line_that_cannot_be() {
    let place = Place::new();
    let cases: [(&[&str], &str); 13] = [
        (&["deplyo"], "deploy"),
        (&["deploy", "--target", "moon"], "auto, cluster, local"),
        (&["deploy", "--timeout", "soon"], "say it as in 90s, 2m or 1m30s"),
        (&["deploy", "--timeout", "0s"], "leaves no time"),
        (&["verify", "-o", "xml"], "table, short, json, junit"),
        (&["verify", "--count", "x"], "say a whole number from 1 to 10000, as in 4"),
        (&["logs", "--tail", "x"], "say a whole number, as in 4"),
        (&["deploy", "--clients", "1001"], "say a whole number from 1 to 1000, as in 4"),
        (&["exec", "ip", "addr"], "tip: put -- before the program: 'nsmctl exec -- ip addr'"),
        (&["engine", "restrt"], "tip: a similar subcommand exists: 'restart'"),
        (&["verify", "--nonsense"], "--nonsense"),
        (&["verify", "-n", "Not_A_Name"], "--namespace Not_A_Name: it may have lower-case letters"),
        (&["verify", "--target", "local", "--context", "a"], "--context names a cluster, and --target says local"),
    ];
    for (arguments, words) in cases {
        place.run(arguments).exits(2).prints_nothing().says(&["error: ", words]);
    }
}

#[test]
fn a_directory_that_others_can_write_in() {
    let place = Place::new();
    fs::create_dir(place.runtime()).unwrap();
    fs::set_permissions(place.runtime(), fs::Permissions::from_mode(0o777)).unwrap();
    let ran = place.run(&["deploy"]);
    ran.exits(1).prints_nothing().says(&["is open to others (mode 777)", "chmod 700", "NSMCTL_RUNTIME_DIR"]);
}

#[test]
fn a_report_that_cannot_be_written_is_a_failure() {
    let place = Place::new();
    let mut full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert!(full.write_all(b"x").is_err());
    let output = place.command(&["--help"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn a_server_that_lists_too_much_makes_nobody_lose_anything() {
    let place = Place::new();
    // It ignores the label selector, as a proxy or a broken aggregated API may.
    let theirs = json!({"metadata": {"name": "theirs", "namespace": "ns-kernel2kernel", "uid": "1", "resourceVersion": "1", "labels": {"app": "x"}}});
    let pods = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": [theirs]});
    let cluster = Cluster::new(move |method, path| (method == "GET" && path == "/api/v1/pods").then(|| ok(pods.clone())));
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["cleanup"]);
    assert!(ran.exits(0).stdout.contains("there was nothing to remove"), "{ran:?}");
    cluster.is_untouched();
}

#[test]
fn what_passes_is_ridden_out_and_what_does_not_is_told() {
    // Each is answered once or twice in this way, and then as it should be.
    for (code, reason) in [(429, "TooManyRequests"), (500, "InternalError"), (503, "ServiceUnavailable")] {
        let place = Place::new();
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let cluster = Cluster::new(move |method, path| {
            let first = method == "PATCH" && path.ends_with("/pods/alpine") && asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2;
            first.then(|| status(code, reason, "not now"))
        });
        place.kubeconfig(&cluster.url());
        let ran = place.run(&["deploy", "--timeout", "5s", "-o", "json"]);
        // Nobody makes the pods ready here; that everything was applied is what is asked.
        assert_eq!(ran.exits(4).json()["applied"].as_array().map(Vec::len), Some(4), "{code}: {ran:?}");
    }
    let place = Place::new();
    let cluster = Cluster::new(|method, path| (method == "PATCH" && path.ends_with("/pods/alpine")).then(|| status(503, "Unavailable", "starting")));
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["deploy", "--timeout", "3s"]);
    ran.exits(4).says(&["while trying to apply Pod ns-kernel2kernel/alpine: starting"]);
}

#[test]
fn a_conflict_names_the_other_manager() {
    let place = Place::new();
    let message = "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using apps/v1: .spec.replicas";
    let cluster = Cluster::new(move |method, path| (method == "PATCH" && path.ends_with("/nse-kernel")).then(|| status(409, "Conflict", message)));
    place.kubeconfig(&cluster.url());
    let words = ["conflict with \"kubectl-edit\"", ".spec.replicas", "--force-conflicts"];
    place.run(&["deploy"]).exits(1).prints_nothing().says(&words);
    // What would be changed is not known then; 1 would say that something would.
    let namespace = json!({"metadata": {"name": "ns-kernel2kernel", "uid": "1", "labels": own_labels()}});
    let cluster = Cluster::new(move |method, path| match (method, path) {
        ("PATCH", path) if path.ends_with("/nse-kernel") => Some(status(409, "Conflict", message)),
        ("GET", "/api/v1/namespaces/ns-kernel2kernel") => Some(ok(namespace.clone())),
        _ => None,
    });
    place.kubeconfig(&cluster.url());
    for flag in ["--diff", "--dry-run"] {
        place.run(&["deploy", flag]).exits(3).prints_nothing().says(&words);
    }
}

fn own_labels() -> serde_json::Value {
    json!({"app.kubernetes.io/managed-by": "nsmctl", "app.kubernetes.io/instance": "ns-kernel2kernel", "app.kubernetes.io/part-of": "kernel2kernel"})
}

#[test]
fn a_deployment_that_was_scaled_to_none_is_scaled_to_one() {
    let place = Place::new();
    let object = |kind: &str, name: &str, spec: serde_json::Value| {
        let metadata = json!({"name": name, "namespace": "ns-kernel2kernel", "uid": name, "resourceVersion": "1", "labels": own_labels()});
        json!({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec})
    };
    let cluster = Cluster::new(move |method, path| match (method, path) {
        ("GET", "/api/v1/namespaces/ns-kernel2kernel") => Some(ok(object("Namespace", "ns-kernel2kernel", json!({})))),
        ("GET", path) if path.ends_with("/deployments/nse-kernel") => Some(ok(object("Deployment", "nse-kernel", json!({"replicas": 0})))),
        _ => None,
    });
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["deploy", "--diff"]);
    assert!(ran.exits(1).stdout.contains("-  replicas: 0") && ran.stdout.contains("+  replicas: 1"), "{ran:?}");
}

#[test]
fn a_refused_preflight_stops_the_deploy_and_can_be_passed_over() {
    let place = Place::new();
    let denied = |permission: &str| {
        ok(
            json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {}, "status": {"allowed": false, "reason": permission}}),
        )
    };
    let cluster = Cluster::new(move |method, path| (method == "POST" && path.ends_with("/selfsubjectaccessreviews")).then(|| denied("no")));
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["deploy"]);
    ran.exits(3).says(&["is not fit: permissions", "nothing was changed", "--skip-preflight"]);
    assert!(ran.stdout.contains("denied: create pods/exec in ns-kernel2kernel") && ran.stdout.contains("nsmctl manifests rbac"), "{ran:?}");
    cluster.is_untouched();
    place.run(&["deploy", "-v", "--skip-preflight", "--timeout", "3s"]).exits(4).says(&["of a cluster no phases are told"]);
    assert!(cluster.seen().iter().any(|request| request.starts_with("PATCH ")));
}

#[test]
fn a_stopped_deploy_says_what_is_there_and_how_to_remove_it() {
    let place = Place::new();
    let applied = std::sync::Arc::new(std::sync::Mutex::new(false));
    let labels = json!({"app.kubernetes.io/managed-by": "nsmctl", "app.kubernetes.io/instance": "ns-kernel2kernel"});
    let pod = json!({"metadata": {"name": "alpine", "namespace": "ns-kernel2kernel", "uid": "1", "resourceVersion": "1", "labels": labels}});
    let cluster = Cluster::new(move |method, path| {
        let mut applied = applied.lock().unwrap();
        *applied |= method == "PATCH";
        (*applied && method == "GET" && path.ends_with("/pods/alpine")).then(|| ok(pod.clone()))
    });
    let kubeconfig = place.kubeconfig(&cluster.url());
    let kubeconfig = kubeconfig.to_str().unwrap();
    let ran = place.run(&["deploy", "--timeout", "3s", "--kubeconfig", kubeconfig]);
    let command = format!("`nsmctl cleanup --kubeconfig {kubeconfig}` removes what is there now: Pod ns-kernel2kernel/alpine");
    ran.exits(4).says(&["give it longer with --timeout; ", &command]);
}

/// A kubeconfig whose user is this.
fn kubeconfig_of(place: &Place, server: &str, user: &serde_json::Value) {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user}]
    });
    fs::create_dir_all(place.path(".kube")).unwrap();
    place.write(".kube/config", &config.to_string());
}

#[test]
fn credentials_come_from_a_plugin_as_for_kubectl() {
    let place = Place::new();
    let cluster = Cluster::new(|_, _| None);
    let credential = json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "from-the-plugin"}});
    let plugin = place.write("plugin.sh", &format!("#!/bin/sh\necho '{credential}'\n"));
    fs::set_permissions(&plugin, fs::Permissions::from_mode(0o755)).unwrap();
    let exec = |command: &str| json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "interactiveMode": "Never"}});
    kubeconfig_of(&place, &cluster.url(), &exec(plugin.to_str().unwrap()));
    place.run(&["verify"]).exits(3).says(&["nothing of the deployment"]);
    assert!(!cluster.credentials().is_empty() && cluster.credentials().iter().all(|credentials| credentials == "Bearer from-the-plugin"));

    kubeconfig_of(&place, &cluster.url(), &exec("a-plugin-that-is-not-there"));
    place.run(&["verify"]).exits(3).prints_nothing().says(&["cannot reach the cluster", "a-plugin-that-is-not-there"]);
}

#[test]
fn credentials_come_from_a_token_file() {
    let place = Place::new();
    let cluster = Cluster::new(|_, _| None);
    let token = place.write("token", "from-the-file\n");
    kubeconfig_of(&place, &cluster.url(), &json!({"tokenFile": token}));
    place.run(&["verify"]).exits(3);
    assert!(cluster.credentials().iter().all(|credentials| credentials == "Bearer from-the-file"), "{:?}", cluster.credentials());
}

#[test]
fn a_proxy_is_used_where_the_environment_names_one() {
    use std::io::{BufRead, BufReader};
    let place = Place::new();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    place.kubeconfig("https://cluster.invalid:6443");
    let mut command = place.command(&["verify", "--timeout", "5s"]);
    command.env("HTTPS_PROXY", format!("http://{}", proxy.local_addr().unwrap())).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let (mut stream, _) = proxy.accept().unwrap();
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    assert_eq!(line.trim_end(), "CONNECT cluster.invalid:6443 HTTP/1.1");
    stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").unwrap();
    drop(stream);
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[test]
fn a_proxy_that_refuses_is_named_without_its_password() {
    let place = Place::new();
    place.kubeconfig("https://cluster.invalid:6443");
    let output = place.command(&["verify", "--timeout", "5s"]).env("HTTPS_PROXY", "http://me:secret@127.0.0.1:1").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    let message = "cannot reach the cluster at https://cluster.invalid:6443 through the proxy http://127.0.0.1:1: ";
    assert!(stderr.contains(message) && stderr.contains("HTTPS_PROXY") && !stderr.contains("secret"), "{stderr}");
}
