use std::{
    io::Read,
    path::{Path, PathBuf},
};

use serde_json::Value;
use serde_saphyr::{Spanned, options::DuplicateKeyPolicy};

use crate::model::{InvalidNsUrl, InvalidPrefix};

use super::Document;

/// Text with the name that errors call it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// A file's name, or `-` for standard input.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Why manifests cannot be used. Each message names the place and what is wrong there.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A file or directory cannot be read.
    #[error("cannot read {path}: {reason}", path = named(path))]
    Unreadable {
        /// The path as it was given.
        path: PathBuf,
        /// The system's reason.
        #[source]
        reason: std::io::Error,
    },
    /// A directory has no `.yaml`, `.yml` or `.json` file in it.
    #[error("{path} has no .yaml, .yml or .json file in it", path = .0.display())]
    Empty(PathBuf),
    /// There is more than any manifests have.
    #[error("{path} holds more than {MIB} MiB, and no manifests do", path = named(.0), MIB = MOST_BYTES >> 20)]
    TooMuch(PathBuf),
    /// There is no object at all.
    #[error("{0} holds no object")]
    Nothing(String),
    /// The text is not YAML, or has a key twice.
    #[error("{source_name}:{line}: {reason}")]
    Syntax {
        /// The file.
        source_name: String,
        /// The line, from 1.
        line: u64,
        /// What the parser says.
        reason: String,
    },
    /// A document is no Kubernetes object of its kind.
    #[error("{place}: {reason}")]
    Document {
        /// File and line.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// The annotation of a client cannot be read.
    #[error("{place}: annotation networkservicemesh.io: {reason}")]
    Annotation {
        /// File and line.
        place: String,
        /// What is wrong.
        #[source]
        reason: InvalidNsUrl,
    },
    /// The addresses of an endpoint cannot be read.
    #[error("{place}: NSM_CIDR_PREFIX: {reason}")]
    Prefix {
        /// File and line.
        place: String,
        /// What is wrong.
        #[source]
        reason: InvalidPrefix,
    },
    /// The manifests cannot be changed in the way that was asked for.
    #[error("{flag}: {reason}")]
    Customisation {
        /// The flag, with its value where that helps.
        flag: String,
        /// What is in the way.
        reason: String,
        /// What to do about it.
        hint: String,
    },
}

/// How much is read in all, in bytes. Kubernetes takes no object over 1.5 MiB or so; what has no end is no file.
const MOST_BYTES: u64 = 64 << 20;

/// What a person calls it that is named so on the command line.
fn named(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// Reads what `--manifests` names: a file, a directory, or `-` for standard input.
///
/// # Errors
/// [`ManifestError::Unreadable`], [`ManifestError::Empty`] or [`ManifestError::TooMuch`].
pub fn sources(path: &Path) -> Result<Vec<Source>, ManifestError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |reason| ManifestError::Unreadable { path, reason }
    };
    let mut left = MOST_BYTES;
    let mut text = |from: &mut dyn Read, path: &Path| {
        let mut text = String::new();
        let read = from.take(left + 1).read_to_string(&mut text).map_err(unreadable(path))?;
        left = left.checked_sub(read as u64).ok_or_else(|| ManifestError::TooMuch(path.to_owned()))?;
        Ok(text)
    };
    if path == Path::new("-") {
        return Ok(vec![Source { name: "-".to_owned(), text: text(&mut std::io::stdin(), path)? }]);
    }
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let wanted = |file: &Path| file.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|e| extension == *e));
        let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(unreadable(path))?;
        files = entries.into_iter().map(|entry| entry.path()).filter(|file| wanted(file)).collect();
        // The order of a directory is the file system's, and a plan's order must not be.
        files.sort();
        if files.is_empty() {
            return Err(ManifestError::Empty(path.to_owned()));
        }
    }
    files
        .into_iter()
        .map(|file| {
            let mut open = std::fs::File::open(&file).map_err(unreadable(&file))?;
            Ok(Source { name: file.display().to_string(), text: text(&mut open, &file)? })
        })
        .collect()
}

