//! Rides out what passes: an API server that restarts, is busy, or is lost for a moment.

use std::time::Duration;

use kube::Error;

use super::error;
use crate::{model::Result, target::Ctx};

/// The first pause: an API server behind a load balancer is answered for by another at once.
const FIRST: Duration = Duration::from_millis(200);
/// The longest pause: one that restarts takes some seconds, and is not to be pressed meanwhile.
const LONGEST: Duration = Duration::from_secs(2);

/// How often is asked what is wanted and not needed.
const ATTEMPTS: u32 = 3;

/// Asks until there is an answer, as long as the time budget lasts. An answer may be a refusal; trouble on the way is none.
///
/// # Errors
/// The time is up; what stood in the way is said.
pub(super) async fn persist<T>(ctx: &Ctx, what: &str, mut ask: impl AsyncFnMut() -> kube::Result<T>) -> Result<kube::Result<T>> {
    let mut pause = FIRST;
    loop {
        match ask().await {
            Err(error) if passes(&error) => {
                let trouble = error::describe(&error);
                if ctx.remaining() <= pause {
                    return Err(ctx.timed_out(&format!("trying to {what}: {trouble}")));
                }
                ctx.events.doing(format!("trying to {what} again: {trouble}"));
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST);
            }
            answer => return Ok(answer),
        }
    }
}

/// Asks a few times where an answer is wanted and not needed: what cannot be seen is then unknown.
pub(super) async fn attempt<T>(mut ask: impl AsyncFnMut() -> kube::Result<T>) -> kube::Result<T> {
    let mut pause = FIRST;
    for _ in 1..ATTEMPTS {
        match ask().await {
            Err(error) if passes(&error) => tokio::time::sleep(pause).await,
            answer => return answer,
        }
        pause *= 2;
    }
    ask().await
}

/// Whether an error may be over in a moment: no connection, or a server that says that it is not itself.
fn passes(error: &Error) -> bool {
    match error {
        Error::Api(status) => match status.code {
            429 | 502 | 503 | 504 => true,
            // A webhook that is down is an answer, and one to act upon.
            500 => !status.message.contains("webhook"),
            _ => false,
        },
        Error::HyperError(_) | Error::Service(_) | Error::ReadEvents(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;
    use crate::{
        cancel::Cancel,
        model::{Outcome, Sink},
    };

    fn refused(code: u16, message: &str) -> Error {
        Error::Api(Box::new(Status::failure(message, "Reason").with_code(code)))
    }

    fn ctx(budget: Duration) -> Ctx {
        Ctx::new(Cancel::default(), budget, Sink::none())
    }

    #[tokio::test]
    async fn what_passes_is_ridden_out() {
        for code in [429, 500, 502, 503, 504] {
            let (ctx, mut left) = (ctx(Duration::from_secs(30)), 2);
            let answer = persist(&ctx, "ask", async || {
                left -= 1;
                if left > 0 { Err(refused(code, "not now")) } else { Ok(7) }
            })
            .await;
            assert_eq!(answer.unwrap().unwrap(), 7, "{code}");
        }
    }

    #[tokio::test]
    async fn an_answer_is_an_answer() {
        for (code, message) in [(403, "forbidden"), (404, "not found"), (409, "conflict"), (422, "invalid"), (500, "failed calling webhook \"x\"")] {
            let mut asked = 0;
            let answer: kube::Result<()> = persist(&ctx(Duration::from_secs(30)), "ask", async || {
                asked += 1;
                Err(refused(code, message))
            })
            .await
            .unwrap();
            assert_eq!((error::code(&answer.unwrap_err()), asked), (Some(code), 1));
        }
    }

    #[tokio::test]
    async fn what_is_only_wanted_is_asked_for_a_few_times() {
        let mut asked = 0;
        let answer: kube::Result<()> = attempt(async || {
            asked += 1;
            Err(refused(503, "starting"))
        })
        .await;
        assert!(answer.is_err() && asked == ATTEMPTS);
    }

    #[tokio::test]
    async fn it_ends_with_the_time_and_says_what_stood_in_the_way() {
        let failure = persist::<()>(&ctx(Duration::from_millis(300)), "apply it", async || Err(refused(503, "starting"))).await.unwrap_err();
        assert_eq!(failure.outcome, Outcome::TimedOut);
        assert!(failure.message().ends_with("while trying to apply it: starting"), "{}", failure.message());
    }
}
