//! Connections that are broken in a known way: what verify says, and what troubleshoot names as the cause.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    cluster::{Cluster, EXAMPLE, manifests},
    program::{Ran, eventually},
};

/// The first cause that was named, and the step at which the path is broken.
#[track_caller]
fn diagnosis(ran: &Ran) -> (String, String) {
    let document = ran.json();
    let broken = document["path"].as_array().unwrap().iter().find(|finding| finding["verdict"] == "fail");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    (text(&document["causes"][0]["check"]), broken.map(|finding| text(&finding["check"])).unwrap_or_default())
}

/// Deploys changed manifests and expects that to fail with this code; then says what troubleshoot makes of it.
#[track_caller]
fn troubleshoot(cluster: &Cluster, manifests: &str, timeout: &str, code: i32) -> (Ran, Ran) {
    let file = cluster.place.write("changed.yaml", manifests);
    let file = file.to_str().unwrap();
    let deployed = cluster.nsmctl(&["deploy", "-f", file, "--timeout", timeout]);
    deployed.exits(code);
    let ran = cluster.nsmctl(&["troubleshoot", "-f", file, "-o", "json"]);
    ran.exits(1);
    (deployed, ran)
}

#[test]
fn no_interface_because_nobody_offers_the_service() {
    let cluster = Cluster::new();
    let wrong = manifests(|text| text.replace("value: \"kernel2kernel\"", "value: \"another\""));
    let (deployed, ran) = troubleshoot(&cluster, &wrong, "8s", 4);
    let file = cluster.place.path("changed.yaml");
    let command = format!("`nsmctl cleanup --manifests {}` removes what is there now: Namespace ns-kernel2kernel", file.display());
    deployed.says(&["Pod ns-kernel2kernel/alpine (Init:0/1, cmd-nsc-init: network service endpoint candidates not found)", &command]);
    assert_eq!(diagnosis(&ran).1, "request", "{ran:?}");
    assert!(diagnosis(&ran).0.contains("endpoint"), "{ran:?}");
}

#[test]
fn no_interface_because_the_network_service_is_missing() {
    let cluster = Cluster::new();
    let wrong = manifests(|text| text.replace("name: kernel2kernel", "name: misspelt"));
    let (_, ran) = troubleshoot(&cluster, &wrong, "8s", 4);
    let (cause, step) = diagnosis(&ran);
    assert_eq!(step, "request", "{ran:?}");
    assert!(cause.contains("service"), "{ran:?}");
}

#[test]
fn ping_timeout_because_the_endpoint_is_gone() {
    let cluster = Cluster::new();
    cluster.nsmctl(&["deploy"]).exits(0);
    cluster.kubectl(&["scale", "-n", EXAMPLE, "deployment/nse-kernel", "--replicas=0"]);
    eventually("the endpoint's end", || cluster.kubectl(&["get", "pods", "-n", EXAMPLE, "-l", "app=nse-kernel", "-o", "name"]).is_empty());
    // An endpoint on its way out may still answer pings; that proves nothing.
    let ran = cluster.nsmctl(&["verify", "-o", "json"]);
    ran.exits(1);
    let ran = cluster.nsmctl(&["troubleshoot", "-o", "json"]);
    let (cause, step) = diagnosis(ran.exits(1));
    assert_eq!(step, "pods", "{ran:?}");
    assert!(cause.contains("endpoint") || cause.contains("workload"), "{ran:?}");
}

#[test]
fn pod_pending_because_its_companion_is_missing() {
    let cluster = Cluster::new();
    let wrong = manifests(|text| text.replace("- nse-kernel", "- somebody-else"));
    let (deployed, ran) = troubleshoot(&cluster, &wrong, "60s", 1);
    deployed.says(&["Pod ns-kernel2kernel/alpine cannot become ready", "unschedulable", "pod affinity"]);
    let (cause, step) = diagnosis(&ran);
    assert_eq!(step, "pods", "{ran:?}");
    assert!(cause.contains("schedul") || cause.contains("affinity"), "{ran:?}");
    assert!(ran.stdout.contains("didn't match pod affinity rules"), "{ran:?}");
}

