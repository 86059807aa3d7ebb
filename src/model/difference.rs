#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::ObjectRef;

/// What applying would do to an object.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Difference {
    /// The object.
    pub object: ObjectRef,
    /// What would be done.
    pub change: Change,
    /// What is there now, without what the server keeps for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What would be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Both as YAML, for people.
    #[serde(skip)]
    pub yaml: (String, String),
    /// Why the server could not be asked about it; nothing where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchecked: Option<String>,
}

/// What would be done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It would be made.
    Create,
    /// It would be changed.
    Configure,
    /// It would be made anew, because it cannot be changed in place.
    Recreate,
    /// It would be removed: the plan has it no more.
    Remove,
    /// Nothing would be done.
    None,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Create => "create",
            Self::Configure => "configure",
            Self::Recreate => "make anew",
            Self::Remove => "remove",
            Self::None => "unchanged",
        })
    }
}
