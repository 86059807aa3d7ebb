//! The main job on this machine, as a newcomer does it: no kubeconfig, nothing set up.

use std::{collections::BTreeSet, fs, process::Command, time::Duration};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::program::{Place, Ran, eventually};

/// The verdicts of a report, by check.
fn verdicts(ran: &Ran) -> Vec<(String, String)> {
    let document = ran.json();
    let findings = document["findings"].as_array().unwrap_or_else(|| panic!("{document}"));
    findings.iter().map(|finding| (finding["check"].as_str().unwrap().to_owned(), finding["verdict"].as_str().unwrap().to_owned())).collect()
}

/// The links and named namespaces of this machine, by the programs that people look with.
fn machine() -> BTreeSet<String> {
    let lines = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}, this test's oracle: {error}"));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    lines("ip", &["-o", "link"]).union(&lines("ip", &["netns"])).cloned().collect()
}

#[test]
fn deploy_verify_troubleshoot_cleanup() {
    let before = machine();
    let place = Place::new();
    let ran = place.run(&["deploy"]);
    ran.exits(0).says(&["target: this machine, namespace ns-kernel2kernel (there is no kubeconfig)", "Pod ns-kernel2kernel/alpine: created"]);
    for words in ["CHECK", "RESULT", "172.16.1.101/32", "172.16.1.100 dev nsm-1", "4/4 received, 0 % loss", "16 passed, 0 failed, 1 skipped"] {
        assert!(ran.stdout.contains(words), "{words}: {ran:?}");
    }
    assert!(!ran.stdout.contains("fail ") && !ran.stdout.contains('\u{1b}'), "{ran:?}");

    let ran = place.run(&["verify", "-o", "json"]);
    ran.exits(0);
    let expected = "pods-ready pods-ready sidecar-injected identity identity network-service endpoint-registered interface address address address-overlap \
                    peer-route ping-endpoint ping-client path-mtu dns encryption";
    // The engine gives no resolvers.
    let verdict = |check: &str| if check == "dns" { "skip" } else { "pass" }.to_owned();
    assert_eq!(verdicts(&ran), expected.split(' ').map(|check| (check.to_owned(), verdict(check))).collect::<Vec<_>>());
    let document = ran.json();
    assert_eq!((&document["schema_version"], &document["command"], &document["target"]["kind"]), (&json!(1), &json!("verify"), &json!("local")));

    place.run(&["troubleshoot"]).exits(0);

    let ran = place.run(&["cleanup"]);
    ran.exits(0);
    for words in ["Pod ns-kernel2kernel/alpine", "NetworkService ns-kernel2kernel/kernel2kernel", "Namespace ns-kernel2kernel", "0 left"] {
        assert!(ran.stdout.contains(words), "{words}: {ran:?}");
    }
    place.is_clean();
    assert_eq!(machine(), before);
}

#[test]
fn a_dry_run_of_cleanup_names_what_cleanup_removes() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let would = place.run(&["cleanup", "--dry-run", "-o", "json"]).exits(0).json()["removed"]["would"].clone();
    assert_eq!(would.as_array().map(Vec::len), Some(6), "{would}");
    place.run(&["verify"]).exits(0);
    let gone = place.run(&["cleanup", "-o", "json"]).exits(0).json()["removed"]["gone"].clone();
    assert_eq!(would, gone);
}

#[test]
fn deploying_again_changes_nothing() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let engine = place.engine().expect("an engine");
    let ran = place.run(&["deploy", "-o", "json"]);
    ran.exits(0);
    for object in ran.json()["applied"].as_array().unwrap() {
        assert_eq!(object["result"], "unchanged", "{object}");
    }
    assert_eq!(place.engine(), Some(engine));
    place.run(&["cleanup"]).exits(0);
    place.run(&["cleanup"]).exits(0);
    place.is_clean();
}

