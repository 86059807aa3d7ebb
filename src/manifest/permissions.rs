//! What the API server must allow for a plan: the least that suffices, none forgotten.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::model::{KINDS, NSM_NAMESPACE, Permission, Plan, Purpose, SPIRE_NAMESPACE};

/// Every permission that the commands need for a plan, each once.
#[must_use]
pub fn permissions(plan: &Plan) -> Vec<Permission> {
    let mut needs = Needs::default();
    needs.of_deploy(plan);
    needs.of_looking(plan);
    needs.of_cleanup(plan);
    needs.of_diagnosis();
    needs.0.into_iter().collect()
}

#[derive(Default)]
struct Needs(BTreeSet<Permission>);

impl Needs {
    fn add(&mut self, purpose: Purpose, group: &str, resource: &str, namespace: Option<&str>, verbs: &[&str]) {
        for verb in verbs {
            let permission =
                Permission { group: group.into(), resource: resource.into(), verb: (*verb).into(), namespace: namespace.map(Into::into), purpose };
            // What one command needs, another need not ask for again.
            let known = |known: &Permission| Permission { purpose, ..known.clone() } == permission;
            if !self.0.iter().any(known) {
                self.0.insert(permission);
            }
        }
    }

    fn of_deploy(&mut self, plan: &Plan) {
        for object in &plan.objects {
            // Server-side apply is a patch, and a create where there is nothing yet.
            let namespace = object.reference.namespace.as_deref();
            self.add(Purpose::Deploy, group_of(&object.api_version), &object.plural, namespace, &["get", "create", "patch"]);
        }
        for workload in &plan.expectations.workloads {
            let kind = workload.kind.to_string();
            if let Some(kind) = KINDS.iter().find(|known| known.kind == kind && known.kind != "Pod") {
                self.add(Purpose::Deploy, "apps", kind.plural, Some(&workload.id.namespace), &["list", "watch"]);
            }
        }
        for namespace in namespaces(plan) {
            // Pods are made anew where they cannot be changed.
            self.add(Purpose::Deploy, "", "pods", Some(namespace), &["list", "watch", "delete"]);
            self.add(Purpose::Deploy, "", "serviceaccounts", Some(namespace), &["list", "watch"]);
        }
    }

    fn of_looking(&mut self, plan: &Plan) {
        for namespace in namespaces(plan) {
            // The API server asks for get with a websocket, and for create otherwise.
            self.add(Purpose::Verify, "", "pods/exec", Some(namespace), &["get", "create"]);
            self.add(Purpose::Troubleshoot, "", "pods/log", Some(namespace), &["get"]);
            self.add(Purpose::Troubleshoot, "", "events", Some(namespace), &["list"]);
        }
        for resource in ["networkservices", "networkserviceendpoints"] {
            self.add(Purpose::Verify, "networkservicemesh.io", resource, None, &["list"]);
        }
    }

    fn of_cleanup(&mut self, plan: &Plan) {
        for kind in &KINDS {
            self.add(Purpose::Cleanup, group_of(kind.api_version), kind.plural, None, &["list", "watch"]);
        }
        for object in &plan.objects {
            self.add(Purpose::Cleanup, group_of(&object.api_version), &object.plural, object.reference.namespace.as_deref(), &["delete"]);
        }
        self.add(Purpose::Cleanup, "networkservicemesh.io", "networkserviceendpoints", Some(NSM_NAMESPACE), &["delete", "watch"]);
    }

    /// What is asked of Network Service Mesh and SPIRE themselves.
    fn of_diagnosis(&mut self) {
        self.add(Purpose::Troubleshoot, "", "nodes", None, &["list"]);
        // A forwarder that exposes metrics is asked for them; as with exec, a websocket takes get.
        self.add(Purpose::Troubleshoot, "", "pods/portforward", Some(NSM_NAMESPACE), &["get", "create"]);
        for namespace in [NSM_NAMESPACE, SPIRE_NAMESPACE] {
            self.add(Purpose::Troubleshoot, "", "pods", Some(namespace), &["list"]);
            self.add(Purpose::Troubleshoot, "", "pods/log", Some(namespace), &["get"]);
            self.add(Purpose::Troubleshoot, "", "events", Some(namespace), &["list"]);
        }
        for resource in ["daemonsets", "deployments", "statefulsets"] {
            self.add(Purpose::Troubleshoot, "apps", resource, None, &["list"]);
        }
        self.add(Purpose::Troubleshoot, "apiextensions.k8s.io", "customresourcedefinitions", None, &["get"]);
        self.add(Purpose::Troubleshoot, "admissionregistration.k8s.io", "mutatingwebhookconfigurations", None, &["list"]);
        self.add(Purpose::Troubleshoot, "discovery.k8s.io", "endpointslices", Some(NSM_NAMESPACE), &["list"]);
        self.add(Purpose::Troubleshoot, "spire.spiffe.io", "clusterspiffeids", None, &["list"]);
    }
}

