use serde_json::Value;

use super::Unavailable;

/// Objects of a kind as the API server has them, for people to read.
#[derive(Debug, Clone, PartialEq)]
pub struct RawObjects {
    /// What the API calls them, as in `pods`.
    pub plural: String,
    /// The namespace; `None` for all of them, and for what lives in none.
    pub namespace: Option<String>,
    /// The objects, or why they could not be seen.
    pub objects: Result<Vec<Value>, Unavailable>,
    /// How many more there are, as far as the server says.
    pub left_out: usize,
}
