use crate::model::{Expectations, Finding, Observation, PodIndex, Verdict, is_nsm_client};

use super::{
    Check, Connection,
    connection::{is_qualified, lasting, name_of},
};

/// Every workload has as many ready pods as it should.
pub(super) fn ready(check: &Check, expectations: &Expectations, observation: &Observation) -> Vec<Finding> {
    let (index, qualified) = (PodIndex::new(lasting(observation.pods())), is_qualified(expectations));
    let judge = |workload: &crate::model::Workload| {
        let subject = name_of(&workload.id, qualified);
        let wanted = workload.replicas.map_or_else(|| "one a node".to_owned(), |n| n.to_string());
        let expected = format!("{wanted} ready");
        if let Err(unavailable) = &observation.inventory.pods {
            return check.unseen(subject, expected, unavailable);
        }
        let pods = index.of(workload);
        let ready = pods.iter().filter(|pod| pod.ready).count();
        let enough = workload.replicas.map_or(!pods.is_empty() && ready == pods.len(), |wanted| u32::try_from(ready).is_ok_and(|r| r >= wanted));
        let states: Vec<String> = pods.iter().filter(|pod| !pod.ready).map(|pod| format!("{} {}", pod.id.name, pod.status())).collect();
        let observed = if pods.is_empty() && !enough {
            "no pod".to_owned()
        } else if enough {
            format!("{ready} ready")
        } else {
            std::iter::once(format!("{ready} ready")).chain(states).collect::<Vec<_>>().join("; ")
        };
        check.finding(subject, if enough { Verdict::Pass } else { Verdict::Fail }, expected, observed)
    };
    expectations.workloads.iter().map(judge).collect()
}

/// What a workload requests can be told.
pub(super) fn readable(check: &Check, expectations: &Expectations, _: &Observation) -> Vec<Finding> {
    let qualified = is_qualified(expectations);
    let finding = |(id, reason): &(_, String)| check.finding(name_of(id, qualified), Verdict::Fail, "what NSM can read", reason);
    expectations.unreadable.iter().map(finding).collect()
}

/// NSM's webhook put its client into the pod.
pub(super) fn injected(check: &Check, connection: &Connection<'_>) -> Vec<Finding> {
    let Some(client) = &connection.client else { return Vec::new() };
    let injected: Vec<&str> = client.pod.containers.iter().map(|c| c.name.as_str()).filter(|name| is_nsm_client(name)).collect();
    let (verdict, observed) =
        if client.pod.is_injected() { (Verdict::Pass, injected.join(", ")) } else { (Verdict::Fail, "no container of NSM's".to_owned()) };
    vec![check.finding(&connection.subject, verdict, "a cmd-nsc container", observed)]
}
