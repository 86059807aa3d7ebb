//! Matches as they stand in a NetworkService: the fields of NSM's API in the words of its Go types (api, `pkg/api/registry`).

use serde_json::{Map, Value};

use super::{Destination, Labels, Match};

impl Match {
    /// Reads `spec.matches`.
    ///
    /// # Errors
    /// What is wrong, and where. A field that NSM does not know is an error as well: it would be passed over without a word, and who is
    /// to serve whom would be another.
    pub fn read_list(values: &[Value]) -> Result<Vec<Self>, String> {
        values.iter().enumerate().map(|(at, value)| read_match(value, &format!("spec.matches[{at}]"))).collect()
    }
}

fn read_match(value: &Value, place: &str) -> Result<Match, String> {
    let map = fields(value, place, &["source_selector", "routes", "fallthrough", "metadata"])?;
    let at = |field: &str| format!("{place}.{field}");
    let routes = match map.get("routes") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(routes)) => routes,
        Some(other) => return Err(format!("{} is {}, and must be a list", at("routes"), shown(other))),
    };
    let routes = routes.iter().enumerate().map(|(number, route)| read_route(route, &format!("{place}.routes[{number}]")));
    let fallthrough = match map.get("fallthrough") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(fallthrough)) => *fallthrough,
        Some(other) => return Err(format!("{} is {}, and must be true or false", at("fallthrough"), shown(other))),
    };
    let metadata = match map.get("metadata") {
        None | Some(Value::Null) => None,
        Some(metadata) => Some(labels(fields(metadata, &at("metadata"), &["labels"])?.get("labels"), &at("metadata.labels"))?),
    };
    Ok(Match {
        source_selector: labels(map.get("source_selector"), &at("source_selector"))?,
        routes: routes.collect::<Result<_, _>>()?,
        fallthrough,
        metadata,
    })
}

fn read_route(value: &Value, place: &str) -> Result<Destination, String> {
    let map = fields(value, place, &["destination_selector", "weight"])?;
    let weight = match map.get("weight") {
        None | Some(Value::Null) => 0,
        Some(weight) => {
            let number = weight.as_u64().and_then(|number| u32::try_from(number).ok());
            number.ok_or_else(|| format!("{place}.weight is {}, and must be a whole number from 0 to {}", shown(weight), u32::MAX))?
        }
    };
    Ok(Destination { destination_selector: labels(map.get("destination_selector"), &format!("{place}.destination_selector"))?, weight })
}

/// The fields of an object, all of which are known.
fn fields<'a>(value: &'a Value, place: &str, known: &[&str]) -> Result<&'a Map<String, Value>, String> {
    let map = value.as_object().ok_or_else(|| format!("{place} is {}, and must be an object", shown(value)))?;
    let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    match map.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(map),
        Some(name) => Err(match known.iter().find(|known| plain(known) == plain(name)) {
            Some(meant) => format!("{place} has a field {name:?}, which is called {meant}"),
            None => format!("{place} has a field {name:?}, which NSM does not know: there are {}", known.join(", ")),
        }),
    }
}

fn labels(value: Option<&Value>, place: &str) -> Result<Labels, String> {
    let map = match value {
        None | Some(Value::Null) => return Ok(Labels::new()),
        Some(Value::Object(map)) => map,
        Some(other) => return Err(format!("{place} is {}, and must be labels, as in {{app: web}}", shown(other))),
    };
    let label = |(key, value): (&String, &Value)| match value {
        Value::String(text) => Ok((key.clone(), text.clone())),
        Value::Bool(_) | Value::Number(_) => Err(format!("{place}.{key} is {value}, and must be text: write it in quotes, \"{value}\"")),
        other => Err(format!("{place}.{key} is {}, and must be text", shown(other))),
    };
    map.iter().map(label).collect()
}

/// A value, short enough for a line.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Null => "empty".to_owned(),
        other => other.to_string().chars().take(40).collect(),
    }
}
