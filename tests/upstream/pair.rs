use nix::sys::signal::Signal;
use nsmctl::model::{Payload, PingStats, Probe};

use crate::{
    machine::{Machine, bare, plan, service},
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

    client.signal(Signal::SIGTERM);
    assert!(client.ended().await);
    assert!(machine.addresses("alpine").await.is_empty() && machine.addresses("nse").await.is_empty(), "{}", endpoint.log());
    endpoint.signal(Signal::SIGTERM);
    endpoint.ended().await;
    assert!(machine.inventory().await.endpoints.unwrap().is_empty(), "{}", endpoint.log());
}
