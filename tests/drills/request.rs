//! Requests for what is not there, or that cannot be granted.

use serde_json::{Value, json};

use crate::{
    drill::{Drill, Expected::Cause},
    example::{self, Spoilt, annotated, variable},
    scene::Scene,
};

pub(crate) const DRILLS: &[Drill] = &[
    // The manifests themselves name it, as those of a person who has misspelt it would.
    Drill::new("service-unknown", Cause("service-unknown"), |scene| {
        scene.client_goes();
        scene.client_comes(|pod| annotated(pod, "kernel://kernel2kernl/nsm-1"));
        against_client(scene, |pod| annotated(pod, "kernel://kernel2kernl/nsm-1"));
        scene.client_complains(&["is not found"]);
    }),
    // The manifests are right, and the pod that runs was annotated by another hand.
    Drill::new("pod-asks-for-another-service", Cause("service-unknown"), |scene| {
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
    Drill::new("service-names", Cause("endpoint-offers-another"), |scene| {
        scene.deploys_endpoint(&variable("NSM_SERVICE_NAMES", "another"));
        scene.client_complains(&["candidates not found"]);
    })
    .deployed_with_it(),
    Drill::new("network-service-missing", Cause("network-service-missing"), |scene| {
        scene.deploys(|documents| documents.retain(|document| document["kind"] != "NetworkService"));
        scene.client_complains(&["is not found"]);
    })
    .fails("network-service")
    .deployed_with_it(),
    Drill::new("payload-ip", Cause("payload-differs"), |scene| {
        scene.deploys(|documents| service(documents)["spec"]["payload"] = json!("IP"));
        scene.client_is_ready();
    })
    .deployed_with_it(),
    Drill::new("payload-unknown", Cause("payload-unknown"), |scene| {
        scene.deploys(|documents| service(documents)["spec"]["payload"] = json!("MPLS"));
        // This cluster's forwarder serves it all the same.
        scene.client_is_ready();
    })
    .deployed_with_it(),
    Drill::new("prefix-empty", Cause("endpoint-without-prefix"), |scene| {
        scene.deploys_endpoint(&variable("NSM_CIDR_PREFIX", ""));
        scene.client_is_ready();
    })
    .deployed_with_it(),
    Drill::new("prefix-another", Cause("address-wrong"), |scene| {
        scene.deploys_endpoint(&variable("NSM_CIDR_PREFIX", "10.77.0.0/31"));
        scene.client_is_ready();
    })
    .deployed_with_it(),
    Drill::new("spiffe-label-missing", Cause("spiffe-label-missing"), |scene| {
        scene.deploys_endpoint(&json!({"spec": {"template": {"metadata": {"labels": {"spiffe.io/spiffe-id": null}}}}}));
        scene.client_complains(&["candidates not found"]);
    })
    .fails("identity")
    .deployed_with_it(),
    Drill::new("no-matching-endpoint", Cause("no-matching-endpoint"), |scene| {
        let routes = json!([{"destination_selector": {"app": "nobody"}}]);
        let matches = json!([{"source_selector": {}, "routes": routes}]);
        scene.deploys(|documents| service(documents)["spec"]["matches"] = matches);
        scene.client_complains(&["candidates not found"]);
    })
    .deployed_with_it(),
    Drill::new("endpoint-asks-nobody", Cause("endpoint-not-registered"), |scene| {
        scene.deploys_endpoint(&variable("NSM_CONNECT_TO", "unix:///var/lib/networkservicemesh/nobody.sock"));
        scene.client_complains(&["candidates not found"]);
    })
    .deployed_with_it(),
];

/// The NetworkService of the example's documents.
fn service(documents: &mut [Value]) -> &mut Value {
    documents.iter_mut().find(|document| document["kind"] == "NetworkService").expect("a NetworkService")
}

/// The example's documents, with another client.
fn against_client(scene: &mut Scene<'_>, change: fn(&mut Value)) {
    let mut documents = example::documents(scene.cluster);
    for document in documents.iter_mut().filter(|document| document["kind"] == "Pod") {
        change(document);
    }
    scene.against(&documents);
}
