//! Which connections are meant, where a person has not named them one by one.

use super::session::Session;
use crate::{
    model::{Expectations, Failure, Inventory, Namespaced, Plan, Result, Scope, did_you_mean, few},
    target::{Ctx, Target},
};

/// What of the expectations a scope means.
pub(super) async fn narrow(
    scope: &Scope,
    expectations: Expectations,
    inventory: &Inventory,
    target: &Target,
    namespace: Option<&str>,
    ctx: &Ctx,
) -> Result<Expectations> {
    let selected = match &scope.selector {
        Some(selector) => Some(target.select(ctx, namespace, selector).await?),
        None => None,
    };
    Ok(scope.narrow(expectations, inventory.pods.as_deref().unwrap_or_default(), selected.as_ref()))
}

/// Whether nothing at all of the deployment can be found: neither a pod nor a network service. That is no failure of
/// connections, since there are none. Where network services may not be seen, that is for the pods to say if something else
/// may be meant, and cannot be told otherwise.
pub(super) fn is_absent(plan: &Plan, inventory: &Inventory) -> bool {
    let (Ok(pods), Ok(services)) = (&inventory.pods, &inventory.services) else { return false };
    let owned = pods.iter().any(|pod| plan.expectations.workloads.iter().any(|workload| workload.owns(pod)));
    let served = plan.expectations.services.iter().any(|expected| services.iter().any(|service| service.id == expected.id));
    !owned && !served
}

/// There is no client of the scope: that is no pass.
pub(super) fn nobody(scope: &Scope, all: &Expectations) -> Failure {
    let place = scope.namespace.as_ref().map_or_else(|| "any namespace".to_owned(), |namespace| format!("namespace {namespace}"));
    let named = scope.client.as_ref().map(|name| format!(" of the name {name}")).unwrap_or_default();
    let selected = scope.selector.as_ref().map(|selector| format!(" with {selector}")).unwrap_or_default();
    let message = format!("there is no client of NSM's{named}{selected} in {place}");
    let clients: Vec<&Namespaced> = all.workloads.iter().filter(|workload| workload.is_client()).map(|workload| &workload.id).collect();
    let meant = scope.client.as_ref().map(|name| did_you_mean(name, clients.iter().map(|id| id.name.as_str()))).unwrap_or_default();
    let names: Vec<String> = clients.iter().map(ToString::to_string).collect();
    let hint = match names.as_slice() {
        [] => "a client is a pod, or what makes pods, with the annotation networkservicemesh.io; -A looks in all namespaces".to_owned(),
        names => format!("{meant}there is {}", few(names)),
    };
    Failure::cannot_tell(message).hint(hint)
}

/// Sees that the namespace that a person names is one. Who may not see the namespaces is believed.
pub(super) async fn check_namespace(name: &str, target: &Target, ctx: &Ctx) -> Result<()> {
    let Ok(namespaces) = target.namespaces(ctx).await else { return Ok(()) };
    if namespaces.iter().any(|namespace| namespace == name) {
        return Ok(());
    }
    let meant = did_you_mean(name, namespaces.iter().map(String::as_str));
    let hint = if namespaces.is_empty() { "`nsmctl deploy` makes one".to_owned() } else { format!("{meant}there is {}", few(&namespaces)) };
    Err(Failure::cannot_tell(format!("there is no namespace {name}")).hint(hint))
}

/// Whether anything carries the label of the deployment.
pub(super) async fn is_deployed(Session { target, plan, .. }: &Session, ctx: &Ctx) -> bool {
    target.deployments(ctx).await.contains(&plan.instance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::healthy;

    #[test]
    fn who_is_looked_for_and_not_there_is_told_with_who_is_alike() {
        let all = healthy().expectations;
        let scope = Scope { namespace: Some("ns-kernel2kernel".into()), selector: None, client: Some("alpin".into()) };
        let failure = nobody(&scope, &all);
        assert_eq!(failure.message(), "there is no client of NSM's of the name alpin in namespace ns-kernel2kernel");
        assert_eq!(failure.hint.as_deref(), Some("did you mean alpine? there is ns-kernel2kernel/alpine"));
        assert_eq!(failure.outcome.code(), 3);
        let other = nobody(&Scope { client: Some("xyz".into()), ..scope }, &all);
        assert_eq!(other.hint.as_deref(), Some("there is ns-kernel2kernel/alpine"));
    }
}
