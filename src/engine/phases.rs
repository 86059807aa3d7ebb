//! When what of a connection happened: measured where it happens, told as the four phases of the example's document.

use std::{sync::OnceLock, time::Instant};

use jiff::Timestamp;

use crate::model::{Phase, PhaseEvent, PhaseName, PhaseStep};

/// A moment, in microseconds since 1970, by a clock that never goes back: the wall's when the process began, and on from there. What lies
/// between two moments of one process is right whatever is done to the wall's clock meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64);

impl Moment {
    /// Now.
    pub(super) fn now() -> Self {
        static BEGAN: OnceLock<(Instant, i64)> = OnceLock::new();
        let (began, wall) = BEGAN.get_or_init(|| (Instant::now(), Timestamp::now().as_microsecond()));
        Self(wall.saturating_add(i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX)))
    }

    /// The same for people.
    fn timestamp(self) -> Timestamp {
        Timestamp::from_microsecond(self.0).unwrap_or_default()
    }

    fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Something that happened.
pub(super) type Step = (PhaseEvent, Moment, String);

/// A phase that began and ended at these moments; its steps may have happened before it.
pub(super) fn phase(phase: PhaseName, subject: String, [began, ended]: [Moment; 2], mut steps: Vec<Step>) -> Phase {
    steps.sort_by_key(|(_, at, _)| *at);
    let steps = steps.into_iter().map(|(event, at, what)| PhaseStep { event, what, at_us: at.since(began) }).collect();
    let took_us = u64::try_from(ended.since(began)).unwrap_or_default();
    Phase { phase, subject, began_at: began.timestamp(), took_us, steps, security: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_tells_what_happened_by_the_time_since_it_began() {
        let steps = vec![(PhaseEvent::EndpointAnswered, Moment(150), "b".to_owned()), (PhaseEvent::EndpointReached, Moment(60), "a".to_owned())];
        let made = phase(PhaseName::Connection, "alpine nsm-1".into(), [Moment(100), Moment(170)], steps);
        assert_eq!((made.took_us, made.ended_us(), made.began_at.as_microsecond()), (70, 170, 100));
        assert_eq!(made.steps.iter().map(|step| (step.what.as_str(), step.at_us)).collect::<Vec<_>>(), [("a", -40), ("b", 50)]);
    }

    #[test]
    fn moments_never_go_back() {
        let moments: Vec<Moment> = (0..1000).map(|_| Moment::now()).collect();
        assert!(moments.is_sorted() && moments[0].timestamp().duration_until(Timestamp::now()).as_secs().abs() < 60);
    }
}
