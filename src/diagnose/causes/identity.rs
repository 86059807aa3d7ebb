//! Causes in who a pod is: what SPIRE gives it, or does not.

use crate::{
    diagnose::{Case, Found},
    model::{Finding, PodState, SPIFFE_LABEL, Verdict, Workload, WorkloadKind, log::reads},
};

/// The pods that no ClusterSPIFFEID selects, each with its workload.
fn unselected<'a>(case: &Case<'a>) -> Vec<(&'a Workload, &'a PodState)> {
    let Ok(rules) = &case.observation().inventory.identities else { return Vec::new() };
    let is_concerned = |workload: &&Workload| workload.is_client() || workload.endpoint.is_some();
    let workloads = case.expectations.workloads.iter().filter(is_concerned);
    let pods = workloads.flat_map(|workload| case.pods_of(workload).into_iter().map(move |pod| (workload, pod)));
    pods.filter(|(_, pod)| rules.iter().all(|rule| !rule.pods.contains(&pod.id))).collect()
}

fn is_labelled(pod: &PodState) -> bool {
    pod.labels.get(SPIFFE_LABEL.0).is_some_and(|value| value == SPIFFE_LABEL.1)
}

pub(in crate::diagnose) fn label_missing(case: &Case<'_>) -> Vec<Found> {
    // Where the rules select by something else, the label is not what is missing.
    let is_the_way = case.observation().inventory.identities.iter().flatten().any(|rule| !rule.pods.is_empty())
        || case.expectations.workloads.iter().any(|workload| workload.pod_labels.contains_key(SPIFFE_LABEL.0));
    let found = |(workload, pod): (&Workload, &PodState)| {
        let observed = format!("pod {} is without {}={}, and no ClusterSPIFFEID selects it", pod.id.name, SPIFFE_LABEL.0, SPIFFE_LABEL.1);
        let found = Found::new(workload.to_string(), observed).because(words(case, pod)).about(case, workload).with("pod", &pod.id.name);
        let fix = "{deploy}   # after spiffe.io/spiffe-id: \"true\" is added to the labels of the pod in its manifest";
        if workload.kind == WorkloadKind::Pod { found.fixed_by(fix) } else { found }
    };
    let mut all: Vec<Found> = Vec::new();
    for one in unselected(case).into_iter().filter(|(_, pod)| is_the_way && !is_labelled(pod)) {
        if all.iter().all(|found| found.subject != one.0.to_string()) {
            all.push(found(one));
        }
    }
    all
}

pub(in crate::diagnose) fn rule_missing(case: &Case<'_>) -> Vec<Found> {
    let found = |(workload, pod): (&Workload, &PodState)| {
        let rules = case.observation().inventory.identities.iter().flatten().map(|rule| rule.name.as_str()).collect::<Vec<_>>();
        let rules = if rules.is_empty() { "there is none".to_owned() } else { format!("not by {}", rules.join(", ")) };
        let found = Found::new(&pod.id.name, format!("no ClusterSPIFFEID selects it: {rules}")).because(words(case, pod));
        found.about(case, workload).with("pod", &pod.id.name)
    };
    let is_told = |pod: &PodState| case.is_explained_by(&["spiffe-label-missing"], &pod.id.name);
    let is_labelled = |pod: &PodState| is_labelled(pod) || !case.has_found(&["spiffe-label-missing"]);
    unselected(case).into_iter().filter(|(_, pod)| is_labelled(pod) && !is_told(pod)).map(found).collect()
}

/// What a pod's containers last said of its identity.
fn words(case: &Case<'_>, pod: &PodState) -> Vec<String> {
    let containers = pod.init_containers.iter().chain(&pod.containers);
    let last = containers.filter_map(|container| case.quote_errors(&pod.id, &container.name).pop());
    last.filter(|text| is_any(text, &[&["no identity issued"], &["error getting x509"], &["retrieving svid"]])).collect()
}

pub(in crate::diagnose) fn svid_missing(case: &Case<'_>) -> Vec<Found> {
    if case.has_found(&["nsm-not-installed"]) {
        return Vec::new();
    }
    let judge = |(workload, pod): (&Workload, &PodState)| {
        let quotes = words(case, pod);
        if quotes.is_empty() {
            return None;
        }
        let found = Found::new(&pod.id.name, "it gets no SVID").because(quotes).with("pod", &pod.id.name).about(case, workload);
        // The webhook gives clients the label; an endpoint's manifest has to bring it.
        let fix = "kubectl -n spire rollout restart daemonset   # the pod has its label: the agent must fetch its entries anew";
        Some(if is_labelled(pod) { found.fixed_by(fix) } else { found })
    };
    case.unready().into_iter().filter_map(judge).collect()
}

/// Whether the text reads like any of the alternatives.
pub(super) fn is_any(text: &str, alternatives: &[&[&str]]) -> bool {
    alternatives.iter().any(|parts| reads(text, parts))
}

/// The findings of a check that failed.
pub(super) fn failed<'a>(case: &'a Case<'_>, check: &str) -> Vec<&'a Finding> {
    case.findings.iter().filter(|finding| finding.check == check && finding.verdict == Verdict::Fail).collect()
}
