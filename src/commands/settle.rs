use std::time::Duration;

use tokio::time::Instant;

use crate::{
    model::{Finding, Result, Verdict},
    report::Report,
    target::Ctx,
};

/// How often the same connections may be found in the making.
const LOOKS: u32 = 3;
/// How often is looked in all: where many clients ask for their connections, links are remade one after the other.
const MOST: u32 = 12;
/// The pause between two looks, and never less than a look has taken: one into many pods costs their nodes as much as the connections
/// that they are to make meanwhile. A client asks for its connection once more when its container starts (upstream: cmd-nsc after
/// cmd-nsc-init), and packets are lost while the link is remade, which takes less than a second.
const PAUSE: Duration = Duration::from_secs(1);
/// What must be left of the time for one more: a look that cannot be finished would say less than the last one.
const ENOUGH: Duration = Duration::from_secs(3);
/// The checks that a link in the making fails.
const UNSETTLED: [&str; 6] = ["interface", "address", "peer-route", "ping-endpoint", "ping-client", "path-mtu"];

/// Looks at what was just deployed, and again where a link may be in the making. What was found last is in the report.
///
/// # Errors
/// That of a look, or the command was stopped.
pub(super) async fn settle(ctx: &Ctx, report: &mut Report, mut look: impl AsyncFnMut(&mut Report) -> Result<()>) -> Result<()> {
    let mut begun = Instant::now();
    look(report).await?;
    let mut same = 1;
    for _ in 1..MOST {
        let before: Vec<Finding> = report.findings.iter().flatten().filter(is_unsettled).cloned().collect();
        let Some(Finding { title, subject, observed, .. }) = before.first() else { break };
        let took = begun.elapsed();
        if ctx.remaining() < ENOUGH.max(2 * took) {
            break;
        }
        let more = if before.len() > 1 { format!(", and {} more", before.len() - 1) } else { String::new() };
        ctx.events.info(format!("not yet: {title} of {subject}: {observed}{more}; looking again"));
        ctx.pause("waiting for links in the making", PAUSE.max(took)).await?;
        begun = Instant::now();
        look(report).await?;
        let seen: Vec<&Finding> = report.findings.iter().flatten().filter(is_unsettled).collect();
        // A path that twice takes no longer packets than these is like that.
        if before.iter().all(|finding| finding.check == "path-mtu") && before.iter().map(gist).eq(seen.iter().copied().map(gist)) {
            break;
        }
        let is_same = before.iter().map(|finding| &finding.subject).eq(seen.iter().map(|finding| &finding.subject));
        same = if is_same { same + 1 } else { 1 };
        if same == LOOKS {
            break;
        }
    }
    Ok(())
}

fn is_unsettled(finding: &&Finding) -> bool {
    UNSETTLED.contains(&finding.check.as_ref()) && matches!(finding.verdict, Verdict::Warn | Verdict::Fail)
}

/// What a finding says, without the evidence: round trips differ from look to look.
fn gist(finding: &Finding) -> (&str, &str, &str) {
    (&finding.check, &finding.subject, &finding.observed)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::{
        cancel::Cancel,
        model::{Event, Notice, Sink},
    };

    fn ping(verdict: Verdict, observed: &str) -> Finding {
        Finding::new("ping-endpoint", "ping → endpoint", "alpine nsm-1", verdict, "4/4", observed)
    }

    /// How many looks it took while they found this, what counted in the end, and what was said.
    async fn settled(found: &[Finding], budget: Duration) -> (usize, String, Vec<String>) {
        let said = Arc::new(Mutex::new(Vec::new()));
        let sink = Sink::new({
            let said = said.clone();
            move |event| {
                if let Event::Notice(Notice::Info(text)) = event {
                    said.lock().unwrap().push(text);
                }
            }
        });
        let (mut looks, mut report) = (0, Report::new("deploy"));
        let ctx = Ctx::new(Cancel::default(), budget, sink);
        let look = async |report: &mut Report| {
            report.findings = Some(vec![found[looks].clone()]);
            looks += 1;
            Ok(())
        };
        settle(&ctx, &mut report, look).await.unwrap();
        let said = said.lock().unwrap().clone();
        (looks, report.findings.unwrap()[0].observed.clone(), said)
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn what_is_lost_while_a_link_is_remade_does_not_count() {
        let said = settled(&[ping(Verdict::Warn, "3/4 received"), ping(Verdict::Pass, "4/4 received")], MINUTE).await;
        assert_eq!(said, (2, "4/4 received".to_owned(), vec!["not yet: ping → endpoint of alpine nsm-1: 3/4 received; looking again".to_owned()]));
        assert_eq!(settled(&[ping(Verdict::Pass, "4/4")], MINUTE).await, (1, "4/4".to_owned(), Vec::new()));
        assert_eq!(settled(&[ping(Verdict::Unknown, "forbidden")], MINUTE).await.0, 1, "that is no matter of time");
    }

    #[tokio::test(start_paused = true)]
    async fn three_looks_are_enough() {
        let lost = ["0/4", "1/4", "0/4 for good"].map(|observed| ping(Verdict::Fail, observed));
        let (looks, last, said) = settled(&lost, MINUTE).await;
        assert_eq!((looks, last.as_str(), said.len()), (3, "0/4 for good", 2));
        let short = |time: &str| Finding { check: "path-mtu".into(), evidence: vec![time.to_owned()], ..ping(Verdict::Warn, "1446 bytes pass") };
        assert_eq!(settled(&[short("0.5 ms"), short("0.6 ms")], MINUTE).await.0, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn where_others_are_in_the_making_it_goes_on() {
        let of = |subject: &str| Finding { subject: subject.to_owned(), ..ping(Verdict::Fail, "0/4") };
        let one_after_the_other: Vec<Finding> = ["a", "b", "c", "d", "e"].map(of).into_iter().chain([ping(Verdict::Pass, "4/4")]).collect();
        assert_eq!(settled(&one_after_the_other, MINUTE).await.0, 6);
        let for_ever: Vec<Finding> = (0..20).map(|number| of(&number.to_string())).collect();
        assert_eq!(settled(&for_ever, MINUTE).await.0, MOST as usize);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_as_long_as_the_look_before_it() {
        let (mut looked_at, mut report) = (Vec::new(), Report::new("deploy"));
        let look = async |report: &mut Report| {
            looked_at.push(Instant::now());
            tokio::time::sleep(Duration::from_secs(if looked_at.len() == 1 { 9 } else { 0 })).await;
            report.findings = Some(vec![ping(Verdict::Fail, "0/4")]);
            Ok(())
        };
        settle(&Ctx::new(Cancel::default(), MINUTE, Sink::none()), &mut report, look).await.unwrap();
        let apart: Vec<u64> = looked_at.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
        assert_eq!(apart, [18, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_there_is_counts() {
        assert_eq!(settled(&[ping(Verdict::Fail, "0/4")], Duration::from_secs(1)).await.0, 1);
    }
}