#[test]
fn an_interface_that_is_down_is_found_and_its_cause_named() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    in_pods(&place, "link set nsm-1 down");

    let ran = place.run(&["verify", "-o", "json"]);
    ran.exits(1);
    let failed: Vec<String> = verdicts(&ran).into_iter().filter(|(_, verdict)| verdict == "fail").map(|(check, _)| check).collect();
    assert!(failed.contains(&"interface".to_owned()) && failed.contains(&"ping-endpoint".to_owned()), "{failed:?}");

    let ran = place.run(&["troubleshoot"]);
    ran.exits(1);
    assert!(ran.stdout.contains("first broken link: interface"), "{ran:?}");
    assert!(ran.stdout.contains("cause: ") && ran.stdout.contains("fix"), "{ran:?}");

    place.run(&["deploy"]).exits(0);
    place.run(&["verify"]).exits(0);
}

/// Runs a command of `ip` in every pod's network namespace; it fails in those that it does not concern.
fn in_pods(place: &Place, command: &str) {
    let engine = place.engine().expect("an engine");
    let script = format!("for n in /proc/{engine}/fd/*; do nsenter --net=$n ip {command} 2>/dev/null; done; true");
    assert!(Command::new("sh").args(["-c", &script]).stderr(std::process::Stdio::null()).status().expect("nsenter, this test's means").success());
}

/// The ids of the causes that are told, with the first one's words.
fn causes(ran: &Ran) -> (Vec<String>, Value) {
    let document = ran.json();
    let causes = document["causes"].as_array().unwrap_or_else(|| panic!("{document}"));
    (causes.iter().map(|cause| cause["check"].as_str().unwrap().to_owned()).collect(), causes[0].clone())
}

#[test]
fn the_fix_that_is_told_mends_what_is_broken() {
    for (fault, cause, fix) in [
        ("link set nsm-1 arp off", "data-path", &["cleanup", "deploy"][..]),
        ("route replace blackhole 172.16.1.100/32", "route-refusing", &["deploy"]),
        // The way back: the client has the address itself, and needs no route to it.
        ("route replace blackhole 172.16.1.101/32", "route-refusing", &["deploy"]),
    ] {
        let place = Place::new();
        place.run(&["deploy"]).exits(0);
        in_pods(&place, fault);
        let ran = place.run(&["troubleshoot", "-o", "json"]);
        ran.exits(1);
        let (ids, first) = causes(&ran);
        assert_eq!(ids, [cause], "{fault}: {ran:?}");
        let hint = first["hint"].as_str().unwrap();
        for command in fix {
            assert!(hint.contains(&format!("nsmctl {command} --target local")), "{fault}: {hint}");
            place.run(&[*command, "--target", "local"]).exits(0);
        }
        place.run(&["verify"]).exits(0);
    }
}

#[test]
fn the_other_end_of_a_link_that_is_switched_off_is_named() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    in_pods(&place, "link set $(nsenter --net=$n ip -o link | grep -o 'kernel2ker-[A-Za-z0-9]*') down");
    let ran = place.run(&["troubleshoot", "-o", "json"]);
    assert_eq!(causes(ran.exits(1)).0, ["peer-end-down"], "{ran:?}");
    place.run(&["deploy"]).exits(0);
}

/// A NetworkService and the Deployment that offers it.
fn offer(service: &str, prefix: &str, replicas: u32) -> String {
    format!(
        "---\napiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: {{name: {service}}}\nspec: {{payload: ETHERNET}}\n\
         ---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: nse-{service}}}\nspec:\n  replicas: {replicas}\n  \
         selector: {{matchLabels: {{app: {service}}}}}\n  template:\n    metadata: {{labels: {{app: {service}}}}}\n    \
         spec: {{containers: [{{name: nse, image: x, env: [{{name: NSM_CIDR_PREFIX, value: \"{prefix}\"}}, {{name: NSM_SERVICE_NAMES, value: {service}}}]}}]}}\n"
    )
}

