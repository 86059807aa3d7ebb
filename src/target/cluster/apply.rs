use std::{borrow::Cow, collections::BTreeSet, time::Duration};

use futures::future::{join_all, try_join_all};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, PartialObjectMeta, Patch, PatchParams},
    runtime::wait::await_condition,
};
use serde_json::{Value, json};

use super::{Cluster, NSM_GROUP_VERSION, error, gone, in_place, is_of, persist::persist, reference, resource, resource_of, selector};
use crate::{
    model::{
        Applied, Failure, INSTANCE_LABEL, KINDS, MANAGED_BY, MANAGED_BY_LABEL, Namespaced, OPTIONS_ANNOTATION, ObjectRef, ObjectState, Outcome,
        PART_OF_LABEL, Plan, PlannedObject, Removed, Result, Workload,
    },
    target::{ApplyOptions, Ctx, DeleteOptions, another_service},
};

/// How long an admission plugin may refuse for want of something that a controller makes on its own, like the service
/// account of a new namespace; kube-controller-manager makes it within a second or so.
const SETTLE: Duration = Duration::from_secs(10);

/// How long is waited for what a deployment remembers: it is asked for in one round trip.
const OPTIONS: Duration = Duration::from_secs(5);

/// A planned object beside what is there under its name.
pub(super) struct Surveyed<'a> {
    pub(super) planned: &'a PlannedObject,
    pub(super) existing: Option<DynamicObject>,
}

/// What is there before anything is changed.
pub(super) struct Survey<'a> {
    pub(super) objects: Vec<Surveyed<'a>>,
    pub(super) superfluous: Vec<Superfluous>,
}

/// What carries the deployment's label and is not in the plan.
pub(super) type Superfluous = (ObjectRef, Api<DynamicObject>, DynamicObject);

impl Surveyed<'_> {
    /// What is applied. A workload whose manifest leaves the number of its pods to Kubernetes has one; where somebody has
    /// scaled it to none, that must be said, since nothing in the manifest contradicts it.
    pub(super) fn body(&self) -> Cow<'_, Value> {
        let Surveyed { planned: PlannedObject { reference, body, .. }, existing } = self;
        let is_scaled = matches!(reference.kind.as_str(), "Deployment" | "StatefulSet") && body.pointer("/spec/replicas").is_none();
        let is_none = existing.as_ref().is_some_and(|existing| existing.data.pointer("/spec/replicas") == Some(&json!(0)));
        if !is_scaled || !is_none || !body["spec"].is_object() {
            return Cow::Borrowed(body);
        }
        let mut body = body.clone();
        body["spec"]["replicas"] = json!(1);
        Cow::Owned(body)
    }
}

/// What applying one object came to.
struct Done {
    reference: ObjectRef,
    applied: Applied,
    /// Whether what it asks for has changed, and not only its labels.
    respecified: bool,
}

impl Cluster {
    /// Makes the cluster be what the plan says, by server-side apply: namespaces first, then what workloads need, then
    /// workloads, and what is independent at the same time.
    ///
    /// Before anything is changed it looks at every object: one that is there and is not this deployment's is never
    /// touched. A namespace that is there already is used as it is. What cannot be changed in place is made anew, and so are
    /// the clients of an endpoint that has changed: their addresses were given by the old one. What the deployment had and
    /// the plan has no more is removed.
    ///
    /// # Errors
    /// NSM is not installed, an object is somebody else's, or the server refuses one. Trouble that passes is ridden out.
    pub async fn apply(&self, ctx: &Ctx, plan: &Plan, options: ApplyOptions) -> Result<Vec<(ObjectRef, Applied)>> {
        let Survey { objects: surveyed, superfluous } = ctx.run("looking at what is there", self.survey(ctx, plan)).await?;
        let (namespaces, rest): (Vec<_>, Vec<_>) = surveyed.iter().partition(|object| object.planned.reference.kind == "Namespace");
        let (workloads, needed): (Vec<_>, Vec<_>) = rest.into_iter().partition(|object| workload_of(plan, object.planned).is_some());
        // Where an endpoint is there already it may change, and then its clients come after it.
        let is_late = |object: &&Surveyed<'_>| {
            !endpoints_of(plan, object.planned).is_empty()
                && surveyed.iter().any(|other| {
                    other.existing.is_some()
                        && workload_of(plan, other.planned).is_some_and(|workload| endpoints_of(plan, object.planned).contains(&&workload.id))
                })
        };
        let (late, early): (Vec<_>, Vec<_>) = workloads.into_iter().partition(is_late);
        let endpoint_pods = if late.is_empty() { Vec::new() } else { ctx.run("looking at the endpoints", self.endpoint_pods(plan)).await? };