/// Reads every document of every source. Empty documents are passed over and lists taken apart, as kubectl does.
///
/// YAML is read as kubectl reads it, which is YAML 1.1: `0755` is 493, `yes` is true, a key that stands twice is an error.
///
/// # Errors
/// The first document that cannot be used, with its place.
pub fn read(sources: &[Source]) -> Result<Vec<Document>, ManifestError> {
    let mut documents = Vec::new();
    for source in sources {
        let options = serde_saphyr::options! {
            duplicate_keys: DuplicateKeyPolicy::Error,
            legacy_octal_numbers: true,
            strict_booleans: false,
            with_snippet: false,
        };
        let values: Vec<Spanned<Value>> = serde_saphyr::from_multiple_with_options(&source.text, options).map_err(|error| ManifestError::Syntax {
            source_name: source.name.clone(),
            line: error.location().map_or(1, |location| location.line()),
            reason: reason(&error),
        })?;
        for Spanned { value, defined, .. } in values {
            let place = format!("{}:{}", source.name, defined.line().max(1));
            push(value, &place, &mut documents)?;
        }
    }
    if documents.is_empty() {
        let names: Vec<String> = sources.iter().map(|source| named(Path::new(&source.name))).collect();
        return Err(ManifestError::Nothing(names.join(", ")));
    }
    Ok(documents)
}

fn push(value: Value, place: &str, documents: &mut Vec<Document>) -> Result<(), ManifestError> {
    match value {
        Value::Null => Ok(()),
        Value::Object(mut object) if object.get("kind").and_then(Value::as_str) == Some("List") => {
            let Some(Value::Array(items)) = object.remove("items") else {
                return Err(ManifestError::Document { place: place.to_owned(), reason: "a List needs items".to_owned() });
            };
            items.into_iter().try_for_each(|item| push(item, place, documents))
        }
        value => {
            documents.push(Document::new(value, place)?);
            Ok(())
        }
    }
}

/// What the parser says, without its advice to those who program with it.
fn reason(error: &serde_saphyr::Error) -> String {
    match error {
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => format!("duplicate mapping key: {key}"),
        error => error.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Vec<Source> {
        vec![Source { name: "a.yaml".into(), text: text.into() }]
    }

    fn value(yaml: &str) -> Value {
        let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{x: {yaml}}}\n");
        read(&source(&text)).unwrap()[0].value["data"]["x"].clone()
    }

    #[test]
    fn scalars_are_read_as_kubectl_reads_them() {
        assert_eq!(value("0755"), 493);
        assert_eq!(value("\"0755\""), "0755");
        assert_eq!(value("yes"), true);
        assert_eq!(value("\"yes\""), "yes");
        assert_eq!(value("off"), false);
        assert_eq!(value("1.5"), 1.5);
        assert_eq!(value("~"), Value::Null);
        assert_eq!(value("172.16.1.100/31"), "172.16.1.100/31");
    }

    #[test]
    fn a_key_that_stands_twice_is_an_error_with_its_line() {
        let error = read(&source("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  name: b\n")).unwrap_err();
        assert!(matches!(&error, ManifestError::Syntax { line: 5, .. }), "{error}");
        assert!(error.to_string() == "a.yaml:5: duplicate mapping key: name", "{error}");
    }

    #[test]
    fn broken_yaml_names_its_line() {
        let error = read(&source("apiVersion: v1\nkind: [Pod\n")).unwrap_err();
        assert!(matches!(error, ManifestError::Syntax { .. }), "{error:?}");
    }

    #[test]
    fn each_document_knows_its_place_and_empty_ones_do_not_count() {
        let text = "---\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n# nothing\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n";
        let places: Vec<_> = read(&source(text)).unwrap().into_iter().map(|d| d.place).collect();
        assert_eq!(places, ["a.yaml:3", "a.yaml:9"]);
    }

    #[test]
    fn nothing_is_an_error() {
        assert!(matches!(read(&source("---\n")), Err(ManifestError::Nothing(names)) if names == "a.yaml"));
    }

    #[test]
    fn lists_are_taken_apart() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n- {apiVersion: v1, kind: Namespace, metadata: {name: b}}\n";
        assert_eq!(read(&source(text)).unwrap().len(), 2);
    }
}
