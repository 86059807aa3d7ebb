//! Whether a cluster is fit for a plan: judged before anything is changed. Pure.

use crate::model::{ComponentState, Facts, Finding, Holder, Permission, Plan, Purpose, Unavailable, UnavailableKind, Verdict};

/// A check before a deployment: data, one a place.
#[derive(Debug, Clone, Copy)]
pub struct PreflightCheck {
    /// Its stable id.
    pub id: &'static str,
    /// What it says, in a few words.
    pub title: &'static str,
    /// What to do when it fails.
    pub hint: &'static str,
    judge: fn(&PreflightCheck, &Plan, &Facts) -> Vec<Finding>,
}

/// Every check before a deployment. One that fails makes success impossible; what is only doubtful is a warning.
pub const PREFLIGHT: [PreflightCheck; 11] = [
    PreflightCheck {
        id: "server-version",
        title: "server version",
        hint: "nsmctl is made for Kubernetes 1.26 and later, which have aggregated discovery and server-side field validation",
        judge: version,
    },
    PreflightCheck {
        id: "permissions",
        title: "permissions",
        hint: "`nsmctl manifests rbac` prints the roles that this deployment needs; have an administrator grant them",
        judge: permissions,
    },
    PreflightCheck {
        id: "nsm-api",
        title: "NSM's resources",
        hint: "install NSM: `kubectl apply -k 'https://github.com/networkservicemesh/deployments-k8s/examples/basic?ref=main'`",
        judge: api,
    },
    PreflightCheck { id: "nsmgr", title: "manager on every node", hint: "`kubectl -n nsm-system get pods -l app=nsmgr -o wide`", judge: manager },
    PreflightCheck { id: "forwarder", title: "forwarder on every node", hint: "`kubectl -n nsm-system get pods,nse -o wide`", judge: forwarder },
    PreflightCheck { id: "registry", title: "registry", hint: "`kubectl -n nsm-system get pods -l app=registry`", judge: registry },
    PreflightCheck {
        id: "webhook",
        title: "admission webhook",
        hint: "`kubectl -n nsm-system get pods -l app=admission-webhook-k8s`; while it is down no pod can be made in any namespace",
        judge: webhook,
    },
    PreflightCheck {
        id: "spire",
        title: "SPIRE agent on every node",
        hint: "`kubectl get pods -A -o wide | grep spire`; without it nothing of NSM gets an identity",
        judge: spire,
    },
    PreflightCheck {
        id: "spiffe-id",
        title: "identities for the pods",
        hint: "`kubectl get clusterspiffeids -o yaml`: one must select the label spiffe.io/spiffe-id and the namespace",
        judge: identities,
    },
    PreflightCheck {
        id: "nodes",
        title: "nodes that take pods",
        hint: "`kubectl get nodes`: those that are not ready, cordoned or tainted take none; without --cross-node one is enough",
        judge: nodes,
    },
    PreflightCheck {
        id: "names-free",
        title: "names are free",
        hint: "NSM looks a NetworkService's name up in all namespaces: choose another with --name-prefix, or remove that one",
        judge: names,
    },
];

/// What is seen of a component that is not there.
pub const NOT_INSTALLED: &str = "not installed";

/// The oldest server that is supported: aggregated discovery is served by default since 1.26.
const OLDEST: (u32, u32) = (1, 26);

/// Judges the facts by the plan.
#[must_use]
pub fn preflight(plan: &Plan, facts: &Facts) -> Vec<Finding> {
    PREFLIGHT.iter().flat_map(|check| (check.judge)(check, plan, facts)).collect()
}

impl PreflightCheck {
    fn finding(&self, subject: impl Into<String>, verdict: Verdict, expected: impl Into<String>, observed: impl Into<String>) -> Finding {
        Finding::new(self.id, self.title, subject, verdict, expected, observed).advised(self.hint)
    }

    fn unseen(&self, subject: &str, expected: &str, unavailable: &Unavailable) -> Finding {
        Finding {
            hint: (unavailable.kind == UnavailableKind::Forbidden).then(|| "ask for this permission, or go on without knowing".to_owned()),
            ..self.finding(subject, Verdict::Unknown, expected, unavailable.reason.clone())
        }
    }
}

fn version(check: &PreflightCheck, _: &Plan, facts: &Facts) -> Vec<Finding> {
    let expected = format!("v{}.{} or later", OLDEST.0, OLDEST.1);
    let mut numbers =
        facts.version.trim_start_matches('v').split('.').map(|part| part.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u32>());
    let verdict = match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST => Verdict::Pass,
        (Some(Ok(_)), Some(Ok(_))) => Verdict::Fail,
        _ => Verdict::Unknown,
    };
    vec![check.finding("server", verdict, expected, &facts.version)]
}

