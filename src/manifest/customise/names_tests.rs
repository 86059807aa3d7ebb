use crate::{
    manifest::{Customisation, ManifestError, Source, embedded, plan, read},
    model::{INSTANCE_LABEL, Namespaced, Plan},
};

fn blue(namespace: Option<&str>) -> Customisation {
    Customisation { name_prefix: Some("blue-".into()), namespace: namespace.map(str::to_owned), ..Customisation::default() }
}

fn from_text(text: &str, asked: &Customisation) -> Result<Plan, ManifestError> {
    plan(&read(&[Source { name: "a.yaml".into(), text: text.into() }]).unwrap(), asked, "current")
}

fn example(asked: &Customisation) -> Plan {
    plan(&read(&embedded()).unwrap(), asked, "current").unwrap()
}

const ALL: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: ns, annotations: {networkservicemesh.io: \"kernel://s/nsm-1?a=b,kernel://other,kernel://s@far\"}}
---
apiVersion: networkservicemesh.io/v1
kind: NetworkService
metadata: {name: s, namespace: ns}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: account}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules:
- {apiGroups: [\"\"], resources: [configmaps], resourceNames: [config, theirs], verbs: [get]}
- {apiGroups: [\"\"], resources: [secrets], resourceNames: [config], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
subjects:
- {kind: ServiceAccount, name: account, namespace: ns}
- {kind: ServiceAccount, name: theirs, namespace: elsewhere}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: nse, far: away}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: nse}
spec:
  serviceName: web
  selector: {matchLabels: {app: nse, spiffe.io/spiffe-id: \"true\"}}
  template:
    metadata: {labels: {app: nse, tier: back, spiffe.io/spiffe-id: \"true\"}}
    spec:
      serviceAccountName: account
      serviceAccount: account
      initContainers: [{name: i, image: x, envFrom: [{configMapRef: {name: config}}]}]
      containers:
      - name: nse
        image: x
        env:
        - {name: NSM_SERVICE_NAMES, value: \"s, other\"}
        - {name: NSM_NETWORK_SERVICES, value: \"kernel://s\"}
        - {name: NAME, value: s}
        - {name: A, valueFrom: {configMapKeyRef: {name: config, key: k}}}
        - {name: B, valueFrom: {configMapKeyRef: {name: theirs, key: k}}}
      volumes:
      - {name: a, configMap: {name: config}}
      - {name: b, projected: {sources: [{configMap: {name: config}}]}}
---
apiVersion: v1
kind: Pod
metadata: {name: c, labels: {app: c, tier: front}, annotations: {networkservicemesh.io: \"kernel://s/nsm-1\"}}
spec:
  containers: [{name: c, image: x}]
  topologySpreadConstraints:
  - {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: c}}}
  affinity:
    podAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
      - {topologyKey: h, namespaces: [ns, far], labelSelector: {matchLabels: {app: nse}}}
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
      - {weight: 1, podAffinityTerm: {topologyKey: h, labelSelector: {matchExpressions: [{key: app, operator: In, values: [nse, theirs]}]}}}
";

#[test]
fn the_example_stands_beside_itself() {
    let plan = example(&blue(None));
    let objects: Vec<String> = plan.objects.iter().map(|object| object.reference.to_string()).collect();
    let expected = [
        "Namespace blue-ns-kernel2kernel",
        "NetworkService blue-ns-kernel2kernel/blue-kernel2kernel",
        "Deployment blue-ns-kernel2kernel/blue-nse-kernel",
        "Pod blue-ns-kernel2kernel/blue-alpine",
    ];
    assert_eq!(objects, expected);
    assert_eq!((plan.instance.as_str(), plan.part_of.as_str()), ("blue-ns-kernel2kernel", "blue-kernel2kernel"));
    let [connection] = &plan.expectations.connections[..] else { panic!() };
    assert_eq!(connection.url.to_string(), "kernel://blue-kernel2kernel/nsm-1");
    assert_eq!(connection.endpoint, Some(Namespaced::new("blue-ns-kernel2kernel", "blue-nse-kernel")));
    assert!(connection.payload.is_some() && connection.addresses.is_some());
    let affinity = "/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/0/labelSelector/matchExpressions/0/values/0";
    assert_eq!(plan.objects[3].body.pointer(affinity).unwrap(), "blue-nse-kernel");
}

#[test]
fn two_can_share_a_namespace() {
    let (plain, blue) = (example(&Customisation { namespace: Some("demo".into()), ..Customisation::default() }), example(&blue(Some("demo"))));
    assert_eq!((plain.instance.as_str(), blue.instance.as_str(), blue.namespace.as_str()), ("demo", "demo.blue", "demo"));
    let shared: Vec<_> = plain.objects.iter().filter(|one| blue.objects.iter().any(|other| other.reference == one.reference)).collect();
    assert!(shared.len() == 1 && shared[0].reference.kind == "Namespace", "{shared:?}");
    assert!(blue.objects.iter().all(|object| object.body["metadata"]["labels"][INSTANCE_LABEL] == "demo.blue"));
    // Neither selects the other's pods.
    let workload = |plan: &Plan| plan.expectations.workloads[0].clone();
    assert_ne!(workload(&plain).selector, workload(&blue).selector);
    assert_eq!(workload(&blue).selector["app"], workload(&blue).pod_labels["app"]);
}

#[test]
fn without_a_namespace_of_its_own_the_deployment_is_told_apart_by_the_prefix() {
    let service = "apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: {name: s}\n";
    let plan = from_text(service, &blue(None)).unwrap();
    assert_eq!((plan.instance.as_str(), plan.namespace.as_str()), ("current.blue", "current"));
}

#[test]
fn every_reference_follows() {
    let plan = from_text(ALL, &blue(None)).unwrap();
    let body = |kind: &str| &plan.objects.iter().find(|object| object.reference.kind == kind).unwrap().body;
    let at = |kind: &str, pointer: &str| body(kind).pointer(pointer).unwrap_or_else(|| panic!("{kind} {pointer}")).clone();
    let same = [
        ("Namespace", "/metadata/annotations/networkservicemesh.io", "kernel://blue-s/nsm-1?a=b,kernel://other,kernel://s@far"),
        ("NetworkService", "/metadata/namespace", "blue-ns"),
        ("Role", "/rules/0/resourceNames/0", "blue-config"),
        ("Role", "/rules/0/resourceNames/1", "theirs"),
        ("Role", "/rules/1/resourceNames/0", "config"),
        ("RoleBinding", "/metadata/name", "blue-reader"),
        ("RoleBinding", "/subjects/0/name", "blue-account"),
        ("RoleBinding", "/subjects/0/namespace", "blue-ns"),
        ("RoleBinding", "/subjects/1/name", "theirs"),
        ("RoleBinding", "/subjects/1/namespace", "elsewhere"),
        ("RoleBinding", "/roleRef/name", "blue-reader"),
        ("Service", "/spec/selector/app", "blue-nse"),
        ("Service", "/spec/selector/far", "away"),
        ("StatefulSet", "/spec/serviceName", "blue-web"),
        ("StatefulSet", "/spec/selector/matchLabels/app", "blue-nse"),
        ("StatefulSet", "/spec/selector/matchLabels/spiffe.io~1spiffe-id", "true"),
        ("StatefulSet", "/spec/template/metadata/labels/app", "blue-nse"),
        ("StatefulSet", "/spec/template/metadata/labels/tier", "back"),
        ("StatefulSet", "/spec/template/spec/serviceAccountName", "blue-account"),
        ("StatefulSet", "/spec/template/spec/serviceAccount", "blue-account"),
        ("StatefulSet", "/spec/template/spec/initContainers/0/envFrom/0/configMapRef/name", "blue-config"),
        ("StatefulSet", "/spec/template/spec/containers/0/env/0/value", "blue-s, other"),
        ("StatefulSet", "/spec/template/spec/containers/0/env/1/value", "kernel://blue-s"),
        ("StatefulSet", "/spec/template/spec/containers/0/env/2/value", "s"),
        ("StatefulSet", "/spec/template/spec/containers/0/env/3/valueFrom/configMapKeyRef/name", "blue-config"),
        ("StatefulSet", "/spec/template/spec/containers/0/env/4/valueFrom/configMapKeyRef/name", "theirs"),
        ("StatefulSet", "/spec/template/spec/volumes/0/configMap/name", "blue-config"),
        ("StatefulSet", "/spec/template/spec/volumes/1/projected/sources/0/configMap/name", "blue-config"),
        ("Pod", "/metadata/annotations/networkservicemesh.io", "kernel://blue-s/nsm-1"),
        ("Pod", "/metadata/labels/app", "blue-c"),
        ("Pod", "/metadata/labels/tier", "front"),
        ("Pod", "/spec/topologySpreadConstraints/0/labelSelector/matchLabels/app", "blue-c"),
        ("Pod", "/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/0/labelSelector/matchLabels/app", "blue-nse"),
        ("Pod", "/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/0/namespaces/0", "blue-ns"),
        ("Pod", "/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/0/namespaces/1", "far"),
    ];
    for (kind, pointer, expected) in same {
        assert_eq!(at(kind, pointer), expected, "{kind} {pointer}");
    }
    let anti =
        "/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/0/podAffinityTerm/labelSelector/matchExpressions/0/values";
    assert_eq!(at("Pod", anti), serde_json::json!(["blue-nse", "theirs"]));
}

#[test]
fn with_a_namespace_the_bound_account_is_looked_for_there() {
    for asked in [blue(Some("demo")), Customisation { namespace: Some("demo".into()), ..Customisation::default() }] {
        let plan = from_text(ALL, &asked).unwrap();
        let binding = &plan.objects.iter().find(|object| object.reference.kind == "RoleBinding").unwrap().body;
        assert_eq!((&binding["subjects"][0]["namespace"], &binding["subjects"][1]["namespace"]), (&"demo".into(), &"elsewhere".into()));
    }
}

#[test]
fn names_must_stay_names() {
    let error = |text: &str, asked: &Customisation| from_text(text, asked).unwrap_err().to_string();
    let service = |name: &str| format!("apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: {{name: {name}}}\n");
    let long = "s".repeat(60);
    let expected = format!("--name-prefix blue-: NetworkService {long} would be called blue-{long}: it is longer than 63 characters");
    assert_eq!(error(&service(&long), &blue(None)), expected);
    let expected = format!("--name-prefix blue-: the deployment would be called {long}.blue, which is longer than 63 characters");
    assert_eq!(error(&service("s"), &blue(Some(&long))), expected);
    assert!(from_text(&service("a.b"), &blue(None)).is_ok(), "what has dots has them still");
    let pod = format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p, labels: {{app: {long}}}}}\nspec: {{containers: [{{name: c}}]}}\n");
    let web = format!("---\napiVersion: v1\nkind: Service\nmetadata: {{name: w}}\nspec: {{selector: {{app: {long}}}}}\n");
    assert!(from_text(&pod, &blue(None)).is_ok(), "nothing selects by that label");
    let message = error(&(pod + &web), &blue(None));
    assert!(message.starts_with(&format!("--name-prefix blue-: the label {long:?} would be ")), "{message}");
}
