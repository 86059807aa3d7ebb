//! YAML as this crate writes it everywhere, and YAML of which nobody knows who wrote it.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use serde_saphyr::options::DuplicateKeyPolicy;

use super::{error::BundleError, limits};

/// Writes a value.
pub(super) fn write(file: &str, value: &impl Serialize) -> Result<String, BundleError> {
    let options = serde_saphyr::ser_options! {
        // Long lines stay whole.
        folded_wrap_chars: usize::MAX,
    };
    serde_saphyr::to_string_with_options(value, options).map_err(|error| BundleError::Unwritable { file: file.to_owned(), reason: error.to_string() })
}

/// Reads a value of at most so many nodes, and says how many there can have been.
pub(super) fn read<T: DeserializeOwned>(file: &str, text: &str, nodes: usize) -> Result<(T, usize), BundleError> {
    let syntax = |reason: String| BundleError::Syntax { file: file.to_owned(), reason };
    let most = nodes.min(text.len() / limits::NODE + 1024);
    let (used, options) = counted(most);
    // As a tree first: the parser is in the program once, and not once for each type, which would be megabytes of it.
    let tree: Value = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let at = error.location().map(|location| format!("line {}: ", location.line())).unwrap_or_default();
        syntax(format!("{at}{}", error.to_string().lines().next().unwrap_or_default()))
    })?;
    let value = serde_json::from_value(tree).map_err(|error| syntax(error.to_string()))?;
    Ok((value, used.get().min(most)))
}

fn counted(most: usize) -> (std::rc::Rc<std::cell::Cell<usize>>, serde_saphyr::Options) {
    let used = std::rc::Rc::new(std::cell::Cell::new(0));
    let seen = used.clone();
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: most.saturating_mul(3).saturating_add(64),
            max_nodes: most,
            max_depth: 48,
            max_documents: 1,
            // A bundle has neither, and each would be a way to say much in few bytes.
            max_aliases: 0,
            max_anchors: 0,
            max_merge_keys: 0,
            max_total_scalar_bytes: usize::try_from(limits::FILE).unwrap_or(usize::MAX),
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        with_snippet: false,
    };
    (used, options.with_budget_report(move |report| seen.set(report.nodes)))
}
