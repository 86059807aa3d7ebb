//! The engine on real namespaces, judged by `ip` and `nsenter`.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use nsmctl::model::{Outcome, Payload, PingStats, Pinged, Probe};

use crate::machine::{Machine, client, endpoint, example, plan, service};

pub(crate) fn received(pings: &[Pinged]) -> Vec<(u32, u32)> {
    let counts = |stats: &PingStats| (stats.transmitted, stats.received);
    let usual = pings.iter().filter(|ping| ping.packet_bytes.is_none());
    usual.map(|ping| if let Probe::Value(stats) = &ping.result { counts(stats) } else { panic!("{ping:?}") }).collect()
}

/// The network namespaces of a machine's pods, by the number that the kernel gives them.
async fn namespaces(machine: &Machine) -> Vec<u64> {
    use std::os::linux::fs::MetadataExt;
    machine.status().await.namespaces.iter().map(|(_, path)| fs::metadata(path).expect("a namespace").st_ino()).collect()
}

/// The processes that hold one of the namespaces, open or as their own.
fn holders(inodes: &[u64]) -> Vec<String> {
    let is_one = |path: PathBuf| fs::read_link(path).is_ok_and(|link| inodes.iter().any(|inode| link.to_string_lossy() == format!("net:[{inode}]")));
    let holds = |pid: &Path| {
        let open = fs::read_dir(pid.join("fd")).into_iter().flatten().flatten().map(|entry| entry.path());
        open.chain([pid.join("ns/net")]).any(is_one)
    };
    let processes = fs::read_dir("/proc").expect("/proc").flatten().filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok());
    let name = |pid: PathBuf| format!("{}: {}", pid.display(), fs::read_to_string(pid.join("cmdline")).unwrap_or_default().replace('\0', " "));
    processes.map(|entry| entry.path()).filter(|pid| holds(pid)).map(name).collect()
}

#[tokio::test]
async fn the_example_is_connected_as_its_document_promises() {
    let machine = Machine::new();
    let applied = machine.apply(&example()).await;
    assert_eq!(
        applied,
        [
            "Namespace ns-test created",
            "NetworkService ns-test/kernel2kernel created",
            "Deployment ns-test/nse-kernel created",
            "Pod ns-test/alpine created"
        ]
    );
    machine.local.wait(&machine.ctx, &example()).await.unwrap();

    assert_eq!(machine.addresses("alpine").await, ["nsm-1 172.16.1.101/32"]);
    assert_eq!(machine.routes("alpine", "-4").await, ["172.16.1.100 nsm-1 172.16.1.101"]);
    let far = machine.addresses("nse").await;
    assert!(far.len() == 1 && far[0].starts_with("kernel2ker-") && far[0].ends_with(" 172.16.1.100/32"), "{far:?}");
    assert_eq!(machine.index("alpine", "lo").await, 1);

    for (pod, address) in [("alpine", "172.16.1.100"), ("nse", "172.16.1.101")] {
        let probes = machine.probe(pod, &[address]).await;
        assert_eq!(received(&probes.pings), [(3, 3)]);
        let Probe::Value(PingStats { round_trip_ms: Some((shortest, mean, longest)), .. }) = probes.pings[0].result else { panic!("{probes:?}") };
        assert!(0.0 < shortest && shortest <= mean && mean <= longest && longest < 500.0);
    }

    let inventory = machine.inventory().await;
    assert_eq!(inventory.endpoints.unwrap()[0].services, ["kernel2kernel"]);
    assert_eq!(inventory.services.unwrap()[0].payload, Some(Payload::Ethernet));
    let pod = machine.pod("alpine").await;
    assert!(pod.ready && pod.is_injected() && pod.status() == "Running", "{pod:?}");
}

