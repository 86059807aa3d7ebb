//! Identities and connections of the engine, as time goes on and managers come and go.

use std::time::Duration;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use nsmctl::model::Payload;

use crate::{
    engine::received,
    machine::{Machine, client, endpoint, example, plan, service},
};

#[tokio::test]
async fn a_manager_that_follows_goes_on_with_connections_and_identities() {
    let machine = Machine::new();
    let plan = |clients: &[&str]| {
        let clients = clients.iter().map(|name| client(name, "kernel://kernel2kernel/nsm-1"));
        let workloads = std::iter::once(endpoint("nse-kernel", "kernel2kernel", "172.16.1.96/29")).chain(clients).collect();
        plan("example", vec![service("kernel2kernel", Payload::Ethernet)], workloads)
    };
    machine.apply(&plan(&["alpine"])).await;
    let seen = async || {
        let endpoints = machine.inventory().await.endpoints.unwrap();
        let ids: Vec<_> = endpoints.into_iter().map(|endpoint| (endpoint.id, endpoint.spiffe_id)).collect();
        (machine.index("alpine", "nsm-1").await, machine.addresses("alpine").await, machine.addresses("nse-kernel").await, ids)
    };
    let before = seen().await;
    for _ in 0..2 {
        let manager = machine.status().await.manager;
        kill(Pid::from_raw(i32::try_from(manager).unwrap()), Signal::SIGKILL).unwrap();
        while machine.status().await.manager == manager {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(seen().await, before);
        assert_eq!(received(&machine.probe("alpine", &["172.16.1.96"]).await.pings), [(3, 3)]);
    }
    // Somebody new is served, and gets the addresses of nobody else.
    machine.apply(&plan(&["alpine", "another"])).await;
    let after = seen().await;
    assert_eq!((&after.0, &after.1, &after.3), (&before.0, &before.1, &before.3));
    assert_eq!(machine.addresses("another").await, ["nsm-1 172.16.1.99/32"]);
    assert_eq!(received(&machine.probe("another", &["172.16.1.98"]).await.pings), [(3, 3)]);
}

/// Tokens end with the identities that sign them, and both are refreshed in time.
#[tokio::test]
async fn a_connection_outlives_the_identities_that_made_it() {
    let machine = Machine::new().with_environment("NSMCTL_SVID_TTL", "3s");
    machine.apply(&example()).await;
    let index = machine.index("alpine", "nsm-1").await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(machine.index("alpine", "nsm-1").await, index, "a refresh changes nothing");
    assert_eq!(received(&machine.probe("alpine", &["172.16.1.100"]).await.pings), [(3, 3)]);
    let endpoints = machine.inventory().await.endpoints.unwrap();
    assert!(endpoints.len() == 1 && endpoints[0].spiffe_id.as_ref().unwrap().contains(".nsm.local/ns/ns-test/pod/nse-kernel-"), "{endpoints:?}");
}
