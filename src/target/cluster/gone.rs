use kube::{
    Api, Error,
    api::{DeleteParams, DynamicObject, Preconditions},
    runtime::wait::{self, await_condition, conditions::is_deleted},
};

use super::{error, persist::persist};
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
    loop {
        match await_condition(api.clone(), name, is_deleted(uid)).await {
            Ok(_) => return Ok(()),
            // A watch that broke off says nothing about the object; a plain question does.
            Err(wait::Error::ProbeFailed(_)) => match api.get_opt(name).await? {
                Some(still) if still.metadata.uid.as_deref() == Some(uid) => tokio::time::sleep(AGAIN).await,
                _ => return Ok(()),
            },
        }
    }
}

/// The pause after a watch that broke off: long enough not to press a server that is in trouble.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(1);
