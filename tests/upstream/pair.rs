use nix::sys::signal::Signal;
use nsmctl::model::{Match, NetworkServiceSpec, Payload, PingStats, Probe};

use crate::{
    machine::{Machine, bare, client, endpoint, phases_add_up, plan, service},
    sandboxed::Sandboxed,
};

const ENDPOINT: [(&str, &str); 5] = [
    ("NSM_NAME", "nse-kernel"),
    ("NSM_SERVICE_NAMES", "kernel2kernel"),
    ("NSM_CIDR_PREFIX", "172.16.1.100/31"),
    ("NSM_REGISTER_SERVICE", "false"),
    ("NSM_UNREGISTER_ITSELF", "true"),
];
const CLIENT: [(&str, &str); 3] =
    [("NSM_NAME", "alpine"), ("NSM_NETWORK_SERVICES", "kernel://kernel2kernel/nsm-1"), ("NSM_LOCAL_DNS_SERVER_ENABLED", "false")];
const REGISTERED: &str = "startup completed in";
const CONNECTED: &str = "successfully connected to";

async fn start() -> Machine {
    let machine = Machine::new();
    machine.apply(&plan("example", vec![service("kernel2kernel", Payload::Ethernet)], vec![bare("nse"), bare("alpine")])).await;
    machine
}

async fn pings(machine: &Machine, pod: &str, address: &str) -> (u32, u32) {
    let probes = machine.probe(pod, &[address]).await;
    let Probe::Value(PingStats { transmitted, received, .. }) = probes.pings[0].result else { panic!("{probes:?}") };
    (transmitted, received)
}

#[tokio::test]
async fn upstreams_client_and_endpoint_meet_and_part() {
    let machine = start().await;
    let mut endpoint = Sandboxed::start(&machine, "nse", "cmd-nse-icmp-responder", &[], &ENDPOINT).await;
    endpoint.says(REGISTERED, 1).await;
    let registered = machine.inventory().await.endpoints.unwrap();
    assert!(registered.len() == 1 && registered[0].id.name == "nse-kernel", "{registered:?}");
    assert!(registered[0].spiffe_id.as_ref().unwrap().ends_with("/ns/ns-test/pod/nse"));

    let mut client = Sandboxed::start(&machine, "alpine", "cmd-nsc", &[], &CLIENT).await;
    client.says(CONNECTED, 1).await;
    assert_eq!(machine.addresses("alpine").await, ["nsm-1 172.16.1.101/32"]);
    assert_eq!(machine.routes("alpine", "-4").await, ["172.16.1.100 nsm-1 172.16.1.101"]);
    assert_eq!((pings(&machine, "alpine", "172.16.1.100").await, pings(&machine, "nse", "172.16.1.101").await), ((3, 3), (3, 3)));

    let plan = plan("example", vec![], vec![]);
    let phases = machine.phases(&plan).await;
    assert_eq!(phases.len(), 1);
    phases_add_up(&phases[0]);
    let path = &phases[0].phases[3].security.as_ref().unwrap().path;
    assert_eq!(path.iter().map(|token| token.segment.as_str()).collect::<Vec<_>>(), ["alpine", "nsmgr", "nse-kernel"]);
    assert!(path[2].spiffe_id.ends_with("/ns/ns-test/pod/nse"), "{path:?}");

    client.signal(Signal::SIGTERM);
    assert!(client.ended().await);
    assert!(machine.addresses("alpine").await.is_empty() && machine.addresses("nse").await.is_empty(), "{}", endpoint.log());
    endpoint.signal(Signal::SIGTERM);
    endpoint.ended().await;
    assert!(machine.inventory().await.endpoints.unwrap().is_empty(), "{}", endpoint.log());
}

/// With tokens of 4 s the client refreshes in less than two, and the endpoint registers anew in less than three.
#[tokio::test]
async fn a_connection_outlives_its_tokens_and_identities() {
    let machine = Machine::new().with_environment("NSMCTL_SVID_TTL", "6s");
    machine.apply(&plan("example", vec![service("kernel2kernel", Payload::Ethernet)], vec![bare("nse"), bare("alpine")])).await;
    let short = [("NSM_MAX_TOKEN_LIFETIME", "4s")];
    let mut endpoint = Sandboxed::start(&machine, "nse", "cmd-nse-icmp-responder", &[], &[&ENDPOINT[..], &short].concat()).await;
    endpoint.says(REGISTERED, 1).await;
    let mut client = Sandboxed::start(&machine, "alpine", "cmd-nsc", &[], &[&CLIENT[..], &short].concat()).await;
    client.says(CONNECTED, 1).await;
    let index = machine.index("alpine", "nsm-1").await;
    tokio::time::sleep(std::time::Duration::from_secs(14)).await;
    assert_eq!((machine.index("alpine", "nsm-1").await, pings(&machine, "alpine", "172.16.1.100").await), (index, (3, 3)), "{}", client.log());
    assert_eq!(machine.inventory().await.endpoints.unwrap().len(), 1, "{}", endpoint.log());
    for log in [client.log(), endpoint.log()] {
        for trouble in ["Control plane is down", "Data plane is down", "refresh failed", "no sufficient privileges"] {
            assert!(!log.contains(trouble), "{trouble}:\n{log}");
        }
    }
    // What has ended already is refreshed at once, and again, and again.
    assert!(!client.log().contains("expiration after -"), "{}", client.log());
}