#[test]
fn an_image_that_cannot_be_pulled_ends_the_wait_with_its_reason() {
    let cluster = Cluster::new();
    let wrong = manifests(|text| text.replace("alpine:3.15.0", "example.invalid/nothing:1"));
    let (deployed, ran) = troubleshoot(&cluster, &wrong, "120s", 1);
    deployed.says(&["cannot become ready", "ImagePullBackOff of example.invalid/nothing:1"]);
    let (cause, step) = diagnosis(&ran);
    assert_eq!(step, "pods", "{ran:?}");
    assert!(cause.contains("image"), "{ran:?}");
}

#[test]
fn a_client_that_was_deleted_is_a_failure_and_not_an_absence() {
    let cluster = Cluster::new();
    cluster.nsmctl(&["deploy"]).exits(0);
    cluster.kubectl(&["delete", "pod", "-n", EXAMPLE, "alpine"]);
    let ran = cluster.nsmctl(&["verify"]);
    assert!(ran.exits(1).stdout.contains("no pod"), "{ran:?}");
    cluster.nsmctl(&["troubleshoot"]).exits(1);
    cluster.nsmctl(&["deploy"]).exits(0);
}

/// NSM's webhook, taken away; it comes back with the end of the test, and is waited for: the next test needs it.
pub(crate) struct NoWebhook<'a>(&'a Cluster);

const WEBHOOK: &str = "deployment/admission-webhook-k8s";

impl<'a> NoWebhook<'a> {
    pub(crate) fn on(cluster: &'a Cluster) -> Self {
        let away = Self(cluster);
        cluster.kubectl(&["scale", "-n", "nsm-system", WEBHOOK, "--replicas=0"]);
        let pods = ["get", "pods", "-n", "nsm-system", "-l", "app=admission-webhook-k8s", "-o", "name"];
        eventually("its end", || cluster.kubectl(&pods).is_empty());
        away
    }

    /// Whether a pod that asks for a connection is given NSM's client: ready is what the webhook's own pod says.
    fn is_back(&self) -> bool {
        let client = ["run", "probe", "-n", "default", "--image=alpine:3.15.0", "--annotations=networkservicemesh.io=kernel://a/b"];
        self.0.try_kubectl(&[&client[..], &["--dry-run=server", "-o", "json"]].concat()).is_ok_and(|pod| pod.contains("cmd-nsc"))
    }
}

impl Drop for NoWebhook<'_> {
    fn drop(&mut self) {
        let scaled = self.0.try_kubectl(&["scale", "-n", "nsm-system", WEBHOOK, "--replicas=1"]);
        let rolled_out = self.0.try_kubectl(&["rollout", "status", "-n", "nsm-system", WEBHOOK, "--timeout=60s"]);
        let begun = Instant::now();
        while !self.is_back() && begun.elapsed() < Duration::from_secs(30) {
            thread::sleep(Duration::from_millis(200));
        }
        // A second panic would end all tests.
        assert!(thread::panicking() || self.is_back(), "the webhook does not come back: {scaled:?}, {rolled_out:?}");
    }
}

#[test]
fn connection_refused_because_the_webhook_is_down() {
    let cluster = Cluster::new();
    cluster.kubectl(&["create", "namespace", EXAMPLE]);
    let away = NoWebhook::on(&cluster);
    let ran = cluster.nsmctl(&["deploy", "--timeout", "60s"]);
    ran.exits(1).says(&["is not fit: admission webhook (0 of 0 ready)", "nothing was changed"]);
    let ran = cluster.nsmctl(&["deploy", "--timeout", "60s", "--skip-preflight"]);
    ran.exits(1).prints_nothing().says(&["failed calling webhook", "a webhook refuses every pod while it is down"]);
    let ran = cluster.nsmctl(&["troubleshoot", "-o", "json"]);
    let (cause, step) = diagnosis(ran.exits(1));
    assert_eq!(step, "nsm", "{ran:?}");
    assert!(cause.contains("webhook"), "{ran:?}");
    drop(away);
    cluster.nsmctl(&["deploy"]).exits(0);
}
