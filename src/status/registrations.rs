use std::collections::{BTreeSet, HashMap};

use crate::model::{
    EndpointStatus, Known, Namespaced, NetworkServiceState, Observation, PodState, RegisteredEndpoint, ServiceStatus, Snapshot, Unavailable, Verdict,
};

use super::{hidden, time};

/// The services that clients ask for.
fn requested(snapshot: &Snapshot) -> HashMap<&str, usize> {
    let mut requested = HashMap::new();
    for connection in &snapshot.expectations.connections {
        *requested.entry(connection.url.service.as_str()).or_default() += 1;
    }
    requested
}

/// What an observation says of how long a registration lasts yet, in seconds; `None` where it does not run out.
fn left(endpoint: &RegisteredEndpoint, observation: &Observation) -> Option<i64> {
    endpoint.expires_at.map(|at| at - observation.taken_at)
}

fn is_live(endpoint: &RegisteredEndpoint, observation: &Observation) -> bool {
    left(endpoint, observation).is_none_or(|left| left > 0)
}

/// The NetworkServices of a namespace and those that its clients ask for, or all.
pub(super) fn services(snapshot: &Snapshot, namespace: Option<&str>) -> Known<Vec<ServiceStatus>> {
    let inventory = &snapshot.observation.inventory;
    let services = match &inventory.services {
        Ok(services) => services,
        Err(unavailable) => return hidden(unavailable),
    };
    let requested = requested(snapshot);
    let mut by_name: HashMap<&str, Vec<&str>> = HashMap::new();
    for service in services {
        by_name.entry(&service.id.name).or_default().push(&service.id.namespace);
    }
    let is_meant = |service: &&NetworkServiceState| {
        namespace.is_none_or(|namespace| namespace == service.id.namespace) || requested.contains_key(service.id.name.as_str())
    };
    let offering = |name: &str| offering(name, snapshot);
    let state = |service: &NetworkServiceState| {
        let name = service.id.name.as_str();
        let others = by_name[name].iter().filter(|other| **other != service.id.namespace);
        let also_in: Vec<String> = others.map(|other| (*other).to_owned()).collect();
        let verdict = match service.payload {
            None => Verdict::Fail,
            Some(_) if !also_in.is_empty() => Verdict::Warn,
            Some(_) => Verdict::Pass,
        };
        ServiceStatus {
            name: name.to_owned(),
            namespace: Some(service.id.namespace.clone()),
            payload: Known::of(service.payload, "it names one that NSM does not know"),
            endpoints: offering(name),
            requests: requested.get(name).copied().unwrap_or_default(),
            also_in,
            verdict,
        }
    };
    let mut states: Vec<ServiceStatus> = services.iter().filter(is_meant).map(state).collect();
    let missing = requested.iter().filter(|(name, _)| !by_name.contains_key(*name));
    states.extend(missing.map(|(name, requests)| ServiceStatus {
        name: (*name).to_owned(),
        namespace: None,
        payload: Known::unknown("there is no NetworkService of this name"),
        endpoints: offering(name),
        requests: *requests,
        also_in: Vec::new(),
        verdict: Verdict::Fail,
    }));
    states.sort_by(|a, b| (&a.name, &a.namespace).cmp(&(&b.name, &b.namespace)));
    Known::Value(states)
}

fn offering(service: &str, snapshot: &Snapshot) -> Known<usize> {
    let observation = &snapshot.observation;
    let offers = |endpoint: &&RegisteredEndpoint| is_live(endpoint, observation) && endpoint.services.iter().any(|offered| offered == service);
    match &observation.inventory.endpoints {
        Ok(endpoints) => Known::Value(endpoints.iter().filter(offers).count()),
        Err(unavailable) => hidden(unavailable),
    }
}

/// The endpoints that have registered: those of a namespace's pods, those of its services and those that its clients may get,
/// or all.
pub(super) fn endpoints(snapshot: &Snapshot, namespace: Option<&str>) -> Known<Vec<EndpointStatus>> {
    let inventory = &snapshot.observation.inventory;
    let endpoints = match &inventory.endpoints {
        Ok(endpoints) => endpoints,
        Err(unavailable) => return hidden(unavailable),
    };
    let of_namespace = inventory.services.iter().flatten().filter(|service| namespace.is_none_or(|namespace| namespace == service.id.namespace));
    let services: BTreeSet<&str> = of_namespace.map(|service| service.id.name.as_str()).chain(requested(snapshot).into_keys()).collect();
    let is_meant = |endpoint: &&RegisteredEndpoint| {
        endpoint.forwards_on.is_none()
            && (namespace.is_none_or(|namespace| endpoint.pod().is_some_and(|pod| pod.namespace == namespace))
                || endpoint.services.iter().any(|service| services.contains(service.as_str())))
    };
    // A forwarder registers for a service of its own, which some versions give no node.
    let is_forwarder =
        |endpoint: &&RegisteredEndpoint| endpoint.services.iter().all(|service| service == "forwarder") && !endpoint.services.is_empty();
    let mut states: Vec<EndpointStatus> =
        endpoints.iter().filter(is_meant).filter(|endpoint| !is_forwarder(endpoint)).map(|endpoint| state(endpoint, snapshot)).collect();
    states.sort_by(|a, b| (&a.services, &a.name).cmp(&(&b.services, &b.name)));
    Known::Value(states)
}

fn state(endpoint: &RegisteredEndpoint, snapshot: &Snapshot) -> EndpointStatus {
    let observation = &snapshot.observation;
    let left = left(endpoint, observation);
    let found = registrant(endpoint, &observation.inventory.pods);
    let node = match found {
        Ok(Some(pod)) => Known::of(pod.node.clone(), "its pod is on no node yet"),
        Ok(None) => Known::unknown("its pod is gone, or in a namespace that was not looked into"),
        Err(unavailable) => hidden(unavailable),
    };
    let named = endpoint.pod().or_else(|| found.ok().flatten().map(|pod| pod.id.clone()));
    EndpointStatus {
        name: endpoint.id.name.clone(),
        services: endpoint.services.clone(),
        pod: Known::of(named, "its SPIFFE ID names none"),
        node,
        expires_at: Known::of(endpoint.expires_at.and_then(time), "the registration names no end"),
        expires_in_s: Known::of(left, "the registration names no end"),
        verdict: if is_live(endpoint, observation) { Verdict::Pass } else { Verdict::Warn },
    }
}

/// The pod that a registration is of, where it is there.
fn registrant<'a>(endpoint: &RegisteredEndpoint, pods: &'a Result<Vec<PodState>, Unavailable>) -> Result<Option<&'a PodState>, &'a Unavailable> {
    let pods = pods.as_deref()?;
    let own: Option<Namespaced> = endpoint.pod();
    Ok(match own {
        Some(own) => pods.iter().find(|pod| pod.id == own),
        None => pods.iter().find(|pod| endpoint.is_of(&pod.id)),
    })
}
