//! The man pages, with the ids that the catalogues have.

use std::fs;

use super::directory;
use crate::{
    check::CATALOGUE,
    cli::{ManArgs, Table, man_pages},
    diagnose::causes,
    model::{IntoFailure, Outcome, Result},
    report::Report,
};

/// Writes the pages, and says which.
pub(super) fn run(arguments: &ManArgs, report: &mut Report) -> Result<()> {
    let ManArgs { dir } = arguments;
    let pages = man_pages(&tables()).or_fail(Outcome::Defect, "cannot make the man pages")?;
    directory::make("DIR", dir)?;
    let mut written = String::new();
    for (name, text) in pages {
        let path = dir.join(name);
        fs::write(&path, text).map_err(|error| directory::refused(&format!("cannot write {}", path.display()), &error))?;
        written.push_str(&format!("{}\n", path.display()));
    }
    report.text = Some(written);
    Ok(())
}

fn tables() -> [Table; 3] {
    let checks = CATALOGUE.iter().map(|check| (check.id.to_owned(), format!("{}. Where it fails: {}.", check.title, check.hint)));
    let causes = || causes().map(|cause| (cause.id.to_owned(), format!("{} ({}).", cause.title, cause.component))).collect::<Vec<_>>();
    [
        Table { page: "nsmctl-verify.1", title: "CHECKS", rows: checks.collect() },
        Table { page: "nsmctl-troubleshoot.1", title: "CAUSES", rows: causes() },
        Table { page: "nsmctl-explain.1", title: "CAUSES", rows: causes() },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_and_cause_is_on_a_page() {
        let pages = man_pages(&tables()).unwrap();
        let page = |name: &str| pages.iter().find(|(page, _)| page == name).map(|(_, text)| text.clone()).unwrap();
        let has = |text: &str, id: &str| text.contains(&format!("\n\\fB{}\\fR\n", id.replace('-', "\\-")));
        for check in CATALOGUE {
            assert!(has(&page("nsmctl-verify.1"), check.id), "{}", check.id);
            assert!(include_str!("../../README.md").contains(&format!("\n| `{}` |", check.id)), "README: {}", check.id);
        }
        for cause in causes() {
            assert!(has(&page("nsmctl-explain.1"), cause.id) && has(&page("nsmctl-troubleshoot.1"), cause.id), "{}", cause.id);
        }
    }
}
