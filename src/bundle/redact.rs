//! What is taken out of a value before it is written, and the list of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    index::Redaction,
    pem::clean_lines,
    secrets::{REDACTED, Reason, is_credential, is_credential_option, is_empty, is_encoded, is_harmless},
    text::clean,
};

/// How much of the list is written; the rest is counted.
const LISTED: usize = 5_000;
/// The least length of an annotation in base64 that is taken for a copy of something, in bytes.
const ENCODED: usize = 200;

/// Takes out what looks like a secret, and keeps the list.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    found: BTreeMap<(String, String, Reason), u32>,
}

impl Redactor {
    /// The list, how much more there is than is on it, and how much was taken out in all.
    pub(super) fn list(self) -> (Vec<Redaction>, u32, u32) {
        let all: u32 = self.found.values().sum();
        let listed: Vec<Redaction> =
            self.found.into_iter().take(LISTED).map(|((file, place, reason), count)| Redaction { file, place, reason, count }).collect();
        let beyond = all - listed.iter().map(|redaction| redaction.count).sum::<u32>();
        (listed, beyond, all)
    }

    /// A text that is written in several places and listed in another.
    pub(super) fn name(text: &str) -> String {
        clean(text, &mut |_| {}).into_owned()
    }

    /// The lines of a log, by their numbers.
    pub(super) fn lines(&mut self, file: &str, lines: &[String]) -> Vec<String> {
        clean_lines(lines, |number, reason| self.note(file, &format!("line {number}"), reason))
    }

    /// A value, however deep; `place` is where it is in the file.
    pub(super) fn value(&mut self, file: &str, place: &str, value: &mut Value) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => self.text(file, place, text),
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(file, &format!("{place}[{index}]"), item);
                }
            }
            Value::Object(fields) => self.fields(file, place, fields),
        }
    }

    fn note(&mut self, file: &str, place: &str, reason: Reason) {
        *self.found.entry((file.to_owned(), place.to_owned(), reason)).or_default() += 1;
    }

    fn text(&mut self, file: &str, place: &str, text: &mut String) {
        let cleaned = clean(text, &mut |reason| self.note(file, place, reason));
        if let std::borrow::Cow::Owned(cleaned) = cleaned {
            *text = cleaned;
        }
    }

    fn blank(&mut self, file: &str, place: &str, value: &mut Value, reason: Reason) {
        if !value.as_str().is_some_and(is_empty) && !value.is_null() {
            self.note(file, place, reason);
            *value = Value::from(REDACTED);
        }
    }

    fn fields(&mut self, file: &str, place: &str, fields: &mut Map<String, Value>) {
        let is_of_content = matches!(fields.get("kind").and_then(Value::as_str), Some("Secret" | "ConfigMap"));
        let cleaned = std::mem::take(fields);
        for (key, mut value) in cleaned {
            let mut name = key.clone();
            self.text(file, place, &mut name);
            let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
            match (key.as_str(), &mut value) {
                ("managedFields", Value::Array(_)) => continue,
                ("data" | "stringData" | "binaryData", _) if is_of_content => {
                    self.note(file, &place, Reason::Content);
                    continue;
                }
                ("caBundle", Value::String(_)) => self.blank(file, &place, &mut value, Reason::Pem),
                ("annotations", Value::Object(annotations)) => self.annotations(file, &place, annotations),
                ("env", Value::Array(variables)) => self.variables(file, &place, variables),
                ("httpHeaders", Value::Array(headers)) => {
                    for (index, header) in headers.iter_mut().enumerate() {
                        let place = format!("{place}[{index}]");
                        if let Some(value) = header.get_mut("value") {
                            self.blank(file, &format!("{place}.value"), value, Reason::Header);
                        }
                        self.value(file, &place, header);
                    }
                }
                ("args" | "command", Value::Array(words)) => self.words(file, &place, words),
                (key, Value::String(_)) if is_credential(key) => self.blank(file, &place, &mut value, Reason::Credential),
                (_, value) => self.value(file, &place, value),
            }
            fields.insert(name, value);
        }
    }

    fn annotations(&mut self, file: &str, place: &str, annotations: &mut Map<String, Value>) {
        // Copies of the whole object, kubectl's and others', with all that is taken out of it elsewhere.
        let is_copy = |key: &str| key.contains("last-applied") || key.ends_with("/applied");
        for (key, mut value) in std::mem::take(annotations) {
            let mut name = key.clone();
            self.text(file, place, &mut name);
            let place = format!("{place}.{name}");
            if is_copy(&key) {
                self.note(file, &place, Reason::LastApplied);
                continue;
            }
            if is_credential(&key) {
                self.blank(file, &place, &mut value, Reason::Credential);
            } else if value.as_str().is_some_and(|text| is_encoded(text, ENCODED)) {
                self.blank(file, &place, &mut value, Reason::Encoded);
            } else if let Some(mut inner) = value.as_str().and_then(embedded) {
                let before = inner.clone();
                self.value(file, &place, &mut inner);
                if inner != before {
                    value = Value::from(inner.to_string());
                }
            }
            // What is no secret as JSON may be one as a text.
            self.value(file, &place, &mut value);
            annotations.insert(name, value);
        }
    }

    fn variables(&mut self, file: &str, place: &str, variables: &mut [Value]) {
        for (index, variable) in variables.iter_mut().enumerate() {
            let name = variable.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let inside = format!("{place}[{}]", if name.is_empty() { index.to_string() } else { Self::name(&name) });
            if let Some(value) = variable.get_mut("value").filter(|_| !is_harmless(&name)) {
                self.blank(file, &format!("{inside}.value"), value, Reason::Environment);
            }
            self.value(file, &inside, variable);
        }
    }

    /// The words of a command: `--token=x`, `--token x`, and whatever else looks like a secret.
    fn words(&mut self, file: &str, place: &str, words: &mut [Value]) {
        let mut is_next = false;
        for (index, word) in words.iter_mut().enumerate() {
            let place = format!("{place}[{index}]");
            let Value::String(text) = word else {
                self.value(file, &place, word);
                continue;
            };
            let is_option = text.starts_with('-');
            if std::mem::take(&mut is_next) && !is_option {
                self.blank(file, &place, word, Reason::Argument);
                continue;
            }
            match text.split_once('=') {
                Some((option, value)) if is_option && is_credential_option(option) => {
                    if !is_empty(value) {
                        *text = format!("{option}={REDACTED}");
                        self.note(file, &place, Reason::Argument);
                    }
                }
                Some(_) => {}
                None => is_next = is_option && !text.contains(char::is_whitespace) && is_credential_option(text),
            }
            self.text(file, &place, text);
        }
    }
}

