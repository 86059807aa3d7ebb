//! What a program finds in its environment: the manifest's variables, filled in as Kubernetes does it.

use crate::model::{ContainerProgram, Namespaced, VariableValue, Workload};

/// Where programs are looked for, where the manifest does not say: what images have.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// A pod on this machine has no address but those of its connections and its own loopback.
const LOOPBACK: &str = "127.0.0.1";

/// The environment and the arguments of a program in a pod. `temporary` is a folder of its own for what it does not keep: NSM's
/// endpoints put their sockets there, and one that is killed removes nothing.
pub(super) fn resolve(
    program: &ContainerProgram,
    pod: &Namespaced,
    workload: &Workload,
    node: &str,
    temporary: &str,
) -> (Vec<(String, String)>, Vec<String>) {
    let mut known: Vec<(String, String)> = Vec::new();
    for variable in &program.environment {
        let value = match &variable.value {
            VariableValue::Text(text) => expand(text, &known),
            VariableValue::Field(path) => field(path, pod, workload, node),
        };
        known.retain(|(name, _)| *name != variable.name);
        known.push((variable.name.clone(), value));
    }
    let arguments = program.arguments.iter().map(|argument| expand(argument, &known)).collect();
    for (name, value) in [("PATH", PATH), ("TMPDIR", temporary)] {
        if !known.iter().any(|(known, _)| known == name) {
            known.push((name.to_owned(), value.to_owned()));
        }
    }
    (known, arguments)
}

/// Puts in what `$(NAME)` stands for; a name that is not known stays as it is, and `$$` is a dollar.
fn expand(text: &str, known: &[(String, String)]) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        done.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('$') {
            done.push('$');
            rest = behind;
        } else if let Some((name, behind)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match known.iter().find(|(known, _)| known == name) {
                Some((_, value)) => done.push_str(value),
                None => done.push_str(&format!("$({name})")),
            }
            rest = behind;
        } else {
            done.push('$');
        }
    }
    done + rest
}

/// A field of the pod; what it does not have is empty, as with Kubernetes.
fn field(path: &str, pod: &Namespaced, workload: &Workload, node: &str) -> String {
    let quoted = |beginning: &str| path.strip_prefix(beginning).and_then(|rest| rest.strip_suffix("']"));
    if let Some(label) = quoted("metadata.labels['") {
        return workload.pod_labels.get(label).cloned().unwrap_or_default();
    }
    match path {
        "metadata.name" => pod.name.clone(),
        "metadata.namespace" => pod.namespace.clone(),
        // Any that is the pod's alone will do.
        "metadata.uid" => pod.to_string(),
        "spec.nodeName" => node.to_owned(),
        "spec.serviceAccountName" => "default".to_owned(),
        path if path.starts_with("status.") => LOOPBACK.to_owned(),
        path if path.starts_with("metadata.annotations[") => workload.requests.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_as_kubernetes_does() {
        let known = [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "$(A)".to_owned())];
        for (text, expected) in
            [("$(A)-x", "1-x"), ("$(B)", "$(A)"), ("$(C)", "$(C)"), ("$$(A)", "$(A)"), ("a$", "a$"), ("$(A", "$(A"), ("$A", "$A"), ("$(A)$(A)", "11")]
        {
            assert_eq!(expand(text, &known), expected, "{text}");
        }
    }
}