        let mut done: Vec<Done> = Vec::new();
        for stage in [namespaces, needed, early] {
            let step = try_join_all(stage.into_iter().map(|object| self.apply_one(ctx, plan, object, options)));
            done.extend(ctx.run("applying to the cluster", step).await?);
        }
        if !late.is_empty() {
            done.extend(self.apply_clients(ctx, plan, options, &late, &done, endpoint_pods).await?);
        }
        let mut applied: Vec<(ObjectRef, Applied)> = done.into_iter().map(|done| (done.reference, done.applied)).collect();
        applied.extend(ctx.run("removing what the plan has no more", self.prune(ctx, superfluous)).await?);
        Ok(applied)
    }

    /// Looks at every object of the plan, and refuses where one is somebody else's.
    pub(super) async fn survey<'a>(&self, ctx: &Ctx, plan: &'a Plan) -> Result<Survey<'a>> {
        if plan.objects.iter().any(|object| object.api_version == NSM_GROUP_VERSION) {
            self.serves_nsm(ctx).await?;
        }
        let objects = try_join_all(plan.objects.iter().map(|planned| self.look(ctx, planned)));
        let (surveyed, superfluous) = futures::join!(objects, self.superfluous(plan));
        let surveyed = surveyed?;
        let foreign = |object: &&Surveyed<'_>| {
            object.planned.reference.kind != "Namespace" && object.existing.as_ref().is_some_and(|existing| !is_of(&plan.instance, existing))
        };
        let foreign: Vec<String> = surveyed.iter().filter(foreign).map(|object| object.planned.reference.to_string()).collect();
        if !foreign.is_empty() {
            let message = format!("{} exists already and is not of this deployment; nothing was changed", foreign.join(", "));
            return Err(Failure::failed(message).hint("deploy into another namespace with --namespace, or remove what is there with kubectl"));
        }
        let other = superfluous.iter().find_map(|(reference, _, object)| Some((reference, part_of(object).filter(|part| *part != plan.part_of)?)));
        if let Some((reference, part)) = other {
            return Err(another_service(plan, part, reference));
        }
        Ok(Survey { objects: surveyed, superfluous })
    }

    /// What is there under the name. What is being deleted is waited for: it cannot be changed any more.
    async fn look<'a>(&self, ctx: &Ctx, planned: &'a PlannedObject) -> Result<Surveyed<'a>> {
        let PlannedObject { reference, .. } = planned;
        let api = self.api_of(planned);
        let what = format!("look at {reference}");
        let existing = persist(ctx, &what, async || api.get_opt(&reference.name).await).await?.map_err(|error| error::failure(&error, &what))?;
        let Some(existing) = existing else { return Ok(Surveyed { planned, existing: None }) };
        if existing.metadata.deletion_timestamp.is_none() {
            return Ok(Surveyed { planned, existing: Some(existing) });
        }
        ctx.events.object(reference, ObjectState::Deleting("an earlier one is being deleted".to_owned()));
        gone::wait(&api, &existing).await.map_err(|error| error::failure(&error, &format!("wait until {reference} is gone")))?;
        Ok(Surveyed { planned, existing: None })
    }

    async fn serves_nsm(&self, ctx: &Ctx) -> Result<()> {
        let what = "ask what the cluster serves";
        match persist(ctx, what, async || self.client.list_api_group_resources(NSM_GROUP_VERSION).await).await? {
            Ok(_) => Ok(()),
            Err(error) if error::code(&error) == Some(404) => Err(Failure::failed(format!(
                "Network Service Mesh is not installed on the cluster at {}: it does not serve {NSM_GROUP_VERSION}; nothing was changed",
                self.server
            ))
            .hint("install NSM (github.com/networkservicemesh/deployments-k8s, examples/basic), or use this machine with --target local")),
            Err(error) => Err(error::failure(&error, what)),
        }
    }

    async fn apply_one(&self, ctx: &Ctx, plan: &Plan, object: &Surveyed<'_>, options: ApplyOptions) -> Result<Done> {
        let Surveyed { planned, existing } = object;
        let reference = &planned.reference;
        let told = |applied: Applied, respecified: bool| {
            ctx.events.object(reference, ObjectState::Applied(applied));
            Done { reference: reference.clone(), applied, respecified }
        };
        if reference.kind == "Namespace" && existing.as_ref().is_some_and(|existing| !is_of(&plan.instance, existing)) {
            return Ok(told(Applied::Used, false));
        }
        if let Some(over) = existing.as_ref().filter(|existing| has_ended(existing)) {
            self.replace(ctx, planned, over, options, "it has ended").await?;
            return Ok(told(Applied::Recreated, true));
        }
        let body = object.body();
        let after = match self.patch(ctx, planned, &body, options).await? {
            Err(error) if error::code(&error) == Some(403) && error::describe(&error).contains("error looking up service account") => {
                self.settle(reference).await;
                self.patch(ctx, planned, &body, options).await?
            }
            result => result,
        };
        let after = match (after, existing) {
            // What cannot be changed in place (a pod's containers, a Deployment's selector) is made anew.
            (Err(error), Some(before)) if error::code(&error) == Some(422) && workload_of(plan, planned).is_some() && is_immutable(&error) => {
                self.replace(ctx, planned, before, options, "it cannot be changed in place").await?;
                return Ok(told(Applied::Recreated, true));
            }
            (after, _) => after.map_err(|error| refused(&error, planned))?,
        };
        Ok(match existing {
            None => told(Applied::Created, false),
            Some(before) if before.metadata.resource_version == after.metadata.resource_version => told(Applied::Unchanged, false),
            Some(before) => {
                if reference.kind == "Pod" {
                    self.take_up(ctx, planned, before, &after).await?;
                }
                told(Applied::Configured, is_respecified(before, &after))
            }
        })
    }

    /// Waits until the kubelet of a pod that was changed in place has begun with it.
    async fn take_up(&self, ctx: &Ctx, planned: &PlannedObject, before: &DynamicObject, after: &DynamicObject) -> Result<()> {
        let Some(change) = in_place::change(before, after) else { return Ok(()) };
        let reference = &planned.reference;
        let api = self.api_of(planned);
        let taken_up = async {
            let waited = in_place::wait(&api, &reference.name, &change).await;
            waited.map_err(|error| error::failure(&error, &format!("wait until the kubelet has taken up the new image of {reference}")))
        };
        ctx.run(&format!("waiting until the kubelet has taken up the new image of {reference}"), taken_up).await
    }

    async fn patch(&self, ctx: &Ctx, planned: &PlannedObject, body: &Value, options: ApplyOptions) -> Result<kube::Result<DynamicObject>> {
        let params = PatchParams { field_manager: Some(MANAGED_BY.to_owned()), force: options.force_conflicts, ..PatchParams::default() };
        let (api, params) = (self.api_of(planned), params.validation_strict());
        let what = format!("apply {}", planned.reference);
        persist(ctx, &what, async || api.patch(&planned.reference.name, &params, &Patch::Apply(body)).await).await
    }

    /// Removes what is there and makes it anew.
    async fn replace(&self, ctx: &Ctx, planned: &PlannedObject, before: &DynamicObject, options: ApplyOptions, why: &str) -> Result<()> {
        let reference = &planned.reference;
        ctx.events.info(format!("{reference} is made anew: {why}"));
        self.take_away(ctx, reference, &self.api_of(planned), before).await?;
        self.patch(ctx, planned, &planned.body, options).await?.map_err(|error| refused(&error, planned))?;
        Ok(())
    }

    async fn take_away(&self, ctx: &Ctx, reference: &ObjectRef, api: &Api<DynamicObject>, object: &DynamicObject) -> Result<()> {
        ctx.events.object(reference, ObjectState::Deleting(String::new()));
        gone::ask(ctx, api, reference, object, None).await?;
        gone::wait(api, object).await.map_err(|error| error::failure(&error, &format!("delete {reference}")))
    }

    /// Applies the clients of endpoints that were there before. Where an endpoint has changed, its clients are taken away
    /// while the new one comes up, and made anew when the old one and its registration are gone.
    async fn apply_clients(
        &self,
        ctx: &Ctx,
        plan: &Plan,
        options: ApplyOptions,
        late: &[&Surveyed<'_>],
        done: &[Done],
        before: Vec<Namespaced>,
    ) -> Result<Vec<Done>> {
        let changed: BTreeSet<&Namespaced> = plan
            .expectations
            .workloads
            .iter()
            .filter(|workload| done.iter().any(|done| done.respecified && is_object_of(workload, &done.reference)))
            .map(|workload| &workload.id)
            .collect();
        let concerned = |object: &&&Surveyed<'_>| endpoints_of(plan, object.planned).iter().any(|id| changed.contains(id));
        let (anew, rest): (Vec<&Surveyed<'_>>, Vec<&Surveyed<'_>>) = late.iter().copied().partition(|object| concerned(&object));
        let mut applied = Vec::new();
        if !anew.is_empty() {
            let names: Vec<String> = changed.iter().map(|id| id.name.clone()).collect();
            ctx.events.info(format!("{} has changed, so its clients are made anew: the old one gave them their addresses", names.join(", ")));
            let away = try_join_all(anew.iter().map(|object| self.take_client_away(ctx, plan, object)));
            let mut endpoints = plan.clone();
            endpoints.expectations.workloads.retain(|workload| changed.contains(&workload.id));
            let (away, rolled) = futures::join!(ctx.run("taking the clients away", away), self.wait(ctx, &endpoints));
            away?;
            rolled?;
            ctx.run("removing the old endpoint's registration", self.forget(ctx, plan, before)).await?;
            let fresh: Vec<Surveyed<'_>> = anew
                .iter()
                .map(|object| Surveyed {
                    planned: object.planned,
                    existing: object.existing.clone().filter(|_| object.planned.reference.kind != "Pod"),
                })
                .collect();
            let step = try_join_all(fresh.iter().map(|object| self.apply_one(ctx, plan, object, options)));
            let step = ctx.run("applying to the cluster", step).await?;
            applied.extend(step.into_iter().zip(&anew).map(|(done, object)| {
                let applied = if object.existing.is_some() { Applied::Recreated } else { done.applied };
                Done { applied, ..done }
            }));
        }
        let step = try_join_all(rest.into_iter().map(|object| self.apply_one(ctx, plan, object, options)));
        applied.extend(ctx.run("applying to the cluster", step).await?);
        Ok(applied)
    }

    /// Removes the pods of a client, which its controller makes anew where it has one.
    async fn take_client_away(&self, ctx: &Ctx, plan: &Plan, object: &Surveyed<'_>) -> Result<()> {
        let Surveyed { planned, existing: Some(existing) } = object else { return Ok(()) };
        if planned.reference.kind == "Pod" {
            return self.take_away(ctx, &planned.reference, &self.api_of(planned), existing).await;
        }
        let Some(workload) = workload_of(plan, planned) else { return Ok(()) };
        let pods = self.pods(&workload.id.namespace).await.unwrap_or_default();
        let resource = resource("v1", "Pod", "pods");
        let own = pods.into_iter().filter(|pod| workload.owns(pod)).map(async |pod| {
            let api = self.api(&resource, Some(&pod.id.namespace));
            // The controller has another in its place at once; this one's end is waited for with the rest.
            api.delete(&pod.id.name, &DeleteParams::default()).await.map(|_| ())
        });
        for result in join_all(own).await {
            match result {
                Err(error) if error::code(&error) != Some(404) => return Err(error::failure(&error, "delete a client's pod")),
                _ => {}
            }
        }
        Ok(())
    }

    /// The pods of the plan's endpoints as they are now.
    async fn endpoint_pods(&self, plan: &Plan) -> Result<Vec<Namespaced>> {
        let endpoints: Vec<&Workload> = plan.expectations.workloads.iter().filter(|workload| workload.endpoint.is_some()).collect();
        let namespaces: BTreeSet<String> = endpoints.iter().map(|workload| workload.id.namespace.clone()).collect();
        let pods = self.visible_pods(&namespaces).await;
        Ok(pods.into_iter().filter(|pod| endpoints.iter().any(|workload| workload.owns(pod))).map(|pod| pod.id).collect())
    }

    /// Removes the registrations of those pods that are gone, so that no client is sent to them.
    async fn forget(&self, ctx: &Ctx, plan: &Plan, before: Vec<Namespaced>) -> Result<()> {
        let still = self.endpoint_pods(plan).await?;
        let gone: Vec<Namespaced> = before.into_iter().filter(|pod| !still.contains(pod)).collect();
        // What is left of them runs out by itself.
        self.unregister(ctx, &gone, &[], DeleteOptions::default(), &mut Removed::default()).await;
        Ok(())
    }

    /// Removes what carries the deployment's label and the plan has no more.
    async fn prune(&self, ctx: &Ctx, superfluous: Vec<Superfluous>) -> Result<Vec<(ObjectRef, Applied)>> {
        let removed = superfluous.into_iter().map(async |(reference, api, object)| {
            ctx.events.info(format!("{reference} is removed: the deployment has it no more"));
            self.take_away(ctx, &reference, &api, &object).await?;
            ctx.events.object(&reference, ObjectState::Gone);
            Ok((reference, Applied::Removed))
        });
        try_join_all(removed).await
    }

    /// What carries the deployment's label in its namespaces and is not in the plan.
    async fn superfluous(&self, plan: &Plan) -> Vec<Superfluous> {
        let params = ListParams::default().labels(&selector(&plan.instance));
        let namespaces: BTreeSet<&str> = plan.objects.iter().filter_map(|object| object.reference.namespace.as_deref()).collect();
        let places = KINDS.iter().filter(|kind| kind.kind != "Namespace").flat_map(|kind| namespaces.iter().map(move |namespace| (kind, *namespace)));
        let listed = places.map(async |(kind, namespace)| {
            let resource = resource_of(kind);
            let api = self.api(&resource, Some(namespace));
            // Who may not see a kind cannot have deployed it.
            let objects = api.list(&params).await.map(|list| list.items).unwrap_or_default();
            objects.into_iter().map(|object| (reference(&resource, &object), api.clone(), object)).collect::<Vec<_>>()
        });
        let listed = join_all(listed).await.into_iter().flatten();
        let superfluous = |(reference, _, object): &Superfluous| {
            let planned = plan.objects.iter().any(|planned| planned.reference == *reference);
            // What has an owner comes and goes with it.
            !planned && is_of(&plan.instance, object) && object.owner_references().is_empty() && object.metadata.deletion_timestamp.is_none()
        };
        listed.filter(superfluous).collect()
    }

    /// The workloads that carry the label of a plan's deployment, where none of them is the plan's: it was made from other manifests.
    /// Who may not see them is told of none.
    pub async fn other_workloads(&self, plan: &Plan) -> Vec<ObjectRef> {
        let params = ListParams::default().labels(&selector(&plan.instance));
        let kinds = KINDS.iter().filter(|kind| matches!(kind.kind, "Deployment" | "StatefulSet" | "DaemonSet" | "Pod"));
        let listed = kinds.map(async |kind| {
            let objects = self.api(&resource_of(kind), Some(&plan.namespace)).list_metadata(&params).await.map(|list| list.items);
            // What has an owner comes and goes with it, and what goes is none that a deploy would replace.
            let stays =
                |object: &PartialObjectMeta<DynamicObject>| object.owner_references().is_empty() && object.metadata.deletion_timestamp.is_none();
            let own = objects.unwrap_or_default().into_iter().filter(stays);
            own.map(|object| ObjectRef::namespaced(kind.kind, &plan.namespace, object.name_any())).collect::<Vec<_>>()
        });
        let found: Vec<ObjectRef> = join_all(listed).await.into_iter().flatten().collect();
        if plan.objects.iter().any(|planned| found.contains(&planned.reference)) { Vec::new() } else { found }
    }

    /// The deployments that have a NetworkService or a pod, by their label.
    pub async fn deployments(&self) -> Vec<String> {
        let params = ListParams::default().labels(&format!("{MANAGED_BY_LABEL}={MANAGED_BY}"));
        let kinds = KINDS.iter().filter(|kind| matches!(kind.kind, "NetworkService" | "Pod"));
        let listed = join_all(kinds.map(async |kind| self.api(&resource_of(kind), None).list_metadata(&params).await)).await;
        let labelled = listed.into_iter().flatten().flat_map(|list| list.items);
        let instances: BTreeSet<String> = labelled.filter_map(|object| object.metadata.labels?.get(INSTANCE_LABEL).cloned()).collect();
        instances.into_iter().collect()
    }

    /// The options that the deployment of a plan was made with; `None` for none, and where nothing of it is there.
    pub async fn options(&self, ctx: &Ctx, plan: &Plan) -> Option<String> {
        let looks = plan.objects.iter().map(async |planned| self.api_of(planned).get_metadata_opt(&planned.reference.name).await);
        // What hangs is to cost its own answer only.
        let seen = tokio::time::timeout((ctx.remaining() / 4).min(OPTIONS), join_all(looks)).await.unwrap_or_default();
        let own: Vec<_> = seen.iter().flatten().flatten().filter(|object| is_of(&plan.instance, *object)).collect();
        let unseen = match seen.iter().find_map(|look| look.as_ref().err()) {
            None if seen.is_empty() => Some("there was no answer in time".to_owned()),
            error => error.map(error::describe),
        };
        if let (true, Some(why)) = (own.is_empty(), unseen) {
            ctx.events.warn(format!("with which options it was deployed cannot be seen: {why}; it is held against the flags alone"));
        }
        own.into_iter().find_map(|object| object.annotations().get(OPTIONS_ANNOTATION).cloned())
    }

    /// What of the plan is there and is this deployment's; what cannot be seen is left out.
    pub async fn existing(&self, plan: &Plan) -> Vec<ObjectRef> {
        let look = plan.objects.iter().map(async |planned| {
            let found = self.api_of(planned).get_opt(&planned.reference.name).await.ok().flatten();
            found.filter(|object| is_of(&plan.instance, object)).map(|_| planned.reference.clone())
        });
        join_all(look).await.into_iter().flatten().collect()
    }

    pub(super) fn api_of(&self, planned: &PlannedObject) -> Api<DynamicObject> {
        let PlannedObject { reference, api_version, plural, .. } = planned;
        self.api(&resource(api_version, &reference.kind, plural), reference.namespace.as_deref())
    }

    /// Waits for the service account that a pod runs as where it names none.
    async fn settle(&self, reference: &ObjectRef) {
        let Some(namespace) = &reference.namespace else { return };
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let there = await_condition(api, "default", |account: Option<&ServiceAccount>| account.is_some());
        // Where it does not come, or may not be watched, the second try says what is the matter.
        let _ = tokio::time::timeout(SETTLE, there).await;
    }
}

