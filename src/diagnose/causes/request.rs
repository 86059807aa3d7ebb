//! Causes in the request: not made, made for what is not there, or refused.

use crate::{
    check::Connection,
    diagnose::{Case, Found, case::FROM_THE_BEGINNING},
    model::{Expectation, NsUrl, PodState, Prefix, Verdict, Workload, log::reads},
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
fn unserved(case: &Case<'_>, judge: impl Fn(&Connection<'_>) -> Option<Found>) -> Vec<Found> {
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
fn complaint(case: &Case<'_>, connection: &Connection<'_>) -> Option<String> {
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
    clients(case, |pod| {
        let said = case.complaint(pod).filter(|text| reads(text, &["rootConf"]));
        let fault = pod.annotation.as_deref().and_then(|annotation| NsUrl::parse_list(annotation).err()).map(|error| error.to_string());
        if !pod.is_injected() || (said.is_none() && fault.is_none()) {
            return None;
        }
        let observed = fault.unwrap_or_else(|| "NSM's init container cannot read it".to_owned());
        let annotation = pod.annotation.iter().map(|annotation| format!("networkservicemesh.io: {annotation}"));
        Some(Found::new(&pod.id.name, observed).because(said.into_iter().chain(annotation)))
    })
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

pub(in crate::diagnose) fn network_service_missing(case: &Case<'_>) -> Vec<Found> {
    unserved(case, |connection| {
        let url = &connection.expectation.url;
        // Where the NetworkServices may not be seen, the client's words have to do. An endpoint is not found in other words.
        let said = case.says(connection, &[&["network service ", &url.service, " is not found"]]);
        let is_missing = match case.services_of(connection) {
            Some(services) => services.is_empty() && url.domain.is_none(),
            None => !said.is_empty(),
        };
        // What no document makes, no deploy can bring back.
        let is_promised = case.expectations.services.iter().any(|service| service.id.name == url.service);
        let observed = match is_promised {
            true => format!("there is no NetworkService {}", url.service),
            false => format!("there is no NetworkService {}, and the manifests have none of that name", url.service),
        };
        let found = Found::new(&connection.subject, observed).because(said).because(complaint(case, connection));
        is_missing
            .then(|| if is_promised { found } else { found.fixed_by("{deploy}   # after a NetworkService {service} is added to the manifests") })
    })
}

pub(in crate::diagnose) fn payload_unknown(case: &Case<'_>) -> Vec<Found> {
    unserved(case, |connection| {
        let services = case.services_of(connection)?;
        let service = services.iter().find(|service| service.payload.is_none())?;
        let observed = format!("NetworkService {} has a payload that is neither ETHERNET nor IP", service.id);
        Some(Found::new(&connection.subject, observed).because(complaint(case, connection)))
    })
}

pub(in crate::diagnose) fn payload_differs(case: &Case<'_>) -> Vec<Found> {
    unserved(case, |connection| {
        let promised = connection.expectation.payload?;
        let [service] = case.services_of(connection)?[..] else { return None };
        let seen = service.payload.filter(|seen| *seen != promised)?;
        let observed = format!("NetworkService {} has payload {seen} instead of {promised}", service.id);
        Some(Found::new(&connection.subject, observed).because(complaint(case, connection)))
    })
}

/// Whether the endpoint runs, as far as it is known: where it does not, that it is not registered only follows.
fn may_run(case: &Case<'_>, connection: &Connection<'_>) -> bool {
    case.endpoint_of(connection).is_none_or(|workload| case.pods_of(workload).iter().any(|pod| pod.ready))
}

pub(in crate::diagnose) fn endpoint_expired(case: &Case<'_>) -> Vec<Found> {
    unserved(case, |connection| {
        let registrations = case.registrations_of(connection)?;
        let seconds = registrations.iter().map(|endpoint| case.expired_for(endpoint)).collect::<Option<Vec<_>>>()?.into_iter().min()?;
        let observed = format!("the registration of {} ran out {seconds} s ago", registrations[0].id.name);
        may_run(case, connection).then(|| Found::new(&connection.subject, observed).because(endpoint_says(case, connection)))
    })
}

fn endpoint_says(case: &Case<'_>, connection: &Connection<'_>) -> Vec<String> {
    let endpoint = connection.endpoint.as_ref().map(|side| &side.pod.id).zip(case.endpoint_of(connection));
    let said = endpoint.map(|(pod, workload)| case.quote_errors(pod, &workload.container)).unwrap_or_default();
    complaint(case, connection).into_iter().chain(said).collect()
}

/// What has pods that offer the service is to have none of them.
pub(in crate::diagnose) fn endpoint_scaled_down(case: &Case<'_>) -> Vec<Found> {
    let judge = |connection: &Connection<'_>| {
        let url = &connection.expectation.url;
        let offering = case.offering(&url.service);
        let is_served = case.registrations_of(connection).is_some_and(|all| all.iter().any(|endpoint| case.expired_for(endpoint).is_none()));
        if url.domain.is_some() || connection.client.is_none() || is_served || !offering.iter().all(|workload| workload.replicas == Some(0)) {
            return None;
        }
        let workload = offering.first()?;
        let found = Found::new(&connection.subject, format!("{workload} offers {}, and its manifest says replicas: 0", url.service));
        let found = found.because(complaint(case, connection)).about(case, workload);
        let found = if case.is_local() { found.fixed_by("{deploy}   # after replicas of {workload} is raised in the manifest") } else { found };
        Some(about(case, connection, found))
    };
    case.connections.iter().filter_map(judge).collect()
}

/// Nobody is registered, and the manifests have nobody who could.
pub(in crate::diagnose) fn endpoint_missing(case: &Case<'_>) -> Vec<Found> {
    unserved(case, |connection| {
        let url = &connection.expectation.url;
        let is_registered = case.registrations_of(connection).is_none_or(|all| !all.is_empty());
        if is_registered || url.domain.is_some() || !case.offering(&url.service).is_empty() || misspelt(case).is_some() {
            return None;
        }
        let observed = format!("nobody is registered for {}, and no workload of the manifests offers it", url.service);
        Some(Found::new(&connection.subject, observed).because(complaint(case, connection)))
    })
}

/// A workload that offers what nobody asks for. Whoever deploys one service and asks for another has most likely misspelt
/// one of them.
fn misspelt<'a>(case: &Case<'a>) -> Option<(&'a Workload, String)> {
    let is_asked_for = |service: &String| case.expectations.connections.iter().any(|connection| connection.url.service == *service);
    case.expectations.workloads.iter().find_map(|workload| {
        let services = &workload.endpoint.as_ref()?.services;
        (!services.iter().any(is_asked_for)).then(|| (workload, services.join(", ")))
    })
}