/// An object or a list that stands in a text as JSON.
fn embedded(text: &str) -> Option<Value> {
    let text = text.trim_start();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redacted(mut value: Value) -> (Value, Vec<(String, Reason)>) {
        let mut redactor = Redactor::default();
        redactor.value("f", "", &mut value);
        (value, redactor.list().0.into_iter().map(|found| (found.place, found.reason)).collect())
    }

    #[test]
    fn a_pod_keeps_what_diagnosis_needs_and_nothing_else() {
        let copy = json!({"spec": {"containers": [{"env": [{"name": "A", "value": "hidden1"}]}]}}).to_string();
        let pod = json!({
            "kind": "Pod",
            "metadata": {
                "name": "a", "managedFields": [{"manager": "hidden2"}],
                "annotations": {
                    "kubectl.kubernetes.io/last-applied-configuration": "hidden3", "objectset.rio.cattle.io/applied": "hidden4",
                    "networkservicemesh.io": "kernel://a/nsm-1", "example.com/api-token": "hidden5", "copy": copy, "vault/secret-path": "kv/a"
                }
            },
            "spec": {
                "imagePullSecrets": [{"name": "regcred"}],
                "volumes": [{"secret": {"secretName": "mine"}}],
                "containers": [{
                    "command": ["app", "--api-key", "hidden6", "--verbose", "--password=hidden7", "--name=x"],
                    "args": ["sh -c 'curl -u x --password=hidden8'", "--key-flag", "--other"],
                    "env": [
                        {"name": "NSM_NETWORK_SERVICES", "value": "kernel://a/nsm-1"}, {"name": "DB", "value": "hidden9"},
                        {"name": "NSM_CONNECT_TO", "value": "tcp://u:hiddenA@h"}, {"name": "EMPTY", "value": ""},
                        {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
                    ],
                    "livenessProbe": {"httpGet": {"httpHeaders": [{"name": "X", "value": "hiddenB"}]}}
                }],
                "automountServiceAccountToken": false
            }
        });
        let (value, found) = redacted(pod);
        let text = value.to_string();
        assert!(!text.contains("hidden") && !text.contains("managedFields") && !text.contains("last-applied"), "{text}");
        for kept in [
            "\"networkservicemesh.io\":\"kernel://a/nsm-1\"",
            "regcred",
            "\"secretName\":\"mine\"",
            "kv/a",
            "--verbose",
            "--name=x",
            "--other",
            "{\"key\":\"k\",\"name\":\"s\"}",
            "tcp://REDACTED@h",
        ] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert_eq!(value["spec"]["containers"][0]["env"][0]["value"], "kernel://a/nsm-1");
        let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
        assert!(places.contains(&"spec.containers[0].env[DB].value") && places.contains(&"metadata.annotations.example.com/api-token"), "{places:?}");
        let (again, found) = redacted(value.clone());
        assert_eq!((again, found), (value, Vec::new()));
    }

    #[test]
    fn content_is_never_kept() {
        for kind in ["Secret", "ConfigMap"] {
            let (value, found) = redacted(json!({"kind": kind, "data": {"a": "b"}, "stringData": {"c": "d"}, "binaryData": {}, "metadata": {}}));
            assert_eq!((value, found.len()), (json!({"kind": kind, "metadata": {}}), 3));
        }
    }

    #[test]
    fn the_list_is_bounded_and_counts_on() {
        let mut redactor = Redactor::default();
        redactor.lines("l", &vec!["password=a password=b".to_owned(); LISTED + 1]);
        let (listed, beyond, all) = redactor.list();
        assert_eq!((listed.len(), beyond, all, listed[0].count), (LISTED, 2, 2 * (LISTED as u32 + 1), 2));
    }
}
