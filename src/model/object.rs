use std::fmt;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Outcome;

/// The identity of an object: what kubectl prints as `kind/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct ObjectRef {
    /// The kind, as in `NetworkService`.
    pub kind: String,
    /// The namespace; nothing for what lives in none.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectRef {
    /// An object in a namespace.
    pub fn namespaced(kind: impl Into<String>, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), namespace: Some(namespace.into()), name: name.into() }
    }

    /// An object that lives in no namespace.
    pub fn cluster(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), namespace: None, name: name.into() }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// What applying did to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Applied {
    /// It was not there before.
    Created,
    /// It was there and is different now.
    Configured,
    /// It was there just so.
    Unchanged,
    /// A namespace that was there before and is not ours: used, not touched.
    Used,
    /// It was there, could not become what it should be, and was made anew.
    Recreated,
    /// It was there, and is no more: the plan has it no longer.
    Removed,
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Used => "used as it is",
            Self::Recreated => "made anew",
            Self::Removed => "removed",
        })
    }
}

/// What cleanup did, and what it found when it looked again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// What would be deleted, where only that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub would: Vec<ObjectRef>,
    /// What was deleted and is gone.
    pub gone: Vec<ObjectRef>,
    /// What is still there, each with the reason.
    pub left: Vec<(ObjectRef, String)>,
    /// What could not be looked at, and why: whether something is left there cannot be told.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unseen: Vec<String>,
    /// What was looked at to prove that nothing is left, for people.
    pub proof: Vec<String>,
}

impl Removed {
    /// Adds what another cleanup did.
    pub fn extend(&mut self, other: Self) {
        self.would.extend(other.would);
        self.gone.extend(other.gone);
        self.left.extend(other.left);
        self.unseen.extend(other.unseen);
        self.proof.extend(other.proof);
    }

    /// What it amounts to.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if !self.left.is_empty() {
            Outcome::Failed
        } else if self.unseen.is_empty() {
            Outcome::Passed
        } else {
            Outcome::CannotTell
        }
    }
}
