//! What others have put into a namespace: the reason why it may not be deleted.

use futures::{StreamExt, stream};
use kube::{
    ResourceExt,
    api::{ApiResource, DynamicObject, ListParams},
    discovery::{Discovery, Scope, verbs},
};

use super::{Cluster, error, is_of, reference};
use crate::model::{ObjectRef, Unavailable};

/// How many resources are listed at once.
const AT_ONCE: usize = 8;

/// What systems put into every namespace: resource, and the name or how it begins. Not anybody's work, so nobody's loss.
const FURNITURE: [(&str, &str); 7] = [
    ("configmaps", "kube-root-ca.crt"),
    ("configmaps", "openshift-service-ca.crt"),
    ("configmaps", "istio-ca-root-cert"),
    ("serviceaccounts", "default"),
    ("serviceaccounts", "builder"),
    ("serviceaccounts", "deployer"),
    ("rolebindings", "system:"),
];

impl Cluster {
    /// The objects in a namespace that neither this deployment nor the cluster itself has put there.
    pub(super) async fn foreign_objects(&self, instance: &str, namespace: &str) -> Result<Vec<ObjectRef>, Unavailable> {
        let discovery = Discovery::new(self.client.clone()).run_aggregated().await.map_err(|error| error::unavailable(&error))?;
        let kept = |(_, capabilities): &(ApiResource, kube::discovery::ApiCapabilities)| {
            let able = capabilities.supports_operation(verbs::LIST) && capabilities.supports_operation(verbs::DELETE);
            capabilities.scope == Scope::Namespaced && able
        };
        let resources = discovery.groups().flat_map(kube::discovery::ApiGroup::recommended_resources).filter(kept).map(|(resource, _)| resource);
        let listed = stream::iter(resources).map(async |resource| {
            let objects = self.api(&resource, Some(namespace)).list_metadata(&ListParams::default()).await;
            match objects {
                Ok(objects) => Ok((resource, objects.items)),
                // An aggregated API that is down, or a resource that went away since, holds nobody's objects back.
                Err(error) if matches!(error::code(&error), Some(404 | 405 | 503)) => Ok((resource, Vec::new())),
                Err(error) => Err(error::unavailable(&error)),
            }
        });
        let listed: Vec<Result<_, Unavailable>> = listed.buffer_unordered(AT_ONCE).collect().await;
        let mut foreign = Vec::new();
        for list in listed {
            let (resource, objects) = list?;
            for object in objects {
                let object = DynamicObject { types: None, metadata: object.metadata, data: serde_json::Value::Null };
                if !is_of(instance, &object) && !is_furniture(&resource, &object) {
                    foreign.push(reference(&resource, &object));
                }
            }
        }
        foreign.sort();
        foreign.dedup();
        Ok(foreign)
    }
}

/// Whether an object is the cluster's own doing: put into every namespace, or made on behalf of another object.
fn is_furniture(resource: &ApiResource, object: &DynamicObject) -> bool {
    let name = object.name_any();
    let known = |(plural, beginning): &(&str, &str)| {
        *plural == resource.plural && (name == *beginning || beginning.ends_with(':') && name.starts_with(beginning))
    };
    let token = object.annotations().contains_key("kubernetes.io/service-account.name");
    // Endpoints are made for a Service without naming it as their owner.
    let derived = !object.owner_references().is_empty() || matches!(resource.plural.as_str(), "events" | "endpoints" | "endpointslices");
    derived || token || FURNITURE.iter().any(known) || object.metadata.deletion_timestamp.is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::target::cluster::resource;

    fn furniture(plural: &str, metadata: &serde_json::Value) -> bool {
        let object = serde_json::from_value(json!({"metadata": metadata})).unwrap();
        is_furniture(&resource("v1", "X", plural), &object)
    }

    #[test]
    fn what_the_cluster_puts_everywhere_is_nobodys() {
        assert!(furniture("configmaps", &json!({"name": "kube-root-ca.crt"})));
        assert!(furniture("rolebindings", &json!({"name": "system:image-pullers"})));
        assert!(furniture("replicasets", &json!({"name": "a-1", "ownerReferences": [{"apiVersion": "v1", "kind": "D", "name": "a", "uid": "1"}]})));
        assert!(furniture("secrets", &json!({"name": "t", "annotations": {"kubernetes.io/service-account.name": "default"}})));
    }

    #[test]
    fn what_a_person_made_is_theirs() {
        assert!(!furniture("configmaps", &json!({"name": "mine"})));
        assert!(!furniture("secrets", &json!({"name": "default"})));
        assert!(!furniture("rolebindings", &json!({"name": "systematic"})));
        assert!(!furniture("configmaps", &json!({"name": "kube-root-ca.crt-copy"})));
    }
}
