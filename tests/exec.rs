//! `nsmctl exec`: what a program says and how it ends, on this machine and on a scripted cluster.

use std::{
    fs,
    io::{Read, Write},
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{
    attached::{Attached, Frame, exit_code},
    program::{Place, eventually},
    scripted::{Cluster, ok, status},
};

/// Whether a program runs anywhere on this machine with exactly these arguments.
fn runs(arguments: &str) -> bool {
    let lines = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).any(|line| line.trim_end() == arguments)
}

#[test]
fn a_programs_exit_code_is_passed_on() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    for (command, code) in [(&["true"][..], 0), (&["sh", "-c", "exit 3"], 3), (&["sh", "-c", "exit 255"], 255), (&["sh", "-c", "kill -9 $$"], 137)] {
        let ran = place.run(&[&["exec", "--"], command].concat());
        ran.exits(code).prints_nothing();
        assert_eq!(ran.stderr, "", "standard error is the program's");
    }
    place.run(&["exec", "--", "no-such-program"]).exits(127).prints_nothing().says(&["cannot run no-such-program: No such file"]);
    place.run(&["exec", "--", "/etc/passwd"]).exits(126).prints_nothing().says(&["cannot run /etc/passwd"]);
    // The form of the report is no matter of the program.
    assert_eq!(place.run(&["exec", "-o", "json", "--", "echo", "x"]).exits(0).stdout, "x\n");
}

#[test]
fn a_program_runs_in_the_pod_that_is_named() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let address = |arguments: &[&str]| place.run(&[&["exec"], arguments, &["--", "ip", "-o", "addr"]].concat()).exits(0).stdout.clone();
    assert!(address(&[]).contains("172.16.1.101/32"), "the first client is meant");
    assert!(address(&["nse-kernel"]).contains("172.16.1.100/32"));
    assert!(address(&["alpine", "-c", "cmd-nsc"]).contains("172.16.1.101/32"));
    place.run(&["exec", "alpin", "--", "true"]).exits(125).prints_nothing().says(&[
        "the deployment has no workload or pod alpin",
        "did you mean alpine? there is ",
        "nse-kernel (nse-kernel-",
    ]);
    place.run(&["exec", "-c", "alpin", "--", "true"]).exits(125).says(&["has no container alpin", "did you mean alpine?", "cmd-nsc"]);
}

#[test]
fn bytes_are_passed_on_unchanged_both_ways() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let feed = |arguments: &[&str]| {
        let mut child = place.command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let bytes = bytes.clone();
        // Nobody may read it.
        let writer = std::thread::spawn(move || stdin.write_all(&bytes).is_ok());
        let output = child.wait_with_output().unwrap();
        drop(writer);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        output.stdout
    };
    assert!(feed(&["exec", "-i", "--", "cat"]) == bytes, "what went in comes out");
    assert_eq!(feed(&["exec", "--", "cat"]), b"", "without -i there is nothing to read");
}

#[test]
fn a_program_ends_with_nsmctl() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    for (number, signal, code) in [(1, Signal::SIGINT, Some(130)), (2, Signal::SIGTERM, Some(143)), (3, Signal::SIGKILL, None)] {
        let seconds = format!("{}{number}", std::process::id());
        let running = place.start(&["exec", "--", "sleep", &seconds]);
        eventually("the program", || runs(&format!("sleep {seconds}")));
        running.signal(signal);
        assert_eq!(running.end().code, code);
        eventually("the program's end", || !runs(&format!("sleep {seconds}")));
    }
    place.run(&["exec", "--timeout", "2s", "--", "sleep", "600"]).exits(125).says(&["the time is up after 2s, while running sleep"]);
    place.run(&["cleanup"]).exits(0);
    place.is_clean();
}

#[test]
fn with_nothing_deployed_the_next_step_is_told() {
    let place = Place::new();
    place
        .run(&["exec", "--", "true"])
        .exits(125)
        .prints_nothing()
        .says(&["nothing of the deployment ns-kernel2kernel is there", "`nsmctl deploy` makes it"]);
    place.run(&["exec"]).exits(2);
    place.run(&["exec", "--", "true", "-n", "Wrong"]).exits(125);
    place.run(&["exec", "-n", "Wrong", "--", "true"]).exits(2);
    place.is_clean();
}

