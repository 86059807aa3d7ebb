use super::session::Session;
use crate::{
    check::{NOT_INSTALLED, preflight},
    manifest::permissions,
    model::{Failure, Outcome, Result, Verdict},
    report::Report,
    target::{Ctx, Target},
};

/// Looks whether the target is fit for the plan, before anything is changed. This machine shows it by doing it.
///
/// # Errors
/// It is not, or the command was stopped.
pub(super) async fn look(session: &Session, ctx: &Ctx, report: &mut Report) -> Result<()> {
    let Session { target: Target::Cluster(cluster), plan, .. } = session else { return Ok(()) };
    ctx.events.doing("looking whether the cluster is fit");
    let facts = cluster.preflight(ctx, plan, permissions(plan)).await?;
    let findings = preflight(plan, &facts);
    ctx.events.doing("");
    let doubtful = findings.iter().filter(|finding| matches!(finding.verdict, Verdict::Warn | Verdict::Unknown));
    for finding in doubtful {
        ctx.events.warn(format!("{} ({}): {}", finding.title, finding.subject, finding.observed));
    }
    // One failure that explains all others is what is said.
    let absent = findings.iter().find(|finding| finding.check == "nsm-api" && finding.verdict == Verdict::Fail && finding.observed == NOT_INSTALLED);
    let absent = absent.and_then(|finding| finding.hint.clone());
    let failed: Vec<String> =
        findings.iter().filter(|finding| finding.verdict == Verdict::Fail).map(|f| format!("{} ({})", f.title, f.observed)).collect();
    report.preflight = Some(findings);
    if failed.is_empty() {
        return Ok(());
    }
    if let Some(hint) = absent {
        let message = format!("Network Service Mesh is not installed on the cluster at {}; nothing was changed", cluster.server());
        return Err(Failure::failed(message).hint(format!("{hint}, or use this machine with --target local")));
    }
    let message = format!("the cluster at {} is not fit: {}; nothing was changed", cluster.server(), failed.join(", "));
    // What is only forbidden says nothing about the cluster.
    let forbidden = report.preflight.iter().flatten().all(|finding| finding.verdict != Verdict::Fail || finding.check == "permissions");
    let outcome = if forbidden { Outcome::CannotTell } else { Outcome::Failed };
    Err(Failure::msg(outcome, message).hint("mend what failed; `nsmctl troubleshoot` says more. --skip-preflight deploys all the same"))
}
