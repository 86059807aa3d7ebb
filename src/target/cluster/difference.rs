use futures::future::try_join_all;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::Value;

use super::{
    Cluster,
    apply::{Survey, Surveyed, is_immutable, refused},
    error, is_of,
    persist::persist,
};
use crate::{
    model::{Change, Difference, Failure, MANAGED_BY, Outcome, Plan, Result},
    target::{ApplyOptions, Ctx},
};

/// What the server writes into an object by itself: no difference in it is anybody's doing.
const KEPT_BY_SERVER: [&str; 6] = ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];

impl Cluster {
    /// What applying the plan would do, asked of the server without its doing it (server-side dry run).
    ///
    /// # Errors
    /// As [`Cluster::apply`].
    pub async fn differences(&self, ctx: &Ctx, plan: &Plan, options: ApplyOptions) -> Result<Vec<Difference>> {
        let look = async {
            let Survey { objects: surveyed, superfluous } = self.survey(ctx, plan).await?;
            let missing: Vec<&str> = surveyed
                .iter()
                .filter(|object| object.planned.reference.kind == "Namespace" && object.existing.is_none())
                .map(|object| object.planned.reference.name.as_str())
                .collect();
            let mut differences = try_join_all(surveyed.iter().map(|object| self.difference(ctx, plan, object, &missing, options))).await?;
            differences.extend(superfluous.into_iter().map(|(object, _, before)| Difference {
                object,
                change: Change::Remove,
                before: Some(clean(&before)),
                after: None,
                unchecked: None,
                yaml: Default::default(),
            }));
            Ok(differences)
        };
        ctx.run("asking what would be changed", look).await
    }

    async fn difference(&self, ctx: &Ctx, plan: &Plan, surveyed: &Surveyed<'_>, missing: &[&str], options: ApplyOptions) -> Result<Difference> {
        let Surveyed { planned, existing } = surveyed;
        let object = planned.reference.clone();
        let before = existing.as_ref().map(clean);
        if object.kind == "Namespace" && existing.as_ref().is_some_and(|existing| !is_of(&plan.instance, existing)) {
            return Ok(Difference { object, change: Change::None, after: before.clone(), before, unchecked: None, yaml: Default::default() });
        }
        if let Some(namespace) = object.namespace.as_deref().filter(|namespace| missing.contains(namespace)) {
            let unchecked = Some(format!("the server checks nothing in the namespace {namespace} before it exists"));
            return Ok(Difference { object, change: Change::Create, before, after: Some(planned.body.clone()), unchecked, yaml: Default::default() });
        }
        let params =
            PatchParams { field_manager: Some(MANAGED_BY.to_owned()), force: options.force_conflicts, dry_run: true, field_validation: None };
        let (api, params) = (self.api_of(planned), params.validation_strict());
        let what = format!("ask about {object}");
        let answer = persist(ctx, &what, async || api.patch(&object.name, &params, &Patch::Apply(surveyed.body().as_ref())).await).await?;
        let after = match answer {
            Ok(after) => clean(&after),
            Err(error) if error::code(&error) == Some(422) && existing.is_some() && is_immutable(&error) => {
                return Ok(Difference {
                    object,
                    change: Change::Recreate,
                    before,
                    after: Some(planned.body.clone()),
                    unchecked: None,
                    yaml: Default::default(),
                });
            }
            // That something differs is an answer, and is told by the same exit code as a failure; this is none.
            Err(error) => return Err(Failure { outcome: Outcome::CannotTell, ..refused(&error, planned) }),
        };
        let change = match &before {
            None => Change::Create,
            Some(before) if *before == after => Change::None,
            Some(_) => Change::Configure,
        };
        Ok(Difference { object, change, before, after: Some(after), unchecked: None, yaml: Default::default() })
    }
}

/// An object without its state and what the server keeps for itself.
fn clean(object: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = value.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| !KEPT_BY_SERVER.contains(&key.as_str()));
    }
    value
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_keeps_for_itself_is_no_difference() {
        let object = json!({
            "apiVersion": "v1", "kind": "Pod", "spec": {"a": 1}, "status": {"phase": "Running"},
            "metadata": {"name": "a", "labels": {"b": "c"}, "uid": "1", "resourceVersion": "2", "managedFields": [], "generation": 3}
        });
        let expected = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"a": 1}, "metadata": {"name": "a", "labels": {"b": "c"}}});
        assert_eq!(clean(&serde_json::from_value(object).unwrap()), expected);
    }
}
