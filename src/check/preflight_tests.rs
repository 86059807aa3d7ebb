use super::*;
use crate::{
    manifest::{Customisation, embedded, permissions, plan, read},
    model::{Namespaced, NetworkServiceState, NodeState, ObjectRef, Payload, WebhookState},
};

fn example() -> Plan {
    plan(&read(&embedded()).unwrap(), &Customisation::default(), "default").unwrap()
}

/// A cluster of two nodes that is fit.
fn fit(plan: &Plan) -> Facts {
    let component = |role: &str, kind: &str, count| ComponentState {
        role: role.to_owned(),
        object: Some(ObjectRef::namespaced(kind, "nsm-system", role)),
        ready: Ok((count, count)),
    };
    let node = |name: &str| NodeState { name: name.to_owned(), ready: true, schedulable: true };
    let parts = ["nsmgr", "forwarder", "spire-agent"];
    Facts {
        version: "v1.34.1".to_owned(),
        permissions: permissions(plan).into_iter().map(|permission| (permission, Ok(true))).collect(),
        components: vec![
            component("crd", "CustomResourceDefinition", 1),
            component("nsmgr", "DaemonSet", 2),
            component("forwarder", "DaemonSet", 2),
            component("spire-agent", "DaemonSet", 2),
            component("registry", "Deployment", 1),
            component("webhook", "Deployment", 1),
        ],
        nodes: Ok(vec![node("node1"), node("node2")]),
        on_nodes: Ok(parts.iter().flat_map(|role| ["node1", "node2"].map(|node| ((*role).to_owned(), node.to_owned()))).collect()),
        forwarders: Ok(vec!["node1".to_owned(), "node2".to_owned()]),
        webhook: Ok(Some(WebhookState { name: "nsm".to_owned(), calls: "Service a/b".to_owned(), addresses: Some(1), has_authority: true })),
        identities: Ok(vec![("all".to_owned(), plan.expectations.workloads.iter().map(|workload| workload.id.clone()).collect())]),
        namespaces: vec![(plan.namespace.clone(), Ok(Holder::Nobody))],
        services: Ok(Vec::new()),
    }
}

/// The verdicts that are not passes, after a change.
fn after(change: impl FnOnce(&mut Facts)) -> Vec<(String, Verdict, String)> {
    let plan = example();
    let mut facts = fit(&plan);
    change(&mut facts);
    let findings = preflight(&plan, &facts).into_iter().filter(|finding| finding.verdict != Verdict::Pass);
    findings.map(|finding| (finding.check.to_string(), finding.verdict, finding.observed)).collect()
}

fn one(change: impl FnOnce(&mut Facts)) -> (String, Verdict, String) {
    let findings = after(change);
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.into_iter().next().unwrap()
}

fn told(check: &str, verdict: Verdict, observed: &str) -> (String, Verdict, String) {
    (check.to_owned(), verdict, observed.to_owned())
}

fn forbidden() -> Unavailable {
    Unavailable { kind: UnavailableKind::Forbidden, reason: "nodes is forbidden".to_owned() }
}

fn component<'a>(facts: &'a mut Facts, role: &str) -> &'a mut ComponentState {
    facts.components.iter_mut().find(|component| component.role == role).unwrap()
}

#[test]
fn a_cluster_that_is_fit_passes_every_check() {
    assert_eq!(after(|_| {}), []);
    let plan = example();
    let findings = preflight(&plan, &fit(&plan));
    for check in PREFLIGHT {
        assert!(findings.iter().any(|finding| finding.check == check.id), "{}", check.id);
    }
}

#[test]
fn an_old_server_fails_and_an_odd_one_is_unknown() {
    assert_eq!(one(|facts| facts.version = "v1.25.9".to_owned()), told("server-version", Verdict::Fail, "v1.25.9"));
    assert_eq!(one(|facts| facts.version = "home-made".to_owned()).1, Verdict::Unknown);
    assert_eq!(after(|facts| facts.version = "v1.30.2-eks-1a2b".to_owned()), []);
    assert_eq!(after(|facts| facts.version = "v1.29+".to_owned()), []);
}

#[test]
fn a_denied_permission_is_named_and_weighed_by_what_it_is_for() {
    let deny = |facts: &mut Facts, purpose: Purpose| {
        let (_, allowed) = facts.permissions.iter_mut().find(|(permission, _)| permission.purpose == purpose).unwrap();
        *allowed = Ok(false);
    };
    for (purpose, verdict) in [
        (Purpose::Deploy, Verdict::Fail),
        (Purpose::Verify, Verdict::Fail),
        (Purpose::Cleanup, Verdict::Warn),
        (Purpose::Troubleshoot, Verdict::Warn),
    ] {
        let finding = one(|facts| deny(facts, purpose));
        assert_eq!((finding.0.as_str(), finding.1), ("permissions", verdict), "{purpose}");
        assert!(finding.2.starts_with("1 of them denied, "), "{finding:?}");
    }
    assert_eq!(one(|facts| facts.permissions[0].1 = Err(forbidden())).1, Verdict::Unknown);
}

