use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::future::join_all;
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{
    Cluster, endpoint_resource, error, gone,
    inventory::registered,
    is_of,
    persist::attempt,
    reference, resource_of, selector,
    unconnected::{Client, SHORT_GRACE},
};
use crate::{
    model::{Failure, KINDS, Kind, Namespaced, ObjectRef, ObjectState, Removed, Result},
    target::{Ctx, DeleteOptions},
};

/// How often it is looked why an object is still there.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// How long an object may take to go by itself before `--force` helps: longer than what goes by itself ever needs beyond a
/// pod's grace.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long is waited for a registration that was under way when its endpoint ended, and how often: it goes by two managers and the
/// registry, and on a busy cluster one was seen to come back after it had been removed.
const RENEWAL: Duration = Duration::from_millis(250);
const RENEWALS: u32 = 4;

/// An object that is to go.
struct Doomed {
    reference: ObjectRef,
    resource: ApiResource,
    object: DynamicObject,
    /// Whether its deletion was asked for.
    asked: bool,
}

impl Doomed {
    fn new(resource: &ApiResource, object: DynamicObject) -> Self {
        let asked = object.metadata.deletion_timestamp.is_some();
        Self { reference: reference(resource, &object), resource: resource.clone(), object, asked }
    }

    fn pod(&self) -> Option<Namespaced> {
        let namespace = self.reference.namespace.clone()?;
        (self.reference.kind == "Pod").then(|| Namespaced::new(namespace, &self.reference.name))
    }
}

impl Cluster {
    /// Removes what carries the deployment's label, in every namespace, and waits until it is gone; then the registrations of
    /// its pods; then looks again, to prove it.
    ///
    /// It never touches anything else. A namespace of the deployment that holds the objects of others stays, with them named.
    /// When the time is up, or the command is stopped, what is still there is in the answer with the reason.
    ///
    /// # Errors
    /// The server cannot be asked what there is.
    pub async fn delete(&self, ctx: &Ctx, instance: &str, options: DeleteOptions) -> Result<Removed> {
        let mut removed = Removed::default();
        let mut doomed = ctx.run("looking for what is to be removed", self.labelled(instance, &mut removed.unseen)).await?;
        let pods = doomed.iter().filter(|doomed| doomed.reference.kind == "Pod" && !options.dry_run);
        let clients: Vec<Client> = pods.flat_map(|doomed| Client::of(&doomed.object)).collect();
        let look = async {
            let (kept, unconnected) = futures::join!(self.keep_shared(instance, &mut doomed), self.unconnected(&clients));
            Ok((kept?, unconnected))
        };
        let (kept, unconnected) = ctx.run("looking for what others have in the namespace", look).await?;
        let pods: Vec<Namespaced> = doomed.iter().filter_map(Doomed::pod).collect();
        let owned: Vec<String> = doomed.iter().filter(|d| d.reference.kind == "Namespace").map(|d| d.reference.name.clone()).collect();

        removed.left = kept;
        if options.dry_run {
            let registrations = self.registrations(ctx, &pods, &owned, &mut removed.unseen).await;
            removed.would = doomed.into_iter().chain(registrations).map(|doomed| doomed.reference).collect();
            return Ok(removed);
        }
        self.hurry(ctx, &mut doomed, &unconnected).await;
        let results = join_all(doomed.iter().map(|doomed| self.remove(ctx, doomed, options))).await;
        record(doomed, results, &mut removed);

        self.unregister(ctx, &pods, &owned, options, &mut removed).await;
        self.prove(ctx, instance, &pods, &owned, &mut removed).await;
        Ok(removed)
    }

    /// Everything that carries the deployment's label, in every namespace; kinds that may not be listed are noted.
    async fn labelled(&self, instance: &str, unseen: &mut Vec<String>) -> Result<Vec<Doomed>> {
        let params = ListParams::default().labels(&selector(instance));
        let lists = join_all(KINDS.iter().map(|kind| self.list_kind(kind, instance, &params))).await;
        let mut doomed = Vec::new();
        let mut refused = None;
        for (kind, list) in KINDS.iter().zip(lists) {
            let resource = resource_of(kind);
            match list {
                // The server has selected by the label already; what is deleted is worth a second look.
                Ok(objects) => {
                    doomed.extend(objects.into_iter().filter(|object| is_of(instance, object)).map(|object| Doomed::new(&resource, object)));
                }
                // A kind that the cluster does not serve has no objects.
                Err(error) if error::code(&error) == Some(404) => {}
                Err(error) if error::code(&error) == Some(403) => {
                    unseen.push(format!("{}: {}", kind.plural, error::describe(&error)));
                    refused = Some(error);
                }
                Err(error) => return Err(error::failure(&error, &format!("list {}", kind.plural))),
            }
        }
        match refused {
            Some(error) if unseen.len() >= KINDS.len() - 1 => Err(error::failure(&error, "list what is to be removed")),
            _ => Ok(doomed),
        }
    }

