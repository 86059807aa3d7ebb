use std::time::Duration;

/// How long after the beginning of a wait all pods had something behind them; `None` where that was not seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Milestones {
    /// Each has a node.
    pub scheduled: Option<Duration>,
    /// Each is done with its init containers: NSM has served its requests.
    pub initialised: Option<Duration>,
    /// Each is ready.
    pub ready: Option<Duration>,
}