/// A terminal of its own for a run of nsmctl, by `script` of util-linux; what is typed is written to it.
fn on_a_terminal(place: &Place, arguments: &str, typed: &[u8]) -> String {
    let shell = format!("stty cols 90 rows 33; {} {arguments}; echo code $?; stty -a", env!("CARGO_BIN_EXE_nsmctl"));
    let mut script = Command::new("script");
    script.args(["-qec", &shell, "/dev/null"]).env_clear().env("HOME", place.path("")).env("NSMCTL_RUNTIME_DIR", place.runtime());
    script.env("PATH", std::env::var_os("PATH").unwrap()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = script.spawn().expect("script of util-linux, which is this test's terminal");
    let mut stdin = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut seen = String::new();
    let mut chunk = [0; 4096];
    let mut typed = Some(typed);
    loop {
        let count = output.read(&mut chunk).unwrap();
        if count == 0 {
            break;
        }
        seen.push_str(&String::from_utf8_lossy(&chunk[..count]));
        // Only now the program reads from its terminal.
        if let Some(keys) = typed.filter(|_| seen.contains("ready")) {
            stdin.write_all(keys).unwrap();
            typed = None;
        }
    }
    child.wait().unwrap();
    seen
}

#[test]
fn a_terminal_is_the_programs_and_is_given_back_as_it_was() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let program = "sh -c 'trap \"echo interrupted; exit 7\" INT; stty size; echo ready; while :; do sleep 0.1; done'";
    let seen = on_a_terminal(&place, &format!("exec -it -- {program}"), b"\x03");
    assert!(seen.contains("33 90\r\n"), "the size is that of the terminal: {seen}");
    assert!(seen.contains("interrupted") && seen.contains("code 7"), "Ctrl-C is the program's: {seen}");
    assert!(seen.contains(" icanon") && seen.contains(" echo "), "the terminal is as it was: {seen}");
    // Without a terminal of its own the program is not asked, and the shell around nsmctl is interrupted too.
    let seen = on_a_terminal(&place, "exec -- sh -c 'echo ready; sleep 600'", b"\x03");
    assert!(seen.contains("error: stopped while running sh"), "{seen}");
    place.run(&["exec", "-it", "--", "true"]).exits(0).says(&["standard input is no terminal"]);
}

/// The client's pod, as a cluster would show it.
pub(crate) fn client() -> Value {
    let running = |name: &str| json!({"name": name, "image": "i", "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {}}});
    let done =
        json!({"name": "cmd-nsc-init", "image": "i", "imageID": "", "ready": true, "restartCount": 0, "state": {"terminated": {"exitCode": 0}}});
    json!({
        "metadata": {"name": "alpine", "namespace": "ns-kernel2kernel", "uid": "u"},
        "spec": {"nodeName": "n", "containers": [{"name": "cmd-nsc"}, {"name": "alpine"}], "initContainers": [{"name": "cmd-nsc-init"}]},
        "status": {
            "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [running("cmd-nsc"), running("alpine")], "initContainerStatuses": [done]
        }
    })
}

/// A list of pods.
pub(crate) fn pods(items: &Value) -> Value {
    json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items})
}

const PODS: &str = "/api/v1/namespaces/ns-kernel2kernel/pods";

#[test]
fn a_cluster_that_refuses_is_quoted() {
    let refused = "pods \"alpine\" is forbidden: User \"jane\" cannot create resource \"pods/exec\" in API group \"\"";
    for (code, reason, words) in [(403, "Forbidden", refused), (404, "NotFound", "pods \"alpine\" not found"), (500, "InternalError", "no kubelet")] {
        let place = Place::new();
        let cluster = Cluster::new(move |method, path| match (method, path) {
            ("GET", PODS) => Some(ok(pods(&json!([client()])))),
            ("GET", path) if path.ends_with("/pods/alpine/exec") => Some(status(code, reason, words)),
            _ => None,
        });
        place.kubeconfig(&cluster.url());
        let ran = place.run(&["exec", "--", "true"]);
        ran.exits(125).prints_nothing().says(&["cannot run true in container alpine of pod ns-kernel2kernel/alpine", words]);
    }
    let place = Place::new();
    let cluster = Cluster::new(move |_, path| (path == PODS).then(|| status(403, "Forbidden", "cannot list resource \"pods\"")));
    place.kubeconfig(&cluster.url());
    place.run(&["exec", "--", "true"]).exits(125).prints_nothing().says(&["cannot list the pods: cannot list resource"]);
}