    /// Everywhere; who may not look everywhere looks into the deployment's own namespace, whose name its own begins with.
    async fn list_kind(&self, kind: &Kind, instance: &str, params: &ListParams) -> kube::Result<Vec<DynamicObject>> {
        let resource = resource_of(kind);
        let list = async |namespace: Option<&str>| {
            let api = self.api(&resource, namespace);
            attempt(async || api.list(params).await).await
        };
        match list(None).await {
            Err(error) if error::code(&error) == Some(403) && kind.kind != "Namespace" => Ok(list(instance.split('.').next()).await?.items),
            listed => Ok(listed?.items),
        }
    }

    /// Takes those namespaces off the list that hold what others have put there, and says so.
    async fn keep_shared(&self, instance: &str, doomed: &mut Vec<Doomed>) -> Result<Vec<(ObjectRef, String)>> {
        let mut kept = Vec::new();
        let mut rest = Vec::new();
        for object in doomed.drain(..) {
            let reason = match object.reference.kind.as_str() {
                "Namespace" if object.object.metadata.deletion_timestamp.is_none() => {
                    match self.foreign_objects(instance, &object.reference.name).await {
                        Ok(foreign) if foreign.is_empty() => None,
                        Ok(foreign) => Some(format!("it holds what others made, which stays with it: {}", names(&foreign))),
                        Err(unavailable) => Some(format!("whether it holds what others made cannot be seen: {}", unavailable.reason)),
                    }
                }
                _ => None,
            };
            match reason {
                Some(reason) => kept.push((object.reference, reason)),
                None => rest.push(object),
            }
        }
        *doomed = rest;
        Ok(kept)
    }

    /// Asks for the deletion of pods that would sit out their grace, before anything else is deleted: whoever asks first
    /// says how long they have, and the end of their namespace or of their controller asks as well.
    async fn hurry(&self, ctx: &Ctx, doomed: &mut [Doomed], unconnected: &BTreeMap<Namespaced, u64>) {
        let is_hurried = |doomed: &&mut Doomed| doomed.pod().is_some_and(|pod| unconnected.contains_key(&pod));
        let asked = doomed.iter_mut().filter(is_hurried).map(async |doomed| {
            let api = self.api(&doomed.resource, doomed.reference.namespace.as_deref());
            let ask = gone::ask(ctx, &api, &doomed.reference, &doomed.object, Some(SHORT_GRACE));
            // What is refused here is refused again, and told then.
            doomed.asked = ctx.run("deleting clients without a connection", ask).await.is_ok();
            doomed.asked.then(|| doomed.reference.clone())
        });
        let hurried: Vec<ObjectRef> = join_all(asked).await.into_iter().flatten().collect();
        if let Some(grace) = unconnected.values().max().filter(|_| !hurried.is_empty()) {
            let who = names(&hurried);
            ctx.events
                .info(format!("{who}: NSM's client has no connection yet and would not end by itself: given {SHORT_GRACE} s instead of {grace} s"));
        }
    }

    /// Deletes one object and waits until it is gone; `Err` says why it is still there.
    async fn remove(&self, ctx: &Ctx, doomed: &Doomed, options: DeleteOptions) -> Result<(), String> {
        let Doomed { reference, resource, object, asked } = doomed;
        let api = self.api(resource, reference.namespace.as_deref());
        ctx.events.object(reference, ObjectState::Deleting(String::new()));
        let step = async {
            if !asked {
                gone::ask(ctx, &api, reference, object, None).await?;
            }
            let gone = gone::wait(&api, object);
            tokio::select! {
                gone = gone => gone.map_err(|error| error::failure(&error, &format!("watch {reference}"))),
                failure = self.attend(ctx, &api, doomed, options) => Err(failure),
            }
        };
        match ctx.run("waiting until it is gone", step).await {
            Ok(()) => {
                ctx.events.object(reference, ObjectState::Gone);
                Ok(())
            }
            Err(failure) => {
                let reason = still_there(&api, reference).await.map_or_else(|| failure.message(), |why| format!("{}; {why}", failure.message()));
                ctx.events.object(reference, ObjectState::Deleting(reason.clone()));
                Err(reason)
            }
        }
    }

