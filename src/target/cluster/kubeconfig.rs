//! kubeconfig files, as kubectl reads them.
//!
//! kube reads them too, but by a parser for YAML that is compiled once for each type that is in them, a third of a megabyte in all; and
//! its errors name no entry.

use std::{fs, path::Path};

use kube::config::{Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a file. What it holds in several documents counts as what several files do.
///
/// # Errors
/// It cannot be read, or is none: the reason, for people.
pub(super) fn read(path: &Path) -> Result<Kubeconfig, String> {
    let text = text(fs::read(path).map_err(|error| error.to_string())?)?;
    let options = serde_saphyr::options! { with_snippet: false };
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(&text, options).map_err(|error| {
        let line = error.location().map(|location| format!("line {}: ", location.line())).unwrap_or_default();
        format!("it is no kubeconfig: {line}{}", error.to_string().lines().next().unwrap_or_default())
    })?;
    let mut merged = Kubeconfig::default();
    for mut document in documents {
        if let Some(dir) = path.parent() {
            resolve(&mut document, dir);
        }
        let next = typed(document).map_err(|reason| format!("it is no kubeconfig: {reason}"))?;
        merged = merged.merge(next).map_err(|error| error.to_string())?;
    }
    Ok(merged)
}

/// The text of a file, which editors of Windows write as UTF-16 or begin with a byte order mark.
fn text(bytes: Vec<u8>) -> Result<String, String> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16(&units).map_err(|_| "it is neither UTF-8 nor UTF-16".to_owned())
    };
    match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => String::from_utf8(bytes)
            .map(|text| text.trim_start_matches('\u{feff}').to_owned())
            .map_err(|error| format!("it is not UTF-8: byte {} is wrong", error.utf8_error().valid_up_to())),
    }
}

/// Has files be beside the kubeconfig that names them, and not in the directory that somebody is in. A credential plugin is such a file
/// where it is named by a path; one that is not is looked for in PATH (client-go, `GetAuthInfoFileReferences`).
fn resolve(document: &mut Value, dir: &Path) {
    let resolve = |value: &mut Value| {
        let Some(file) = value.as_str().filter(|file| !file.is_empty()) else { return };
        if let Some(path) = dir.join(file).to_str().filter(|_| Path::new(file).is_relative()) {
            *value = path.into();
        }
    };
    for (list, part, files) in
        [("clusters", "cluster", &["certificate-authority"][..]), ("users", "user", &["client-certificate", "client-key", "tokenFile"])]
    {
        let entries = document.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for entry in entries.filter_map(|entry| entry.get_mut(part)) {
            files.iter().filter_map(|file| entry.get_mut(*file).map(resolve)).for_each(drop);
            let command = entry.pointer_mut("/exec/command");
            command.filter(|command| command.as_str().is_some_and(|command| command.contains(std::path::MAIN_SEPARATOR))).map(resolve);
        }
    }
}

/// A document as what it is. What is wrong in an entry is told with the entry.
fn typed(document: Value) -> Result<Kubeconfig, String> {
    if document.is_null() {
        return Ok(Kubeconfig::default());
    }
    each::<NamedCluster>(&document, "clusters")?;
    each::<NamedContext>(&document, "contexts")?;
    each::<NamedAuthInfo>(&document, "users")?;
    serde_json::from_value(document).map_err(|error| error.to_string())
}

fn each<T: DeserializeOwned>(document: &Value, list: &str) -> Result<(), String> {
    for (index, entry) in document.get(list).and_then(Value::as_array).into_iter().flatten().enumerate() {
        let name = entry.get("name").and_then(Value::as_str).map(|name| format!(" ({name})")).unwrap_or_default();
        serde_json::from_value::<T>(entry.clone()).map_err(|error| format!("{list}[{index}]{name}: {error}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
clusters:
- {name: a, cluster: {server: 'https://a', certificate-authority: ca.crt}}
- {name: b, cluster: {server: 'https://b', certificate-authority: /etc/ca.crt}}
users:
- {name: a, user: {client-certificate: a.crt, client-key: ../a.key, tokenFile: token}}
- {name: b, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, interactiveMode: Never}}}
- {name: c, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: plugin, interactiveMode: Never}}}
contexts:
- {name: a, context: {cluster: a, user: a}}
current-context: a
";

    fn from(bytes: impl AsRef<[u8]>) -> Result<Kubeconfig, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        fs::write(&path, bytes).unwrap();
        let mut read = read(&path)?;
        // What is beside the file begins with a dot, for those who compare.
        let beside = |file: &mut Option<String>| {
            *file = file.take().map(|file| file.replace(&dir.path().display().to_string(), "."));
        };
        read.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()).for_each(|cluster| beside(&mut cluster.certificate_authority));
        for user in read.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
            for file in [&mut user.client_certificate, &mut user.client_key, &mut user.token_file] {
                beside(file);
            }
            user.exec.iter_mut().for_each(|exec| beside(&mut exec.command));
        }
        Ok(read)
    }

    #[test]
    fn files_are_beside_the_one_that_names_them() {
        let read = from(TEXT).unwrap();
        let authorities: Vec<_> =
            read.clusters.iter().map(|named| named.cluster.as_ref().unwrap().certificate_authority.as_deref().unwrap()).collect();
        assert_eq!(authorities, ["./ca.crt", "/etc/ca.crt"]);
        let users: Vec<_> = read.auth_infos.iter().map(|named| named.auth_info.as_ref().unwrap()).collect();
        let of = |file: &Option<String>| file.clone().unwrap();
        assert_eq!([&users[0].client_certificate, &users[0].client_key, &users[0].token_file].map(of), ["./a.crt", "./../a.key", "./token"]);
        assert_eq!([1, 2].map(|user| of(&users[user].exec.as_ref().unwrap().command)), ["././plugin", "plugin"]);
        assert_eq!(read.current_context.as_deref(), Some("a"));
    }

    #[test]
    fn documents_are_merged_and_none_is_an_empty_one() {
        let read = from("current-context: a\n---\ncurrent-context: b\nclusters: [{name: b}]\n---\n").unwrap();
        assert_eq!((read.current_context.as_deref(), read.clusters.len()), (Some("a"), 1));
        assert!(from("").unwrap().clusters.is_empty() && from("clusters: null").unwrap().clusters.is_empty());
    }

    #[test]
    fn what_windows_writes_is_read() {
        let units: Vec<u16> = "current-context: ä".encode_utf16().collect();
        let little = [vec![0xff, 0xfe], units.iter().flat_map(|unit| unit.to_le_bytes()).collect()].concat();
        let big = [vec![0xfe, 0xff], units.iter().flat_map(|unit| unit.to_be_bytes()).collect()].concat();
        for bytes in [little, big, "\u{feff}current-context: ä".into()] {
            assert_eq!(from(bytes).unwrap().current_context.as_deref(), Some("ä"));
        }
        assert_eq!(from(b"a\xffb").unwrap_err(), "it is not UTF-8: byte 1 is wrong");
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(
            from("clusters:\n- {name: a, cluster: {server: 5}}").unwrap_err(),
            "it is no kubeconfig: clusters[0] (a): invalid type: integer `5`, expected a string"
        );
        assert_eq!(from("users: 5").unwrap_err(), "it is no kubeconfig: invalid type: integer `5`, expected a sequence");
        let syntax = from("a: b\nclusters: [").unwrap_err();
        assert!(syntax.starts_with("it is no kubeconfig: line ") && !syntax.contains('\n'), "{syntax}");
    }
}
