use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{labels::Selected, refuse};
use crate::{
    manifest::{
        Document, ManifestError,
        visit::{containers, pod, visit},
    },
    model::{ANNOTATION, KINDS, NsUrl, check_dns_label},
};

/// Where a pod names an object of a kind, but in its containers.
const IN_PODS: [(&str, &str); 9] = [
    ("ServiceAccount", "spec/serviceAccountName"),
    ("ServiceAccount", "spec/serviceAccount"),
    ("ConfigMap", "spec/volumes/*/configMap/name"),
    ("ConfigMap", "spec/volumes/*/projected/sources/*/configMap/name"),
    ("Service", "spec/subdomain"),
    ("Namespace", "spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/*/namespaces/*"),
    ("Namespace", "spec/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/*/podAffinityTerm/namespaces/*"),
    ("Namespace", "spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/*/namespaces/*"),
    ("Namespace", "spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/*/podAffinityTerm/namespaces/*"),
];
/// Where a container names an object of a kind.
const IN_CONTAINERS: [(&str, &str); 2] = [("ConfigMap", "env/*/valueFrom/configMapKeyRef/name"), ("ConfigMap", "envFrom/*/configMapRef/name")];

/// Puts a prefix before the names of all objects and wherever they are referred to, so that these manifests can stand beside
/// themselves, in the same namespace too. A Namespace keeps its name unless `namespaces` says so.
pub(super) fn prefix(documents: &[Document], prefix: &str, namespaces: bool) -> Result<Vec<Document>, ManifestError> {
    let taken = documents.iter().filter(|document| namespaces || document.kind != "Namespace");
    let objects = taken.map(|document| (document.kind.clone(), document.name().to_owned())).collect();
    let renaming = Renaming { prefix, objects, labels: Selected::new(documents) };
    renaming.check()?;
    documents.iter().map(|document| document.changed(|value| renaming.apply(&document.kind, value))).collect()
}

/// A prefix makes something too long, or something else than a name.
pub(super) fn too_much(prefix: &str, reason: &str) -> ManifestError {
    refuse(format!("--name-prefix {prefix}"), reason, "a prefix has lower-case letters, digits and - only, as in blue-; choose a shorter one")
}

struct Renaming<'a> {
    prefix: &'a str,
    /// Kind and name of what is renamed.
    objects: BTreeSet<(String, String)>,
    labels: Selected,
}

impl Renaming<'_> {
    fn check(&self) -> Result<(), ManifestError> {
        for (kind, name) in &self.objects {
            let named = format!("{}{name}", self.prefix);
            let valid = named.split('.').try_for_each(check_dns_label);
            valid.map_err(|why| too_much(self.prefix, &format!("{kind} {name} would be called {named}: {why}")))?;
        }
        for value in self.labels.values() {
            let named = format!("{}{value}", self.prefix);
            if named.len() > 63 || !named.ends_with(|c: char| c.is_ascii_alphanumeric()) {
                let reason = format!("the label {value:?} would be {named:?}, which is longer than 63 characters or ends with no letter or digit");
                return Err(too_much(self.prefix, &reason));
            }
        }
        Ok(())
    }

    fn has(&self, kind: &str, name: &str) -> bool {
        self.objects.contains(&(kind.to_owned(), name.to_owned()))
    }

    /// A name of an object of that kind: prefixed where the object is one of these.
    fn name(&self, kind: &str, value: &mut Value) {
        if let Some(name) = value.as_str().filter(|name| self.has(kind, name)) {
            *value = json!(format!("{}{name}", self.prefix));
        }
    }

    fn apply(&self, kind: &str, value: &mut Value) {
        visit(value, "metadata/name", &mut |name| self.name(kind, name));
        visit(value, "metadata/namespace", &mut |name| self.name("Namespace", name));
        visit(value, "metadata/annotations", &mut |annotations| self.annotation(annotations));
        match kind {
            "Role" => visit(value, "rules/*", &mut |rule| self.rule(rule)),
            "RoleBinding" => {
                visit(value, "subjects/*", &mut |subject| self.subject(subject));
                visit(value, "roleRef", &mut |role| self.subject(role));
            }
            "StatefulSet" => visit(value, "spec/serviceName", &mut |name| self.name("Service", name)),
            _ => {}
        }
        // A Pod's own annotations are done.
        if kind != "Pod" {
            visit(value, "spec/template/metadata/annotations", &mut |annotations| self.annotation(annotations));
        }
        if let Some(pod) = pod(kind, value) {
            for (kind, path) in IN_PODS {
                visit(pod, path, &mut |name| self.name(kind, name));
            }
            containers(pod).for_each(|container| self.container(container));
        }
        self.labels.prefix(kind, value, self.prefix);
    }

    fn container(&self, container: &mut Value) {
        for (kind, path) in IN_CONTAINERS {
            visit(container, path, &mut |name| self.name(kind, name));
        }
        visit(container, "env/*", &mut |variable| {
            let Some(text) = variable["value"].as_str() else { return };
            let renamed = match variable["name"].as_str() {
                Some("NSM_SERVICE_NAMES") => self.each(text, |service| self.service(service)),
                Some("NSM_NETWORK_SERVICES") => self.each(text, |url| self.url(url)),
                _ => return,
            };
            variable["value"] = json!(renamed);
        });
    }

    fn annotation(&self, annotations: &mut Value) {
        visit(annotations, ANNOTATION, &mut |urls| {
            if let Some(text) = urls.as_str() {
                *urls = json!(self.each(text, |url| self.url(url)));
            }
        });
    }

    fn each(&self, list: &str, rename: impl Fn(&str) -> Option<String>) -> String {
        list.split(',').map(|item| rename(item).unwrap_or_else(|| item.to_owned())).collect::<Vec<_>>().join(",")
    }

    /// An item of NSM_SERVICE_NAMES, which may have blanks around it.
    fn service(&self, item: &str) -> Option<String> {
        let name = item.trim();
        self.has("NetworkService", name).then(|| item.replacen(name, &format!("{}{name}", self.prefix), 1))
    }

    /// A request for a service of these manifests. All but the service stays as it was written; one of another domain is
    /// another service.
    fn url(&self, url: &str) -> Option<String> {
        let parsed: NsUrl = url.parse().ok()?;
        let (mechanism, rest) = url.split_once("://")?;
        (parsed.domain.is_none() && self.has("NetworkService", &parsed.service)).then(|| format!("{mechanism}://{}{rest}", self.prefix))
    }

    /// A subject or a role of a RoleBinding.
    fn subject(&self, subject: &mut Value) {
        let kind = subject["kind"].as_str().unwrap_or_default().to_owned();
        visit(subject, "name", &mut |name| self.name(&kind, name));
        visit(subject, "namespace", &mut |name| self.name("Namespace", name));
    }

    /// A rule of a Role that is about objects of these names.
    fn rule(&self, rule: &mut Value) {
        let resources: Vec<String> = rule["resources"].as_array().into_iter().flatten().filter_map(|r| r.as_str().map(str::to_owned)).collect();
        let kinds = KINDS.iter().filter(|kind| resources.iter().any(|resource| resource.split('/').next() == Some(kind.plural)));
        let kinds: Vec<&str> = kinds.map(|kind| kind.kind).collect();
        visit(rule, "resourceNames/*", &mut |name| {
            // The first that has it: a name that two kinds share must get one prefix, not two.
            if let Some(kind) = kinds.iter().find(|kind| name.as_str().is_some_and(|name| self.has(kind, name))) {
                self.name(kind, name);
            }
        });
    }
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
