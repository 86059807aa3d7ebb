//! What applying would change, line by line or object by object.

use std::fmt::Write;

use anstyle::Style;
use similar::{ChangeTag, TextDiff};

use super::{
    Look,
    table::table,
    text::{GREEN, RED},
};
use crate::model::{Change, Difference};

/// How many lines around a change are shown, as diff(1) has it.
const CONTEXT: usize = 3;

/// A unified diff of every object that would be changed.
pub(super) fn diff(differences: &[Difference], look: Look) -> String {
    let mut text = String::new();
    for difference in differences.iter().filter(|difference| difference.change != Change::None) {
        let (before, after) = &difference.yaml;
        let diff = TextDiff::from_lines(before, after);
        let _ = writeln!(text, "--- {} (now)\n+++ {} ({})", difference.object, difference.object, difference.change);
        if let Some(reason) = &difference.unchecked {
            let _ = writeln!(text, "# {reason}");
        }
        for group in diff.grouped_ops(CONTEXT) {
            for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
                let (sign, style) = match change.tag() {
                    ChangeTag::Delete => ('-', RED),
                    ChangeTag::Insert => ('+', GREEN),
                    ChangeTag::Equal => (' ', Style::new()),
                };
                let _ = writeln!(text, "{}", look.paint(&format!("{sign}{}", change.value().trim_end_matches('\n')), style));
            }
        }
    }
    if text.is_empty() { "nothing would be changed\n".to_owned() } else { text }
}

/// What would be done to each object.
pub(super) fn dry_run(differences: &[Difference], look: Look) -> String {
    let row = |difference: &Difference| {
        vec![difference.object.to_string(), difference.change.to_string(), difference.unchecked.clone().unwrap_or_default()]
    };
    let paint = |row: usize, column: usize| match (column, differences[row].change) {
        (1, Change::Create | Change::Configure) => GREEN,
        (1, Change::Recreate | Change::Remove) => RED,
        _ => Style::new(),
    };
    let unchecked = differences.iter().any(|difference| difference.unchecked.is_some());
    let header: &[&str] = if unchecked { &["OBJECT", "WOULD", "NOT CHECKED BY THE SERVER"] } else { &["OBJECT", "WOULD"] };
    let rows = differences.iter().map(row).map(|mut row| row.drain(..header.len()).collect()).collect();
    format!("{}\n\nnothing was changed\n", table(header, rows, paint, look))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::ObjectRef;

    const PLAIN: Look = Look { width: None, colour: false, unicode: true };

    fn difference(change: Change) -> Difference {
        Difference {
            object: ObjectRef::namespaced("Pod", "ns", "a"),
            change,
            before: Some(json!({"spec": {"image": "old", "name": "a"}})),
            after: Some(json!({"spec": {"image": "new", "name": "a"}})),
            yaml: ("spec:\n  image: old\n  name: a\n".to_owned(), "spec:\n  image: new\n  name: a\n".to_owned()),
            unchecked: None,
        }
    }

    #[test]
    fn only_what_changes_is_shown_with_its_lines() {
        let text = diff(&[difference(Change::Configure)], PLAIN);
        for line in ["--- Pod ns/a (now)", "+++ Pod ns/a (configure)", "-  image: old", "+  image: new", "   name: a"] {
            assert!(text.lines().any(|l| l == line), "{line}: {text}");
        }
        assert_eq!(diff(&[difference(Change::None)], PLAIN), "nothing would be changed\n");
    }

    #[test]
    fn a_dry_run_names_every_object() {
        let unchecked = Difference { unchecked: Some("no namespace yet".to_owned()), ..difference(Change::Create) };
        let text = dry_run(&[unchecked, difference(Change::None)], PLAIN);
        assert!(text.contains("create") && text.contains("no namespace yet") && text.contains("unchanged"), "{text}");
    }
}
