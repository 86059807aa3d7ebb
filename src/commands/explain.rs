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
        fix: spelt(cause.fix),
        follows: cause.follows.concat(),
        leads_to: leads_to(cause.id),
        link: cause.link,
    }
}

/// A fix without a case at hand: what a diagnosis fills in stands in capital letters.
fn spelt(fix: &str) -> String {
    let renew = "kubectl -n NAMESPACE delete pod POD && nsmctl deploy";
    let fix = fix.replace("{deploy}", "nsmctl deploy").replace("{renew}", renew).replace("{renew-endpoint}", renew);
    let mut text = String::new();
    let mut rest = fix.as_str();
    while let Some((before, behind)) = rest.split_once('{') {
        let (word, after) = behind.split_once('}').unwrap_or((behind, ""));
        // Others are JSON's.
        let is_word = !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        text.push_str(before);
        rest = if is_word { after } else { behind };
        text.push_str(&if is_word { word.to_ascii_uppercase() } else { "{".to_owned() });
    }
    text + rest
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
    fn what_only_a_diagnosis_knows_stands_in_capital_letters() {
        assert_eq!(spelt("kubectl -n {namespace} get {workload}   # then {deploy}"), "kubectl -n NAMESPACE get WORKLOAD   # then nsmctl deploy");
        assert_eq!(spelt("kubectl patch x -p '{\"spec\":{\"a\":\"{mtu}\"}}'"), "kubectl patch x -p '{\"spec\":{\"a\":\"MTU\"}}'");
        for cause in asked(None).unwrap() {
            let words = cause.fix.split('{').skip(1).filter_map(|part| part.split_once('}'));
            let unfilled: Vec<&str> = words.map(|(word, _)| word).filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-')).collect();
            assert_eq!(unfilled, [""; 0], "{}", cause.id);
        }
    }

    #[test]
    fn an_unknown_id_is_refused_with_the_one_that_may_be_meant() {
        let failure = asked(Some("address-pool-emty")).unwrap_err();
        assert_eq!(failure.message(), "there is no cause address-pool-emty");
        assert_eq!(failure.hint.as_deref(), Some("did you mean address-pool-empty? `nsmctl explain --list` has their ids"));
        assert!(!asked(Some("qqq")).unwrap_err().hint.unwrap().contains("did you mean"));
    }
}