const MISSPELT: &str = "{deploy}   # after NSM_SERVICE_NAMES of {offering} and the client's annotation name the same service";

pub(in crate::diagnose) fn endpoint_not_registered(case: &Case<'_>) -> Vec<Found> {
    unserved(case, |connection| {
        let url = &connection.expectation.url;
        let registrations = case.registrations_of(connection)?;
        let is_told = case.is_explained_by(&["endpoint-missing", "endpoint-scaled-down"], &connection.subject);
        if !registrations.is_empty() || url.domain.is_some() || !may_run(case, connection) || is_told {
            return None;
        }
        let pod = connection.endpoint.as_ref().map(|side| &side.pod.id.name);
        let all = case.observation().inventory.endpoints.as_deref().unwrap_or_default();
        let others = all
            .iter()
            .find(|endpoint| pod.is_some_and(|pod| endpoint.id.name.starts_with(pod.as_str())))
            .map(|endpoint| endpoint.services.join(", "));
        let beside = if case.endpoint_of(connection).is_none() { misspelt(case) } else { None };
        let observed = match (others, &beside) {
            (Some(services), _) => format!("{} is registered for {services} and not for {}", pod.map_or("it", String::as_str), url.service),
            (None, Some((workload, services))) => format!("nobody is registered for {}; {workload} offers {services}", url.service),
            (None, None) => format!("nobody is registered for {}", url.service),
        };
        let found = Found::new(&connection.subject, observed).because(endpoint_says(case, connection));
        Some(match beside {
            Some((workload, _)) => found.fixed_by(MISSPELT).with("offering", workload.to_string()),
            None => found,
        })
    })
}

