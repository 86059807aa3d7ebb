//! Which of the checks count, where a person has chosen.

use super::{CATALOGUE, Check};
use crate::model::{Finding, Outcome, Verdict, similar};

/// What the finding of a check that was left out is about.
const SUBJECT: &str = "all";

/// Which checks are left out, and why. The default leaves out none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection(Vec<(&'static str, &'static str)>);

/// Why checks cannot be chosen so.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSelection {
    /// There is no such check.
    #[error("there is no check {id:?}")]
    Unknown {
        /// What was typed.
        id: String,
        /// What was meant, probably.
        similar: Option<&'static str>,
    },
    /// No check is left.
    #[error("--select and --skip leave no check")]
    Empty,
}

impl Selection {
    /// The checks of `select`, or all where it is empty, without those of `skip`.
    ///
    /// # Errors
    /// An id is none of the catalogue's, or no check would be left.
    pub fn new(select: &[String], skip: &[String]) -> Result<Self, InvalidSelection> {
        let (select, skip) = (known(select)?, known(skip)?);
        let reason = |check: &Check| match check.id {
            id if skip.contains(&id) => Some((id, "skipped: --skip")),
            id if !select.is_empty() && !select.contains(&id) => Some((id, "skipped: not selected by --select")),
            _ => None,
        };
        let left_out: Vec<_> = CATALOGUE.iter().filter_map(reason).collect();
        if left_out.len() == CATALOGUE.len() { Err(InvalidSelection::Empty) } else { Ok(Self(left_out)) }
    }

    /// The findings of the checks that count; each of the others is one finding that says why it does not.
    #[must_use]
    pub fn apply(&self, findings: Vec<Finding>) -> Vec<Finding> {
        if self.0.is_empty() {
            return findings;
        }
        let reason = |id: &str| self.0.iter().find(|(left_out, _)| *left_out == id).map(|(_, reason)| *reason);
        let mut chosen: Vec<Finding> = findings.into_iter().filter(|finding| reason(&finding.check).is_none()).collect();
        // What was left out is no pass for a run in which nothing else was found.
        let nothing = chosen.is_empty();
        if Finding::outcome(&chosen) == Outcome::Passed {
            // Nor is what waits for something that is told of in what was left out.
            chosen.iter_mut().filter(|finding| finding.blocked).for_each(|finding| finding.verdict = Verdict::Unknown);
        }
        chosen.extend(CATALOGUE.iter().filter_map(|check| match reason(check.id) {
            Some(reason) => Some(check.finding(SUBJECT, Verdict::Skip, "", reason)),
            None => nothing.then(|| check.finding(SUBJECT, Verdict::Unknown, "", "nothing was found that could be judged")),
        }));
        // Stable, so that the findings of one check stay in their order.
        chosen.sort_by_key(|finding| CATALOGUE.iter().position(|check| check.id == finding.check));
        chosen
    }
}

