//! Links, addresses, routes and packets. NSM mends most of these by itself within two or three seconds.

use crate::{
    drill::{Drill, Expected::Cause},
    example::CLIENT,
    scene::Scene,
};

/// The example's addresses.
const NEAR: &str = "172.16.1.101/32";
const FAR: &str = "172.16.1.100/32";

const LINK: &[&str] = &["ip", "-o", "link", "show"];
const ADDRESSES: &[&str] = &["ip", "-o", "addr", "show"];
const ROUTES: &[&str] = &["ip", "route"];

pub(crate) const DRILLS: &[Drill] = &[
    Drill::new("link-down", Cause("interface-down"), |scene| scene.in_pod(CLIENT, &["ip", "link", "set", "nsm-1", "down"]))
        .mended_by_nsm(|scene| !near_link(scene).contains("UP")),
    Drill::new("link-deleted", Cause("interface-missing"), |scene| scene.in_pod(CLIENT, &["ip", "link", "del", "nsm-1"]))
        .mended_by_nsm(|scene| near_link(scene).is_empty()),
    Drill::new("address-removed", Cause("address-missing"), |scene| scene.in_pod(CLIENT, &["ip", "addr", "del", NEAR, "dev", "nsm-1"]))
        .mended_by_nsm(|scene| !scene.printed(CLIENT, ADDRESSES).contains(NEAR)),
    Drill::new("address-another", Cause("address-wrong"), |scene| {
        scene.in_pod(CLIENT, &["sh", "-c", "ip addr del 172.16.1.101/32 dev nsm-1; ip addr add 10.77.0.1/32 dev nsm-1"]);
    })
    .mended_by_nsm(|scene| !scene.printed(CLIENT, ADDRESSES).contains(NEAR)),
    Drill::new("route-removed", Cause("route-missing"), |scene| scene.in_pod(CLIENT, &["ip", "route", "del", FAR, "dev", "nsm-1"]))
        .mended_by_nsm(|scene| !scene.printed(CLIENT, ROUTES).contains("dev nsm-1")),
    Drill::new("route-blackhole", Cause("route-refusing"), |scene| {
        scene.in_pod(CLIENT, &["sh", "-c", "ip route del 172.16.1.100/32; ip route add blackhole 172.16.1.100/32"]);
    })
    .fails("ping-endpoint")
    .mended_by_nsm(|scene| scene.printed(CLIENT, ROUTES).contains("blackhole")),
    Drill::new("endpoint-address-removed", Cause("peer-address-missing"), |scene| in_endpoint(scene, "ip addr del 172.16.1.100/32 dev $link"))
        .mended_by_nsm(|scene| !scene.printed(&endpoint(scene), ADDRESSES).contains(FAR)),
    Drill::new("endpoint-link-down", Cause("peer-end-down"), |scene| in_endpoint(scene, "ip link set $link down"))
        .mended_by_nsm(|scene| !far_link(scene).contains("UP")),
    Drill::new("endpoint-does-not-answer", Cause("data-path"), |scene| {
        // Its own way back leads elsewhere: what arrives is answered into the void.
        in_endpoint(scene, "ip route del 172.16.1.101/32 dev $link; ip route add 172.16.1.101/32 dev lo");
    })
    .fails("ping-endpoint")
    .mended_by_nsm(|scene| scene.printed(&endpoint(scene), ROUTES).contains("172.16.1.101 dev lo")),
    Drill::new("endpoint-route-blackhole", Cause("route-refusing"), |scene| {
        in_endpoint(scene, "ip route del 172.16.1.101/32 dev $link; ip route add blackhole 172.16.1.101/32");
    })
    .fails("ping-client")
    .mended_by_nsm(|scene| scene.printed(&endpoint(scene), ROUTES).contains("blackhole")),
    // A true fault of forwarder-ovs: its links admit 16000 bytes over a path of 1500.
    Drill::new("mtu-overstated", Cause("mtu-overstated"), |scene| {
        scene.arguments = vec!["--cross-node".to_owned()];
        scene.deploys_with(&["--cross-node"], |_| ());
        scene.client_is_ready();
    })
    .fails("path-mtu")
    .deployed_with_it(),
];

fn endpoint(scene: &Scene<'_>) -> String {
    scene.endpoints().into_iter().next().expect("an endpoint")
}

/// Runs this in the endpoint's pod, where `link` is its end of the connection: NSM has named it after the service.
fn in_endpoint(scene: &Scene<'_>, command: &str) {
    let script = format!("link=$(ip -o link | sed -n 's/^[0-9]*: \\(kernel2ker-[^@:]*\\).*/\\1/p' | head -n 1); {command}");
    scene.in_pod(&endpoint(scene), &["sh", "-c", &script]);
}

/// What `ip` says of the client's end; nothing where it is not there.
fn near_link(scene: &Scene<'_>) -> String {
    let all = scene.printed(CLIENT, LINK);
    all.lines().find(|line| line.contains(" nsm-1")).unwrap_or_default().to_owned()
}

fn far_link(scene: &Scene<'_>) -> String {
    let all = scene.printed(&endpoint(scene), LINK);
    all.lines().find(|line| line.contains(" kernel2ker-")).unwrap_or_default().to_owned()
}
