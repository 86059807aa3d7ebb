//! Parts of NSM and SPIRE that are taken away.

use serde_json::json;

use crate::{
    cluster::EXAMPLE,
    drill::{Drill, Expected::Cause},
    example::Spoilt,
    scene::{NSM, Patch, SPIRE, Scene},
    stop::wait,
};

const WEBHOOK: &str = "deployment/admission-webhook-k8s";
const WEBHOOK_DEPLOYMENT: &[&str] = &["-n", NSM, WEBHOOK];
const WEBHOOK_SERVICE: &[&str] = &["-n", NSM, "service/admission-webhook-svc"];
const CONFIGURATION: &[&str] = &["mutatingwebhookconfiguration/nsm-mutating-webhook"];
const MANAGER: &[&str] = &["-n", NSM, "daemonset/nsmgr"];
const AGENT: &[&str] = &["-n", SPIRE, "daemonset/spire-agent"];
/// The forwarder that this cluster runs, of those that NSM has.
const FORWARDERS: [&[&str]; 2] = [&["-n", NSM, "daemonset/forwarder-ovs"], &["-n", NSM, "daemonset/forwarder-vpp"]];

pub(crate) const DRILLS: &[Drill] = &[
    Drill::new("webhook-scaled-down", Cause("webhook-down"), |scene| scene.scale_down(NSM, WEBHOOK)),
    Drill::new("webhook-down-no-client", Cause("webhook-down"), |scene| {
        scene.client_goes();
        scene.scale_down(NSM, WEBHOOK);
    }),
    Drill::new("webhook-down-endpoint-lost", Cause("webhook-down"), |scene| {
        scene.scale_down(NSM, WEBHOOK);
        lose_endpoint(scene);
    }),
    Drill::new("webhook-configuration-deleted", Cause("webhook-configuration-missing"), |scene| scene.remove(CONFIGURATION)),
    Drill::new("webhook-configuration-deleted-new-client", Cause("webhook-configuration-missing"), |scene| {
        scene.remove(CONFIGURATION);
        scene.client_anew();
        // Without NSM's containers it waits for nothing.
        scene.client_is_ready();
    }),
    Drill::new("client-from-before-the-webhook", Cause("not-injected"), |scene| {
        scene.remove(CONFIGURATION);
        scene.client_anew();
        // Without NSM's containers it waits for nothing.
        scene.client_is_ready();
        assert_eq!(scene.restore(), Vec::<String>::new());
    })
    .fails("sidecar-injected"),
    Drill::new("webhook-orphaned", Cause("webhook-orphaned"), |scene| {
        scene.client_goes();
        if scene.cluster.has(WEBHOOK_SERVICE) {
            scene.remove(WEBHOOK_SERVICE);
        }
        scene.remove(WEBHOOK_DEPLOYMENT);
        wait("the end of the webhook's pods", 60, || {
            scene.cluster.kubectl(&["get", "pods", "-n", NSM, "-l", "app=admission-webhook-k8s", "-o", "name"]).is_empty()
        });
    }),
    Drill::new("webhook-untrusted", Cause("webhook-untrusted"), |scene| {
        scene.patch(CONFIGURATION, Patch::Json, &json!([{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": STRANGER}]));
        lose_endpoint(scene);
    }),
    Drill::new("forwarder-off-the-node", Cause("forwarder-not-ready"), |scene| {
        scene.spoil(Spoilt::All);
        scene.leave_node(forwarder(scene), &scene.node());
    }),
    Drill::new("forwarder-image-new-client", Cause("forwarder-not-ready"), |scene| {
        scene.spoil(Spoilt::All);
        let node = without_client(scene);
        let at = forwarder(scene);
        let name = at[2].trim_start_matches("daemonset/");
        scene.spoil_image(at, name, &node);
        scene.client_comes(|_| ());
        scene.client_complains(&["no candidates found", "is not available", "not found", "deadline"]);
    }),
    Drill::new("manager-off-the-node", Cause("manager-not-ready"), |scene| {
        scene.spoil(Spoilt::All);
        scene.leave_node(MANAGER, &scene.node());
    }),
    Drill::new("manager-image-new-client", Cause("manager-not-ready"), |scene| {
        scene.spoil(Spoilt::All);
        let node = without_client(scene);
        scene.spoil_image(MANAGER, "nsmgr", &node);
        scene.client_comes(|_| ());
        scene.client_complains(&["refused", "no such file", "deadline", "unavailable"]);
    }),
    Drill::new("spire-agent-off-the-node", Cause("spire-not-ready"), |scene| {
        scene.spoil(Spoilt::All);
        let node = without_client(scene);
        scene.leave_node(AGENT, &node);
        scene.client_comes(|_| ());
        // It waits for its identity without a word.
        scene.pods_show("status.initContainerStatuses[*].state", "running");
    }),
    Drill::new("registry-scaled-down", Cause("registry-not-ready"), |scene| {
        scene.spoil(Spoilt::All);
        scene.client_goes();
        scene.scale_down(NSM, "deployment/registry-k8s");
        scene.client_comes(|_| ());
        scene.client_complains(&["refused", "deadline", "unavailable", "not found"]);
    }),
];

fn forwarder(scene: &Scene<'_>) -> &'static [&'static str] {
    FORWARDERS.into_iter().find(|at| scene.cluster.has(at)).expect("one of NSM's forwarders")
}

/// Takes the client away as long as NSM can close its connection; says on which node it was.
fn without_client(scene: &mut Scene<'_>) -> String {
    let node = scene.node();
    scene.client_goes();
    node
}

/// Deletes the endpoint's pod, which the webhook does not let come back.
fn lose_endpoint(scene: &mut Scene<'_>) {
    scene.spoil(Spoilt::All);
    scene.cluster.kubectl(&["delete", "pods", "-n", EXAMPLE, "-l", "app=nse-kernel", "--grace-period=1"]);
    scene.event_says("failed calling webhook");
}

/// The certificate of an authority that nobody knows, good until 2126.
const STRANGER: &str = "\
    LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJnVENDQVNlZ0F3SUJBZ0lVTmVUdnJ3Q3hoQmV4VnYzczRqRlFqRWtaeklBd0NnWUlLb1pJemowRUF3\
    SXcKRlRFVE1CRUdBMVVFQXd3S1lTQnpkSEpoYm1kbGNqQWdGdzB5TmpFeE1qTXlNREl5TURCYUdBOHlNVEkyTVRBegpNREl3TWpJd01Gb3dGVEVUTUJFR0Ex\
    VUVBd3dLWVNCemRISmhibWRsY2pCWk1CTUdCeXFHU000OUFnRUdDQ3FHClNNNDlBd0VIQTBJQUJMRGUremp1SHpsd0l5aFhNUDBjZUdoU0czeU9BVTBpM2NV\
    MUdRSUFEMUVVWXZKK0ZUQ3IKZzdHbXI4UnNFdmhJSVlnMnBmOWEyVVdiSzBqM3lpQ0tiSFdqVXpCUk1CMEdBMVVkRGdRV0JCVGVzM2JqakFlcgo1dVlQNXI0\
    VWIzSTZzTVBQSGpBZkJnTlZIU01FR0RBV2dCVGVzM2JqakFlcjV1WVA1cjRVYjNJNnNNUFBIakFQCkJnTlZIUk1CQWY4RUJUQURBUUgvTUFvR0NDcUdTTTQ5\
    QkFNQ0EwZ0FNRVVDSVFEcExIditnRXpab0M0bC9QMm0KRml0SmQ1b1dwenhUV1d1ZXhsY3VhZWIyRndJZ0c3YkRKaENLQXZGQjF4elR3MlFub2YzRk56TUUr\
    dkFzN294OQpxTzEzNFVVPQotLS0tLUVORCBDRVJUSUZJQ0FURS0tLS0tCg==";
