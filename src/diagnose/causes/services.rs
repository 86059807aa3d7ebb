//! Causes in the services and in what serves them: the NetworkService, its registered endpoints, their addresses.

use super::{
    request::{about, complaint, unserved},
    said::may_run,
};
use crate::{
    check::Connection,
    diagnose::{Case, Found},
    model::{Expectation, Namespaced, NsUrl, Prefix, RegisteredEndpoint, Verdict, Workload, WorkloadKind, similar},
};

/// A pod asks for what does not exist, and nobody means to make it: the annotation is what is wrong.
pub(in crate::diagnose) fn service_unknown(case: &Case<'_>) -> Vec<Found> {
    let Ok(services) = &case.observation().inventory.services else { return Vec::new() };
    let is_there = |name: &str| services.iter().any(|service| service.id.name == name);
    let is_meant = |name: &str| {
        let registered = case.observation().inventory.endpoints.iter().flatten();
        case.expectations.services.iter().any(|service| service.id.name == name)
            || !case.offering(name).is_empty()
            || registered.into_iter().any(|endpoint| endpoint.services.iter().any(|service| service == name))
    };
    let judge = |connection: &Connection<'_>| {
        let pod = connection.client.as_ref()?.pod;
        let annotation = pod.annotation.as_deref()?;
        let asked = NsUrl::parse_list(annotation).ok()?;
        let own = asked.iter().filter(|url| url.domain.is_none() && !is_there(&url.service) && !is_meant(&url.service));
        let names: Vec<&str> = own.map(|url| url.service.as_str()).collect();
        let unknown = names.first()?;
        // A connection that works was made for something else.
        if case.works(connection) {
            return None;
        }
        let meant = similar(unknown, services.iter().map(|service| service.id.name.as_str()));
        let meant = meant.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
        let observed = format!("there is no NetworkService {}, and nobody offers it{meant}", names.join(", "));
        let found = Found::new(&connection.subject, observed).because(complaint(case, connection));
        Some(about(case, connection, found.because([format!("networkservicemesh.io: {annotation}")])))
    };
    case.connections.iter().filter_map(judge).collect()
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

/// What should offer the service runs, and offers another: as it is deployed, as it is registered, or as the manifests have
/// it.
pub(in crate::diagnose) fn endpoint_offers_another(case: &Case<'_>) -> Vec<Found> {
    unserved(case, |connection| {
        let url = &connection.expectation.url;
        let is_live = |endpoint: &&RegisteredEndpoint| case.expired_for(endpoint).is_none();
        let is_served = case.registrations_of(connection).is_some_and(|all| all.into_iter().any(|endpoint| is_live(&endpoint)));
        if is_served || url.domain.is_some() {
            return None;
        }
        let said = endpoint_says(case, connection);
        let Some(workload) = case.endpoint_of(connection) else {
            // Nobody offers it: whoever offers what nobody asks for has most likely misspelt it.
            let (workload, services) = misspelt(case, &connection.expectation.client)?;
            let observed = format!("nobody is registered for {}; {workload} offers {services}", url.service);
            let found = Found::new(&connection.subject, observed).because(said);
            return Some(found.fixed_by(MISSPELT).with("offering", workload.to_string()));
        };
        let now = case.deployed(workload).and_then(|now| now.endpoint.as_ref()).filter(|now| !now.services.contains(&url.service));
        let pods = case.pods_of(workload);
        let registered = case.observation().inventory.endpoints.as_deref().unwrap_or_default().iter();
        let mut registered =
            registered.filter(|endpoint| pods.iter().any(|pod| endpoint.is_of(&pod.id)) && !endpoint.services.contains(&url.service));
        let observed = match (now, registered.next()) {
            (_, Some(endpoint)) => format!("{} is registered for {} and not for {}", endpoint.id.name, endpoint.services.join(", "), url.service),
            (Some(now), None) => format!("{workload} runs with NSM_SERVICE_NAMES={} and not with {}", now.services.join(","), url.service),
            (None, None) => return None,
        };
        let found = Found::new(&connection.subject, observed).because(said).about(case, workload);
        let by_hand = "{renew}   # after NSM_SERVICE_NAMES of {workload} is {service} again";
        Some(if workload.kind == WorkloadKind::Pod && !case.is_local() { found.fixed_by(by_hand) } else { found })
    })
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

/// Nobody is registered, and the manifests have nobody who could.
pub(in crate::diagnose) fn endpoint_missing(case: &Case<'_>) -> Vec<Found> {
    unserved(case, |connection| {
        let url = &connection.expectation.url;
        let is_registered = case.registrations_of(connection).is_none_or(|all| !all.is_empty());
        if is_registered
            || url.domain.is_some()
            || !case.offering(&url.service).is_empty()
            || misspelt(case, &connection.expectation.client).is_some()
        {
            return None;
        }
        let observed = format!("nobody is registered for {}, and no workload of the manifests offers it", url.service);
        Some(Found::new(&connection.subject, observed).because(complaint(case, connection)))
    })
}

/// A workload that offers what nobody asks for and what no NetworkService is named after. Whoever deploys one service and asks
/// for another has most likely misspelt one of them.
fn misspelt<'a>(case: &Case<'a>, client: &Namespaced) -> Option<(&'a Workload, String)> {
    let is_asked_for = |service: &String| case.expectations.connections.iter().any(|connection| connection.url.service == *service);
    let is_there = |service: &String| case.observation().inventory.services.iter().flatten().any(|there| there.id.name == *service);
    let mut near = case.expectations.workloads.iter().filter(|workload| workload.id.namespace == client.namespace);
    near.find_map(|workload| {
        let services = &workload.endpoint.as_ref()?.services;
        (!services.iter().any(|service| is_asked_for(service) || is_there(service))).then(|| (workload, services.join(", ")))
    })
}

