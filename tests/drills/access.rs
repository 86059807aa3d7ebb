//! What may not be seen or cannot be reached: nothing is claimed of it.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::{
    cluster::EXAMPLE,
    drill::{Drill, Expected::Unknown},
    scene::{BESIDE, Scene},
};

pub(crate) const DRILLS: &[Drill] = &[
    Drill::new("no-rights", Unknown(&["forbidden", "pods"]), |scene| {
        let token = token(scene);
        as_user(scene, &json!({"token": token}));
    }),
    Drill::new("rights-to-look-at-pods-only", Unknown(&["forbidden", "pods/exec"]), |scene| {
        let token = token(scene);
        let metadata = json!({"name": "drill", "namespace": EXAMPLE});
        let rules = json!([{"apiGroups": ["", "apps"], "resources": ["pods", "deployments", "events"], "verbs": ["get", "list", "watch"]}]);
        scene.add(&json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules}));
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "drill"});
        let subjects = json!([{"kind": "ServiceAccount", "name": "drill", "namespace": BESIDE}]);
        let binding =
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata, "roleRef": role, "subjects": subjects});
        scene.add(&binding);
        as_user(scene, &json!({"token": token}));
    }),
    Drill::new("a-token-that-nobody-knows", Unknown(&["nauthorized"]), |scene| as_user(scene, &json!({"token": "nobody"}))),
    Drill::new("api-server-unreachable", Unknown(&["127.0.0.1"]), |scene| {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        with(scene, |kubeconfig| kubeconfig["clusters"][0]["cluster"]["server"] = json!(format!("https://127.0.0.1:{port}")));
    }),
];

/// The token of an account that may do nothing.
fn token(scene: &mut Scene<'_>) -> String {
    scene.add_namespace();
    scene.cluster.kubectl(&["create", "serviceaccount", "-n", BESIDE, "drill"]);
    scene.cluster.kubectl(&["create", "token", "-n", BESIDE, "drill"]).trim().to_owned()
}

fn as_user(scene: &mut Scene<'_>, user: &Value) {
    with(scene, |kubeconfig| kubeconfig["users"][0]["user"] = user.clone());
}

/// Has troubleshoot use another kubeconfig than its own.
fn with(scene: &mut Scene<'_>, change: impl FnOnce(&mut Value)) {
    let text = scene.cluster.kubectl(&["config", "view", "--raw", "--minify", "--flatten", "-o", "json"]);
    let mut kubeconfig: Value = serde_json::from_str(&text).expect("JSON");
    change(&mut kubeconfig);
    let file = scene.cluster.place.write("drill.kubeconfig", &kubeconfig.to_string());
    scene.arguments = vec!["--kubeconfig".to_owned(), file.to_str().expect("UTF-8").to_owned()];
}
