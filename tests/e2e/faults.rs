//! Connections that are broken in a known way: what verify says, and what troubleshoot names as the cause.

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
    let (deployed, ran) = troubleshoot(&cluster, &wrong, "12s", 4);
    deployed.says(&["Pod ns-kernel2kernel/alpine (Init:0/1, cmd-nsc-init: network service endpoint candidates not found)"]);
    assert_eq!(diagnosis(&ran).1, "request", "{ran:?}");
    assert!(diagnosis(&ran).0.contains("endpoint"), "{ran:?}");
}

#[test]
fn no_interface_because_the_network_service_is_missing() {
    let cluster = Cluster::new();
    let wrong = manifests(|text| text.replace("name: kernel2kernel", "name: misspelt"));
    let (_, ran) = troubleshoot(&cluster, &wrong, "12s", 4);
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

/// A part of NSM that is taken away, and comes back with the end of the test.
pub(crate) struct Away<'a>(&'a Cluster, &'static str);

impl<'a> Away<'a> {
    pub(crate) fn take(cluster: &'a Cluster, deployment: &'static str, label: &str) -> Self {
        cluster.kubectl(&["scale", "-n", "nsm-system", deployment, "--replicas=0"]);
        let away = Self(cluster, deployment);
        eventually("its end", || cluster.kubectl(&["get", "pods", "-n", "nsm-system", "-l", label, "-o", "name"]).is_empty());
        away
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        self.0.kubectl(&["scale", "-n", "nsm-system", self.1, "--replicas=1"]);
        self.0.kubectl(&["rollout", "status", "-n", "nsm-system", self.1, "--timeout=60s"]);
        // Ready is what the pod says; that the API server reaches it is seen by its letting a pod pass.
        let probe = ["run", "probe", "-n", EXAMPLE, "--image=alpine:3.15.0", "--dry-run=server"];
        eventually("the webhook", || self.0.runs(&probe));
    }
}

#[test]
fn connection_refused_because_the_webhook_is_down() {
    let cluster = Cluster::new();
    cluster.kubectl(&["create", "namespace", EXAMPLE]);
    let away = Away::take(&cluster, "deployment/admission-webhook-k8s", "app=admission-webhook-k8s");
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