#[tokio::test]
async fn a_killed_endpoint_comes_back_and_the_connection_with_it() {
    let machine = start().await;
    let mut endpoint = Sandboxed::start(&machine, "nse", "cmd-nse-icmp-responder", &[], &ENDPOINT).await;
    endpoint.says(REGISTERED, 1).await;
    let mut client = Sandboxed::start(&machine, "alpine", "cmd-nsc", &[], &CLIENT).await;
    client.says(CONNECTED, 1).await;
    endpoint.signal(Signal::SIGKILL);
    client.says("Control plane is down", 1).await;
    let mut again = Sandboxed::start(&machine, "nse", "cmd-nse-icmp-responder", &[], &ENDPOINT).await;
    again.says(REGISTERED, 1).await;
    client.says("Heal success", 1).await;
    assert_eq!(machine.addresses("alpine").await, ["nsm-1 172.16.1.101/32"]);
    assert_eq!(pings(&machine, "alpine", "172.16.1.100").await, (3, 3));
}

#[tokio::test]
async fn a_data_path_that_breaks_is_made_again_under_upstreams_programs() {
    let machine = start().await;
    let mut endpoint = Sandboxed::start(&machine, "nse", "cmd-nse-icmp-responder", &[], &ENDPOINT).await;
    endpoint.says(REGISTERED, 1).await;
    let mut client = Sandboxed::start(&machine, "alpine", "cmd-nsc", &[], &CLIENT).await;
    client.says(CONNECTED, 1).await;
    let index = machine.index("alpine", "nsm-1").await;
    machine.ip_set("alpine", &["link", "delete", "nsm-1"]).await;
    let begun = std::time::Instant::now();
    while machine.addresses("alpine").await != ["nsm-1 172.16.1.101/32"] || machine.index("alpine", "nsm-1").await == index {
        assert!(begun.elapsed() < crate::sandboxed::PATIENCE, "{}", client.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(pings(&machine, "alpine", "172.16.1.100").await, (3, 3));
}

/// What the engine cannot see: links, addresses and routes are as they were, and yet no packet arrives.
#[tokio::test]
async fn a_path_that_loses_everything_is_found_and_healed_by_upstreams_client() {
    let machine = start().await;
    let mut endpoint = Sandboxed::start(&machine, "nse", "cmd-nse-icmp-responder", &[], &ENDPOINT).await;
    endpoint.says(REGISTERED, 1).await;
    let mut client = Sandboxed::start(&machine, "alpine", "cmd-nsc", &[], &CLIENT).await;
    client.says(CONNECTED, 1).await;
    let nobody = ["neigh", "replace", "172.16.1.100", "lladdr", "02:00:00:00:00:01", "dev", "nsm-1", "nud", "permanent"];
    machine.ip_set("alpine", &nobody).await;
    client.says("Data plane is down", 1).await;
    client.says("Heal success", 1).await;
    assert_eq!(machine.addresses("alpine").await, ["nsm-1 172.16.1.101/32"]);
    assert_eq!(pings(&machine, "alpine", "172.16.1.100").await, (3, 3));
}

#[tokio::test]
async fn upstreams_client_with_the_engines_own_endpoint() {
    let machine = Machine::new();
    let workloads = vec![endpoint("nse-kernel", "kernel2kernel", "172.16.1.100/31"), bare("alpine")];
    machine.apply(&plan("example", vec![service("kernel2kernel", Payload::Ethernet)], workloads)).await;
    for _ in 0..2 {
        let mut client = Sandboxed::start(&machine, "alpine", "cmd-nsc", &[], &CLIENT).await;
        client.says(CONNECTED, 1).await;
        assert_eq!(machine.addresses("alpine").await, ["nsm-1 172.16.1.101/32"]);
        assert_eq!(pings(&machine, "alpine", "172.16.1.100").await, (3, 3));
        // Its addresses come free, so that the next can have them.
        client.signal(Signal::SIGTERM);
        assert!(client.ended().await);
        assert!(machine.addresses("alpine").await.is_empty());
    }
}

#[tokio::test]
async fn the_engines_own_client_with_upstreams_endpoint() {
    let machine = Machine::new();
    let (services, bare_only) = (vec![service("kernel2kernel", Payload::Ethernet)], vec![bare("nse")]);
    machine.apply(&plan("example", services.clone(), bare_only.clone())).await;
    let mut upstreams = Sandboxed::start(&machine, "nse", "cmd-nse-icmp-responder", &[], &ENDPOINT).await;
    upstreams.says(REGISTERED, 1).await;
    let both = [bare_only, vec![client("alpine", "kernel://kernel2kernel/nsm-1")]].concat();
    machine.apply(&plan("example", services, both)).await;
    assert!(machine.pod("alpine").await.ready, "{:?}\n{}", machine.pod("alpine").await, upstreams.log());
    assert_eq!(machine.addresses("alpine").await, ["nsm-1 172.16.1.101/32"]);
    assert_eq!(pings(&machine, "alpine", "172.16.1.100").await, (3, 3));
}

#[tokio::test]
async fn a_program_that_registers_its_service_itself_is_found_by_it() {
    let machine = Machine::new();
    machine.apply(&plan("example", vec![], vec![bare("nse"), bare("alpine")])).await;
    let own = ENDPOINT.map(|(name, value)| (name, if name == "NSM_REGISTER_SERVICE" { "true" } else { value }));
    let mut endpoint = Sandboxed::start(&machine, "nse", "cmd-nse-icmp-responder", &[], &own).await;
    endpoint.says(REGISTERED, 1).await;
    let mut client = Sandboxed::start(&machine, "alpine", "cmd-nsc", &[], &CLIENT).await;
    client.says(CONNECTED, 1).await;
    assert_eq!(machine.inventory().await.services.unwrap()[0].payload, Some(Payload::Ethernet));
}

#[tokio::test]
async fn upstreams_labels_select_the_endpoint() {
    let machine = Machine::new();
    let written = r#"[{"source_selector": {"app": "a"}, "routes": [{"destination_selector": {"app": "web", "podName": "{{ .wanted }}"}}]}]"#;
    let written: Vec<serde_json::Value> = serde_json::from_str(written).unwrap();
    let service = NetworkServiceSpec { matches: Match::read_list(&written).unwrap(), ..service("kernel2kernel", Payload::Ethernet) };
    let pods = ["web", "db", "alpine", "other"].map(bare).to_vec();
    machine.apply(&plan("example", vec![service], pods)).await;
    let mut endpoints = Vec::new();
    for (pod, prefix) in [("web", "10.0.0.0/31"), ("db", "10.0.1.0/31")] {
        let labels = format!("app:{pod}");
        let own = [("NSM_NAME", pod), ("NSM_LABELS", &labels), ("NSM_CIDR_PREFIX", prefix), ("POD_NAME", pod)];
        let mut endpoint = Sandboxed::start(&machine, pod, "cmd-nse-icmp-responder", &[], &[&ENDPOINT[..], &own].concat()).await;
        endpoint.says(REGISTERED, 1).await;
        endpoints.push(endpoint);
    }
    let asks = |name, url| [&CLIENT[..], &[("NSM_NAME", name), ("NSM_NETWORK_SERVICES", url)]].concat();
    let mut client = Sandboxed::start(&machine, "alpine", "cmd-nsc", &[], &asks("alpine", "kernel://kernel2kernel/nsm-1?app=a&wanted=web")).await;
    client.says(CONNECTED, 1).await;
    assert_eq!(machine.addresses("alpine").await, ["nsm-1 10.0.0.1/32"]);
    let mut other = Sandboxed::start(&machine, "other", "cmd-nsc", &[], &asks("other", "kernel://kernel2kernel/nsm-1?app=b")).await;
    other.says("endpoint candidates not found", 1).await;
    assert!(machine.addresses("other").await.is_empty());
}

/// A client that is gone without a word keeps its addresses as long as its token; with that they come free.
#[tokio::test]
async fn the_addresses_of_a_killed_client_come_back() {
    let machine = Machine::new();
    let workloads = vec![endpoint("nse-kernel", "kernel2kernel", "172.16.1.100/31"), bare("alpine"), bare("second")];
    machine.apply(&plan("example", vec![service("kernel2kernel", Payload::Ethernet)], workloads)).await;
    let short = [&CLIENT[..], &[("NSM_MAX_TOKEN_LIFETIME", "4s")]].concat();
    let mut client = Sandboxed::start(&machine, "alpine", "cmd-nsc", &[], &short).await;
    client.says(CONNECTED, 1).await;
    client.signal(Signal::SIGKILL);
    client.ended().await;
    let mut second = Sandboxed::start(&machine, "second", "cmd-nsc", &[], &[&CLIENT[..], &[("NSM_NAME", "second")]].concat()).await;
    second.says("IPPool is empty", 1).await;
    second.says(CONNECTED, 1).await;
    assert_eq!(machine.addresses("second").await, ["nsm-1 172.16.1.101/32"]);
    assert!(machine.addresses("alpine").await.is_empty());
}