const MISSPELT: &str = "{deploy}   # after NSM_SERVICE_NAMES of {offering} and the client's annotation name the same service";

pub(in crate::diagnose) fn endpoint_not_registered(case: &Case<'_>) -> Vec<Found> {
    unserved(case, |connection| {
        let url = &connection.expectation.url;
        let registrations = case.registrations_of(connection)?;
        let told = ["endpoint-missing", "endpoint-scaled-down", "endpoint-offers-another"];
        if !registrations.is_empty() || url.domain.is_some() || !may_run(case, connection) || case.is_explained_by(&told, &connection.subject) {
            return None;
        }
        let observed = format!("nobody is registered for {}", url.service);
        Some(Found::new(&connection.subject, observed).because(endpoint_says(case, connection)))
    })
}

/// Some versions of the endpoint refuse the request then, and some make a link without addresses.
pub(in crate::diagnose) fn endpoint_without_prefix(case: &Case<'_>) -> Vec<Found> {
    let judge = |connection: &Connection<'_>| {
        let workload = case.endpoint_of(connection)?;
        let is_bare = |workload: &Workload| workload.endpoint.as_ref().is_some_and(|endpoint| endpoint.prefixes.groups().is_empty());
        let said = case.says(connection, &[&["IPPool is empty"]]);
        let is_refused = case.verdict("request", connection) == Some(Verdict::Fail) && !said.is_empty();
        let has_none = case.checked(connection, &["address"]).iter().any(|finding| finding.verdict == Verdict::Fail);
        let is_promised = connection.expectation.prefixes.groups().is_empty() && is_refused;
        let is_deployed = case.deployed(workload).is_some_and(is_bare) && (is_refused || has_none);
        if !is_promised && !is_deployed {
            return None;
        }
        let observed = format!("NSM_CIDR_PREFIX of {workload} is empty or not there");
        let found = about(case, connection, Found::new(&connection.subject, observed).because(said).about(case, workload));
        let here = "{deploy}   # after NSM_CIDR_PREFIX of {workload} is given a prefix in the manifest, as 172.16.1.100/31";
        Some(if case.is_local() { found.fixed_by(here) } else { found })
    };
    case.connections.iter().filter_map(judge).collect()
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

pub(in crate::diagnose) fn address_excluded(case: &Case<'_>) -> Vec<Found> {
    let mut found = unserved(case, |connection| {
        let said = case.says(connection, &[&["is excluded, but it was found"]]);
        (!said.is_empty()).then(|| Found::new(&connection.subject, "the client has these addresses already").because(said))
    });
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
