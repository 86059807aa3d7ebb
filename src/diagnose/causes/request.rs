//! Causes in the request: not made, made for what is not there, or refused.

use crate::{
    check::Connection,
    diagnose::{
        Case, Found,
        case::{FROM_THE_BEGINNING, is_about},
    },
    model::{NsUrl, PodState, log::reads},
};

/// Where NSM's webhook leaves pods alone.
const EXEMPT: [&str; 3] = ["kube-system", "spire", "nsm-system"];

/// A cause for each client's pod that `judge` finds one for.
fn clients(case: &Case<'_>, judge: impl Fn(&PodState) -> Option<Found>) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for side in case.connections.iter().filter_map(|connection| connection.client.as_ref()) {
        let Some(workload) = case.workload_of(side.pod).filter(|_| all.iter().all(|found| found.subject != side.pod.id.name)) else { continue };
        all.extend(judge(side.pod).map(|found| found.about(case, workload).with("pod", &side.pod.id.name)));
    }
    all
}

/// A cause for each connection that is not served and that `judge` finds one for.
pub(super) fn unserved(case: &Case<'_>, judge: impl Fn(&Connection<'_>) -> Option<Found>) -> Vec<Found> {
    let found = |connection: &&Connection<'_>| judge(connection).map(|found| about(case, connection, found));
    case.unserved().iter().filter_map(found).collect()
}

/// Knows the connection's client and endpoint by their words.
pub(super) fn about(case: &Case<'_>, connection: &Connection<'_>, found: Found) -> Found {
    let found = match case.expectations.workload(&connection.expectation.client) {
        Some(workload) => found.about(case, workload),
        None => found,
    };
    let pod = connection.client.as_ref().map(|side| side.pod);
    let found = found.with("pod", pod.map_or_else(String::new, |pod| pod.id.name.clone()));
    let found = found.with("node", pod.and_then(|pod| pod.node.clone()).unwrap_or_default());
    let payload = connection.expectation.payload.map(|payload| payload.to_string()).unwrap_or_default();
    let renew = case.endpoint_of(connection).map_or_else(|| case.deploy().to_owned(), |workload| case.renew(workload));
    found.with("service", &connection.expectation.url.service).with("payload", payload).with("renew-endpoint", renew)
}

/// What the client complains about, as evidence.
pub(super) fn complaint(case: &Case<'_>, connection: &Connection<'_>) -> Option<String> {
    case.complaint(connection.client.as_ref()?.pod)
}

pub(in crate::diagnose) fn not_injected(case: &Case<'_>) -> Vec<Found> {
    clients(case, |pod| {
        if pod.is_injected() {
            return None;
        }
        let annotation = match &pod.annotation {
            Some(annotation) => format!("the pod is annotated with {annotation}"),
            None => "the pod has no annotation networkservicemesh.io".to_owned(),
        };
        let containers: Vec<&str> = pod.containers.iter().map(|container| container.name.as_str()).collect();
        let found = Found::new(&pod.id.name, format!("{annotation}; its containers are {}", containers.join(", ")));
        let fix = "nsmctl deploy --namespace nsm-clients   # or any other: NSM's webhook leaves kube-system, spire and nsm-system alone";
        Some(if EXEMPT.contains(&pod.id.namespace.as_str()) { found.fixed_by(fix) } else { found })
    })
}

pub(in crate::diagnose) fn annotation_malformed(case: &Case<'_>) -> Vec<Found> {
    let mut all = clients(case, |pod| {
        let said = case.complaint(pod).filter(|text| reads(text, &["rootConf"]));
        let fault = pod.annotation.as_deref().and_then(|annotation| NsUrl::parse_list(annotation).err()).map(|error| error.to_string());
        if !pod.is_injected() || (said.is_none() && fault.is_none()) {
            return None;
        }
        let observed = fault.unwrap_or_else(|| "NSM's init container cannot read it".to_owned());
        let annotation = pod.annotation.iter().map(|annotation| format!("networkservicemesh.io: {annotation}"));
        Some(Found::new(&pod.id.name, observed).because(said.into_iter().chain(annotation)))
    });
    // The webhook refuses some of them itself.
    for workload in case.expectations.workloads.iter().filter(|workload| workload.is_client()) {
        let said = case.warnings(|event| is_about(event, workload) && reads(&event.message, &["malformed ns annotation"]));
        let is_short = workload.replicas.is_none_or(|wanted| u32::try_from(case.pods_of(workload).len()).is_ok_and(|pods| pods < wanted));
        if is_short && !said.is_empty() {
            all.push(Found::new(workload.to_string(), "NSM's webhook cannot read it").because(said).about(case, workload));
        }
    }
    // What cannot be read promises nothing, so that no connection is missed for it.
    for (id, reason) in &case.expectations.unreadable {
        if all.iter().all(|found| found.subject != id.name) {
            let fix = "kubectl -n {namespace} get pods,deployments,statefulsets,daemonsets {name} -o yaml   # correct the annotation \
                networkservicemesh.io: kernel://SERVICE/INTERFACE, no blank after a comma";
            let found = Found::new(id.to_string(), reason.as_str()).with("namespace", &id.namespace).with("name", &id.name);
            all.push(found.fixed_by(fix));
        }
    }
    all
}

pub(in crate::diagnose) fn annotation_differs(case: &Case<'_>) -> Vec<Found> {
    clients(case, |pod| {
        let seen = NsUrl::parse_list(pod.annotation.as_deref()?).ok()?;
        let promised = &case.workload_of(pod)?.requests;
        if !pod.is_injected() || seen == *promised {
            return None;
        }
        let promised: Vec<String> = promised.iter().map(ToString::to_string).collect();
        let annotation = format!("networkservicemesh.io: {}", pod.annotation.as_deref()?);
        Some(Found::new(&pod.id.name, format!("it was created without {}", promised.join(","))).because([annotation]))
    })
}

/// What has pods that offer the service is to have none of them: by its manifest, or as it is deployed now.
pub(in crate::diagnose) fn endpoint_scaled_down(case: &Case<'_>) -> Vec<Found> {
    let judge = |connection: &Connection<'_>| {
        let workload = case.scaled_down(connection)?;
        let service = &connection.expectation.url.service;
        let observed = match workload.replicas {
            Some(0) => format!("{workload} offers {service}, and its manifest says replicas: 0"),
            _ => format!("{workload} offers {service}, and is scaled to 0 replicas"),
        };
        let found = Found::new(&connection.subject, observed).because(complaint(case, connection)).about(case, workload);
        let found = if case.is_local() { found.fixed_by("{deploy}   # after replicas of {workload} is raised in the manifest") } else { found };
        Some(about(case, connection, found))
    };
    case.connections.iter().filter_map(judge).collect()
}

pub(in crate::diagnose) fn request_failed(case: &Case<'_>) -> Vec<Found> {
    unserved(case, |connection| {
        let pod = connection.client.as_ref()?.pod;
        let init = pod.client_init().filter(|init| !init.ready)?;
        if case.is_explained(&connection.subject) || case.is_explained(&pod.id.name) {
            return None;
        }
        let errors = case.quote_errors(&pod.id, &init.name);
        let said = if errors.is_empty() { complaint(case, connection).into_iter().collect() } else { errors };
        let observed =
            if said.is_empty() { format!("{} is still at it, and logs no error", init.name) } else { "the last error says why".to_owned() };
        let found = Found::new(&connection.subject, observed).because(said);
        Some(if case.is_local() { found.fixed_by(FROM_THE_BEGINNING) } else { found })
    })
}
