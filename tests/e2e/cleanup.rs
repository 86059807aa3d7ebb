//! cleanup: dry runs, finalizers, and what was left half-way.

use nix::sys::signal::Signal;

use crate::{
    cluster::{Cluster, EXAMPLE},
    faults::NoWebhook,
    program::eventually,
};

#[test]
fn a_client_without_a_connection_does_not_sit_out_its_grace() {
    let cluster = Cluster::new();
    cluster.nsmctl(&["deploy"]).exits(0);
    // A stand-in for NSM's own client, which gets this far in one run of seven only.
    let unconnected = "{apiVersion: v1, kind: Pod, metadata: {name: stuck, namespace: ns-kernel2kernel, labels: {app.kubernetes.io/managed-by: nsmctl, \
                       app.kubernetes.io/instance: ns-kernel2kernel}}, spec: {containers: [{name: cmd-nsc, image: 'alpine:3.15.0', imagePullPolicy: \
                       IfNotPresent, env: [{name: NSM_NETWORK_SERVICES, value: 'kernel://s/nsm-1'}], command: [/bin/sh, -c, 'trap : TERM; echo Starting \
                       NetworkServiceMesh Client; while :; do sleep 1; done']}]}}";
    cluster.apply(unconnected);
    cluster.kubectl(&["wait", "-n", EXAMPLE, "--for=condition=Ready", "pod/stuck", "--timeout=30s"]);
    let running = cluster.start(&["cleanup"]);
    // The grace that the API server was given, not how long it took: the namespace's own end takes a while or two of five seconds.
    let grace = ["get", "pod", "-n", EXAMPLE, "stuck", "--ignore-not-found", "-o", "jsonpath={.metadata.deletionGracePeriodSeconds}"];
    eventually("a grace of 3 s", || cluster.kubectl(&grace) == "3");
    let ran = running.end();
    ran.exits(0).says(&["Pod stuck: NSM's client has no connection yet", "given 3 s instead of 30 s"]);
}

#[test]
fn a_stuck_finalizer_is_named_and_taken_away_by_force() {
    let cluster = Cluster::new();
    cluster.nsmctl(&["deploy"]).exits(0);
    let patch = "{\"metadata\":{\"finalizers\":[\"example.com/holder\"]}}";
    cluster.kubectl(&["patch", "networkservice", "-n", EXAMPLE, "kernel2kernel", "--type=merge", "-p", patch]);
    let ran = cluster.nsmctl(&["cleanup", "--timeout", "12s"]);
    ran.exits(4).says(&["example.com/holder"]);
    assert!(
        ran.stdout.contains("NetworkService ns-kernel2kernel/kernel2kernel") && ran.stdout.contains("its finalizers are example.com/holder"),
        "{ran:?}"
    );
    let ran = cluster.nsmctl(&["cleanup", "--force"]);
    ran.exits(0).says(&["its finalizers example.com/holder are taken away (--force)"]);
    assert_eq!(cluster.traces(), Vec::<String>::new());
    assert!(!cluster.has(&["namespace", EXAMPLE]));
}

#[test]
fn a_deploy_that_was_killed_half_way_is_cleaned_up() {
    let cluster = Cluster::new();
    let running = cluster.start(&["deploy"]);
    eventually("the namespace", || cluster.has(&["namespace", EXAMPLE]));
    running.signal(Signal::SIGKILL);
    running.end();
    cluster.nsmctl(&["cleanup"]).exits(0);
    assert_eq!(cluster.traces(), Vec::<String>::new());
    assert!(!cluster.has(&["namespace", EXAMPLE]));
}

#[test]
fn it_works_while_the_webhook_is_down() {
    let cluster = Cluster::new();
    cluster.nsmctl(&["deploy"]).exits(0);
    let away = NoWebhook::on(&cluster);
    cluster.nsmctl(&["cleanup"]).exits(0);
    assert_eq!(cluster.traces(), Vec::<String>::new());
    drop(away);
}
