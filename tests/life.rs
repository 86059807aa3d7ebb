//! Programs in sandboxes, the supervisor and healing, as a person has them on this machine.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::program::{Place, Ran, eventually, files};

/// A program that says what it sees, and goodbye when it is ended.
const LOOKS: &str = r#"#!/bin/sh
trap 'echo ended > "$0.ended"; exit 0' TERM
echo "process=$$ name=$NSM_NAME pod=$POD_NAME cidr=$NSM_CIDR_PREFIX dns=$NSM_LOCAL_DNS_SERVER_ENABLED asks=$NSM_NETWORK_SERVICES spiffe=$SPIFFE_ENDPOINT_SOCKET"
for folder in /var/lib/networkservicemesh /run/spire/sockets; do
  echo here > "$folder/from-$$" && echo "$folder can be used"
done
echo "search from.$POD_NAME" > /etc/resolv.conf
echo "resolver: $(cat /etc/resolv.conf)"
echo "groups: $(tr '\n' ' ' < /proc/self/cgroup)"
echo here > "$TMPDIR/mine" && echo "temporary: $(ls "$TMPDIR")"
echo "pings: $(cat /proc/sys/net/ipv4/ping_group_range)"
while :; do sleep 1000 & wait; done
"#;

/// Puts an executable file into a place.
fn script(place: &Place, name: &str, text: &str) -> PathBuf {
    let path = place.write(name, text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn stands_for(image: &str, path: &Path) -> String {
    format!("{image}={}", path.display())
}

/// The processes that run a script, as everybody sees them.
fn processes(path: &Path) -> Vec<i32> {
    let numbers = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let runs = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        // The shell's second word; the launchers before it have the file in no word of theirs.
        line.split(|byte| *byte == 0).nth(1).is_some_and(|word| word == path.as_os_str().as_encoded_bytes())
    };
    numbers.filter(runs).collect()
}

/// The one process that runs a script, once there is one.
fn process(path: &Path) -> i32 {
    eventually("one process of the program", || processes(path).len() == 1);
    processes(path)[0]
}

fn end(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// What the engine says of itself.
fn status(place: &Place) -> Value {
    use std::io::{BufRead, BufReader, Write};
    let mut stream = std::os::unix::net::UnixStream::connect(place.runtime().join("engine/engine.sock")).expect("an engine");
    stream.write_all(b"\"status\"\n").unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str::<Value>(&line).unwrap()["status"].clone()
}

fn manager(place: &Place) -> i32 {
    i32::try_from(status(place)["manager"].as_i64().unwrap()).unwrap()
}

/// What `ip` says about the client's interface: its index and all of its addresses.
fn link(place: &Place) -> String {
    let ran = place.run(&["exec", "--", "ip", "-4", "-o", "addr", "show", "nsm-1"]);
    ran.exits(0);
    ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The control groups that programs have.
fn groups() -> Vec<PathBuf> {
    fn below(dir: &Path, depth: u32, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            if entry.file_name().to_string_lossy().starts_with("nsmctl-") {
                found.push(entry.path());
            } else if depth > 0 {
                below(&entry.path(), depth - 1, found);
            }
        }
    }
    let mut found = Vec::new();
    below(Path::new("/sys/fs/cgroup"), 5, &mut found);
    found
}

#[test]
fn a_program_stands_for_an_image() {
    let place = Place::new();
    let (nse, nsc) = (script(&place, "nse", LOOKS), script(&place, "nsc", LOOKS));
    let resolver = fs::read("/etc/resolv.conf").ok();
    let flags = ["--program", &stands_for("cmd-nse-icmp-responder", &nse), "--program", &stands_for("cmd-nsc", &nsc)];
    // The programs are a shell's, which speak nothing of NSM: that is found.
    let ran = place.run(&[&["deploy", "-o", "json"], &flags[..]].concat());
    ran.exits(1);
    let document = ran.json();
    let failed = |check: &str| document["findings"].as_array().unwrap().iter().any(|f| f["check"] == check && f["verdict"] == "fail");
    assert!(failed("interface") && failed("endpoint-registered"), "{document}");
    ran.says(&["its program has not registered an endpoint by NSM's API", "its program has not been given the connections"]);

    let log = || place.run(&["logs"]).stdout;
    eventually("the words of both", || log().matches("pings: ").count() == 2);
    let log = log();
    let words = |container: &str| log.lines().filter(|line| line.contains(container)).collect::<Vec<_>>().join("\n");
    let (server, client) = (words("/nse "), words("/cmd-nsc "));
    for expected in ["process=1 name=nse-kernel-", "cidr=172.16.1.100/31", "resolver: search from.nse-kernel-"] {
        assert!(server.contains(expected), "{expected}: {log}");
    }
    for expected in [
        "process=1 name=alpine pod=alpine ",
        "dns=false asks=kernel://kernel2kernel/nsm-1 spiffe=unix:///run/spire/sockets/agent.sock",
        "resolver: search from.alpine",
    ] {
        assert!(client.contains(expected), "{expected}: {log}");
    }
    for seen in [&server, &client] {
        assert!(seen.contains("/var/lib/networkservicemesh can be used") && seen.contains("/run/spire/sockets can be used"), "{log}");
        assert!(seen.contains("temporary: mine"), "{log}");
        assert!(seen.contains("pings: 0\t2147483647") || seen.contains("pings: 0\t0"), "{log}");
    }
    // The manifest's limits are kept, or it is said why not.
    assert!(server.contains("/nsmctl-") || server.contains("memory limit of 83886080 bytes is not kept: "), "{log}");
    // What they wrote is in the engine's folders, and nowhere else.
    for folder in ["nsm", "spire"] {
        assert!(place.runtime().join("engine").join(folder).join("from-1").exists());
    }
    assert!(!Path::new("/var/lib/networkservicemesh/from-1").exists() && !Path::new("/run/spire/sockets/from-1").exists());
    assert_eq!(fs::read("/etc/resolv.conf").ok(), resolver);

    // It is in its pod's network namespace, and what is started there beside it too.
    let inode = fs::metadata(format!("/proc/{}/ns/net", process(&nsc))).unwrap().ino();
    let ran = place.run(&["exec", "--", "stat", "-L", "-c", "%i", "/proc/self/ns/net"]);
    assert_eq!(ran.exits(0).stdout.trim(), inode.to_string());

    place.run(&["cleanup"]).exits(0);
    place.is_clean();
    assert!(processes(&nse).is_empty() && processes(&nsc).is_empty());
    assert!(place.path("nse.ended").exists() && place.path("nsc.ended").exists(), "they were asked to end first: {:?}", files(&place.path("")));
}

#[test]
fn a_program_that_cannot_be_is_refused_before_anything_is_made() {
    let place = Place::new();
    let plain = place.write("plain", "x");
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o644)).unwrap();
    for (flag, words, next) in [
        ("cmd-nse-icmp-responder=/nowhere/nse".to_owned(), "cannot read /nowhere/nse: No such file", "name a file"),
        (stands_for("alpine", &plain), "may not be executed (mode 644)", "name a file"),
        ("alpine".to_owned(), "it is no image and program", "say it as in --program"),
        ("cmd-nse=/bin/sh".to_owned(), "no image in the manifests is called cmd-nse", "did you mean cmd-ns"),
    ] {
        place.run(&["deploy", "--program", &flag]).exits(2).prints_nothing().says(&[&format!("--program {flag}: "), words, &format!("next: {next}")]);
    }
    place.kubeconfig("http://127.0.0.1:1");
    let ran = place.run(&["deploy", "--target", "cluster", "--program", "alpine=/bin/sh"]);
    ran.exits(2).says(&["--target names a cluster, which runs images"]);
    place.is_clean();
}

