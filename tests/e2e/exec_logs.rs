//! exec and logs.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{
    cluster::{Cluster, EXAMPLE},
    program::eventually,
};

/// All of them look into one deployment, which takes most of their time; only the last one disturbs it.
#[test]
fn exec_and_logs_of_a_deployment() {
    let cluster = Cluster::new();
    cluster.nsmctl(&["exec", "--", "true"]).exits(125).prints_nothing().says(&["nothing of the deployment", "nsmctl deploy"]);
    cluster.nsmctl(&["deploy"]).exits(0);
    a_program_runs_where_it_should_and_its_end_is_passed_on(&cluster);
    bytes_go_through_a_container_unchanged(&cluster);
    a_program_has_a_terminal_of_the_right_size(&cluster);
    everybody_on_the_way_of_a_connection_is_heard(&cluster);
    what_is_logged_from_now_on_is_shown_until_an_interrupt(&cluster);
    a_pod_that_is_deleted_while_its_logs_are_followed_is_told(&cluster);
}

fn a_program_runs_where_it_should_and_its_end_is_passed_on(cluster: &Cluster) {
    let ran = cluster.nsmctl(&["exec", "--", "ip", "addr", "show", "nsm-1"]);
    assert!(ran.exits(0).stdout.contains("inet 172.16.1.101/32 scope global nsm-1"), "{ran:?}");
    assert_eq!(ran.stderr, "");
    let witness = cluster.kubectl(&["exec", "-n", EXAMPLE, "alpine", "-c", "alpine", "--", "ip", "addr", "show", "nsm-1"]);
    // A link-local address is tentative for a while; the words are the same.
    assert_eq!(ran.stdout.replace(" tentative", ""), witness.replace(" tentative", ""));
    assert!(cluster.nsmctl(&["exec", "nse-kernel", "--", "ip", "addr"]).exits(0).stdout.contains("172.16.1.100/32"));
    assert_eq!(cluster.nsmctl(&["exec", "--", "cat", "/etc/hostname"]).exits(0).stdout, "alpine\n");

    for code in [1, 3, 126, 127, 255] {
        cluster.nsmctl(&["exec", "--", "sh", "-c", &format!("exit {code}")]).exits(code).prints_nothing();
    }
    let ran = cluster.nsmctl(&["exec", "--", "sh", "-c", "echo out; echo err >&2; exit 4"]);
    assert_eq!((ran.exits(4).stdout.as_str(), ran.stderr.as_str()), ("out\n", "err\n"));
    cluster.nsmctl(&["exec", "--", "no-such-program"]).exits(127).prints_nothing().says(&["no-such-program"]);
    cluster.nsmctl(&["exec", "alpin", "--", "true"]).exits(125).says(&["no workload or pod alpin", "did you mean alpine?", "nse-kernel-"]);
    cluster.nsmctl(&["exec", "-c", "nope", "--", "true"]).exits(125).says(&["has no container nope", "cmd-nsc"]);
}

fn bytes_go_through_a_container_unchanged(cluster: &Cluster) {
    let bytes: Vec<u8> = (0..500_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut child = cluster.place.command(&["exec", "-i", "--", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let sent = bytes.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&sent));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stdout == bytes, "{} of {} bytes came back", output.stdout.len(), bytes.len());
    // What is said before the end is there before the end.
    let running = cluster.start(&["exec", "--", "sh", "-c", "echo begun; sleep 60"]);
    std::thread::sleep(Duration::from_secs(3));
    running.signal(Signal::SIGINT);
    assert_eq!(running.end().exits(130).stdout, "begun\n");
}