#[tokio::test]
async fn what_is_told_is_what_ip_tells() {
    let machine = Machine::new();
    machine.apply(&example()).await;
    let probes = machine.probe("alpine", &[]).await;
    let (Probe::Value(links), Probe::Value(routes)) = (probes.links, probes.routes) else { panic!("no values") };
    let seen = machine.ip("alpine", &["addr", "show"]).await;
    for (link, seen) in links.iter().zip(seen.as_array().unwrap()) {
        let flags: std::collections::BTreeSet<String> =
            seen["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap().to_owned()).collect();
        assert_eq!((link.name.as_str(), &link.flags), (seen["ifname"].as_str().unwrap(), &flags));
        assert_eq!(link.mtu.map(u64::from), seen["mtu"].as_u64());
        assert_eq!((link.qdisc.as_deref(), link.state.as_deref()), (seen["qdisc"].as_str(), seen["operstate"].as_str()));
        let addresses: Vec<String> = link.addresses.iter().map(|a| format!("{}/{}", a.address, a.prefix_length)).collect();
        let info = seen["addr_info"].as_array().unwrap().iter().map(|a| format!("{}/{}", a["local"].as_str().unwrap(), a["prefixlen"]));
        assert_eq!(addresses, info.collect::<Vec<_>>());
    }
    let told: Vec<String> = routes.iter().map(|route| format!("{} {}", route.destination, route.device.as_deref().unwrap_or_default())).collect();
    assert_eq!(told, ["172.16.1.100/32 nsm-1"]);
}

/// The kernel takes a link whose peer has its own index for one without a peer, and lets it wait up to a second for its carrier.
#[tokio::test]
async fn the_two_ends_of_a_link_have_indices_of_their_own() {
    let machine = Machine::new();
    machine.apply(&example()).await;
    let link = machine.ip("alpine", &["link", "show", "nsm-1"]).await[0].clone();
    assert!(link["link_index"].is_u64() && link["ifindex"] != link["link_index"], "{link}");
}

#[tokio::test]
async fn a_link_that_is_switched_off_is_told_and_applying_again_repairs_it() {
    let machine = Machine::new();
    machine.apply(&example()).await;
    machine.ip_set("alpine", &["link", "set", "nsm-1", "down"]).await;

    let probes = machine.probe("alpine", &["172.16.1.100"]).await;
    let Probe::Value(links) = &probes.links else { panic!("{probes:?}") };
    let link = links.iter().find(|link| link.name == "nsm-1").unwrap();
    assert!(!link.is_up() && !link.is_lower_up(), "{link:?}");
    assert_eq!(received(&probes.pings), [(3, 0)]);
    let system = machine.local.system(&machine.ctx, &example().expectations).await.unwrap();
    let last = system.logs.iter().find(|log| log.container == "cmd-nsc").and_then(|log| log.lines.as_ref().unwrap().last().cloned()).unwrap();
    assert!(last.contains("Data plane is down: the interface nsm-1 is switched off"), "{last}");

    assert!(machine.apply(&example()).await.contains(&"Pod ns-test/alpine configured".to_owned()));
    assert_eq!(received(&machine.probe("alpine", &["172.16.1.100"]).await.pings), [(3, 3)]);
}

#[tokio::test]
async fn a_route_that_leads_nowhere_is_told_and_applying_again_replaces_it() {
    for (prefixes, peer, family) in [("172.16.1.100/31", "172.16.1.100", "-4"), ("2001:db8::/127", "2001:db8::", "-6")] {
        let machine = Machine::new();
        let workloads = vec![endpoint("nse-kernel", "kernel2kernel", prefixes), client("alpine", "kernel://kernel2kernel/nsm-1")];
        let plan = plan("example", example().expectations.services, workloads);
        machine.apply(&plan).await;
        machine.ip_set("alpine", &[family, "route", "del", peer]).await;
        machine.ip_set("alpine", &[family, "route", "add", "blackhole", peer]).await;
        let probes = machine.probe("alpine", &[]).await;
        let (Probe::Value(v4), Probe::Value(v6)) = (probes.routes, probes.routes_v6) else { panic!("no routes") };
        assert!(v4.iter().chain(&v6).any(|route| route.refuses.as_deref() == Some("blackhole")), "{v4:?} {v6:?}");

        assert!(machine.apply(&plan).await.contains(&"Pod ns-test/alpine configured".to_owned()));
        assert_eq!(received(&machine.probe("alpine", &[peer]).await.pings), [(3, 3)], "{peer}");
    }
}

#[tokio::test]
async fn a_route_over_another_interface_is_replaced() {
    let machine = Machine::new();
    machine.apply(&example()).await;
    machine.ip_set("alpine", &["route", "replace", "172.16.1.100/32", "dev", "lo"]).await;
    assert!(machine.apply(&example()).await.contains(&"Pod ns-test/alpine configured".to_owned()));
    assert_eq!(received(&machine.probe("alpine", &["172.16.1.100"]).await.pings), [(3, 3)]);
}

#[tokio::test]
async fn an_address_that_is_taken_away_is_put_back() {
    let machine = Machine::new();
    machine.apply(&example()).await;
    machine.ip_set("alpine", &["addr", "del", "172.16.1.101/32", "dev", "nsm-1"]).await;
    for _ in 0..200 {
        if machine.addresses("alpine").await == ["nsm-1 172.16.1.101/32"] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(received(&machine.probe("alpine", &["172.16.1.100"]).await.pings), [(3, 3)]);
    let system = machine.local.system(&machine.ctx, &example().expectations).await.unwrap();
    let reasons: Vec<String> = system.events.unwrap().into_iter().map(|event| format!("{} {}", event.reason, event.message)).collect();
    let told = |words: &str| reasons.iter().any(|reason| reason.contains(words));
    assert!(told("DataPlaneDown the interface nsm-1 lacks the address 172.16.1.101") && told("Healed connected again to"), "{reasons:?}");
}

#[tokio::test]
async fn a_second_client_waits_until_an_address_comes_free() {
    let machine = Machine::new();
    let mut workloads = example().expectations.workloads;
    workloads.push(client("second", "kernel://kernel2kernel/nsm-1"));
    let crowded = plan("example", example().expectations.services, workloads.clone());
    machine.apply(&crowded).await;

    let pod = machine.pod("second").await;
    assert_eq!((pod.phase.as_str(), pod.ready, pod.status().as_str()), ("Pending", false, "Init:RequestFailed"));
    assert_eq!(pod.init_containers[0].message.as_deref(), Some("IPPool is empty"));
    let failure = machine.local.wait(&machine.ctx, &crowded).await.unwrap_err();
    assert_eq!((failure.outcome, failure.message().as_str()), (Outcome::Failed, "Pod ns-test/second is not ready: IPPool is empty"));
    let system = machine.local.system(&machine.ctx, &crowded.expectations).await.unwrap();
    let log = system.logs.iter().find(|log| log.pod.name == "second" && log.container == "cmd-nsc-init").unwrap();
    assert!(
        log.lines.as_ref().unwrap()[0].contains("[ERRO] [id:second-0]") && log.lines.as_ref().unwrap()[0].ends_with("IPPool is empty"),
        "{log:?}"
    );

    workloads.retain(|workload| workload.id.name != "alpine");
    machine.apply(&plan("example", example().expectations.services, workloads)).await;
    assert!(machine.pod("second").await.ready);
    assert_eq!(machine.addresses("second").await, ["nsm-1 172.16.1.101/32"]);
}

#[tokio::test]
async fn requests_that_nobody_serves_say_why_and_are_made_again() {
    let machine = Machine::new();
    let alone = vec![client("alpine", "kernel://kernel2kernel/nsm-1")];
    machine.apply(&plan("example", vec![], alone.clone())).await;
    let reason = async || machine.pod("alpine").await.init_containers[0].message.clone().unwrap();
    assert_eq!(reason().await, "network service kernel2kernel is not found");
    machine.apply(&plan("example", example().expectations.services, alone)).await;
    assert_eq!(reason().await, "endpoint candidates not found");
    let inode = namespaces(&machine).await;
    machine.apply(&example()).await;
    assert!(machine.pod("alpine").await.ready);
    assert!(namespaces(&machine).await.contains(&inode[0]), "the client is the same as before");
}

#[tokio::test]
async fn applying_the_same_again_changes_nothing() {
    let machine = Machine::new();
    machine.apply(&example()).await;
    let before = (machine.index("alpine", "nsm-1").await, namespaces(&machine).await);
    let applied = machine.apply(&example()).await;
    assert!(applied.len() == 4 && applied.iter().all(|line| line.ends_with("unchanged")), "{applied:?}");
    assert_eq!((machine.index("alpine", "nsm-1").await, namespaces(&machine).await), before);
}

#[tokio::test]
async fn what_has_changed_is_made_anew_and_nothing_else() {
    let machine = Machine::new();
    machine.apply(&example()).await;
    let [client_before, endpoint_before] = namespaces(&machine).await[..] else { panic!("two pods") };
    let workloads = vec![endpoint("nse-kernel", "kernel2kernel", "10.9.0.0/31"), example().expectations.workloads[1].clone()];
    let applied = machine.apply(&plan("example", example().expectations.services, workloads)).await;
    assert!(applied.contains(&"Deployment ns-test/nse-kernel configured".to_owned()), "{applied:?}");
    let [client_after, endpoint_after] = namespaces(&machine).await[..] else { panic!("two pods") };
    assert_eq!(client_after, client_before);
    assert_ne!(endpoint_after, endpoint_before);
    assert_eq!(machine.addresses("alpine").await, ["nsm-1 10.9.0.1/32"]);
    assert_eq!(received(&machine.probe("alpine", &["10.9.0.0"]).await.pings), [(3, 3)]);
}

#[tokio::test]
async fn ipv6_and_two_groups_of_prefixes_work_at_once() {
    let machine = Machine::new();
    let workloads = vec![endpoint("nse", "s", "172.16.1.0/24,2001:db8::/64"), client("alpine", "kernel://s")];
    machine.apply(&plan("example", vec![service("s", Payload::Ethernet)], workloads)).await;
    let near = machine.addresses("alpine").await;
    let name = near[0].split(' ').next().unwrap().to_owned();
    assert!(name.starts_with("s-") && name.len() == 6, "{near:?}");
    assert_eq!(near, [format!("{name} 172.16.1.1/32"), format!("{name} 2001:db8::1/128")]);
    assert_eq!(machine.routes("alpine", "-4").await, [format!("172.16.1.0 {name} 172.16.1.1")]);
    let six = machine.routes("alpine", "-6").await;
    assert!(six.contains(&format!("2001:db8:: {name} 2001:db8::1")), "{six:?}");
    assert_eq!(received(&machine.probe("alpine", &["172.16.1.0", "2001:db8::"]).await.pings), [(3, 3), (3, 3)]);
    assert_eq!(received(&machine.probe("nse", &["172.16.1.1", "2001:db8::1"]).await.pings), [(3, 3), (3, 3)]);
    let Probe::Value(told) = machine.probe("alpine", &[]).await.routes_v6 else { panic!("no routes") };
    assert!(told.iter().any(|route| route.destination.to_string() == "2001:db8::/128"), "{told:?}");
}

#[tokio::test]
async fn payload_ip_needs_no_address_resolution() {
    let machine = Machine::new();
    let workloads = vec![endpoint("nse", "s", "172.16.1.0/31,2001:db8::/127"), client("alpine", "kernel://s/nsm-1")];
    machine.apply(&plan("example", vec![service("s", Payload::Ip)], workloads.clone())).await;
    let flags = machine.ip("alpine", &["link", "show", "nsm-1"]).await[0]["flags"].clone();
    assert!(flags.as_array().unwrap().iter().any(|flag| flag == "NOARP"), "{flags}");
    assert_eq!(received(&machine.probe("alpine", &["172.16.1.0", "2001:db8::"]).await.pings), [(3, 3), (3, 3)]);
    assert_eq!(received(&machine.probe("nse", &["172.16.1.1", "2001:db8::1"]).await.pings), [(3, 3), (3, 3)]);

    machine.apply(&plan("example", vec![service("s", Payload::Ethernet)], workloads)).await;
    let flags = machine.ip("alpine", &["link", "show", "nsm-1"]).await[0]["flags"].clone();
    assert!(!flags.as_array().unwrap().iter().any(|flag| flag == "NOARP"), "another payload needs another link: {flags}");
    assert_eq!(received(&machine.probe("alpine", &["172.16.1.0", "2001:db8::"]).await.pings), [(3, 3), (3, 3)]);
}

#[tokio::test]
async fn deployments_side_by_side_go_one_by_one_and_the_engine_with_the_last() {
    let machine = Machine::new();
    machine.apply(&example()).await;
    let workloads = vec![endpoint("other", "other", "172.16.1.100/31"), client("bystander", "kernel://other/nsm-1")];
    let other = plan("other", vec![service("other", Payload::Ethernet)], workloads);
    assert_eq!(machine.apply(&other).await[0], "Namespace ns-test used as it is");
    assert_eq!(machine.local.deployments(&machine.ctx).await.unwrap(), ["example", "other"]);
    let inodes = namespaces(&machine).await;
    let pid = machine.status().await.pid;
    let held_by = holders(&inodes);
    assert!(!held_by.is_empty(), "the look at /proc sees them");

    let removed = machine.local.delete(&machine.ctx, "example").await.unwrap();
    assert_eq!(removed.left, []);
    let gone: Vec<String> = removed.gone.iter().map(ToString::to_string).collect();
    assert!(gone.contains(&"Pod ns-test/alpine".to_owned()) && gone.contains(&"NetworkService ns-test/kernel2kernel".to_owned()), "{gone:?}");
    assert!(!gone.contains(&"Namespace ns-test".to_owned()), "the other deployment is still in it");
    assert_eq!(received(&machine.probe("bystander", &["172.16.1.100"]).await.pings), [(3, 3)]);

    let removed = machine.local.delete(&machine.ctx, "other").await.unwrap();
    assert!(removed.gone.iter().any(|object| object.kind == "Namespace") && removed.left.is_empty(), "{removed:?}");
    assert!(!machine.dir().exists() && !machine.local.is_running());
    // The kernel gives their numbers to the next, which other tests make meanwhile.
    assert!(!holders(&inodes).iter().any(|holder| held_by.contains(holder)), "{held_by:?}");
    wait_for_end(pid);
    assert!(machine.local.delete(&machine.ctx, "other").await.unwrap().gone.is_empty(), "nothing to remove is no failure");
}

/// Sees that a process ends, which a program whose socket has closed does a moment later.
pub(crate) fn wait_for_end(pid: u32) {
    let path = format!("/proc/{pid}/stat");
    for _ in 0..200 {
        // A dead process whose parent has not looked yet is over too.
        if fs::read_to_string(&path).map_or(true, |stat| stat.contains(") Z ")) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("process {pid} has not ended");
}

#[tokio::test]
async fn an_engine_that_was_killed_leaves_nothing_in_the_way() {
    let machine = Machine::new();
    machine.apply(&example()).await;
    let inodes = namespaces(&machine).await;
    let pid = machine.status().await.pid;
    let held_by = holders(&inodes);
    kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL).unwrap();
    wait_for_end(pid);
    // The kernel gives their numbers to the next, which other tests make meanwhile; and who held them beside it ends a moment later.
    crate::program::eventually("that nobody holds them", || !holders(&inodes).iter().any(|holder| held_by.contains(holder)));
    // A process that ends shows no descriptor any more before the kernel has closed them all: its socket takes one more for a moment.
    crate::program::eventually("that nobody answers", || !machine.local.is_running());
    assert!(!held_by.is_empty());
    assert_eq!(machine.inventory().await.pods, Ok(vec![]));
    let system = machine.local.system(&machine.ctx, &example().expectations).await.unwrap();
    assert_eq!(system.components[0].ready, Ok((1, 0)));

    machine.apply(&example()).await;
    assert_eq!(received(&machine.probe("alpine", &["172.16.1.100"]).await.pings), [(3, 3)]);
    let pid = machine.status().await.pid;
    kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL).unwrap();
    wait_for_end(pid);
    machine.local.delete(&machine.ctx, "example").await.unwrap();
    assert!(!machine.dir().exists(), "the files of a killed engine are removed");
}

#[tokio::test]
async fn a_signal_ends_the_engine_and_leaves_no_file() {
    let machine = Machine::new();
    machine.apply(&example()).await;
    let pid = machine.status().await.pid;
    kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGTERM).unwrap();
    wait_for_end(pid);
    assert_eq!(fs::read_dir(machine.dir()).unwrap().count(), 0);
}