#[test]
fn parts_that_are_missing_or_not_ready_fail() {
    for (role, check) in [("crd", "nsm-api"), ("registry", "registry"), ("webhook", "webhook")] {
        assert_eq!(one(|facts| component(facts, role).ready = Ok((1, 0))), told(check, Verdict::Fail, "0 of 1 ready"));
        assert_eq!(one(|facts| component(facts, role).object = None), told(check, Verdict::Fail, "not installed"));
        assert_eq!(one(|facts| component(facts, role).ready = Err(forbidden())).1, Verdict::Unknown);
    }
    assert_eq!(one(|facts| component(facts, "nsmgr").object = None), told("nsmgr", Verdict::Fail, "not installed"));
    assert_eq!(one(|facts| component(facts, "spire-agent").object = None).1, Verdict::Warn, "identities may come from elsewhere");
}

#[test]
fn a_node_without_a_part_is_a_warning_and_all_of_them_a_failure() {
    let leave = |facts: &mut Facts, role: &str, keep: &str| facts.on_nodes.as_mut().unwrap().retain(|(r, node)| r != role || node == keep);
    for (role, check) in [("nsmgr", "nsmgr"), ("forwarder", "forwarder"), ("spire-agent", "spire")] {
        assert_eq!(one(|facts| leave(facts, role, "node1")), told(check, Verdict::Warn, "not on node2"));
        assert_eq!(one(|facts| leave(facts, role, "")), told(check, Verdict::Fail, "ready on none"));
    }
    let cordoned = |facts: &mut Facts| {
        leave(facts, "nsmgr", "node1");
        facts.nodes.as_mut().unwrap()[1].schedulable = false;
    };
    assert_eq!(after(cordoned), [], "a node that takes no pods needs none");
}

#[test]
fn where_nodes_may_not_be_seen_the_parts_speak_for_themselves() {
    assert_eq!(one(|facts| facts.nodes = Err(forbidden())), told("nodes", Verdict::Unknown, "nodes is forbidden"));
    let both = after(|facts| {
        facts.nodes = Err(forbidden());
        component(facts, "nsmgr").ready = Ok((2, 1));
    });
    assert_eq!(both[0], told("nsmgr", Verdict::Fail, "1 of 2 ready"));
}

#[test]
fn a_client_that_must_be_on_another_node_needs_one() {
    let documents = read(&embedded()).unwrap();
    let apart = plan(&documents, &Customisation { cross_node: true, ..Customisation::default() }, "default").unwrap();
    let mut facts = fit(&apart);
    assert!(preflight(&apart, &facts).iter().all(|finding| finding.verdict == Verdict::Pass));
    facts.nodes.as_mut().unwrap()[1].schedulable = false;
    let failed: Vec<_> = preflight(&apart, &facts).into_iter().filter(|finding| finding.verdict == Verdict::Fail).collect();
    assert_eq!((failed.len(), &*failed[0].check, failed[0].observed.as_str()), (1, "nodes", "node1"));
    assert!(
        !after(|facts| facts.nodes.as_mut().unwrap()[1].schedulable = false).iter().any(|(check, ..)| check == "nodes"),
        "one is enough for others"
    );
}

#[test]
fn a_forwarder_that_is_not_registered_is_named() {
    assert_eq!(one(|facts| facts.forwarders = Ok(vec!["node1".to_owned()])), told("forwarder", Verdict::Warn, "not from node2"));
    assert_eq!(one(|facts| facts.forwarders = Ok(Vec::new())), told("forwarder", Verdict::Fail, "not from node1, node2"));
}

#[test]
fn a_webhook_that_points_nowhere_fails() {
    let with = |change: fn(&mut WebhookState)| one(|facts| change(facts.webhook.as_mut().unwrap().as_mut().unwrap()));
    assert_eq!(with(|webhook| webhook.addresses = Some(0)), told("webhook", Verdict::Fail, "Service a/b has no ready address"));
    assert_eq!(with(|webhook| webhook.has_authority = false), told("webhook", Verdict::Fail, "its caBundle is empty"));
    assert_eq!(one(|facts| facts.webhook = Ok(None)).1, Verdict::Fail);
    assert_eq!(after(|facts| facts.webhook.as_mut().unwrap().as_mut().unwrap().addresses = None), [], "one that is called by URL has none");
}

#[test]
fn pods_without_an_identity_fail() {
    assert_eq!(one(|facts| facts.identities.as_mut().unwrap()[0].1.pop().map_or((), |_| ())), told("spiffe-id", Verdict::Fail, "none does"));
    let absent = Unavailable { kind: UnavailableKind::NotFound, reason: String::new() };
    assert_eq!(one(|facts| facts.identities = Err(absent)).1, Verdict::Skip);
    assert_eq!(one(|facts| facts.identities = Err(forbidden())).1, Verdict::Unknown);
}

#[test]
fn a_network_service_of_the_same_name_elsewhere_is_a_warning() {
    let state =
        |namespace: &str| NetworkServiceState { id: Namespaced::new(namespace, "kernel2kernel"), payload: Some(Payload::Ip), matches: Vec::new() };
    assert_eq!(one(|facts| facts.services = Ok(vec![state("elsewhere")])), told("names-free", Verdict::Warn, "also in elsewhere"));
    assert_eq!(after(|facts| facts.services = Ok(vec![state("ns-kernel2kernel")])), []);
}

#[test]
fn whose_a_namespace_is_is_told_and_stops_nothing() {
    for holder in [Holder::Ours, Holder::Others, Holder::Leaving, Holder::Another("x".to_owned())] {
        assert_eq!(after(|facts| facts.namespaces[0].1 = Ok(holder)), []);
    }
    assert_eq!(one(|facts| facts.namespaces[0].1 = Err(forbidden())).1, Verdict::Unknown);
}