#[test]
fn a_program_that_is_killed_is_started_again_at_once() {
    let place = Place::new();
    let looks = script(&place, "looks", LOOKS);
    let program = stands_for("alpine", &looks);
    place.run(&["deploy", "--program", &program]).exits(0);
    let (before, first) = (link(&place), process(&looks));
    end(first, Signal::SIGKILL);
    eventually("another process", || processes(&looks).iter().any(|pid| *pid != first));
    eventually("the pod", || place.run(&["verify"]).code == Some(0));
    assert_eq!(link(&place), before, "the connection is not the program's");
    // Deploying the same again leaves it alone; without the program it goes.
    let ran = place.run(&["deploy", "--program", &program, "-o", "json"]);
    assert!(ran.exits(0).json()["applied"].as_array().unwrap().iter().all(|object| object["result"] == "unchanged"), "{ran:?}");
    place.run(&["deploy"]).exits(0);
    assert!(processes(&looks).is_empty());
}

#[test]
fn a_program_that_ends_again_and_again_is_named_with_its_last_words() {
    let place = Place::new();
    let nse = script(&place, "nse", "#!/bin/sh\necho the database is not there\nexit 3\n");
    let ran = place.run(&["deploy", "--program", &stands_for("cmd-nse-icmp-responder", &nse)]);
    ran.exits(1).says(&["Deployment ns-kernel2kernel/nse-kernel is not ready: it ended with exit code 3", "the database is not there"]);
    assert!(ran.stdout.contains("CrashLoopBackOff"), "{ran:?}");
    let ran = place.run(&["troubleshoot", "-o", "json"]);
    let document = ran.exits(1).json();
    let cause = &document["causes"][0];
    assert_eq!(cause["check"], "crash-loop", "{document}");
    let evidence = cause["evidence"].to_string();
    assert!(evidence.contains("BackOff: container nse: it ended with exit code 3; it is started again in"), "{evidence}");
    assert!(evidence.contains("the database is not there") && cause["hint"].as_str().unwrap().starts_with("nsmctl logs "), "{cause}");
    place.run(&["cleanup"]).exits(0);
    place.is_clean();
}

