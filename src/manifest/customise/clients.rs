use serde_json::json;

use super::{addresses::name_of, refuse};
use crate::{
    manifest::{Document, ManifestError, layout::Layout},
    model::{Workload, WorkloadKind, check_dns_label},
};

/// Makes each client have so many pods. A Pod is copied, and the first keeps its name: whoever asks for another number
/// later gets the same pods and only more or fewer of them.
pub(super) fn multiply(documents: &mut Vec<Document>, layout: &Layout, count: u32) -> Result<(), ManifestError> {
    let flag = format!("--clients {count}");
    let workloads = layout.workloads(documents)?;
    // What passes packets on is a link of a chain, and more of it would be more endpoints.
    let clients: Vec<_> = workloads.into_iter().filter(|(_, workload)| workload.is_client() && workload.endpoint.is_none()).collect();
    if clients.is_empty() {
        let hint = "a client is a pod with the annotation networkservicemesh.io: kernel://SERVICE/INTERFACE";
        return Err(refuse(flag, "there is no client in the manifests", hint));
    }
    // From the back, so that the indices stay right.
    for (index, client) in clients.iter().rev() {
        let made = several(&documents[*index], client, count, &flag)?;
        documents.splice(index..=index, made);
    }
    Ok(())
}

fn several(document: &Document, client: &Workload, count: u32, flag: &str) -> Result<Vec<Document>, ManifestError> {
    match client.kind {
        WorkloadKind::DaemonSet => {
            let reason = format!("{} runs one pod on each node, so their number cannot be chosen", name_of(client));
            Err(refuse(flag, reason, "make it a Deployment in the manifests, or leave --clients out"))
        }
        WorkloadKind::Deployment | WorkloadKind::StatefulSet => Ok(vec![document.changed(|value| value["spec"]["replicas"] = json!(count))?]),
        WorkloadKind::Pod => {
            let copy = |number: u32| {
                let name = format!("{}-{number}", document.name());
                let valid = name.split('.').try_for_each(check_dns_label);
                valid.map_err(|why| refuse(flag, format!("a pod would be called {name}: {why}"), "give the pod another name in the manifests"))?;
                document.changed(|value| value["metadata"]["name"] = json!(name))
            };
            std::iter::once(Ok(document.clone())).chain((2..=count).map(copy)).collect()
        }
    }
}