fn permissions(check: &PreflightCheck, _: &Plan, facts: &Facts) -> Vec<Finding> {
    let denied = |purpose: Purpose| -> Vec<&Permission> {
        let denied = facts.permissions.iter().filter(|(permission, allowed)| permission.purpose == purpose && *allowed == Ok(false));
        denied.map(|(permission, _)| permission).collect()
    };
    let mut findings = Vec::new();
    for purpose in [Purpose::Deploy, Purpose::Verify, Purpose::Cleanup, Purpose::Troubleshoot] {
        let denied = denied(purpose);
        if denied.is_empty() {
            continue;
        }
        // Without the first two there is no verified connection at the end; the others are for later.
        let verdict = if matches!(purpose, Purpose::Deploy | Purpose::Verify) { Verdict::Fail } else { Verdict::Warn };
        let evidence = denied.iter().map(|permission| format!("denied: {permission}")).collect();
        let observed = format!("{} of them denied, {} first", denied.len(), denied[0]);
        findings.push(Finding { evidence, ..check.finding(purpose.to_string(), verdict, format!("all that {purpose} needs"), observed) });
    }
    let unseen = facts.permissions.iter().find_map(|(_, allowed)| allowed.as_ref().err());
    if let Some(unavailable) = unseen {
        findings.push(check.unseen("all", "allowed", unavailable));
    }
    if findings.is_empty() {
        let observed = format!("{} of {0} allowed", facts.permissions.len());
        findings.push(check.finding("all", Verdict::Pass, "allowed", observed));
    }
    findings
}

/// The components of a role.
fn of_role<'a>(facts: &'a Facts, role: &'a str) -> impl Iterator<Item = &'a ComponentState> {
    facts.components.iter().filter(move |component| component.role == role)
}

/// A component that must be there and ready.
fn ready(check: &PreflightCheck, facts: &Facts, role: &str) -> Vec<Finding> {
    let judge = |component: &ComponentState| {
        let subject = component.object.as_ref().map_or_else(|| role.to_owned(), ToString::to_string);
        match &component.ready {
            Err(unavailable) => check.unseen(&subject, "ready", unavailable),
            Ok(_) if component.object.is_none() => check.finding(subject, Verdict::Fail, "ready", NOT_INSTALLED),
            Ok((desired, ready)) => {
                let verdict = if component.is_ready() { Verdict::Pass } else { Verdict::Fail };
                check.finding(subject, verdict, "ready", format!("{ready} of {desired} ready"))
            }
        }
    };
    of_role(facts, role).map(judge).collect()
}

/// A component of which every node that takes pods must have one.
fn on_every_node(check: &PreflightCheck, facts: &Facts, role: &str) -> Vec<Finding> {
    let absent = of_role(facts, role).all(|component| component.object.is_none());
    if absent {
        return ready(check, facts, role);
    }
    let expected = "on every node";
    let (nodes, pods) = match (&facts.nodes, &facts.on_nodes) {
        (Ok(nodes), Ok(pods)) => (nodes, pods),
        // The parts themselves say how many of them are ready.
        (Err(_), _) | (_, Err(_)) => return ready(check, facts, role),
    };
    let nodes: Vec<&str> = nodes.iter().filter(|node| node.schedulable).map(|node| node.name.as_str()).collect();
    let without: Vec<&str> = nodes.iter().filter(|node| !pods.iter().any(|(r, n)| r == role && n == *node)).copied().collect();
    vec![match (nodes.len(), without.len()) {
        (0, _) => check.finding("nodes", Verdict::Fail, expected, "no node takes pods"),
        (all, 0) => check.finding(role, Verdict::Pass, expected, format!("on {all} of {all}")),
        // A pod may still land where there is one, unless there is none at all.
        (all, missing) if missing < all => check.finding(role, Verdict::Warn, expected, format!("not on {}", without.join(", "))),
        _ => check.finding(role, Verdict::Fail, expected, "ready on none"),
    }]
}

fn api(check: &PreflightCheck, _: &Plan, facts: &Facts) -> Vec<Finding> {
    ready(check, facts, "crd")
}

fn manager(check: &PreflightCheck, _: &Plan, facts: &Facts) -> Vec<Finding> {
    on_every_node(check, facts, "nsmgr")
}

fn forwarder(check: &PreflightCheck, _: &Plan, facts: &Facts) -> Vec<Finding> {
    let mut findings = on_every_node(check, facts, "forwarder");
    if findings.iter().any(|finding| finding.verdict == Verdict::Fail) {
        return findings;
    }
    let (Ok(registered), Ok(pods)) = (&facts.forwarders, &facts.on_nodes) else { return findings };
    let running = pods.iter().filter(|(role, _)| role == "forwarder").map(|(_, node)| node);
    let silent: Vec<&str> = running.filter(|node| !registered.contains(node)).map(String::as_str).collect();
    if !silent.is_empty() {
        // Between its start and its registration a forwarder takes a few seconds.
        let verdict = if registered.is_empty() { Verdict::Fail } else { Verdict::Warn };
        findings.push(check.finding("registration", verdict, "each registered", format!("not from {}", silent.join(", "))));
    }
    findings
}

fn registry(check: &PreflightCheck, _: &Plan, facts: &Facts) -> Vec<Finding> {
    ready(check, facts, "registry")
}