fn ask(urls: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: a, annotations: {{networkservicemesh.io: \"{urls}\"}}}}\nspec: {{containers: [{{name: c, image: x}}]}}\n"
    )
}

#[test]
fn what_the_manifests_have_wrong_is_named() {
    let both = "kernel://s/nsm-1,kernel://t/nsm-2";
    let only =
        |text: String, kind: &str| text.split("---\n").filter(|part| part.contains(kind)).map(|part| format!("---\n{part}")).collect::<String>();
    let manifests = [
        ("network-service-missing", only(offer("s", "10.0.0.0/31", 1), "kind: Deployment") + &ask("kernel://s/nsm-1")),
        ("endpoint-missing", only(offer("s", "10.0.0.0/31", 1), "kind: NetworkService") + &ask("kernel://s/nsm-1")),
        ("endpoint-scaled-down", offer("s", "10.0.0.0/31", 0) + &ask("kernel://s/nsm-1")),
        ("endpoint-without-prefix", offer("s", "", 1) + &ask("kernel://s/nsm-1")),
        ("prefixes-overlap", offer("s", "10.0.0.0/31", 1) + &offer("t", "10.0.0.0/31", 1) + &ask(both)),
        ("prefixes-overlap", offer("s", "10.0.0.0/30", 1) + &offer("t", "10.0.0.0/30", 1) + &ask(both)),
    ];
    for (cause, text) in manifests {
        let place = Place::new();
        let file = place.write("m.yaml", &text);
        place.run(&["deploy", "-f", file.to_str().unwrap()]).exits(1);
        let ran = place.run(&["troubleshoot", "-f", file.to_str().unwrap(), "-o", "json"]);
        let (ids, first) = causes(ran.exits(1));
        assert_eq!(ids, [cause], "{text}: {ran:?}");
        assert!(first["hint"].as_str().unwrap().contains("--target local   # after "), "{first}");
        assert!(first["hint"].as_str().unwrap().starts_with("nsmctl deploy --manifests "), "the fix is about the same deployment: {first}");
    }
}

#[test]
fn a_daemon_that_is_killed_leaves_nothing_that_the_next_deploy_trips_over() {
    let before = machine();
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let engine = place.engine().expect("an engine");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(engine).unwrap()), Signal::SIGKILL).unwrap();
    eventually("the engine's end", || place.engine().is_none() && !fs::exists(format!("/proc/{engine}/ns/net")).unwrap_or(true));
    assert_eq!(machine(), before);

    place.run(&["verify"]).exits(3).prints_nothing().says(&["nothing of the deployment ns-kernel2kernel is there", "nsmctl deploy"]);
    place.run(&["troubleshoot"]).exits(1);
    place.run(&["deploy"]).exits(0);
    place.run(&["cleanup"]).exits(0);
    place.is_clean();

    // And once more, with cleanup first.
    place.run(&["deploy"]).exits(0);
    let engine = place.engine().expect("an engine");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(engine).unwrap()), Signal::SIGKILL).unwrap();
    eventually("the engine's end", || place.engine().is_none());
    place.run(&["cleanup"]).exits(0);
    place.is_clean();
}

#[test]
fn another_namespace_holds_another_deployment() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let ran = place.run(&["deploy", "--namespace", "second", "-o", "json"]);
    // The service's name is taken in NSM's own sense: names are looked up in all namespaces.
    assert!(ran.code == Some(0) || ran.stderr.contains("kernel2kernel"), "{ran:?}");
    place.run(&["cleanup", "--namespace", "second"]).exits(0);
    place.run(&["verify"]).exits(0);
}