#[tokio::test]
async fn two_that_start_at_once_share_one_engine() {
    let machine = Machine::new();
    let other = plan("other", vec![], vec![client("bystander", "kernel://other/nsm-1")]);
    let example = example();
    tokio::join!(machine.apply(&example), machine.apply(&other));
    assert_eq!(machine.local.deployments(&machine.ctx).await.unwrap(), ["example", "other"]);
}

#[tokio::test]
async fn what_this_machine_cannot_do_is_refused_before_anything_is_made() {
    let machine = Machine::new();
    machine.apply(&example()).await;
    let memif = plan("other", vec![], vec![client("bystander", "memif://kernel2kernel/nsm-1")]);
    let failure = machine.local.apply(&machine.ctx, &memif).await.unwrap_err();
    assert_eq!(failure.outcome, Outcome::Usage);
    assert!(
        failure.message().starts_with("cannot support any of the requested mechanism: memif in memif://kernel2kernel/nsm-1"),
        "{}",
        failure.message()
    );
    let theirs = plan("other", vec![], vec![client("alpine", "kernel://kernel2kernel/nsm-1")]);
    let failure = machine.local.apply(&machine.ctx, &theirs).await.unwrap_err();
    assert_eq!(failure.message(), "pod ns-test/alpine belongs to the deployment example");
    assert_eq!(machine.local.deployments(&machine.ctx).await.unwrap(), ["example"]);
}

