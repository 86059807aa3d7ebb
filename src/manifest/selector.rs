use std::collections::BTreeMap;

use serde_json::Value;

/// Whether a label selector takes in a pod with these labels, as Kubernetes has it: none selects nothing, an empty one all.
pub(super) fn selects(selector: &Value, labels: &BTreeMap<String, String>) -> bool {
    let worn = |key: &str| labels.get(key).map(String::as_str);
    let matched = |(key, value): (&String, &Value)| worn(key) == value.as_str();
    let meets = |expression: &Value| {
        let label = worn(expression["key"].as_str().unwrap_or_default());
        let named = || expression["values"].as_array().is_some_and(|values| values.iter().any(|value| value.as_str() == label));
        match expression["operator"].as_str() {
            Some("In") => label.is_some() && named(),
            Some("NotIn") => label.is_none() || !named(),
            Some("Exists") => label.is_some(),
            Some("DoesNotExist") => label.is_none(),
            _ => false,
        }
    };
    selector.is_object()
        && selector["matchLabels"].as_object().into_iter().flatten().all(matched)
        && selector["matchExpressions"].as_array().into_iter().flatten().all(meets)
}