#[test]
fn init_programs_come_first_and_to_their_end() {
    let place = Place::new();
    let init = script(&place, "init", "#!/bin/sh\n[ -e \"$0.once\" ] && exit 0\n: > \"$0.once\"\nexit 1\n");
    let after = script(&place, "after", "#!/bin/sh\necho \"the first was there: $(ls /proc/1/exe > /dev/null && echo yes)\"\nexec sleep 1000\n");
    let init = stands_for("cmd-nsc-init", &init);
    let ran = place.run(&["deploy", "-o", "json", "--program", &init, "--program", &stands_for("cmd-nsc", &after)]);
    ran.exits(1);
    let document = ran.json();
    assert!(place.path("init.once").exists(), "{document}");
    eventually("the second", || place.run(&["logs"]).stdout.contains("the first was there"));
    // The one that takes no signal is not waited for: the first process of its namespace gets none that it does not handle.
    place.run(&["cleanup"]).exits(0);
    place.is_clean();
}

#[test]
fn a_manager_that_is_restarted_or_killed_leaves_everything_as_it_was() {
    let place = Place::new();
    let looks = script(&place, "looks", LOOKS);
    place.run(&["deploy", "--program", &stands_for("alpine", &looks)]).exits(0);
    let (engine, program, interface) = (place.engine(), process(&looks), link(&place));
    eventually("its words", || place.run(&["logs"]).stdout.contains("pings: "));
    let log = |place: &Place| place.run(&["logs"]).stdout.lines().filter(|line| line.contains("process=1")).count();
    for restart in 1..=4 {
        let before = manager(&place);
        if restart % 2 == 1 {
            place.run(&["engine", "restart"]).exits(0).says(&["the engine's manager was restarted within", "2 of 2 sandboxes are kept"]);
        } else {
            end(before, Signal::SIGKILL);
            eventually("another manager", || manager(&place) != before);
        }
        assert_ne!(manager(&place), before);
        assert_eq!(status(&place)["restarts"], restart);
        // The same link, the same addresses, the same process: what went over the connection has not stopped.
        assert_eq!((place.engine(), process(&looks), link(&place)), (engine, program, interface.clone()));
        place.run(&["verify"]).exits(0);
        assert_eq!(log(&place), 1, "what the program has said is known, and once");
    }
    let ran = place.run(&["deploy", "-o", "json", "--program", &stands_for("alpine", &looks)]);
    assert!(ran.exits(0).json()["applied"].as_array().unwrap().iter().all(|object| object["result"] == "unchanged"), "{ran:?}");
    end(program, Signal::SIGKILL);
    eventually("the program again", || processes(&looks).iter().any(|pid| *pid != program));
    place.run(&["cleanup"]).exits(0);
    place.is_clean();
    place.run(&["engine", "restart"]).exits(3).says(&["no engine runs on this machine"]);
}

