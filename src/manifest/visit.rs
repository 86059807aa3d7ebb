use serde_json::Value;

/// Changes every value at a path: keys with slashes between them, and `*` for each item of a list. Where there is nothing
/// at the path, nothing happens.
pub(super) fn visit(value: &mut Value, path: &str, change: &mut dyn FnMut(&mut Value)) {
    if path.is_empty() {
        return change(value);
    }
    let (step, rest) = path.split_once('/').unwrap_or((path, ""));
    if step == "*" {
        value.as_array_mut().into_iter().flatten().for_each(|item| visit(item, rest, change));
    } else if let Some(next) = value.get_mut(step) {
        visit(next, rest, change);
    }
}

/// The pod that a body describes: the body itself, or the template of a workload; `None` for other kinds.
pub(super) fn pod<'a>(kind: &str, body: &'a mut Value) -> Option<&'a mut Value> {
    match kind {
        "Pod" => Some(body),
        "Deployment" | "StatefulSet" | "DaemonSet" => body.pointer_mut("/spec/template"),
        _ => None,
    }
}

/// The containers and init containers of a pod.
pub(super) fn containers(pod: &mut Value) -> impl Iterator<Item = &mut Value> {
    let fields = pod.get_mut("spec").and_then(Value::as_object_mut).into_iter().flat_map(|spec| spec.iter_mut());
    let lists = fields.filter(|(key, _)| ["containers", "initContainers"].contains(&key.as_str()));
    lists.filter_map(|(_, list)| list.as_array_mut()).flatten()
}
