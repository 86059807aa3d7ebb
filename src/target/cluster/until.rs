use std::time::Duration;

use kube::{
    Api,
    api::DynamicObject,
    runtime::wait::{Error, await_condition},
};

/// The pause after a watch that broke off: long enough not to press a server that is in trouble.
const AGAIN: Duration = Duration::from_secs(1);

/// Watches the object of that name until it is as it should be; `None` is an object that is not there. Has no end of its own.
pub(super) async fn until(api: &Api<DynamicObject>, name: &str, is_reached: impl Fn(Option<&DynamicObject>) -> bool) -> kube::Result<()> {
    loop {
        match await_condition(api.clone(), name, &is_reached).await {
            Ok(_) => return Ok(()),
            // A watch that broke off says nothing about the object; a plain question does.
            Err(Error::ProbeFailed(_)) if is_reached(api.get_opt(name).await?.as_ref()) => return Ok(()),
            Err(Error::ProbeFailed(_)) => tokio::time::sleep(AGAIN).await,
        }
    }
}
