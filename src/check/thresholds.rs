use crate::model::Verdict;

/// How much is good enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// The share of pings that may be lost, in percent.
    pub max_loss_percent: f64,
    /// How long the mean round trip may take, in milliseconds; `None` for as long as it likes.
    pub max_round_trip_ms: Option<f64>,
    /// What it is when the path loses packets that the interface admits: broken for whoever verifies, and for whoever deploys
    /// something to know, since small packets pass.
    pub lost_packets: Verdict,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { max_loss_percent: 0.0, max_round_trip_ms: None, lost_packets: Verdict::Fail }
    }
}
