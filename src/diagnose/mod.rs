//! Placeholder until the branch with the diagnoses is merged.
use crate::model::{Expectations, Finding, Snapshot};
/// What is wrong.
pub struct Diagnosis {
    /// The path.
    pub path: Vec<Finding>,
    /// The causes.
    pub causes: Vec<Finding>,
}
/// Diagnoses.
#[must_use]
pub fn diagnose(_: &Expectations, _: &Snapshot) -> Diagnosis {
    Diagnosis { path: Vec::new(), causes: Vec::new() }
}
/// No target.
#[must_use]
pub fn unreachable(_: &str, _: &str, _: Option<&str>) -> Diagnosis {
    Diagnosis { path: Vec::new(), causes: Vec::new() }
}
