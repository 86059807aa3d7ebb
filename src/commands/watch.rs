//! `verify --watch`: what has changed since the last look.

use std::{collections::BTreeMap, io, time::Duration};

use super::verify::Round;
use crate::{
    model::{Failure, Finding, Outcome, Result, Verdict},
    report::{Change, Format, Report, print, print_changes},
    target::Ctx,
};

/// What one look may take, beside its pings.
const LOOK: Duration = Duration::from_secs(30);

/// Looks again and again, and prints what has changed: the whole table first, then a line a change. Ends with the time
/// budget, where there is one: what it amounts to is then what was seen last.
///
/// # Errors
/// It was stopped, or what it says is not read any more.
pub(super) async fn watch(
    ctx: &Ctx,
    pause: Duration,
    pings: Duration,
    format: Format,
    report: &mut Report,
    look: impl AsyncFn(&Ctx) -> Result<Round>,
) -> Result<()> {
    let mut before: Option<Vec<Finding>> = None;
    report.streamed = true;
    loop {
        let budget = (LOOK + pings).min(ctx.remaining());
        let round = look(&Ctx::new(ctx.cancel.clone(), budget, ctx.events.clone())).await;
        let findings = match round {
            Ok(Round { findings, cut_short: None, .. }) => findings,
            Ok(Round { cut_short: Some(failure), .. }) | Err(failure) => {
                if let Some(reason) = ctx.cancel.reason() {
                    return Err(Failure::msg(reason, "stopped while watching"));
                }
                if ctx.remaining().is_zero() {
                    return Ok(());
                }
                if failure.outcome == Outcome::Usage {
                    return Err(failure);
                }
                vec![Finding::new("target", "looking", "target", Verdict::Unknown, "an answer", failure.message())]
            }
        };
        report.findings = Some(findings.clone());
        let printed = match &before {
            None if format == Format::Table => print(report, format),
            _ => print_changes(&changes(before.as_deref().unwrap_or_default(), &findings), format),
        };
        match printed {
            // Nobody watches any more.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(Failure::failed(format!("cannot write to standard output: {error}"))),
            Ok(()) => {}
        }
        before = Some(findings);
        tokio::select! {
            reason = ctx.cancel.cancelled() => return Err(Failure::msg(reason, "stopped while watching")),
            () = tokio::time::sleep(pause.min(ctx.remaining())) => {}
        }
        if ctx.remaining().is_zero() {
            return Ok(());
        }
    }
}

fn changes(before: &[Finding], now: &[Finding]) -> Vec<Change> {
    let (old, new) = (by_key(before), by_key(now));
    let of = |finding: &Finding| Some(finding.clone());
    let gone = old.iter().filter(|(key, _)| !new.contains_key(*key)).map(|(_, finding)| Change { before: of(finding), now: None });
    let changed = new.iter().filter_map(|(key, finding)| {
        let old = old.get(key).copied();
        let same = old.is_some_and(|old| old.verdict == finding.verdict);
        (!same).then(|| Change { before: old.cloned(), now: of(finding) })
    });
    let mut changes: Vec<Change> = gone.chain(changed).collect();
    // In the order in which they were found, what is gone first.
    changes.sort_by_key(|change| now.iter().position(|finding| Some(finding) == change.now.as_ref()));
    changes
}

/// Findings by check and subject; of several, as with two addresses, by their order.
fn by_key(findings: &[Finding]) -> BTreeMap<(&str, &str, usize), &Finding> {
    let mut keyed = BTreeMap::new();
    for finding in findings {
        let (check, subject) = (&*finding.check, finding.subject.as_str());
        let nth = (0..).find(|nth| !keyed.contains_key(&(check, subject, *nth))).unwrap_or_default();
        keyed.insert((check, subject, nth), finding);
    }
    keyed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(check: &'static str, expected: &str, verdict: Verdict, observed: &str) -> Finding {
        Finding::new(check, check, "alpine", verdict, expected, observed)
    }

    #[test]
    fn a_change_is_another_verdict_and_not_another_number() {
        let before =
            [finding("ping", "a", Verdict::Pass, "0.1 ms"), finding("ping", "b", Verdict::Pass, "0.1 ms"), finding("old", "", Verdict::Skip, "")];
        let now = [finding("ping", "a", Verdict::Pass, "0.9 ms"), finding("ping", "b", Verdict::Fail, "lost"), finding("new", "", Verdict::Pass, "")];
        let words: Vec<String> = changes(&before, &now)
            .iter()
            .map(|change| {
                let word =
                    |finding: &Option<Finding>| finding.as_ref().map_or("-".to_owned(), |finding| format!("{} {}", finding.check, finding.verdict));
                format!("{} → {}", word(&change.before), word(&change.now))
            })
            .collect();
        assert_eq!(words, ["old skip → -", "ping pass → ping fail", "- → new pass"]);
        assert!(changes(&now, &now).is_empty());
    }
}