#[tokio::test]
async fn more_pods_than_fit_are_refused_before_any_is_made() {
    let machine = Machine::new();
    machine.apply(&example()).await;
    for (replicas, counted) in [(2_000_000_000, "2000000000 pods"), (999, "999 pods")] {
        let mut many = plan("other", vec![], vec![endpoint("many", "many", "10.0.0.0/31")]);
        many.expectations.workloads[0].replicas = Some(replicas);
        let failure = machine.local.apply(&machine.ctx, &many).await.unwrap_err();
        let expected = format!(
            "{counted} beside the 2 of other deployments are too many for this machine, {replicas} of them for Deployment ns-test/many: it takes 1000 in all"
        );
        assert_eq!((failure.outcome, failure.message()), (Outcome::Usage, expected));
        assert!(failure.hint.is_some_and(|hint| hint.contains("fewer replicas")));
    }
    assert_eq!(machine.local.deployments(&machine.ctx).await.unwrap(), ["example"]);
    assert_eq!(received(&machine.probe("alpine", &["172.16.1.100"]).await.pings), [(3, 3)]);
}

/// A program that starts nsmctl under a limit of open files.
fn limited(machine: &Machine, limit: &str) -> PathBuf {
    let program = machine.dir().with_file_name("limited");
    fs::write(&program, format!("#!/bin/sh\n{limit}\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_nsmctl"))).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