#[test]
fn a_container_that_does_not_run_is_told_before_it_is_asked() {
    let place = Place::new();
    let mut pod = client();
    pod["status"] = json!({"phase": "Pending"});
    let cluster = Cluster::new(move |_, path| (path == PODS).then(|| ok(pods(&json!([pod.clone()])))));
    place.kubeconfig(&cluster.url());
    let ran = place.run(&["exec", "--", "true"]);
    ran.exits(125).prints_nothing().says(&["container alpine of pod ns-kernel2kernel/alpine does not run: Init:0/1", "nsmctl troubleshoot"]);
    assert!(!cluster.seen().iter().any(|request| request.contains("/exec")), "{:?}", cluster.seen());
}

#[test]
fn what_a_program_in_a_container_says_is_passed_on() {
    let attached = Attached::new(&pods(&json!([client()])), |_| {
        vec![Frame::out(&[0, 0xff, b'\n']), Frame::err(b"no newline"), Frame::out(b"more"), Frame::status(&exit_code(3))]
    });
    let place = Place::new();
    place.kubeconfig(&attached.url());
    let output = place.command(&["exec", "--", "p", "a b"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice(), output.stderr.as_slice()), (Some(3), &b"\0\xff\nmore"[..], &b"no newline"[..]));
    let asked = attached.asked();
    for part in ["stdout=true", "stderr=true", "container=alpine", "command=p", "command=a+b"] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
    assert!(!asked.contains("stdin") && !asked.contains("tty"), "{asked}");
}

#[test]
fn a_program_that_a_runtime_cannot_start_is_told_in_its_words() {
    let words = "failed to exec in container: exec: \"p\": executable file not found in $PATH: unknown";
    let refusal = json!({"status": "Failure", "reason": "InternalError", "message": words, "code": 500});
    let attached = Attached::new(&pods(&json!([client()])), move |_| vec![Frame::status(&refusal)]);
    let place = Place::new();
    place.kubeconfig(&attached.url());
    place.run(&["exec", "--", "p"]).exits(127).prints_nothing().says(&[words]);
}

#[test]
fn an_exit_status_that_is_lost_is_no_success() {
    let attached = Attached::new(&pods(&json!([client()])), |_| vec![Frame::out(b"begun\n")]);
    let place = Place::new();
    place.kubeconfig(&attached.url());
    // Closed in good order, or broken off.
    for program in ["p", "break"] {
        let ran = place.run(&["exec", "--", program]);
        ran.exits(125).says(&[&format!("the connection ended before the exit status of {program} came")]);
        assert_eq!(ran.stdout, "begun\n");
    }
}

#[test]
fn standard_input_reaches_a_container_to_its_end() {
    let attached = Attached::new(&pods(&json!([client()])), |read| {
        read.chunks(1 << 20).map(Frame::out).chain([Frame::status(&json!({"status": "Success"}))]).collect()
    });
    let place = Place::new();
    place.kubeconfig(&attached.url());
    assert!(round_trip(&place, "tail") == bytes());
}

#[test]
fn a_program_that_says_much_before_it_reads_keeps_nobody_waiting() {
    let attached = Attached::new(&pods(&json!([client()])), |read| {
        vec![Frame::err(read.len().to_string().as_bytes()), Frame::status(&json!({"status": "Success"}))]
    });
    let place = Place::new();
    place.kubeconfig(&attached.url());
    assert_eq!(round_trip(&place, "flood").len(), 64 << 20);
}

#[test]
fn a_program_that_answers_while_it_reads_keeps_nobody_waiting() {
    let attached = Attached::new(&pods(&json!([client()])), |_| vec![Frame::status(&json!({"status": "Success"}))]);
    let place = Place::new();
    place.kubeconfig(&attached.url());
    assert!(round_trip(&place, "cat") == bytes());
}

/// More than the buffers on the way hold, so that neither side may wait for the other.
fn bytes() -> Vec<u8> {
    (0..2_000_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// What comes back of the bytes.
fn round_trip(place: &Place, program: &str) -> Vec<u8> {
    let bytes = bytes();
    let mut child = place
        .command(&["exec", "-i", "--timeout", "20s", "--", program])
        .stderr(Stdio::piped())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let sent = bytes.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&sent));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0), "{} of {} bytes came back", output.stdout.len(), bytes.len());
    output.stdout
}
