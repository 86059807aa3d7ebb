//! A drill: a fault, and what must be said of it.

use serde_json::Value;

use crate::{program::Ran, scene::Scene};

/// A fault: data, one a place.
pub(crate) struct Drill {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What `nsmctl troubleshoot` must say.
    pub(crate) expects: Expected,
    /// The check that `nsmctl verify` must find to fail, beside others.
    pub(crate) fails: Option<&'static str>,
    /// Makes the fault and waits until it has taken effect. Every change goes through the scene, which knows the way back, so
    /// that a drill that breaks off in the middle is restored as well.
    pub(crate) inject: fn(&mut Scene<'_>),
    /// Whether it deploys the example by itself, with the fault in it, and so begins without one.
    pub(crate) from_nothing: bool,
    /// Whether the fault is still there after the look: NSM mends some by itself within two seconds, and what was mended
    /// before it was looked at has shown nothing.
    pub(crate) holds: fn(&Scene<'_>) -> bool,
}

impl Drill {
    /// A fault that stays until it is restored.
    pub(crate) const fn new(name: &'static str, expects: Expected, inject: fn(&mut Scene<'_>)) -> Self {
        Self { name, expects, fails: None, inject, from_nothing: false, holds: |_| true }
    }

    /// A fault that is found by this check of `verify`.
    pub(crate) const fn fails(self, check: &'static str) -> Self {
        Self { fails: Some(check), ..self }
    }

    /// A fault that is in what is deployed.
    pub(crate) const fn deployed_with_it(self) -> Self {
        Self { from_nothing: true, ..self }
    }

    /// A fault that NSM mends by itself, and how it is seen that it has not done so yet.
    pub(crate) const fn mended_by_nsm(self, holds: fn(&Scene<'_>) -> bool) -> Self {
        Self { holds, ..self }
    }
}

/// What `nsmctl troubleshoot` must say.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    /// Nothing is broken: exit code 0 and no cause.
    Nothing,
    /// This cause alone, whatever follows from it: exit code 1.
    Cause(&'static str),
    /// It cannot be told, and why: exit code 3, no cause, and these words.
    Unknown(&'static [&'static str]),
}

impl Expected {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Nothing => "(nothing)",
            Self::Cause(id) => id,
            Self::Unknown(_) => "(unknown)",
        }
    }
}

/// What it did say.
#[derive(Debug, Default)]
pub(crate) struct Diagnosed {
    pub(crate) code: Option<i32>,
    /// The ids of the causes that stand for themselves, in the order in which they are told.
    pub(crate) causes: Vec<String>,
    /// What is said of each.
    pub(crate) told: Vec<String>,
    /// The ids of what is said to follow from them.
    pub(crate) consequences: Vec<String>,
    /// All that was printed.
    pub(crate) printed: String,
    /// What `verify` has to say of it that it does not.
    pub(crate) unverified: Option<String>,
}

impl Diagnosed {
    pub(crate) fn of(ran: &Ran) -> Self {
        let document: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let ids = |all: &[Value]| -> Vec<String> { all.iter().filter_map(|cause| cause["check"].as_str().map(str::to_owned)).collect() };
        let causes = list(&document["causes"]);
        let consequences: Vec<Value> = causes.iter().flat_map(|cause| list(&cause["consequences"])).collect();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let told = causes.iter().map(|cause| format!("[{}] {}: {}", text(&cause["check"]), text(&cause["subject"]), text(&cause["observed"])));
        let told = told.collect();
        Self {
            code: ran.code,
            causes: ids(&causes),
            told,
            consequences: ids(&consequences),
            printed: format!("{}{}", ran.stderr, ran.stdout),
            unverified: None,
        }
    }

    /// One word for it, for the matrix: the first cause counts, and another beside it is a fault of its own.
    pub(crate) fn label(&self) -> String {
        match (self.causes.as_slice(), self.code) {
            ([], Some(0)) => "(nothing)".to_owned(),
            ([], Some(3)) => "(unknown)".to_owned(),
            ([], code) => format!("(exit {})", code.map_or_else(|| "by a signal".to_owned(), |code| code.to_string())),
            ([first, ..], _) => first.clone(),
        }
    }

    /// What is wrong about it.
    pub(crate) fn faults(&self, expected: Expected) -> Vec<String> {
        let mut faults = Vec::new();
        let (code, causes): (i32, &[&str]) = match &expected {
            Expected::Nothing => (0, &[]),
            Expected::Cause(id) => (1, &[*id]),
            Expected::Unknown(_) => (3, &[]),
        };
        if self.causes != causes {
            faults.push(format!("causes [{}]", self.causes.join(", ")));
        }
        if self.code != Some(code) {
            faults.push(format!("exit code {:?} instead of {code}", self.code));
        }
        faults.extend(self.unverified.clone());
        if let Expected::Unknown(words) = expected {
            faults.extend(words.iter().filter(|word| !self.printed.contains(**word)).map(|word| format!("no word of {word:?}")));
        }
        faults
    }
}

/// What `verify` has to say of a fault that it does not: that a check fails.
pub(crate) fn unverified(ran: &Ran, check: &str) -> Option<String> {
    let document: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    let verdicts: Vec<&str> = document["findings"]
        .as_array()
        .map(|findings| findings.iter().filter(|finding| finding["check"] == check).filter_map(|finding| finding["verdict"].as_str()).collect())
        .unwrap_or_default();
    let is_right = ran.code == Some(1) && verdicts.contains(&"fail");
    (!is_right).then(|| format!("verify: {check} [{}], exit code {:?} instead of 1", verdicts.join(", "), ran.code))
}
