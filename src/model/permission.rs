use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that the API server must allow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Permission {
    /// The API group; empty for the core.
    pub group: String,
    /// The resource, and its subresource behind a slash where that is meant: `pods/exec`.
    pub resource: String,
    /// What is to be done with it.
    pub verb: String,
    /// Where; `None` for all namespaces, and for what lives in none.
    pub namespace: Option<String>,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a permission is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Without it nothing can be deployed.
    Deploy,
    /// Without it connections cannot be checked.
    Verify,
    /// Without it what was deployed cannot be removed again.
    Cleanup,
    /// Without it less can be said about what is wrong.
    Troubleshoot,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Deploy => "deploy",
            Self::Verify => "verify",
            Self::Cleanup => "cleanup",
            Self::Troubleshoot => "troubleshoot",
        })
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in {namespace}"),
            None => Ok(()),
        }
    }
}