/// The API group of a version as objects have it: `apps` of `apps/v1`, none of `v1`.
fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

fn namespaces(plan: &Plan) -> BTreeSet<&str> {
    plan.objects.iter().filter_map(|object| object.reference.namespace.as_deref()).collect()
}

/// The roles that grant them: one for what is in all namespaces or in none, one for each namespace. They carry none of the
/// deployment's labels: they are the administrator's, and cleanup leaves them.
#[must_use]
pub fn roles(plan: &Plan) -> Vec<Value> {
    let permissions = permissions(plan);
    let scopes: BTreeSet<Option<&str>> = permissions.iter().map(|permission| permission.namespace.as_deref()).collect();
    let role = |scope: Option<&str>| {
        let mut rules: Vec<(BTreeSet<&str>, (&str, &str))> = Vec::new();
        for Permission { group, resource, verb, .. } in permissions.iter().filter(|permission| permission.namespace.as_deref() == scope) {
            match rules.iter_mut().find(|(_, about)| *about == (group.as_str(), resource.as_str())) {
                Some((verbs, _)) => {
                    verbs.insert(verb);
                }
                None => rules.push(([verb.as_str()].into(), (group, resource))),
            }
        }
        let rules: Vec<Value> =
            rules.into_iter().map(|(verbs, (group, resource))| json!({"apiGroups": [group], "resources": [resource], "verbs": verbs})).collect();
        let mut metadata = Map::new();
        metadata.insert("name".to_owned(), json!(format!("nsmctl-{}", plan.instance)));
        if let Some(namespace) = scope {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
        let kind = if scope.is_some() { "Role" } else { "ClusterRole" };
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": rules})
    };
    scopes.into_iter().map(role).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Customisation, embedded, plan, read};

    fn example() -> Plan {
        plan(&read(&embedded()).unwrap(), &Customisation::default(), "default").unwrap()
    }

    #[test]
    fn every_object_of_the_plan_can_be_applied_watched_and_removed() {
        let all = permissions(&example());
        let has = |verb: &str, resource: &str, namespace: Option<&str>| {
            all.iter().any(|p| (p.verb.as_str(), p.resource.as_str(), p.namespace.as_deref()) == (verb, resource, namespace))
        };
        for verb in ["get", "create", "patch", "delete"] {
            assert!(has(verb, "namespaces", None), "{verb}");
            for resource in ["networkservices", "deployments", "pods"] {
                assert!(has(verb, resource, Some("ns-kernel2kernel")), "{verb} {resource}");
            }
        }
        assert!(has("get", "pods/exec", Some("ns-kernel2kernel")) && has("create", "pods/exec", Some("ns-kernel2kernel")));
        assert!(has("get", "pods/portforward", Some("nsm-system")) && has("create", "pods/portforward", Some("nsm-system")));
        assert!(has("delete", "networkserviceendpoints", Some("nsm-system")));
        assert!(!all.iter().any(|p| p.resource == "secrets" || p.verb == "*" || p.resource == "*"), "nothing that is not needed");
    }

    #[test]
    fn none_is_asked_for_twice() {
        let all = permissions(&example());
        let distinct: BTreeSet<_> = all.iter().map(|p| (&p.group, &p.resource, &p.verb, &p.namespace)).collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn roles_grant_what_is_needed_and_where() {
        let roles = roles(&example());
        let places: Vec<_> = roles.iter().map(|role| (role["kind"].as_str().unwrap(), role["metadata"]["namespace"].as_str())).collect();
        assert_eq!(places, [("ClusterRole", None), ("Role", Some("ns-kernel2kernel")), ("Role", Some("nsm-system")), ("Role", Some("spire"))]);
        let exec = roles[1]["rules"].as_array().unwrap().iter().find(|rule| rule["resources"][0] == "pods/exec").unwrap();
        assert_eq!(exec["verbs"], json!(["create", "get"]));
    }
}
