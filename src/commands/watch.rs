//! `--watch`: what has changed since the last look.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    time::Duration,
};

use super::verify::Round;
use crate::{
    check::TARGET,
    model::{Failure, Finding, Outcome, Result, Verdict},
    report::{Change, Format, Report, print, print_changes},
    target::Ctx,
};

/// What one look may take, beside its pings.
pub(super) const LOOK: Duration = Duration::from_secs(30);

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
    let findings = async |ctx: &Ctx| match look(ctx).await? {
        Round { findings, cut_short: None, .. } => Ok(findings),
        Round { cut_short: Some(failure), .. } => Err(failure),
    };
    again(ctx, pause, LOOK + pings, findings, |findings| {
        let findings = findings.unwrap_or_else(|failure| vec![no_answer(&failure)]);
        report.findings = Some(findings.clone());
        let printed = match &before {
            None if format == Format::Table => print(report, format),
            _ => print_changes(&changes(before.as_deref().unwrap_or_default(), &findings, |old, now| old.verdict == now.verdict), format),
        };
        before = Some(findings);
        printed
    })
    .await
}

/// That the target gave no answer: a finding like others, for whoever watches goes on.
pub(super) fn no_answer(failure: &Failure) -> Finding {
    Finding::new(TARGET, "looking", "target", Verdict::Unknown, "an answer", failure.message())
}

/// Looks again and again with a pause, each look within its budget, and tells what came of it. Ends with the time budget, where
/// there is one, and when nobody reads what is told.
///
/// # Errors
/// It was stopped, the time was up before the first look was done, it is asked for what cannot be, or what it says cannot be
/// written. A later look that the time cuts short is none.
pub(super) async fn again<T>(
    ctx: &Ctx,
    pause: Duration,
    budget: Duration,
    look: impl AsyncFn(&Ctx) -> Result<T>,
    mut tell: impl FnMut(Result<T>) -> io::Result<()>,
) -> Result<()> {
    let mut has_told = false;
    loop {
        let budget = budget.min(ctx.remaining());
        let looked = look(&Ctx::new(ctx.cancel.clone(), budget, ctx.events.clone())).await;
        if let Err(failure) = &looked {
            if let Some(reason) = ctx.cancel.reason() {
                return Err(Failure::msg(reason, "stopped while watching"));
            }
            // A look that the time cuts short says nothing new; where it is the first, nothing was seen at all.
            if ctx.remaining().is_zero() && has_told {
                return Ok(());
            }
            if ctx.remaining().is_zero() || failure.outcome == Outcome::Usage {
                return looked.map(drop);
            }
        }
        match tell(looked) {
            // Nobody watches any more.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(Failure::failed(format!("cannot write to standard output: {error}"))),
            Ok(()) => has_told = true,
        }
        tokio::select! {
            reason = ctx.cancel.cancelled() => return Err(Failure::msg(reason, "stopped while watching")),
            () = tokio::time::sleep(pause.min(ctx.remaining())) => {}
        }
        if ctx.remaining().is_zero() {
            return Ok(());
        }
    }
}

/// What is new, is gone, or is not the same any more.
pub(super) fn changes(before: &[Finding], now: &[Finding], is_same: impl Fn(&Finding, &Finding) -> bool) -> Vec<Change> {
    let (old, new): (BTreeMap<Key, &Finding>, BTreeSet<Key>) = (keyed(before).collect(), keyed(now).map(|(key, _)| key).collect());
    let of = |finding: &Finding| Some(finding.clone());
    let gone = old.iter().filter(|(key, _)| !new.contains(*key)).map(|(_, finding)| Change { before: of(finding), now: None });
    let changed = keyed(now).filter_map(|(key, finding)| {
        let old = old.get(&key).copied();
        let same = old.is_some_and(|old| is_same(old, finding));
        (!same).then(|| Change { before: old.cloned(), now: of(finding) })
    });
    // In the order in which they were found, what is gone first.
    gone.chain(changed).collect()
}

/// By what a finding is known again: check and subject; of several, as with two addresses, by their order.
type Key<'a> = (&'a str, &'a str, usize);

fn keyed(findings: &[Finding]) -> impl Iterator<Item = (Key<'_>, &Finding)> {
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    findings.iter().map(move |finding| {
        let (check, subject) = (&*finding.check, finding.subject.as_str());
        let count = counts.entry((check, subject)).or_default();
        *count += 1;
        ((check, subject, *count), finding)
    })
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
        let same = |old: &Finding, now: &Finding| old.verdict == now.verdict;
        let words: Vec<String> = changes(&before, &now, same)
            .iter()
            .map(|change| {
                let word =
                    |finding: &Option<Finding>| finding.as_ref().map_or("-".to_owned(), |finding| format!("{} {}", finding.check, finding.verdict));
                format!("{} → {}", word(&change.before), word(&change.now))
            })
            .collect();
        assert_eq!(words, ["old skip → -", "ping pass → ping fail", "- → new pass"]);
        assert!(changes(&now, &now, same).is_empty());
    }
}