#[test]
fn a_service_of_ones_own_is_deployed_from_a_file_and_from_standard_input() {
    let place = Place::new();
    let manifests = format!(
        "{}\n---\n{}\n---\n{}\n",
        include_str!("../manifests/netsvc.yaml"),
        include_str!("../manifests/nse-base.yaml").replace("172.16.1.100/31", "fd00:5::/127"),
        include_str!("../manifests/client.yaml").replace("nsm-1", "mine")
    );
    let file = place.write("mine.yaml", &manifests);
    let ran = place.run(&["deploy", "-f", file.to_str().unwrap(), "-n", "mine", "-o", "json"]);
    ran.exits(0);
    let addresses: Vec<Value> =
        ran.json()["findings"].as_array().unwrap().iter().filter(|f| f["check"] == "address").map(|f| f["observed"].clone()).collect();
    assert!(addresses[0].as_str().unwrap().starts_with("fd00:5::1/128"), "{addresses:?}");

    let stdin = fs::File::open(&file).unwrap();
    let output = place.command(&["verify", "-f", "-", "-n", "mine"]).stdin(stdin).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn standard_output_that_is_closed_early_loses_nothing() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    for command in [&["verify"][..], &["verify", "-o", "json"], &["troubleshoot"], &["--help"], &["cleanup"]] {
        let mut running = place.start(command);
        running.close_stdout();
        let ran = running.end();
        ran.exits(0);
        assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("error"), "{command:?}: {ran:?}");
    }
    place.is_clean();
}

/// Pings that take ten seconds, and a moment at which they are being sent, also on a machine that has much else to do.
const LONG: [&str; 2] = ["--count", "100"];
const MIDST: Duration = Duration::from_secs(2);

#[test]
fn an_interrupted_verify_says_so_and_disturbs_nothing() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let running = place.start(&[&["verify", "-o", "json"], &LONG[..]].concat());
    std::thread::sleep(MIDST);
    running.signal(Signal::SIGINT);
    let ran = running.end();
    ran.exits(130).says(&["stopping; once more to leave at once", "error: stopped while looking into the pods"]);
    assert_eq!(ran.json()["outcome"], "interrupted");
    place.run(&["verify"]).exits(0);
}

#[test]
fn terminated_is_told_apart_from_interrupted() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let running = place.start(&[&["verify"], &LONG[..]].concat());
    std::thread::sleep(MIDST);
    running.signal(Signal::SIGTERM);
    let ran = running.end();
    ran.exits(143);
    assert!(ran.stdout.contains("pods ready") && ran.stdout.contains("not checked"), "what was seen is told: {ran:?}");
}

#[test]
fn time_that_runs_out_is_told() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    let ran = place.run(&[&["verify", "--timeout", "2s", "-o", "json"], &LONG[..]].concat());
    ran.exits(4).says(&["error: the time is up after 2s, while looking into the pods", "--timeout"]);
    assert_eq!(ran.json()["outcome"], "timed-out");
}

#[test]
fn a_user_who_may_make_no_namespaces_is_told_what_is_missing() {
    let place = Place::new();
    // Neither root's rights nor a user namespace: what AppArmor, seccomp or a sysctl do to a user elsewhere.
    let program = env!("CARGO_BIN_EXE_nsmctl");
    let script = "echo 0 > /proc/sys/user/max_net_namespaces; exec \"$0\" deploy";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", script, program]);
    command.env_clear().env("HOME", place.path("")).env("NSMCTL_RUNTIME_DIR", place.runtime()).env("PATH", std::env::var_os("PATH").unwrap());
    let output = command.output().expect("unshare of util-linux, this test's means");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(3), true), "{stderr}");
    for words in ["does not let this process make network namespaces", "/proc/sys/user/max_net_namespaces is 0", "next: "] {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
}

#[test]
fn a_directory_of_another_user_is_no_empty_one() {
    use std::os::unix::{fs::PermissionsExt, process::CommandExt};
    if !nix::unistd::geteuid().is_root() {
        // Nobody else's directory can be made then.
        return;
    }
    let place = Place::new();
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    place.run(&["deploy"]).exits(0);
    // What changes something stops at its own lock, which it may not make there.
    for (command, code) in [("verify", 3), ("troubleshoot", 3), ("cleanup", 1), ("deploy", 1)] {
        let output = place.command(&[command]).uid(65534).gid(65534).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.stdout.is_empty() && output.status.code() == Some(code), "{command}: {output:?}");
        for words in [&format!("the directory {} belongs to the user root", place.runtime().display()), "become th", "NSMCTL_RUNTIME_DIR"] {
            assert!(stderr.contains(words), "{command}: {words}: {stderr}");
        }
    }
    place.run(&["verify"]).exits(0);
}