#[test]
fn a_manager_that_cannot_be_started_is_started_once_it_can_be() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let (engine, before, interface) = (place.engine().unwrap().to_string(), manager(&place), link(&place));
    let files = |limit: &str| {
        let status = Command::new("prlimit").args(["--pid", &engine, &format!("--nofile={limit}:")]).status().unwrap();
        assert!(status.success(), "prlimit (util-linux)");
    };
    let limits = fs::read_to_string(format!("/proc/{engine}/limits")).unwrap();
    let usual = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()).unwrap();
    files("3");
    end(before, Signal::SIGKILL);
    let log = || fs::read_to_string(place.runtime().join("engine/engine.log")).unwrap();
    eventually("a manager that cannot be started", || log().contains("cannot make a socket for the manager"));
    files(usual);
    eventually("another manager", || place.engine().is_some());
    assert_eq!((place.engine().unwrap().to_string(), link(&place)), (engine, interface));
    place.run(&["cleanup"]).exits(0);
    place.is_clean();
}

#[test]
fn with_the_supervisor_everything_goes() {
    let place = Place::new();
    let looks = script(&place, "looks", LOOKS);
    let groups_before = groups();
    place.run(&["deploy", "--program", &stands_for("alpine", &looks)]).exits(0);
    let program = process(&looks);
    let namespace = fs::read_link(format!("/proc/{program}/ns/net")).unwrap();
    let manager = manager(&place);
    let engine = i32::try_from(place.engine().unwrap()).unwrap();
    let children = fs::read_to_string(format!("/proc/{program}/task/{program}/children")).unwrap();
    let children: Vec<i32> = children.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert!(!children.is_empty(), "the shell's sleep");
    end(engine, Signal::SIGKILL);
    let is_alive = |pid: i32| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    eventually("the end of everything", || ![&[engine, manager, program], &children[..]].concat().into_iter().any(is_alive));
    let is_used = || {
        let pids = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path().join("ns/net"));
        pids.filter_map(|path| fs::read_link(path).ok()).any(|link| link == namespace)
    };
    eventually("the end of its namespace", || !is_used());
    eventually("the end of its control groups", || groups().iter().all(|group| groups_before.contains(group)));
    place.run(&["cleanup"]).exits(0);
    place.is_clean();
}

#[test]
fn what_a_connection_loses_it_gets_back() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let addresses = || link(&place).split(' ').filter(|word| word.contains("172.16.1.")).map(str::to_owned).collect::<Vec<_>>();
    let before = addresses();
    for lost in [&["link", "del", "nsm-1"][..], &["addr", "del", "172.16.1.101/32", "dev", "nsm-1"], &["addr", "flush", "dev", "nsm-1"]] {
        place.run(&[&["exec", "--", "ip"], lost].concat()).exits(0);
        eventually("the connection", || place.run(&["verify"]).code == Some(0));
        assert_eq!(addresses(), before, "{lost:?}");
    }
    let log = place.run(&["logs"]).stdout;
    assert!(log.contains("Data plane is down: there is no interface nsm-1 in pod ns-kernel2kernel/alpine"), "{log}");
    assert!(log.contains("connected again to ns-kernel2kernel/nse-kernel-"), "{log}");
    // What somebody has switched off stays so.
    place.run(&["exec", "--", "ip", "link", "set", "nsm-1", "down"]).exits(0);
    place.run(&["verify"]).exits(1);
}