pub(in crate::diagnose) fn endpoint_without_prefix(case: &Case<'_>) -> Vec<Found> {
    unserved(case, |connection| {
        let workload = case.endpoint_of(connection).filter(|_| connection.expectation.prefixes.groups().is_empty())?;
        let said = case.says(connection, &[&["IPPool is empty"]]);
        if said.is_empty() {
            return None;
        }
        let found =
            Found::new(&connection.subject, format!("NSM_CIDR_PREFIX of {workload} is empty or not there")).because(said).about(case, workload);
        let here = "{deploy}   # after NSM_CIDR_PREFIX of {workload} is given a prefix in the manifest, as 172.16.1.100/31";
        Some(if case.is_local() { found.fixed_by(here) } else { found })
    })
}

/// A prefix of each that has an address of the other's.
fn overlap(one: &Expectation, other: &Expectation) -> Option<(Prefix, Prefix)> {
    one.prefixes.prefixes().find_map(|prefix| Some((prefix, other.prefixes.prefixes().find(|beside| beside.overlaps(&prefix))?)))
}

/// Two endpoints that would give one client the same addresses: the later request gets none, or others than it should.
/// Either end of it is told in the same words, so that both become one finding.
pub(in crate::diagnose) fn prefixes_overlap(case: &Case<'_>) -> Vec<Found> {
    let judge = |connection: &Connection<'_>| {
        let own = connection.expectation;
        let said = case.says(connection, &[&["IPPool is empty"], &["is excluded, but it was found"]]);
        let is_refused = case.verdict("request", connection) == Some(Verdict::Fail) && !said.is_empty();
        let amiss = case.checked(connection, &["address"]).into_iter().filter(|finding| finding.verdict == Verdict::Fail);
        let amiss: Vec<String> = amiss.map(|finding| format!("{}: {} instead of {}", finding.subject, finding.observed, finding.expected)).collect();
        if !is_refused && amiss.is_empty() {
            return None;
        }
        let of_the_client: Vec<&Expectation> = case.expectations.connections.iter().filter(|other| other.client == own.client).collect();
        let pairs = of_the_client.iter().enumerate().flat_map(|(at, first)| of_the_client[at + 1..].iter().map(move |second| (*first, *second)));
        let mut pairs = pairs.filter(|(first, second)| (*first == own || *second == own) && first.endpoint != second.endpoint);
        let (first, second, (taken, prefix)) = pairs.find_map(|(first, second)| Some((first, second, overlap(first, second)?)))?;
        let endpoint = |expectation: &Expectation| case.expectations.workload(expectation.endpoint.as_ref()?);
        let (rival, workload) = (endpoint(first)?, endpoint(second)?);
        let (service, beside) = (&first.url.service, &second.url.service);
        let observed = format!("{} asks for {service}, which has {taken}, and for {beside}, which has {prefix}", own.client.name);
        let found = Found::new(&connection.subject, observed).because(said).because(amiss).about(case, workload).with("other", rival.to_string());
        let here = "{deploy}   # after NSM_CIDR_PREFIX of {workload-named} is changed in the manifest to a prefix that {other} does not have";
        let found = found.with("workload-named", workload.to_string());
        let found = if case.is_local() { found.fixed_by(here) } else { found };
        Some(about(case, connection, found))
    };
    case.connections.iter().filter_map(judge).collect()
}

pub(in crate::diagnose) fn address_pool_empty(case: &Case<'_>) -> Vec<Found> {
    unserved(case, |connection| {
        let said = case.says(connection, &[&["IPPool is empty"]]);
        if said.is_empty() || case.is_explained_by(&["endpoint-without-prefix", "prefixes-overlap"], &connection.subject) {
            return None;
        }
        let prefixes = &connection.expectation.prefixes;
        let prefix = prefixes.prefixes().next();
        let serves = prefix.map(|prefix| format!("; {prefix} serves {}", prefix.capacity())).unwrap_or_default();
        let found = Found::new(&connection.subject, format!("every address is taken{serves}")).because(said);
        let found = match case.endpoint_of(connection) {
            Some(workload) => found.about(case, workload),
            None => found,
        };
        let by_manifest = "{deploy}   # after NSM_CIDR_PREFIX in the endpoint's manifest is widened, as to {wider}";
        let found = if case.is_local() || case.endpoint_of(connection).is_none() { found.fixed_by(by_manifest) } else { found };
        Some(found.with("wider", prefix.and_then(wider).unwrap_or_else(|| "172.16.0.0/16".to_owned())))
    })
}