#[test]
fn an_ordinary_user_can_do_it_all() {
    if !nix::unistd::geteuid().is_root() {
        // Then every other test here has shown it already.
        return;
    }
    let place = Place::new();
    let nobody = 65534;
    std::os::unix::fs::chown(place.path(""), Some(nobody), Some(nobody)).unwrap();
    let run = |command: &str| {
        use std::os::unix::process::CommandExt;
        place.command(&[command]).uid(nobody).gid(nobody).output().unwrap()
    };
    for command in ["deploy", "verify", "cleanup"] {
        let output = run(command);
        assert_eq!(output.status.code(), Some(0), "{command}: {output:?}");
    }
    place.is_clean();
}

/// What a check saw, in the order of the report.
fn seen(ran: &Ran, check: &str) -> Vec<String> {
    let document = ran.json();
    let findings = document["findings"].as_array().unwrap_or_else(|| panic!("{document}")).iter().filter(|finding| finding["check"] == check);
    findings.map(|finding| finding["observed"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_addresses_are_those_that_were_asked_for() {
    let place = Place::new();
    let ran = place.run(&["deploy", "--cidr", "10.9.0.0/31", "-o", "json"]);
    ran.exits(0);
    let addresses = seen(&ran, "address");
    assert!(addresses[0] == "10.9.0.1/32" && addresses[1].starts_with("10.9.0.0/32 on "), "{addresses:?}");
    place.run(&["verify", "--cidr", "10.9.0.0/31"]).exits(0);
    // What was asked of deploy need not be asked again.
    let ran = place.run(&["verify", "-o", "json"]);
    assert_eq!(seen(ran.exits(0).says(&["was made with --cidr=10.9.0.0/31"]), "address"), addresses);
    assert_eq!(ran.json()["options"], "--cidr=10.9.0.0/31");
    place.run(&["troubleshoot"]).exits(0);
    // Who asks for something else has it held against that.
    place.run(&["verify", "--cidr", "10.9.0.2/31"]).exits(1);
    // Deployed as the manifests are, there is nothing to be remembered.
    place.run(&["deploy"]).exits(0);
    assert!(place.run(&["verify", "-o", "json"]).exits(0).json()["options"].is_null());
    place.run(&["cleanup", "--cidr", "10.9.0.0/31"]).exits(0);
    place.is_clean();
}

#[test]
fn three_clients_have_three_connections() {
    let place = Place::new();
    let three = ["--clients", "3", "--cidr", "10.9.0.0/29"];
    let ran = place.run(&[&["deploy", "-o", "json"], &three[..]].concat());
    ran.exits(0);
    let addresses: BTreeSet<String> = seen(&ran, "address").iter().map(|seen| seen.split('/').next().unwrap().to_owned()).collect();
    assert_eq!(addresses, (0..6).map(|n| format!("10.9.0.{n}")).collect(), "three pairs, all different");
    let pings = seen(&ran, "ping-endpoint").into_iter().chain(seen(&ran, "ping-client"));
    assert_eq!(pings.filter(|ping| ping.starts_with("4/4 received, 0 % loss")).count(), 6);
    place.run(&[&["troubleshoot"], &three[..]].concat()).exits(0);
    // Three do not fit in the manifests' own addresses, but in those that are remembered.
    place.run(&["verify", "--clients", "3"]).exits(0).says(&["was made with --cidr=10.9.0.0/29 --clients=3"]);
    place.run(&["verify", "--cidr", "10.9.0.0/31"]).exits(2).says(&["10.9.0.0/31 holds 1 client, and 3 are asked for"]);

    // Fewer are the first of them.
    let ran = place.run(&["deploy", "--cidr", "10.9.0.0/29", "-o", "json"]);
    ran.exits(0).says(&["Pod ns-kernel2kernel/alpine-2: gone", "Pod ns-kernel2kernel/alpine-3: gone", "Pod ns-kernel2kernel/alpine: unchanged"]);
    place.run(&["cleanup"]).exits(0);
    place.is_clean();
}

#[test]
fn what_was_made_from_other_manifests_is_held_against_its_objects_and_is_not_replaced() {
    let place = Place::new();
    let example = place.run(&["manifests", "-n", "mine"]).exits(0).stdout.clone();
    place.write("mine.yaml", &example.replace("nse-kernel", "my-nse").replace("name: alpine\n", "name: my-client\n"));
    place.run(&["deploy", "-f", "mine.yaml"]).exits(0);
    place.run(&["verify", "-n", "mine"]).exits(0).says(&["the deployment mine was made from other manifests (", "mine/my-client"]);
    place.run(&["exec", "-n", "mine", "my-client", "--", "true"]).exits(0);
    let ran = place.run(&["deploy", "-n", "mine"]);
    ran.exits(1).prints_nothing().says(&["and this is the example; nothing was changed", "--manifests"]);
    place.run(&["verify", "-f", "mine.yaml"]).exits(0);
    // What would mend it is a deploy of its own.
    place.run(&["exec", "-n", "mine", "my-client", "--", "ip", "link", "set", "nsm-1", "down"]).exits(0);
    let ran = place.run(&["troubleshoot", "-n", "mine", "-o", "json"]);
    let (ids, first) = causes(ran.exits(1));
    assert_eq!(ids, ["interface-down"], "{ran:?}");
    assert!(first["hint"].as_str().unwrap().contains("nsmctl deploy --namespace mine --target local --manifests MANIFESTS"), "{first}");
    place.run(&["deploy", "-f", "mine.yaml"]).exits(0);
    assert_eq!(place.run(&["troubleshoot", "-n", "mine"]).exits(0).code, Some(0));
    place.run(&["cleanup", "-f", "mine.yaml"]).exits(0);

    place.run(&["deploy", "--name-prefix", "blue-"]).exits(0);
    place.run(&["verify", "-n", "blue-ns-kernel2kernel"]).exits(0).says(&["was made from other manifests"]);
    place.run(&["cleanup", "--name-prefix", "blue-"]).exits(0);
    place.is_clean();
}

#[test]
fn clients_that_the_addresses_are_too_few_for_are_refused() {
    let place = Place::new();
    let ran = place.run(&["deploy", "--clients", "3"]);
    ran.exits(2).prints_nothing().says(&["172.16.1.100/31 holds 1 client, and 3 are asked for", "next: --cidr 172.16.1.96/29"]);
    place.is_clean();
    place.run(&["deploy", "--clients", "0"]).exits(2).prints_nothing().says(&["--clients", "a whole number from 1 to 1000"]);
    // What was never deployed can still be cleaned up by the same line.
    place.run(&["cleanup", "--clients", "3"]).exits(0);
}

#[test]
fn a_second_deployment_stands_beside_the_first() {
    let place = Place::new();
    place.run(&["deploy"]).exits(0);
    // In a namespace of its own, and in that of the first.
    for (flags, namespace) in
        [(&["--name-prefix", "blue-"][..], "blue-ns-kernel2kernel"), (&["--name-prefix", "red-", "-n", "ns-kernel2kernel"], "ns-kernel2kernel")]
    {
        let ran = place.run(&[&["deploy", "-o", "json"], flags].concat());
        ran.exits(0);
        let prefix = flags[1];
        let document = ran.json();
        let made: BTreeSet<&str> = document["applied"].as_array().unwrap().iter().filter_map(|object| object["name"].as_str()).collect();
        let expected = [namespace.to_owned(), format!("{prefix}kernel2kernel"), format!("{prefix}nse-kernel"), format!("{prefix}alpine")];
        assert_eq!(made, expected.iter().map(String::as_str).collect());
    }
    place.run(&["verify"]).exits(0);
    place.run(&["cleanup", "--name-prefix", "red-", "-n", "ns-kernel2kernel"]).exits(0);
    place.run(&["verify"]).exits(0);
    place.run(&["cleanup"]).exits(0);
    place.run(&["verify", "--name-prefix", "blue-"]).exits(0);
    let ran = place.run(&["cleanup", "--name-prefix", "blue-"]);
    ran.exits(0);
    assert!(ran.stdout.contains("Namespace blue-ns-kernel2kernel") && ran.stdout.contains("0 left"), "{ran:?}");
    place.is_clean();
}

#[test]
fn a_payload_and_another_node_are_taken() {
    let place = Place::new();
    place.run(&["deploy", "--payload", "ip"]).exits(0);
    place.run(&["verify", "--payload", "ip"]).exits(0);
    // There is one node only, and nothing here schedules.
    place.run(&["deploy", "--payload", "ip", "--cross-node"]).exits(0).says(&["--cross-node: this machine is one node"]);
    place.run(&["cleanup"]).exits(0);
    place.is_clean();
}

#[test]
fn what_is_printed_is_what_is_deployed() {
    let place = Place::new();
    let flags = ["--clients", "2", "--cidr", "10.9.0.0/30", "--name-prefix", "blue-", "--image-registry", "mirror.example.com/nsm"];
    let printed = place.run(&[&["manifests"], &flags[..]].concat());
    printed.exits(0);
    place.is_clean();
    assert!(printed.stderr.is_empty() && printed.stdout.contains("image: mirror.example.com/nsm/alpine:3.15.0\n"), "{printed:?}");
    let file = place.write("printed.yaml", &printed.stdout);
    let output = place.command(&["deploy", "-f", "-"]).stdin(fs::File::open(&file).unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    // It is the same deployment, whichever way it is named.
    let again = place.run(&[&["deploy", "-o", "json"], &flags[..]].concat());
    again.exits(0);
    let document = again.json();
    assert!(document["applied"].as_array().unwrap().iter().all(|object| object["result"] == "unchanged"), "{document}");
    place.run(&["cleanup", "-f", file.to_str().unwrap()]).exits(0);
    place.is_clean();
}

#[test]
fn manifests_are_written_into_a_directory_and_listed() {
    let place = Place::new();
    // A kubeconfig that leads nowhere: nobody is asked.
    place.kubeconfig("http://127.0.0.1:1");
    let ran = place.run(&["manifests", "--out", "mine", "-o", "json"]);
    ran.exits(0);
    let files: Vec<String> = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(files.len(), 4);
    assert!(files[0].ends_with("mine/1-namespace-ns-kernel2kernel.yaml") && place.path("mine/4-pod-alpine.yaml").exists(), "{files:?}");
    let ran = place.run(&["manifests", "--out", "mine", "--payload", "ip"]);
    ran.exits(1).prints_nothing().says(&["mine/1-namespace-ns-kernel2kernel.yaml is there already and differs; nothing was written", "next: "]);

    let list: Value = serde_json::from_str(&place.run(&["manifests", "-f", "mine", "-o", "json"]).stdout).unwrap();
    assert_eq!((&list["apiVersion"], &list["kind"], list["items"].as_array().unwrap().len()), (&json!("v1"), &json!("List"), 4));
    let ran = place.run(&["manifests", "images"]);
    assert_eq!(ran.exits(0).stdout, "alpine:3.15.0\nghcr.io/networkservicemesh/ci/cmd-nse-icmp-responder:a00fa0f\n");
    let ran = place.run(&["manifests", "images", "--image", "nse=nse:1", "-o", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap(), json!(["alpine:3.15.0", "nse:1"]));
    place.run(&["manifests", "--out", "x", "images"]).exits(2).prints_nothing().says(&["--out writes manifests into files"]);
    place
        .run(&["manifests", "--image", "sidecar=x"])
        .exits(2)
        .prints_nothing()
        .says(&["no container in the manifests is called sidecar", "alpine, nse"]);
}
