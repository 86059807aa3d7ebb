use crate::{
    cli::ExplainArgs,
    diagnose::{Cause, cause, causes, leads_to},
    model::{Failure, Result, did_you_mean},
    report::{Explained, Report},
};

/// Says what a cause is, or which there are.
pub(super) fn run(arguments: &ExplainArgs, report: &mut Report) -> Result<()> {
    let explained = match &arguments.id {
        None => causes().map(explained).collect(),
        Some(id) => vec![explained(cause(id).ok_or_else(|| unknown(id))?)],
    };
    report.shown.evidence = !arguments.list;
    report.explained = Some(explained);
    Ok(())
}

fn explained(cause: &'static Cause) -> Explained {
    Explained {
        id: cause.id,
        title: cause.title,
        component: cause.component,
        documented: cause.document_row,
        seen: cause.seen,
        unseen: cause.unseen,
        explanation: cause.explain,
        fix: cause.fix,
        follows: cause.follows.concat(),
        leads_to: leads_to(cause.id),
        link: cause.link,
    }
}

fn unknown(id: &str) -> Failure {
    let meant = did_you_mean(id, causes().map(|cause| cause.id));
    Failure::usage(format!("there is no cause {id}")).hint(format!("{meant}`nsmctl explain --list` has their ids"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(id: Option<&str>) -> Result<Vec<Explained>> {
        let mut report = Report::new("explain");
        run(&ExplainArgs { id: id.map(str::to_owned), list: id.is_none() }, &mut report)?;
        Ok(report.explained.unwrap())
    }

    #[test]
    fn a_cause_is_explained_with_its_place_in_the_graph() {
        let [one] = &asked(Some("manager-not-ready")).unwrap()[..] else { panic!("one") };
        assert!(one.follows.contains(&"spire-not-ready") && one.leads_to.contains(&"data-path"), "{one:?}");
        assert_eq!(asked(None).unwrap().len(), causes().count());
    }

    #[test]
    fn an_unknown_id_is_refused_with_the_one_that_may_be_meant() {
        let failure = asked(Some("address-pool-emty")).unwrap_err();
        assert_eq!(failure.message(), "there is no cause address-pool-emty");
        assert_eq!(failure.hint.as_deref(), Some("did you mean address-pool-empty? `nsmctl explain --list` has their ids"));
        assert!(!asked(Some("qqq")).unwrap_err().hint.unwrap().contains("did you mean"));
    }
}
