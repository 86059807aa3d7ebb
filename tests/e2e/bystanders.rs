//! What belongs to others is never touched.

use crate::cluster::{Cluster, EXAMPLE};

const THEIRS: &str = "nsmctl-theirs";

fn mine(namespace: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: mine, namespace: {namespace}}}\ndata: {{a: b}}\n")
}

#[test]
fn a_namespace_of_others_is_used_and_left_as_it_was() {
    let cluster = Cluster::new().with_namespace(THEIRS);
    cluster.kubectl(&["create", "namespace", THEIRS]);
    cluster.apply(&mine(THEIRS));
    let versions = || {
        let version = |object: &[&str]| cluster.get(object)["metadata"]["resourceVersion"].clone();
        (version(&["namespace", THEIRS]), version(&["-n", THEIRS, "configmap/mine"]))
    };
    let before = versions();
    cluster.nsmctl(&["deploy", "-n", THEIRS]).exits(0).says(&["Namespace nsmctl-theirs: used as it is"]);
    cluster.nsmctl(&["verify", "-n", THEIRS]).exits(0);
    cluster.nsmctl(&["cleanup", "-n", THEIRS]).exits(0);
    assert_eq!(versions(), before);
    let left = cluster.kubectl(&["get", "pods,deployments,networkservices", "-n", THEIRS, "-o", "name"]);
    assert_eq!(left, "");
    assert_eq!(cluster.traces(), Vec::<String>::new());
}

#[test]
fn a_namespace_of_ours_into_which_others_have_put_something_stays() {
    let cluster = Cluster::new();
    cluster.nsmctl(&["deploy"]).exits(0);
    cluster.apply(&mine(EXAMPLE));
    let ran = cluster.nsmctl(&["cleanup"]);
    ran.exits(1);
    assert!(ran.stdout.contains("Namespace ns-kernel2kernel") && ran.stdout.contains("ConfigMap mine"), "{ran:?}");
    assert!(cluster.has(&["-n", EXAMPLE, "configmap/mine"]) && !cluster.has(&["-n", EXAMPLE, "pod/alpine"]));
    cluster.kubectl(&["delete", "-n", EXAMPLE, "configmap/mine"]);
    cluster.nsmctl(&["cleanup"]).exits(0);
    assert_eq!(cluster.traces(), Vec::<String>::new());
}

#[test]
fn an_object_of_others_under_the_same_name_stops_the_deploy_before_it_changes_anything() {
    let cluster = Cluster::new().with_namespace(THEIRS);
    cluster.kubectl(&["create", "namespace", THEIRS]);
    cluster.apply(&format!(
        "apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: {{name: kernel2kernel, namespace: {THEIRS}}}\nspec: {{payload: IP}}\n"
    ));
    let ran = cluster.nsmctl(&["deploy", "-n", THEIRS]);
    ran.exits(1)
        .prints_nothing()
        .says(&["NetworkService nsmctl-theirs/kernel2kernel exists already and is not of this deployment", "nothing was changed"]);
    assert!(!cluster.has(&["-n", THEIRS, "deployment/nse-kernel"]));
    assert_eq!(cluster.get(&["-n", THEIRS, "networkservice/kernel2kernel"])["spec"]["payload"], "IP");
}

#[test]
fn without_permission_nothing_is_changed_and_what_is_missing_is_named() {
    let cluster = Cluster::new().with_namespace(THEIRS).with_objects(&["clusterrole,clusterrolebinding", "nsmctl-e2e-reader"]);
    cluster.nsmctl(&["deploy"]).exits(0);
    cluster.kubectl(&["create", "namespace", THEIRS]);
    cluster.kubectl(&["create", "serviceaccount", "-n", THEIRS, "reader"]);
    let rules = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: nsmctl-e2e-reader}\nrules:\n\
                 - {apiGroups: ['', networkservicemesh.io], resources: [pods, namespaces, networkservices, networkserviceendpoints], verbs: [get, list]}\n\
                 ---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: nsmctl-e2e-reader}\n\
                 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: nsmctl-e2e-reader}\n\
                 subjects: [{kind: ServiceAccount, name: reader, namespace: nsmctl-theirs}]\n";
    cluster.apply(rules);
    let token = cluster.kubectl(&["create", "token", "-n", THEIRS, "reader"]);
    let kubeconfig = cluster.kubectl(&["config", "view", "--raw", "--minify", "--flatten", "-o", "json"]);
    let mut kubeconfig: serde_json::Value = serde_json::from_str(&kubeconfig).unwrap();
    kubeconfig["users"][0]["user"] = serde_json::json!({"token": token.trim()});
    let file = cluster.place.write("reader.json", &kubeconfig.to_string());
    let file = file.to_str().unwrap();

    let ran = cluster.nsmctl(&["deploy", "--kubeconfig", file, "-n", THEIRS]);
    ran.exits(3).says(&["is not fit: permissions", "nothing was changed"]);
    assert!(ran.stdout.contains("denied: create pods/exec in nsmctl-theirs") && ran.stdout.contains("nsmctl manifests rbac"), "{ran:?}");
    // Who goes on all the same is told by the server.
    let ran = cluster.nsmctl(&["deploy", "--kubeconfig", file, "-n", THEIRS, "--skip-preflight"]);
    let forbidden = "User \"system:serviceaccount:nsmctl-theirs:reader\" cannot";
    ran.exits(3).prints_nothing().says(&[forbidden, "ask for this permission"]);
    assert!(!cluster.has(&["-n", THEIRS, "pod/alpine"]));

    // It may see the pods and not look into them: unknown, and never a pass.
    let ran = cluster.nsmctl(&["verify", "--kubeconfig", file, "-o", "json"]);
    let document = ran.exits(3).json();
    let verdict = |check: &str| document["findings"].as_array().unwrap().iter().find(|f| f["check"] == check).unwrap()["verdict"].clone();
    assert_eq!(
        (verdict("pods-ready"), verdict("interface"), verdict("ping-endpoint")),
        ("pass".into(), "unknown".into(), "unknown".into()),
        "{document}"
    );
    assert!(ran.stdout.contains("cannot get resource") || ran.stdout.contains("cannot create resource"), "{ran:?}");

    let ran = cluster.nsmctl(&["cleanup", "--kubeconfig", file]);
    assert!(ran.code == Some(3) || ran.code == Some(1), "{ran:?}");
    assert!(cluster.has(&["-n", EXAMPLE, "pod/alpine"]), "nothing may be deleted");
}