#[tokio::test]
async fn as_many_files_are_opened_as_the_machine_allows() {
    let machine = Machine::new();
    let local = machine.local.clone().with_program(limited(&machine, "ulimit -Sn 64"));
    let mut crowd = example();
    crowd.expectations.workloads[0].replicas = Some(80);
    local.apply(&machine.ctx, &crowd).await.unwrap();
    assert_eq!(namespaces(&machine).await.len(), 81);
}

#[tokio::test]
async fn where_no_more_files_may_be_opened_the_limit_is_named() {
    let machine = Machine::new();
    let local = machine.local.clone().with_program(limited(&machine, "ulimit -n 40"));
    let mut crowd = example();
    crowd.expectations.workloads[0].replicas = Some(60);
    let failure = local.apply(&machine.ctx, &crowd).await.unwrap_err();
    assert!(failure.message().contains("Too many open files"), "{}", failure.message());
    assert!(failure.hint.as_deref().is_some_and(|hint| hint.contains("`ulimit -n`")), "{failure:?}");
}

#[tokio::test]
async fn a_client_that_goes_away_harms_nothing() {
    use std::{io::Write, os::unix::net::UnixStream};
    let machine = Machine::new();
    machine.apply(&example()).await;
    let workloads = serde_json::to_value(example().expectations.workloads).unwrap();
    for number in 0..10 {
        let apply = serde_json::json!({"apply": {"instance": "example", "namespace": "ns-test", "services": [], "workloads": workloads}});
        let mut stream = UnixStream::connect(machine.dir().join("engine.sock")).unwrap();
        stream.write_all(format!("{apply}\n").as_bytes()).unwrap();
        stream.write_all(&b"\"system\"\nno JSON"[..number]).unwrap();
    }
    assert_eq!(machine.apply(&example()).await[0], "Namespace ns-test unchanged");
    assert_eq!(received(&machine.probe("alpine", &["172.16.1.100"]).await.pings), [(3, 3)]);
}

