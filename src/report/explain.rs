//! What `explain` says.

use std::fmt::Write;

use anstyle::Style;

use super::{
    Explained, Look,
    table::table,
    text::{BOLD, DIM, fix_text},
    wrap::paragraph,
};

/// Every cause, a row each.
pub(super) fn list(causes: &[Explained], look: Look) -> String {
    let row = |cause: &Explained| [cause.id, cause.component, cause.title].map(str::to_owned).to_vec();
    format!("{}\n", table(&["ID", "PART", "CAUSE"], causes.iter().map(row).collect(), |_, _| Style::new(), look))
}

/// Causes in full.
pub(super) fn text(causes: &[Explained], look: Look) -> String {
    causes.iter().map(|cause| one(cause, look)).collect::<Vec<_>>().join("\n")
}

fn one(cause: &Explained, look: Look) -> String {
    let mut text =
        paragraph(&format!("{} {}", look.paint(cause.title, BOLD), look.paint(&format!("[{}, {}]", cause.id, cause.component), DIM)), 0, look.width);
    let _ = writeln!(text, "\n{}", paragraph(cause.explanation, 0, look.width));
    let mut said = |label: &str, words: &str| {
        if !words.is_empty() {
            text.push_str(&paragraph(&format!("{}: {words}", look.paint(label, BOLD)), 0, look.width));
        }
    };
    said("seen", cause.seen);
    said("not to be mistaken for", cause.unseen);
    said("follows from", &cause.follows.join(", "));
    said("leads to", &cause.leads_to.join(", "));
    said("in the example's document", cause.documented.unwrap_or_default());
    text.push_str(fix_text(&cause.fix, look).trim_start());
    let _ = writeln!(text, "more: {}", cause.link);
    text
}