fn known(ids: &[String]) -> Result<Vec<&'static str>, InvalidSelection> {
    let known = |id: &String| {
        let id = id.trim();
        let found = CATALOGUE.iter().find(|check| check.id == id).map(|check| check.id);
        found.ok_or_else(|| InvalidSelection::Unknown { id: id.to_owned(), similar: similar(id, CATALOGUE.map(|check| check.id)) })
    };
    ids.iter().map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        check::{
            Thresholds, evaluate,
            fixture::{CLIENT, ENDPOINT, expectations, healthy, link, links, pod_mut, printed, probes_mut},
        },
        model::Observation,
    };

    fn selection(select: &[&str], skip: &[&str]) -> Result<Selection, InvalidSelection> {
        let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        Selection::new(&owned(select), &owned(skip))
    }

    fn findings() -> Vec<Finding> {
        evaluate(&expectations(), &healthy().observation, Thresholds::default())
    }

    #[test]
    fn without_a_choice_everything_counts() {
        assert_eq!(selection(&[], &[]).unwrap(), Selection::default());
        assert_eq!(Selection::default().apply(findings()), findings());
    }

    #[test]
    fn what_was_left_out_says_so_once_at_its_place() {
        let ids = |findings: &[Finding]| findings.iter().map(|finding| finding.check.clone()).collect::<Vec<_>>();
        let found = selection(&[], &["ping-client"]).unwrap().apply(findings());
        assert_eq!(ids(&found), ids(&findings()), "in the order of the catalogue");
        let skipped: Vec<_> = found.iter().filter(|finding| finding.verdict == Verdict::Skip).collect();
        assert_eq!(skipped.len(), 1);
        assert_eq!((&*skipped[0].check, &*skipped[0].subject, &*skipped[0].observed), ("ping-client", "all", "skipped: --skip"));

        let found = selection(&["address", "ping-client"], &["ping-client"]).unwrap().apply(findings());
        assert_eq!(found.iter().filter(|finding| finding.verdict == Verdict::Pass).count(), 2, "both ends' addresses");
        let reasons = |reason: &str| found.iter().filter(|finding| finding.observed == reason).count();
        assert_eq!((reasons("skipped: --skip"), reasons("skipped: not selected by --select")), (1, CATALOGUE.len() - 2));
    }

    #[test]
    fn what_waits_for_something_that_was_left_out_is_no_pass() {
        let outcome = |select: &[&str], skip: &[&str], change: fn(&mut Observation)| {
            let mut observation = healthy().observation;
            change(&mut observation);
            let findings = evaluate(&expectations(), &observation, Thresholds::default());
            Finding::outcome(&selection(select, skip).unwrap().apply(findings))
        };
        let deleted: fn(&mut Observation) = |o| o.inventory.pods.as_mut().unwrap().retain(|pod| pod.id.name != CLIENT);
        let begins: fn(&mut Observation) = |o| {
            pod_mut(o, CLIENT).init_containers[0].ready = false;
            o.probes.retain(|probes| probes.pod.name != CLIENT);
        };
        let no_endpoint: fn(&mut Observation) = |o| o.inventory.pods.as_mut().unwrap().retain(|pod| pod.id.name != ENDPOINT);
        for (change, checks) in
            [(deleted, &["interface", "ping-endpoint", "dns"][..]), (begins, &["interface", "dns"]), (no_endpoint, &["ping-client"])]
        {
            for check in checks {
                assert_eq!(outcome(&[check], &[], change), Outcome::CannotTell, "{check}");
            }
        }
        let flushed: fn(&mut Observation) = |o| probes_mut(o, CLIENT).links = printed("ip addr", &links(&link("nsm-1", &[])));
        for check in ["ping-endpoint", "peer-route", "address-overlap"] {
            let mut observation = healthy().observation;
            flushed(&mut observation);
            let mut promised = expectations();
            promised.connections[0].addresses = None;
            let chosen = selection(&[check], &[]).unwrap().apply(evaluate(&promised, &observation, Thresholds::default()));
            assert_eq!(Finding::outcome(&chosen), Outcome::CannotTell, "{check}: {chosen:?}");
        }
        assert_eq!(outcome(&["interface", "pods-ready"], &[], deleted), Outcome::Failed, "what it waits for is told of");
        assert_eq!(outcome(&["dns"], &[], |o| probes_mut(o, CLIENT).resolver = None), Outcome::Passed, "nothing is amiss");
    }

    #[test]
    fn a_choice_is_never_worse_than_the_whole_where_nothing_is_amiss() {
        let mut scaled = (expectations(), healthy().observation);
        scaled.0.workloads.iter_mut().filter(|workload| workload.is_client()).for_each(|workload| workload.replicas = Some(0));
        scaled.1.inventory.pods.as_mut().unwrap().retain(|pod| pod.id.name != CLIENT);
        for (promised, observation) in [(expectations(), healthy().observation), scaled] {
            let findings = evaluate(&promised, &observation, Thresholds::default());
            assert_eq!(Finding::outcome(&findings), Outcome::Passed);
            for check in CATALOGUE.iter().filter(|check| findings.iter().any(|finding| finding.check == check.id)) {
                for chosen in [selection(&[check.id], &[]), selection(&[], &[check.id])] {
                    assert_eq!(Finding::outcome(&chosen.unwrap().apply(findings.clone())), Outcome::Passed, "{}", check.id);
                }
            }
        }
    }

    #[test]
    fn nothing_found_is_not_a_pass_of_what_was_selected() {
        let found = selection(&["interface"], &[]).unwrap().apply(Vec::new());
        assert_eq!(Finding::outcome(&found), Outcome::CannotTell);
        assert_eq!(found.len(), CATALOGUE.len());
    }

    #[test]
    fn what_is_no_check_is_refused_with_what_was_meant() {
        let unknown = |id: &str| selection(&[id], &[]).unwrap_err();
        for (typed, meant) in [("ping-endpont", Some("ping-endpoint")), ("adress", Some("address")), ("INTERFACE", Some("interface")), ("x", None)] {
            assert_eq!(unknown(typed), InvalidSelection::Unknown { id: typed.to_owned(), similar: meant });
        }
        assert_eq!(selection(&["address"], &["address"]), Err(InvalidSelection::Empty));
        assert_eq!(selection(&[" address"], &[]), selection(&["address"], &[]));
    }
}