fn is_object_of(workload: &Workload, reference: &ObjectRef) -> bool {
    workload.kind.to_string() == reference.kind
        && reference.namespace.as_deref() == Some(&workload.id.namespace)
        && workload.id.name == reference.name
}

/// The workload that an object of the plan is.
fn workload_of<'a>(plan: &'a Plan, planned: &PlannedObject) -> Option<&'a Workload> {
    plan.expectations.workloads.iter().find(|workload| is_object_of(workload, &planned.reference))
}

/// The endpoints of the plan that a client is connected to; none for what is no client.
fn endpoints_of<'a>(plan: &'a Plan, planned: &PlannedObject) -> Vec<&'a Namespaced> {
    let Some(workload) = workload_of(plan, planned).filter(|workload| workload.is_client()) else { return Vec::new() };
    let own = plan.expectations.connections.iter().filter(|connection| connection.client == workload.id);
    own.filter_map(|connection| connection.endpoint.as_ref()).collect()
}

fn part_of(object: &DynamicObject) -> Option<&str> {
    object.labels().get(PART_OF_LABEL).map(String::as_str)
}

/// Whether a pod has run to its end, and will never run again.
fn has_ended(object: &DynamicObject) -> bool {
    matches!(object.data.pointer("/status/phase").and_then(Value::as_str), Some("Failed" | "Succeeded"))
}