fn a_program_has_a_terminal_of_the_right_size(cluster: &Cluster) {
    let program = env!("CARGO_BIN_EXE_nsmctl");
    let mut script = Command::new("script");
    // The size may come a moment after the program.
    let shell = format!("stty cols 90 rows 33; {program} exec -it -- sh -c 'sleep 1; stty size; exit 5'; echo code $?; stty -a");
    script.args(["-qec", &shell, "/dev/null"]).env_clear().env("HOME", cluster.place.path(""));
    script.env("PATH", std::env::var_os("PATH").unwrap()).stdin(Stdio::piped());
    let child = script.stdout(Stdio::piped()).spawn().expect("script of util-linux, which is this test's terminal");
    let output = child.wait_with_output().unwrap();
    let seen = String::from_utf8_lossy(&output.stdout);
    for words in ["33 90\r\n", "code 5", " icanon", " echo "] {
        assert!(seen.contains(words), "{words}: {seen}");
    }
}

fn everybody_on_the_way_of_a_connection_is_heard(cluster: &Cluster) {
    let ran = cluster.nsmctl(&["logs", "-o", "json"]);
    let lines: Vec<Value> = ran.exits(0).stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (role, container) in [("client", "cmd-nsc-init"), ("client", "cmd-nsc"), ("endpoint", "nse"), ("nsmgr", "nsmgr")] {
        assert!(lines.iter().any(|line| line["role"] == role && line["container"] == container), "{role} {container}: {ran:?}");
    }
    assert!(lines.iter().any(|line| line["role"] == "forwarder"), "{ran:?}");
    let times: Vec<&str> = lines.iter().filter_map(|line| line["time"].as_str()).collect();
    assert_eq!(times.len(), lines.len(), "every line has a time");
    let parsed: Vec<jiff::Timestamp> = times.iter().map(|time| time.parse().unwrap()).collect();
    assert!(parsed.is_sorted(), "{times:?}");
    let witness = cluster.kubectl(&["logs", "-n", EXAMPLE, "alpine", "-c", "cmd-nsc-init", "--tail", "50", "--timestamps"]);
    // A container's two streams are written down each by itself, so that a log need not be in the order of time.
    let mut witness: Vec<(jiff::Timestamp, &str)> =
        witness.lines().map(|line| line.split_once(' ').unwrap()).map(|(time, line)| (time.parse().unwrap(), line)).collect();
    witness.sort_by_key(|(time, _)| *time);
    let ours: Vec<&str> = lines.iter().filter(|line| line["container"] == "cmd-nsc-init").map(|line| line["line"].as_str().unwrap()).collect();
    assert_eq!(ours, witness.into_iter().map(|(_, line)| line).collect::<Vec<_>>());
}

fn what_is_logged_from_now_on_is_shown_until_an_interrupt(cluster: &Cluster) {
    let written = cluster.place.path("followed");
    let running = cluster.place.start_into(&["logs", "--follow", "--tail", "0"], std::fs::File::create(&written).unwrap().into());
    std::thread::sleep(Duration::from_secs(3));
    // What the init process of the container writes is its log.
    cluster.nsmctl(&["exec", "--", "sh", "-c", "echo a word for the log > /proc/1/fd/1"]).exits(0);
    std::thread::sleep(Duration::from_secs(3));
    running.signal(Signal::SIGINT);
    let ran = running.end();
    ran.exits(130);
    let written = std::fs::read_to_string(written).unwrap();
    let word = written.lines().find(|line| line.contains("a word for the log"));
    assert!(word.is_some_and(|line| line.starts_with("client alpine/alpine ")), "{ran:?}: {written}");
}

fn a_pod_that_is_deleted_while_its_logs_are_followed_is_told(cluster: &Cluster) {
    let running = cluster.place.start_into(&["logs", "--follow", "--tail", "1"], Stdio::null());
    std::thread::sleep(Duration::from_secs(2));
    cluster.kubectl(&["delete", "pod", "-n", EXAMPLE, "alpine", "--grace-period=1"]);
    eventually("the pod's end", || !cluster.has(&["-n", EXAMPLE, "pod/alpine"]));
    // A kubelet ends the stream of a log that is gone some seconds after the pod.
    std::thread::sleep(Duration::from_secs(12));
    running.signal(Signal::SIGINT);
    running.end().exits(130).says(&["pod ns-kernel2kernel/alpine was deleted"]);
}
