//! Requests for what is not there, or that cannot be granted.

use serde_json::{Value, json};

use crate::{
    drill::{Drill, Expected::Cause},
    example::{self, SERVICE, Spoilt, annotated, variable},
    scene::{Patch, Scene},
};

pub(crate) const DRILLS: &[Drill] = &[
    Drill::new("service-names", Cause("endpoint-offers-another"), |scene| {
        scene.endpoint_anew(&variable("NSM_SERVICE_NAMES", "another"));
        scene.client_complains(&["candidates not found"]);
    }),
    Drill::new("network-service-missing", Cause("network-service-missing"), |scene| {
        scene.spoil(Spoilt::All);
        scene.client_goes();
        scene.remove(SERVICE);
        scene.client_comes(|_| ());
        scene.client_complains(&["is not found"]);
    }),
    Drill::new("payload-ip", Cause("payload-differs"), |scene| {
        scene.spoil(Spoilt::All);
        scene.client_goes();
        scene.patch(SERVICE, Patch::Merge, &json!({"spec": {"payload": "IP"}}));
        scene.client_comes(|_| ());
        scene.client_is_ready();
    }),
    Drill::new("payload-unknown", Cause("payload-unknown"), |scene| {
        scene.spoil(Spoilt::All);
        scene.client_goes();
        scene.patch(SERVICE, Patch::Merge, &json!({"spec": {"payload": "MPLS"}}));
        scene.client_comes(|_| ());
        scene.client_complains(&["not found", "cannot support"]);
    }),
    // The manifests themselves name it, as those of a person who has misspelt it would.
    Drill::new("service-unknown", Cause("service-unknown"), |scene| {
        scene.client_goes();
        scene.client_comes(|pod| annotated(pod, "kernel://kernel2kernl/nsm-1"));
        against_client(scene, |pod| annotated(pod, "kernel://kernel2kernl/nsm-1"));
        scene.client_complains(&["is not found"]);
    }),
    // The manifests are right, and the pod that runs was annotated by another hand.
    Drill::new("pod-asks-for-another-service", Cause("annotation-differs"), |scene| {
        scene.client_goes();
        scene.client_comes(|pod| annotated(pod, "kernel://kernel2kernl/nsm-1"));
        scene.client_complains(&["is not found"]);
    }),
    Drill::new("pod-asks-for-another-interface", Cause("annotation-differs"), |scene| {
        scene.client_goes();
        scene.client_comes(|pod| annotated(pod, "kernel://kernel2kernel/nsm-9"));
        scene.client_is_ready();
    }),
    Drill::new("annotation-malformed", Cause("annotation-malformed"), |scene| {
        scene.client_goes();
        scene.client_comes(|pod| annotated(pod, "kernel://kernel2kernel/nsm-1, kernel://kernel2kernel/nsm-2"));
        scene.client_complains(&["rootconf"]);
    }),
    Drill::new("address-pool-empty", Cause("address-pool-empty"), |scene| {
        scene.spoil(Spoilt::All);
        let mut second = example::document(scene.cluster, "Pod");
        second["metadata"]["name"] = json!("alpine-2");
        second["metadata"]["labels"]["app"] = json!("alpine-2");
        let mut documents = example::documents(scene.cluster);
        documents.push(second.clone());
        scene.against(&documents);
        scene.add(&second);
        scene.complains("alpine-2", "cmd-nsc-init", &["IPPool is empty"]);
    }),
    Drill::new("prefix-empty", Cause("endpoint-without-prefix"), |scene| {
        scene.endpoint_anew(&variable("NSM_CIDR_PREFIX", ""));
        scene.client_complains(&["ippool is empty", "cannot support", "not found"]);
    }),
    Drill::new("prefix-another", Cause("address-wrong"), |scene| {
        scene.endpoint_anew(&variable("NSM_CIDR_PREFIX", "10.77.0.0/31"));
        scene.client_is_ready();
    }),
    Drill::new("spiffe-label-missing", Cause("spiffe-label-missing"), |scene| {
        scene.endpoint_anew(&json!({"spec": {"template": {"metadata": {"labels": {"spiffe.io/spiffe-id": null}}}}}));
        scene.client_complains(&["candidates not found"]);
    }),
    Drill::new("no-matching-endpoint", Cause("no-matching-endpoint"), |scene| {
        scene.spoil(Spoilt::All);
        scene.client_goes();
        let routes = json!([{"destination_selector": {"app": "nobody"}}]);
        scene.patch(SERVICE, Patch::Merge, &json!({"spec": {"matches": [{"source_selector": {}, "routes": routes}]}}));
        scene.client_comes(|_| ());
        scene.client_complains(&["candidates not found"]);
    }),
    Drill::new("endpoint-asks-nobody", Cause("endpoint-not-registered"), |scene| {
        scene.endpoint_anew(&variable("NSM_CONNECT_TO", "unix:///var/lib/networkservicemesh/nobody.sock"));
        scene.client_complains(&["candidates not found"]);
    }),
];

/// The example's documents, with another client.
fn against_client(scene: &mut Scene<'_>, change: fn(&mut Value)) {
    let mut documents = example::documents(scene.cluster);
    for document in documents.iter_mut().filter(|document| document["kind"] == "Pod") {
        change(document);
    }
    scene.against(&documents);
}
