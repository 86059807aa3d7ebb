//! Rides out what passes: an API server that restarts, is busy, or is lost for a moment.

use std::time::Duration;

use kube::Error;

use super::error;
use crate::{model::Result, target::Ctx};

/// The first pause: an API server behind a load balancer is answered for by another at once.
const FIRST: Duration = Duration::from_millis(200);
/// The longest pause: one that restarts takes some seconds, and is not to be pressed meanwhile.
const LONGEST: Duration = Duration::from_secs(2);
/// What a server that is asked too much wants to be left in peace for where it does not say it in words that arrive here: the
/// API server's own flow control says 1 s, always, in a header that kube-rs does not pass on (kubernetes: `tooManyRequests`).
const PEACE: Duration = Duration::from_secs(1);
/// Whoever is to wait for longer is better told why.
const PATIENCE: Duration = Duration::from_secs(10);

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
                let pause = pause.max(asked_for(&error));
                if ctx.remaining() <= pause {
                    return Err(ctx.timed_out(&format!("trying to {what}: {trouble}")));
                }
                ctx.events.doing(format!("trying to {what} again: {trouble}"));
                tokio::time::sleep(pause).await;
            }
            answer => return Ok(answer),
        }
        pause = (pause * 2).min(LONGEST);
    }
}

/// Asks a few times where an answer is wanted and not needed: what cannot be seen is then unknown.
pub(super) async fn attempt<T>(mut ask: impl AsyncFnMut() -> kube::Result<T>) -> kube::Result<T> {
    let mut pause = FIRST;
    for _ in 1..ATTEMPTS {
        match ask().await {
            Err(error) if passes(&error) && asked_for(&error) <= PATIENCE => tokio::time::sleep(pause.max(asked_for(&error))).await,
            answer => return answer,
        }
        pause *= 2;
    }
    ask().await
}

/// The pause that the server asks for: the `Retry-After` of its answer, as its status repeats it.
fn asked_for(error: &Error) -> Duration {
    let Error::Api(status) = error else { return Duration::ZERO };
    match status.details.as_ref().map_or(0, |details| details.retry_after_seconds) {
        0 if status.code == 429 => PEACE,
        seconds => Duration::from_secs(seconds.into()),
    }
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
    use kube::core::{Status, response::StatusDetails};

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

    #[test]
    fn a_server_may_say_how_long_it_wants_to_be_left_in_peace() {
        let after = |code, seconds| {
            let status = Status { code, details: Some(StatusDetails { retry_after_seconds: seconds, ..nothing() }), ..Status::failure("busy", "") };
            asked_for(&Error::Api(Box::new(status)))
        };
        assert_eq!((after(429, 3), after(503, 2), after(503, 0)), (Duration::from_secs(3), Duration::from_secs(2), Duration::ZERO));
        assert_eq!((asked_for(&refused(429, "busy")), asked_for(&refused(500, "busy"))), (PEACE, Duration::ZERO));
    }

    fn nothing() -> StatusDetails {
        StatusDetails {
            name: String::new(),
            group: String::new(),
            kind: String::new(),
            uid: String::new(),
            causes: Vec::new(),
            retry_after_seconds: 0,
        }
    }

    #[tokio::test]
    async fn who_asks_for_more_patience_than_there_is_is_not_asked_again() {
        let mut asked = 0;
        let answer: kube::Result<()> = attempt(async || {
            asked += 1;
            let details = Some(StatusDetails { retry_after_seconds: 3600, ..nothing() });
            Err(Error::Api(Box::new(Status { code: 429, details, ..Status::failure("busy", "") })))
        })
        .await;
        assert!(answer.is_err() && asked == 1);
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