/// Whether the server refuses because a field cannot be changed, and not because its value is wrong (kubernetes:
/// apimachinery's "field is immutable", and the pod validation's "pod updates may not change fields").
pub(super) fn is_immutable(error: &kube::Error) -> bool {
    let text = error::describe(error);
    ["field is immutable", "may not change fields", "updates to statefulset spec for fields other than"].iter().any(|words| text.contains(words))
}

pub(super) fn refused(error: &kube::Error, planned: &PlannedObject) -> Failure {
    let PlannedObject { reference, source, .. } = planned;
    let failure = error::failure(error, &format!("apply {reference} ({source})"));
    match failure.outcome {
        Outcome::Failed if failure.hint.is_none() => failure.hint("what was applied before stays; `nsmctl cleanup` removes it"),
        _ => failure,
    }
}

/// Whether an object asks for something else than before, so that its pods do not go on. The generation does not tell: that of a
/// Deployment counts annotations too. Nor does the number of pods, unless there were none.
fn is_respecified(before: &DynamicObject, after: &DynamicObject) -> bool {
    let spec = |object: &DynamicObject| {
        let mut spec = object.data["spec"].clone();
        if let Some(replicas) = spec.get_mut("replicas") {
            *replicas = json!(*replicas != json!(0));
        }
        spec
    };
    spec(before) != spec(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_template_and_the_first_pod_change_an_object_and_what_is_written_on_it_does_not() {
        let object = |generation: i64, replicas: u32, image: &str| -> DynamicObject {
            let metadata = json!({"name": "a", "generation": generation, "annotations": {"asked": generation.to_string()}});
            serde_json::from_value(json!({"metadata": metadata, "spec": {"replicas": replicas, "template": {"image": image}}})).unwrap()
        };
        let before = object(1, 1, "one");
        assert!(!is_respecified(&before, &object(2, 1, "one")), "its annotations have changed");
        assert!(!is_respecified(&before, &object(2, 3, "one")), "the pod that there was goes on");
        assert!(is_respecified(&before, &object(2, 1, "two")));
        assert!(is_respecified(&object(1, 0, "one"), &object(2, 1, "one")));
    }

    #[test]
    fn what_was_scaled_to_none_is_scaled_to_one_where_the_manifest_says_nothing() {
        let body = |kind: &str, spec: Value, live: Option<Value>| {
            let reference = ObjectRef::namespaced(kind, "ns", "a");
            let planned =
                PlannedObject { reference, api_version: "apps/v1".into(), plural: String::new(), source: String::new(), body: json!({"spec": spec}) };
            let existing = live.map(|replicas| serde_json::from_value(json!({"metadata": {"name": "a"}, "spec": {"replicas": replicas}})).unwrap());
            Surveyed { planned: &planned, existing }.body()["spec"].get("replicas").cloned()
        };
        assert_eq!(body("Deployment", json!({}), Some(json!(0))), Some(json!(1)));
        assert_eq!(body("StatefulSet", json!({}), Some(json!(0))), Some(json!(1)));
        assert_eq!(body("Deployment", json!({}), Some(json!(3))), None, "an autoscaler's number stays");
        assert_eq!(body("Deployment", json!({}), None), None);
        assert_eq!(body("Deployment", json!({"replicas": 0}), Some(json!(0))), Some(json!(0)));
        assert_eq!(body("DaemonSet", json!({}), Some(json!(0))), None);
    }
}
