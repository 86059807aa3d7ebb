use serde_json::{Value, json};

use super::refuse;
use crate::{
    manifest::{
        Document, ManifestError,
        layout::Layout,
        visit::{containers, pod},
    },
    model::{PrefixGroups, Workload},
};

/// Sets the addresses of the one endpoint.
pub(super) fn give(documents: &mut [Document], layout: &Layout, prefixes: &PrefixGroups) -> Result<(), ManifestError> {
    let workloads = layout.workloads(documents)?;
    let endpoints: Vec<_> = workloads.iter().filter(|(_, workload)| workload.endpoint.is_some()).collect();
    let (index, _) = match endpoints[..] {
        [only] => only,
        [] => {
            let hint = "an endpoint is a container with NSM_SERVICE_NAMES in its environment";
            return Err(refuse("--cidr", "there is no endpoint in the manifests that could give out addresses", hint));
        }
        _ => {
            let named: Vec<String> = endpoints.iter().map(|(_, workload)| name_of(workload)).collect();
            let reason = format!("there are {} endpoints in the manifests, and one prefix cannot be for all: {}", named.len(), named.join(", "));
            return Err(refuse("--cidr", reason, "set NSM_CIDR_PREFIX of each in the manifests"));
        }
    };
    let document = &mut documents[*index];
    let kind = document.kind.clone();
    *document = document.changed(|value| {
        let offers =
            |container: &&mut Value| variables(container).any(|variable| variable["name"] == "NSM_SERVICE_NAMES" && variable["value"].is_string());
        if let Some(container) = pod(&kind, value).and_then(|pod| containers(pod).find(offers)) {
            set(container, "NSM_CIDR_PREFIX", &prefixes.to_string());
        }
    })?;
    Ok(())
}

fn variables(container: &Value) -> impl Iterator<Item = &Value> {
    container.get("env").and_then(Value::as_array).into_iter().flatten()
}

/// Sets a variable of a container's environment, in the place where it was.
fn set(container: &mut Value, name: &str, value: &str) {
    let mut variables: Vec<Value> = variables(container).cloned().collect();
    let at = variables.iter().position(|variable| variable["name"] == name).unwrap_or(variables.len());
    variables.retain(|variable| variable["name"] != name);
    variables.insert(at, json!({"name": name, "value": value}));
    container["env"] = Value::Array(variables);
}

/// Sees that every endpoint has addresses for all its clients: NSM gives each connection a pair.
pub(super) fn suffice(documents: &[Document], layout: &Layout, flag: &str) -> Result<(), ManifestError> {
    let workloads: Vec<Workload> = layout.workloads(documents)?.into_iter().map(|(_, workload)| workload).collect();
    let endpoints: Vec<&Workload> = workloads.iter().filter(|workload| workload.endpoint.is_some()).collect();
    for endpoint in &endpoints {
        let Some(spec) = endpoint.endpoint.as_ref().filter(|spec| !spec.prefixes.groups().is_empty()) else { continue };
        // Of a pod on each node it is not known how many there are, and whom each serves.
        let Some(pods) = endpoint.replicas.map(u128::from) else { continue };
        let (clients, connections) = demand(endpoint, &endpoints, &workloads);
        // Each pod gives out all of the addresses.
        let capacity = spec.prefixes.capacity().saturating_mul(pods);
        if connections <= capacity {
            continue;
        }
        let noun = if clients == connections { "client" } else { "connection" };
        let (plural, are) = (if capacity == 1 { "" } else { "s" }, if connections == 1 { "is" } else { "are" });
        let reason = format!("{} holds {capacity} {noun}{plural}, and {connections} {are} asked for", spec.prefixes);
        let wider = if pods == 0 { None } else { spec.prefixes.around(connections.div_ceil(pods)) };
        return Err(refuse(
            flag,
            reason,
            match (wider, endpoints.len()) {
                (Some(wider), 1) => format!("--cidr {wider} holds them"),
                (Some(wider), _) => format!("NSM_CIDR_PREFIX {wider} of {} holds them", name_of(endpoint)),
                (None, _) => format!("give {} more addresses", name_of(endpoint)),
            },
        ));
    }
    Ok(())
}

/// How many pods request something of an endpoint, and how many connections they ask for. Of a service that several offer
/// it is not known who serves which request.
fn demand(endpoint: &Workload, endpoints: &[&Workload], workloads: &[Workload]) -> (u128, u128) {
    let offers = |workload: &Workload, service: &String| workload.endpoint.as_ref().is_some_and(|spec| spec.services.contains(service));
    let alone = |service: &String| offers(endpoint, service) && endpoints.iter().filter(|other| offers(other, service)).count() == 1;
    let mut total = (0, 0);
    for client in workloads {
        let requests = client.requests.iter().filter(|url| alone(&url.service)).count();
        let pods = u128::from(client.replicas.unwrap_or_default());
        if requests > 0 {
            total = (total.0 + pods, total.1 + pods * requests as u128);
        }
    }
    total
}

/// As the person knows it: the namespace is not settled yet.
pub(super) fn name_of(workload: &Workload) -> String {
    format!("{} {}", workload.kind, workload.id.name)
}
