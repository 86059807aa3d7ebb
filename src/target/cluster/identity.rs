use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{
    ResourceExt,
    api::DynamicObject,
    core::{Selector, SelectorExt},
};
use serde_json::Value;

use super::{Cluster, error, inventory::pages, persist::attempt, resource, resource_named};
use crate::model::{IdentityRule, PodState, Result, Unavailable};

/// How many namespaces are asked for at once.
const AT_ONCE: usize = 16;
/// The label that Kubernetes gives to every namespace.
const NAMESPACE_LABEL: &str = "kubernetes.io/metadata.name";

/// What a ClusterSPIFFEID gives identities to.
pub(super) struct Rule {
    pub(super) name: String,
    pods: Selector,
    namespaces: Selector,
}

impl Rule {
    /// Whether it selects a pod with these labels in a namespace with those.
    pub(super) fn selects(&self, pod: &BTreeMap<String, String>, namespace: &BTreeMap<String, String>) -> bool {
        self.pods.matches(pod) && self.namespaces.matches(namespace)
    }
}

/// A label selector; one that is not there selects everything, and so does one that cannot be read, rather than raise an
/// alarm about what is only not understood.
fn selector(written: Option<&Value>) -> Selector {
    let read = written.and_then(|written| serde_json::from_value::<LabelSelector>(written.clone()).ok());
    read.and_then(|read| Selector::try_from(read).ok()).unwrap_or_default()
}

/// The labels that a namespace has for sure.
pub(super) fn least_labels(namespace: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(NAMESPACE_LABEL.to_owned(), namespace.to_owned())])
}

impl Cluster {
    /// The ClusterSPIFFEIDs (spire-controller-manager).
    pub(super) async fn rules(&self) -> Result<Vec<Rule>, Unavailable> {
        let resource = resource("spire.spiffe.io/v1alpha1", "ClusterSPIFFEID", "clusterspiffeids");
        let api = self.api(&resource, None);
        let rule = |object: &DynamicObject| {
            let selector = |pointer: &str| selector(object.data.pointer(pointer));
            Rule { name: object.name_any(), pods: selector("/spec/podSelector"), namespaces: selector("/spec/namespaceSelector") }
        };
        pages(&api, "", rule).await.map_err(|error| error::unavailable(&error))
    }

    /// Which of the pods each ClusterSPIFFEID selects.
    pub(super) async fn identities(&self, rules: Result<Vec<Rule>, Unavailable>, pods: &[PodState]) -> Result<Vec<IdentityRule>, Unavailable> {
        let rules = rules?;
        let namespaces: BTreeSet<&str> = pods.iter().map(|pod| pod.id.namespace.as_str()).collect();
        // Most rules select by pod alone; the namespaces' labels are only asked for where one does not.
        let ask = rules.iter().any(|rule| !rule.namespaces.selects_all());
        let labels = stream::iter(namespaces).map(|name| async move {
            let labels = if ask { self.namespace_labels(name).await } else { least_labels(name) };
            (name, labels)
        });
        let labels: BTreeMap<&str, BTreeMap<String, String>> = labels.buffer_unordered(AT_ONCE).collect().await;
        let selected = |rule: &Rule| {
            let pods = pods.iter().filter(|pod| labels.get(pod.id.namespace.as_str()).is_some_and(|labels| rule.selects(&pod.labels, labels)));
            IdentityRule { name: rule.name.clone(), pods: pods.map(|pod| pod.id.clone()).collect() }
        };
        Ok(rules.iter().map(selected).collect())
    }

    /// The labels of a namespace; of one that cannot be seen, the one that every namespace has.
    async fn namespace_labels(&self, name: &str) -> BTreeMap<String, String> {
        let Some(resource) = resource_named("Namespace") else { return least_labels(name) };
        let api = self.api(&resource, None);
        let found = attempt(async || api.get(name).await).await;
        found.map_or_else(|_| least_labels(name), |namespace| namespace.labels().clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_select_as_kubernetes_has_it() {
        let labels = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        assert!(selector(None).matches(&labels));
        assert!(selector(Some(&json!({"matchLabels": {"a": "b"}}))).matches(&labels));
        assert!(!selector(Some(&json!({"matchLabels": {"a": "c"}}))).matches(&labels));
        assert!(!selector(Some(&json!({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}))).matches(&labels));
    }
}