#[test]
fn what_the_loss_of_an_endpoint_costs_is_measured() {
    let place = Place::new();
    let healed = |ran: &Ran| {
        let document = ran.json();
        let finding = document["findings"].as_array().unwrap().iter().find(|finding| finding["check"] == "heal").unwrap().clone();
        assert_eq!(finding["verdict"], "pass", "{finding}");
        finding["observed"].as_str().unwrap().to_owned()
    };
    place.run(&["deploy"]).exits(0);
    let ran = place.run(&["verify", "--heal", "-o", "json"]);
    let seen = healed(ran.exits(0));
    assert!(
        seen.contains("of the endpoint ns-kernel2kernel/nse-kernel-") && seen.contains("was deleted; ") && seen.contains(" pings lost, "),
        "{seen}"
    );
}

#[test]
fn an_ordinary_user_runs_programs_and_restarts_the_manager() {
    if !nix::unistd::geteuid().is_root() {
        // Then every other test here has shown it already.
        return;
    }
    let place = Place::new();
    let nobody = 65534;
    let looks = script(&place, "looks", LOOKS);
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(place.path(""), Some(nobody), Some(nobody)).unwrap();
    let run = |arguments: &[&str]| Ran::new(place.command(arguments).uid(nobody).gid(nobody).stdin(Stdio::null()).output().unwrap());
    run(&["deploy", "--program", &stands_for("alpine", &looks)]).exits(0);
    eventually("its words", || run(&["logs"]).stdout.contains("pings: 0\t0"));
    let log = run(&["logs"]).stdout;
    assert!(log.contains("/var/lib/networkservicemesh can be used") && log.contains("resolver: search from."), "{log}");
    let program = process(&looks);
    run(&["engine", "restart"]).exits(0);
    assert_eq!(process(&looks), program);
    run(&["verify"]).exits(0);
    end(program, Signal::SIGKILL);
    eventually("the pod", || run(&["verify"]).code == Some(0));
    run(&["cleanup"]).exits(0);
    place.is_clean();
    assert!(processes(&looks).is_empty());
}

/// In a container /proc is partly covered, and the kernel then gives no user namespace another.
#[test]
fn where_there_is_no_proc_for_it_a_program_ends_with_the_engine_all_the_same() {
    let place = Place::new();
    let looks = script(&place, "looks", LOOKS);
    // What is mounted in one user namespace cannot be taken away in the next, which is what makes the kernel careful.
    let cover = "for folder in /proc/bus /proc/irq /proc/fs; do mount -t tmpfs covered $folder && break; done\n\
                 exec unshare --user --map-root-user --mount sh -c \"$2\" \"$0\" \"$1\"";
    let steps = "\"$0\" deploy --program alpine=$1 && \"$0\" engine restart && \"$0\" logs && exec \"$0\" cleanup";
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", cover, env!("CARGO_BIN_EXE_nsmctl")]).arg(&looks).arg(steps);
    unshare.env_clear().env("HOME", place.path("")).env("NSMCTL_RUNTIME_DIR", place.runtime()).env("PATH", std::env::var_os("PATH").unwrap());
    let ran = Ran::new(unshare.stdin(Stdio::null()).output().expect("unshare of util-linux, this test's means"));
    ran.exits(0);
    let line = ran.stdout.lines().find(|line| line.contains("process=")).unwrap_or_else(|| panic!("{ran:?}"));
    assert!(!line.contains("process=1 "), "it has a PID namespace, so that this shows nothing: {line}");
    place.is_clean();
    assert!(processes(&looks).is_empty());
}
