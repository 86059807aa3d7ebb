use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    runtime::wait::await_condition,
};

use super::{Cluster, NSM_GROUP_VERSION, error, gone, is_of, resource};
use crate::{
    model::{Applied, Failure, MANAGED_BY, ObjectRef, ObjectState, Outcome, Plan, PlannedObject, Result},
    target::Ctx,
};

/// How long an admission plugin may refuse for want of something that a controller makes on its own, like the service
/// account of a new namespace; kube-controller-manager makes it within a second or so.
const SETTLE: Duration = Duration::from_secs(10);

/// A planned object beside what is there under its name.
struct Surveyed<'a> {
    planned: &'a PlannedObject,
    existing: Option<DynamicObject>,
}

impl Cluster {
    /// Makes the cluster be what the plan says, by server-side apply: namespaces first, then what workloads need, then
    /// workloads, and what is independent at the same time.
    ///
    /// Before anything is changed it looks at every object: one that is there and is not this deployment's is never
    /// touched. A namespace that is there already is used as it is.
    ///
    /// # Errors
    /// NSM is not installed, an object is somebody else's, or the server refuses one.
    pub async fn apply(&self, ctx: &Ctx, plan: &Plan) -> Result<Vec<(ObjectRef, Applied)>> {
        let surveyed = ctx.run("looking at what is there", self.survey(ctx, plan)).await?;
        let is_namespace = |object: &&Surveyed<'_>| object.planned.reference.kind == "Namespace";
        let is_workload =
            |object: &&Surveyed<'_>| matches!(object.planned.reference.kind.as_str(), "Pod" | "Deployment" | "StatefulSet" | "DaemonSet");
        let (namespaces, rest): (Vec<_>, Vec<_>) = surveyed.iter().partition(is_namespace);
        let (workloads, needed): (Vec<_>, Vec<_>) = rest.into_iter().partition(is_workload);
        let mut applied = Vec::new();
        for stage in [namespaces, needed, workloads] {
            let step = try_join_all(stage.into_iter().map(|object| self.apply_one(ctx, plan, object)));
            applied.extend(ctx.run("applying to the cluster", step).await?);
        }
        Ok(applied)
    }

    async fn survey<'a>(&self, ctx: &Ctx, plan: &'a Plan) -> Result<Vec<Surveyed<'a>>> {
        if plan.objects.iter().any(|object| object.api_version == NSM_GROUP_VERSION) {
            self.serves_nsm().await?;
        }
        let surveyed = try_join_all(plan.objects.iter().map(|planned| self.look(ctx, planned))).await?;
        let foreign = |object: &&Surveyed<'_>| {
            object.planned.reference.kind != "Namespace" && object.existing.as_ref().is_some_and(|existing| !is_of(&plan.instance, existing))
        };
        let foreign: Vec<String> = surveyed.iter().filter(foreign).map(|object| object.planned.reference.to_string()).collect();
        if !foreign.is_empty() {
            let message = format!("{} exists already and is not of this deployment; nothing was changed", foreign.join(", "));
            return Err(Failure::failed(message).hint("deploy into another namespace with --namespace, or remove what is there with kubectl"));
        }
        Ok(surveyed)
    }

    /// What is there under the name. What is being deleted is waited for: it cannot be changed any more.
    async fn look<'a>(&self, ctx: &Ctx, planned: &'a PlannedObject) -> Result<Surveyed<'a>> {
        let PlannedObject { reference, api_version, plural, .. } = planned;
        let resource = resource(api_version, &reference.kind, plural);
        let api = self.api(&resource, reference.namespace.as_deref());
        let existing = api.get_opt(&reference.name).await.map_err(|error| error::failure(&error, &format!("look at {reference}")))?;
        let Some(existing) = existing else { return Ok(Surveyed { planned, existing: None }) };
        if existing.metadata.deletion_timestamp.is_none() {
            return Ok(Surveyed { planned, existing: Some(existing) });
        }
        ctx.events.object(reference, ObjectState::Deleting("an earlier one is being deleted".to_owned()));
        gone::wait(&api, &existing).await.map_err(|error| error::failure(&error, &format!("wait until {reference} is gone")))?;
        Ok(Surveyed { planned, existing: None })
    }

    async fn serves_nsm(&self) -> Result<()> {
        match self.client.list_api_group_resources(NSM_GROUP_VERSION).await {
            Ok(_) => Ok(()),
            Err(error) if error::code(&error) == Some(404) => Err(Failure::failed(format!(
                "Network Service Mesh is not installed on the cluster at {}: it does not serve {NSM_GROUP_VERSION}; nothing was changed",
                self.server
            ))
            .hint("install NSM (github.com/networkservicemesh/deployments-k8s, examples/basic), or use this machine with --target local")),
            Err(error) => Err(error::failure(&error, "ask what the cluster serves")),
        }
    }

    async fn apply_one(&self, ctx: &Ctx, plan: &Plan, object: &Surveyed<'_>) -> Result<(ObjectRef, Applied)> {
        let Surveyed { planned, existing } = object;
        let reference = &planned.reference;
        let told = |applied: Applied| {
            ctx.events.object(reference, ObjectState::Applied(applied));
            (reference.clone(), applied)
        };
        if reference.kind == "Namespace" && existing.as_ref().is_some_and(|existing| !is_of(&plan.instance, existing)) {
            return Ok(told(Applied::Used));
        }
        let resource = resource(&planned.api_version, &reference.kind, &planned.plural);
        let api = self.api(&resource, reference.namespace.as_deref());
        let after = match self.patch(&api, planned).await {
            Err(error) if error::code(&error) == Some(403) && error::describe(&error).contains("error looking up service account") => {
                self.settle(reference).await?;
                self.patch(&api, planned).await
            }
            result => result,
        };
        let after = after.map_err(|error| refused(&error, planned, &resource))?;
        Ok(told(match existing {
            None => Applied::Created,
            Some(before) if before.metadata.resource_version == after.metadata.resource_version => Applied::Unchanged,
            Some(_) => Applied::Configured,
        }))
    }

    async fn patch(&self, api: &Api<DynamicObject>, planned: &PlannedObject) -> kube::Result<DynamicObject> {
        let params = PatchParams { field_manager: Some(MANAGED_BY.to_owned()), ..PatchParams::default() }.validation_strict();
        api.patch(&planned.reference.name, &params, &Patch::Apply(&planned.body)).await
    }

    /// Waits for the service account that a pod runs as where it names none.
    async fn settle(&self, reference: &ObjectRef) -> Result<()> {
        let Some(namespace) = &reference.namespace else { return Ok(()) };
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let there = await_condition(api, "default", |account: Option<&ServiceAccount>| account.is_some());
        // Where it does not come, or may not be watched, the second try says what is the matter.
        let _ = tokio::time::timeout(SETTLE, there).await;
        Ok(())
    }
}

fn refused(error: &kube::Error, planned: &PlannedObject, resource: &ApiResource) -> Failure {
    let PlannedObject { reference, source, .. } = planned;
    let failure = error::failure(error, &format!("apply {reference} ({source})"));
    if error::code(error) == Some(422) && resource.kind == "Pod" {
        let Some(namespace) = &reference.namespace else { return failure };
        return failure
            .hint(format!("a pod cannot be changed in this way: `kubectl delete pod -n {namespace} {}`, then deploy again", reference.name));
    }
    match failure.outcome {
        Outcome::Failed if failure.hint.is_none() => failure.hint("what was applied before stays; `nsmctl cleanup` removes it"),
        _ => failure,
    }
}