/// A prefix around this one for a good many clients more.
fn wider(prefix: Prefix) -> Option<String> {
    let first = prefix.address(0)?;
    let usual = if first.is_ipv4() { 24 } else { 112 };
    let length = if prefix.length() > usual { usual } else { prefix.length().saturating_sub(4) };
    format!("{first}/{length}").parse::<Prefix>().ok().map(|prefix| prefix.to_string())
}

/// A cause that is told by words alone.
fn told(case: &Case<'_>, alternatives: &[&[&str]], observed: &str) -> Vec<Found> {
    unserved(case, |connection| {
        let said = case.says(connection, alternatives);
        (!said.is_empty()).then(|| Found::new(&connection.subject, observed).because(said))
    })
}

pub(in crate::diagnose) fn address_excluded(case: &Case<'_>) -> Vec<Found> {
    let mut found = told(case, &[&["is excluded, but it was found"]], "the client has these addresses already");
    found.retain(|found| !case.is_explained_by(&["prefixes-overlap"], &found.subject));
    let endpoint = |found: Found| {
        let connection = case.connections.iter().find(|connection| connection.subject == found.subject)?;
        // The words of the endpoint stand before those of the client, so that the fix is the endpoint's.
        let about = Found { values: Vec::new(), ..found.clone() }.about(case, case.endpoint_of(connection)?);
        Some(Found { values: about.values.into_iter().chain(found.values).collect(), ..found })
    };
    found
        .into_iter()
        .map(|found| endpoint(found.clone()).unwrap_or(Found { fix: Some("{deploy}   # after the endpoint's prefix is changed"), ..found }))
        .collect()
}

pub(in crate::diagnose) fn not_authorized(case: &Case<'_>) -> Vec<Found> {
    told(case, &[&["no sufficient privileges"], &["policy failed", ".rego"]], "a hop refuses the token of the one before it")
}

pub(in crate::diagnose) fn no_forwarder(case: &Case<'_>) -> Vec<Found> {
    told(case, &[&["no candidates found"], &["forwarder", "is not available"]], "the manager of the client's node has no forwarder")
}

pub(in crate::diagnose) fn endpoint_stale(case: &Case<'_>) -> Vec<Found> {
    unserved(case, |connection| {
        let mut said = case.says(connection, &[&["network service endpoint ", "not found"]]);
        // That no endpoint is a candidate is said in nearly the same words, and is another matter.
        said.retain(|text| !reads(text, &["endpoint candidates not found"]));
        (!said.is_empty()).then(|| Found::new(&connection.subject, "the endpoint that it asks for by name is not registered any more").because(said))
    })
}

pub(in crate::diagnose) fn no_matching_endpoint(case: &Case<'_>) -> Vec<Found> {
    let is_registered = |connection: &Connection<'_>| {
        case.registrations_of(connection).is_none_or(|all| all.iter().any(|endpoint| case.expired_for(endpoint).is_none()))
    };
    unserved(case, |connection| {
        let said = case.says(connection, &[&["endpoint candidates not found"]]);
        let found = || Found::new(&connection.subject, format!("no registered endpoint of {} is a candidate", connection.expectation.url.service));
        let is_told = case.is_explained_by(&["endpoint-scaled-down"], &connection.subject);
        (!said.is_empty() && !is_told && is_registered(connection) && may_run(case, connection)).then(|| found().because(said))
    })
}

pub(in crate::diagnose) fn connection_refused(case: &Case<'_>) -> Vec<Found> {
    if case.has_found(&["manager-not-ready", "nsm-not-installed"]) {
        return Vec::new();
    }
    told(case, &[&["connection refused"]], "nobody listens at the socket or port")
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