fn webhook(check: &PreflightCheck, _: &Plan, facts: &Facts) -> Vec<Finding> {
    let mut findings = ready(check, facts, "webhook");
    let expected = "points at it";
    findings.push(match &facts.webhook {
        Err(unavailable) => check.unseen("configuration", expected, unavailable),
        Ok(None) => check.finding("configuration", Verdict::Fail, expected, "there is no MutatingWebhookConfiguration of NSM's"),
        Ok(Some(webhook)) if webhook.addresses == Some(0) => {
            check.finding(&webhook.name, Verdict::Fail, expected, format!("{} has no ready address", webhook.calls))
        }
        Ok(Some(webhook)) if !webhook.has_authority => check.finding(&webhook.name, Verdict::Fail, expected, "its caBundle is empty"),
        Ok(Some(webhook)) => check.finding(&webhook.name, Verdict::Pass, expected, &webhook.calls),
    });
    findings
}

fn spire(check: &PreflightCheck, _: &Plan, facts: &Facts) -> Vec<Finding> {
    let absent = of_role(facts, "spire-agent").all(|component| component.object.is_none() && component.ready.is_ok());
    if absent {
        // SPIRE may be run elsewhere, or another implementation of the Workload API in its place.
        return vec![check.finding("spire-agent", Verdict::Warn, "on every node", "no DaemonSet spire-agent in any namespace")];
    }
    on_every_node(check, facts, "spire-agent")
}

fn identities(check: &PreflightCheck, plan: &Plan, facts: &Facts) -> Vec<Finding> {
    let expected = "a ClusterSPIFFEID selects them";
    let covered = match &facts.identities {
        Ok(covered) => covered,
        Err(Unavailable { kind: UnavailableKind::NotFound, .. }) => {
            return vec![check.finding(
                "pods",
                Verdict::Skip,
                expected,
                "not checked: the cluster has no ClusterSPIFFEIDs, so identities are given in another way",
            )];
        }
        Err(unavailable) => return vec![check.unseen("pods", expected, unavailable)],
    };
    let concerned = plan.expectations.workloads.iter().filter(|workload| workload.is_client() || workload.endpoint.is_some());
    let judge = |workload: &crate::model::Workload| {
        let by = covered.iter().find(|(_, workloads)| workloads.contains(&workload.id));
        match by {
            Some((name, _)) => check.finding(workload.id.name.clone(), Verdict::Pass, expected, name),
            None => check.finding(workload.id.name.clone(), Verdict::Fail, expected, "none does"),
        }
    };
    concerned.map(judge).collect()
}

/// As many nodes take pods as the plan needs: two where a client must not be where its endpoint is.
fn nodes(check: &PreflightCheck, plan: &Plan, facts: &Facts) -> Vec<Finding> {
    let apart = plan.objects.iter().any(|object| {
        let spec = object.body.pointer("/spec/template/spec").or_else(|| object.body.pointer("/spec"));
        spec.and_then(|spec| spec.pointer("/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/0")).is_some()
    });
    let wanted = if apart { 2 } else { 1 };
    let expected = if apart { "two: client and endpoint must be apart" } else { "one" };
    vec![match &facts.nodes {
        Err(unavailable) => check.unseen("nodes", expected, unavailable),
        Ok(nodes) => {
            let able: Vec<&str> = nodes.iter().filter(|node| node.schedulable).map(|node| node.name.as_str()).collect();
            let verdict = if able.len() >= wanted { Verdict::Pass } else { Verdict::Fail };
            check.finding("nodes", verdict, expected, if able.is_empty() { "none".to_owned() } else { able.join(", ") })
        }
    }]
}

fn names(check: &PreflightCheck, plan: &Plan, facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, holder) in &facts.namespaces {
        let subject = format!("Namespace {name}");
        findings.push(match holder {
            Err(unavailable) => check.unseen(&subject, "free or ours", unavailable),
            Ok(Holder::Nobody) => check.finding(subject, Verdict::Pass, "free or ours", "free"),
            Ok(Holder::Ours) => check.finding(subject, Verdict::Pass, "free or ours", "ours"),
            Ok(Holder::Leaving) => check.finding(subject, Verdict::Pass, "free or ours", "being deleted, which is waited for"),
            Ok(Holder::Others) => check.finding(subject, Verdict::Pass, "free or ours", "somebody else's: used, neither labelled nor deleted"),
            Ok(Holder::Another(instance)) => {
                check.finding(subject, Verdict::Pass, "free or ours", format!("of the deployment {instance}: used, neither labelled nor deleted"))
            }
        });
    }
    for service in &plan.expectations.services {
        let subject = format!("NetworkService {}", service.id.name);
        findings.push(match &facts.services {
            Err(Unavailable { kind: UnavailableKind::NotFound, .. }) => continue,
            Err(unavailable) => check.unseen(&subject, "in one namespace", unavailable),
            Ok(services) => match services.iter().find(|other| other.id.name == service.id.name && other.id.namespace != service.id.namespace) {
                Some(other) => check.finding(subject, Verdict::Warn, "in one namespace", format!("also in {}", other.id.namespace)),
                None => check.finding(subject, Verdict::Pass, "in one namespace", service.id.namespace.clone()),
            },
        });
    }
    findings
}

#[cfg(test)]
#[path = "preflight_tests.rs"]
mod tests;