    /// Removes the registrations of pods that are gone, and not before: an endpoint that lives renews its own. What was under way when
    /// it ended comes after that. One that stays for lack of a right expires within a minute.
    pub(super) async fn unregister(&self, ctx: &Ctx, pods: &[Namespaced], owned: &[String], options: DeleteOptions, removed: &mut Removed) {
        for _ in 0..RENEWALS {
            let registrations = self.registrations(ctx, pods, owned, &mut removed.unseen).await;
            if registrations.is_empty() {
                break;
            }
            let results = join_all(registrations.iter().map(|doomed| self.remove(ctx, doomed, options))).await;
            let is_refused = results.iter().any(Result::is_err);
            record(registrations, results, removed);
            if is_refused || ctx.pause("waiting for registrations under way", RENEWAL).await.is_err() {
                break;
            }
        }
    }

    /// Says from time to time why an object is still there, and with `--force` takes away what holds it. Never ends but by
    /// a failure.
    async fn attend(&self, ctx: &Ctx, api: &Api<DynamicObject>, doomed: &Doomed, options: DeleteOptions) -> Failure {
        let Doomed { reference, .. } = doomed;
        let begun = Instant::now();
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            let Ok(Some(object)) = api.get_opt(&reference.name).await else { continue };
            if let Some(why) = why_still_there(&object) {
                ctx.events.object(reference, ObjectState::Deleting(why));
            }
            if !options.force || begun.elapsed() < PATIENCE || object.metadata.uid != doomed.object.metadata.uid {
                continue;
            }
            if !object.finalizers().is_empty() {
                ctx.events.warn(format!("{reference}: its finalizers {} are taken away (--force)", object.finalizers().join(", ")));
                let strip = Patch::Merge(json!({"metadata": {"finalizers": null}}));
                match api.patch(&reference.name, &PatchParams::default(), &strip).await {
                    Err(error) if error::code(&error) != Some(404) => {
                        return error::failure(&error, &format!("take away the finalizers of {reference}"));
                    }
                    _ => {}
                }
            } else if reference.kind == "Pod" {
                ctx.events.warn(format!("{reference}: its node is not waited for any longer (--force)"));
                // The kubelet has not confirmed its end; whether its processes have ended is then unknown.
                let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
                let _ = api.delete(&reference.name, &now).await;
            }
        }
    }

    /// The registrations that pods of the deployment have left: those of the pods that were just removed, and of any that
    /// were ever in its own namespaces.
    async fn registrations(&self, ctx: &Ctx, pods: &[Namespaced], owned: &[String], unseen: &mut Vec<String>) -> Vec<Doomed> {
        let resource = endpoint_resource();
        let list = async { Ok(self.api(&resource, None).list(&ListParams::default()).await) };
        match ctx.run("looking for registrations", list).await {
            Ok(Ok(list)) => {
                list.items.into_iter().filter(|object| is_registration(object, pods, owned)).map(|object| Doomed::new(&resource, object)).collect()
            }
            Ok(Err(error)) if error::code(&error) == Some(404) => Vec::new(),
            Ok(Err(error)) => {
                unseen.push(format!("{}: {}", resource.plural, error::describe(&error)));
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }

    /// Looks again, everywhere.
    async fn prove(&self, ctx: &Ctx, instance: &str, pods: &[Namespaced], owned: &[String], removed: &mut Removed) {
        let mut unseen = Vec::new();
        let Ok(labelled) = ctx.run("looking whether anything is left", self.labelled(instance, &mut unseen)).await else {
            if removed.left.is_empty() {
                removed.unseen.push("what is left could not be looked for again".to_owned());
            }
            return;
        };
        let registrations = self.registrations(ctx, pods, owned, &mut unseen).await;
        for Doomed { reference, .. } in labelled.into_iter().chain(registrations) {
            if !removed.left.iter().any(|(left, _)| *left == reference) {
                removed.gone.retain(|gone| *gone != reference);
                removed.left.push((reference, "it is there, or there again".to_owned()));
            }
        }
        let seen = KINDS.len() - unseen.len().min(KINDS.len());
        let what = selector(instance);
        removed.proof.push(match removed.left.len() {
            0 => format!("nothing with {what} is left, {seen} kinds looked at in all namespaces"),
            left => format!("{left} objects are left of {what}, {seen} kinds looked at in all namespaces"),
        });
        if !pods.is_empty() || !owned.is_empty() {
            removed.proof.push(format!("no NetworkServiceEndpoint of its pods is registered any more ({} pods)", pods.len()));
        }
    }
}

fn record(doomed: Vec<Doomed>, results: Vec<Result<(), String>>, removed: &mut Removed) {
    for (Doomed { reference, .. }, result) in doomed.into_iter().zip(results) {
        match result {
            // It was there again.
            Ok(()) if removed.gone.contains(&reference) => {}
            Ok(()) => removed.gone.push(reference),
            Err(reason) => removed.left.push((reference, reason)),
        }
    }
}

/// Whether a NetworkServiceEndpoint was registered by one of the pods: it bears the pod's name, and the SPIFFE ID of who
/// registered it names pod and namespace.
fn is_registration(object: &DynamicObject, pods: &[Namespaced], owned: &[String]) -> bool {
    let name = object.name_any();
    let Some(id) = registered(object).spiffe_id else { return false };
    let by = |namespace: &str| id.ends_with(&format!("/ns/{namespace}/pod/{name}"));
    pods.iter().any(|pod| pod.name == name && by(&pod.namespace)) || owned.iter().any(|namespace| by(namespace))
}

/// Why an object that was deleted is still there: finalizers, or what the server says of a namespace's content.
async fn still_there(api: &Api<DynamicObject>, reference: &ObjectRef) -> Option<String> {
    let asked = tokio::time::timeout(Duration::from_secs(2), api.get_opt(&reference.name)).await;
    why_still_there(&asked.ok()?.ok()??)
}

fn why_still_there(object: &DynamicObject) -> Option<String> {
    let mut reasons = Vec::new();
    if !object.finalizers().is_empty() {
        reasons.push(format!("its finalizers are {}", object.finalizers().join(", ")));
    }
    let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
    let mut remaining = BTreeMap::new();
    for condition in conditions.into_iter().flatten().filter(|condition| condition["status"] == "True") {
        if let (Some(kind), Some(message)) = (condition["type"].as_str(), condition["message"].as_str()) {
            remaining.insert(kind.to_owned(), message.to_owned());
        }
    }
    reasons.extend(["NamespaceContentRemaining", "NamespaceFinalizersRemaining"].iter().filter_map(|kind| remaining.remove(*kind)));
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

fn names(objects: &[ObjectRef]) -> String {
    /// A line is to be read; whoever wants all asks kubectl.
    const SHOWN: usize = 5;
    let shown: Vec<String> = objects.iter().take(SHOWN).map(|object| format!("{} {}", object.kind, object.name)).collect();
    let more = objects.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn registration(name: &str, id: &str) -> DynamicObject {
        serde_json::from_value(json!({"metadata": {"name": name, "namespace": "nsm-system"}, "spec": {"path_ids": [id]}})).unwrap()
    }

    #[test]
    fn only_registrations_of_own_pods_are_removed() {
        let pods = [Namespaced::new("ns-a", "nse-1")];
        assert!(is_registration(&registration("nse-1", "spiffe://k8s.nsm/ns/ns-a/pod/nse-1"), &pods, &[]));
        assert!(!is_registration(&registration("nse-1", "spiffe://k8s.nsm/ns/ns-b/pod/nse-1"), &pods, &[]));
        assert!(!is_registration(&registration("nse-2", "spiffe://k8s.nsm/ns/ns-a/pod/nse-2"), &pods, &[]));
        assert!(is_registration(&registration("nse-2", "spiffe://k8s.nsm/ns/ns-a/pod/nse-2"), &pods, &["ns-a".to_owned()]));
        assert!(!is_registration(&registration("forwarder", "spiffe://k8s.nsm/ns/nsm-system/pod/forwarder"), &pods, &["ns-a".to_owned()]));
    }

    #[test]
    fn many_names_are_cut_short() {
        let objects: Vec<ObjectRef> = (0..7).map(|n| ObjectRef::namespaced("ConfigMap", "ns", format!("c{n}"))).collect();
        assert_eq!(names(&objects), "ConfigMap c0, ConfigMap c1, ConfigMap c2, ConfigMap c3, ConfigMap c4 and 2 more");
    }
}