#[tokio::test]
async fn pods_come_and_go_with_the_number_of_replicas() {
    let machine = Machine::new();
    let scaled = |replicas| {
        let mut scaled = example();
        scaled.expectations.workloads[0].replicas = Some(replicas);
        scaled
    };
    machine.apply(&scaled(1)).await;
    let [client, first] = namespaces(&machine).await[..] else { panic!("two pods") };
    machine.apply(&scaled(3)).await;
    let now = namespaces(&machine).await;
    assert!(now.len() == 4 && now.contains(&client) && now.contains(&first), "those that were there stay");
    machine.apply(&scaled(1)).await;
    assert_eq!(namespaces(&machine).await, [client, first]);
    machine.apply(&scaled(0)).await;
    assert_eq!(machine.pod("alpine").await.init_containers[0].message.as_deref(), Some("endpoint candidates not found"));
}

#[tokio::test]
async fn a_namespace_that_somebody_is_still_in_is_named() {
    let machine = Machine::new();
    machine.apply(&example()).await;
    let status = machine.status().await;
    let net = status.namespaces.iter().find(|(pod, _)| pod.name == "alpine").map(|(_, path)| format!("--net={path}")).unwrap();
    let mut nsenter = Command::new("nsenter");
    if !nix::unistd::geteuid().is_root() {
        nsenter.args([&format!("--user=/proc/{}/ns/user", status.pid), "--preserve-credentials"]);
    }
    let mut inside = nsenter.args([&net, "sh", "-c", "echo in; read line"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("nsenter");
    std::io::Read::read_exact(&mut inside.stdout.take().unwrap(), &mut [0; 3]).unwrap();
    let removed = machine.local.delete(&machine.ctx, "example").await.unwrap();
    let left: Vec<String> = removed.left.iter().map(|(object, reason)| format!("{object}: {reason}")).collect();
    assert_eq!(left, [format!("Pod ns-test/alpine: process {} is still in its network namespace", inside.id())]);
    assert!(removed.proof.contains(&"network namespaces let go, and held by no process that can be seen: 1".to_owned()), "{:?}", removed.proof);
    drop(inside.stdin.take());
    inside.wait().unwrap();
}

#[tokio::test]
async fn an_engine_of_another_version_is_named_and_only_ended_if_nobody_else_loses_by_it() {
    for (held, ends) in [(r#""example""#, true), (r#""example","other""#, false)] {
        let machine = Machine::new();
        fs::create_dir(machine.dir()).unwrap();
        fs::set_permissions(machine.dir(), fs::Permissions::from_mode(0o700)).unwrap();
        let listener = std::os::unix::net::UnixListener::bind(machine.dir().join("engine.sock")).unwrap();
        let hello = format!(r#"{{"hello":{{"version":"99.0.0","pid":7,"instances":[{held}],"news":true}}}}"#);
        let old = std::thread::spawn(move || {
            use std::io::{BufRead, BufReader, Write};
            let mut asked = Vec::new();
            for stream in listener.incoming().take(2) {
                let mut stream = stream.unwrap();
                for line in BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok) {
                    let is_end = line == r#""shutdown""#;
                    let reply = if is_end { r#"{"removed":{"gone":[],"left":[],"proof":[]}}"# } else { hello.as_str() };
                    asked.push(line);
                    writeln!(stream, "{reply}").unwrap();
                    if is_end {
                        break;
                    }
                }
            }
            asked
        });
        let failure = machine.local.apply(&machine.ctx, &example()).await.unwrap_err();
        assert_eq!(failure.outcome, Outcome::CannotTell);
        assert!(failure.message().contains("process 7) is of version 99.0.0"), "{}", failure.message());
        assert_eq!(machine.local.delete(&machine.ctx, "example").await.is_ok(), ends);
        assert_eq!(old.join().unwrap().contains(&r#""shutdown""#.to_owned()), ends);
    }
}

/// Starts the engine where the kernel refuses `limit`, as in `max_user_namespaces`; the refusal is in a namespace of its
/// own, so this machine's settings stay as they are.
fn refused(machine: &Machine, limit: &str, privilege: &str) -> String {
    let script = format!("echo 0 > /proc/sys/user/{limit} && exec setpriv {privilege} \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_nsmctl"), "engine", "run", "--dir"]);
    let output = command.arg(machine.dir()).output().expect("unshare of util-linux");
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn where_namespaces_are_forbidden_the_setting_is_named() {
    let machine = Machine::new();
    let line = refused(&machine, "max_user_namespaces", "--securebits=+noroot --bounding-set=-all");
    assert!(line.contains("cannot make a user namespace") && line.contains("/proc/sys/user/max_user_namespaces is 0"), "{line}");
    let line = refused(&machine, "max_net_namespaces", "");
    assert!(line.contains("cannot make a network namespace") && line.contains("sysctl user.max_net_namespaces"), "{line}");
    assert_eq!(fs::read_dir(machine.dir()).unwrap().count(), 0, "a start that fails leaves nothing");
}

#[tokio::test]
async fn why_the_engine_does_not_start_is_told_to_who_starts_it() {
    let machine = Machine::new();
    fs::create_dir(machine.dir()).unwrap();
    fs::set_permissions(machine.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    let failure = machine.local.apply(&machine.ctx, &example()).await.unwrap_err();
    assert!(failure.message().ends_with("is open to others (mode 755)"), "{}", failure.message());
    fs::set_permissions(machine.dir(), fs::Permissions::from_mode(0o700)).unwrap();
    let broken = machine.local.clone().with_program("/bin/false");
    let failure = broken.apply(&machine.ctx, &example()).await.unwrap_err();
    assert_eq!(failure.message(), "the engine ended before it had started");
    let missing = machine.local.clone().with_program("/nowhere/nsmctl");
    assert!(missing.apply(&machine.ctx, &example()).await.unwrap_err().message().starts_with("cannot start the engine as /nowhere/nsmctl"));
}

/// Calls the engine as a user that has no privilege: it must find its own way, in a user namespace.
#[tokio::test]
async fn an_ordinary_user_needs_no_privilege() {
    let machine = Machine::new();
    if !nix::unistd::geteuid().is_root() {
        // Then every other test has shown it.
        return;
    }
    let nobody = 65534;
    // A program that its user cannot read cannot write its own uid_map, so it is copied to where everybody can.
    let public = tempfile::TempDir::new().unwrap();
    fs::set_permissions(public.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = public.path().join("nsmctl");
    fs::copy(env!("CARGO_BIN_EXE_nsmctl"), &program).unwrap();
    fs::set_permissions(machine.dir().parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    let dir = machine.dir().to_owned();
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::chown(&dir, Some(nobody), Some(nobody)).unwrap();

    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(&program).args(["engine", "run", "--dir"]).arg(&dir);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("setpriv of util-linux");
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    assert!(line.contains("ready"), "{line}");
    // Root may speak for the user once the directory is root's; the engine itself stays nobody's.
    std::os::unix::fs::chown(&dir, Some(0), Some(0)).unwrap();
    machine.apply(&example()).await;
    assert_eq!(machine.addresses("alpine").await, ["nsm-1 172.16.1.101/32"]);
    assert_eq!(received(&machine.probe("alpine", &["172.16.1.100"]).await.pings), [(3, 3)]);
    let status = fs::read_to_string(format!("/proc/{}/status", machine.status().await.pid)).unwrap();
    assert!(status.lines().any(|line| line.starts_with("Uid:\t65534")), "{status}");
    std::os::unix::fs::chown(&dir, Some(nobody), Some(nobody)).unwrap();
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
}
