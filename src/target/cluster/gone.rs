use kube::{
    Api, Error,
    api::{DeleteParams, DynamicObject, Preconditions},
};

use super::{error, persist::persist, until::until};
use crate::{
    model::{ObjectRef, Result},
    target::Ctx,
};

/// Asks for an object's deletion, and for no other's: one of the same name that somebody makes in this moment stays. That it
/// is gone already is no error. `grace` is how many seconds a pod has to end; `None` leaves it its own.
pub(super) async fn ask(ctx: &Ctx, api: &Api<DynamicObject>, reference: &ObjectRef, object: &DynamicObject, grace: Option<u32>) -> Result<()> {
    let params = DeleteParams {
        grace_period_seconds: grace,
        preconditions: Some(Preconditions { uid: object.metadata.uid.clone(), resource_version: None }),
        ..DeleteParams::background()
    };
    let what = format!("delete {reference}");
    match persist(ctx, &what, async || api.delete(&reference.name, &params).await).await? {
        Err(error) if !matches!(error::code(&error), Some(404 | 409)) => Err(error::failure(&error, &what)),
        _ => Ok(()),
    }
}

/// Waits until an object is gone, or another of the same name stands in its place. Has no end of its own.
pub(super) async fn wait(api: &Api<DynamicObject>, object: &DynamicObject) -> Result<(), Error> {
    let (Some(name), Some(uid)) = (object.metadata.name.as_deref(), object.metadata.uid.as_deref()) else { return Ok(()) };
    until(api, name, |now| now.is_none_or(|now| now.metadata.uid.as_deref() != Some(uid))).await
}
