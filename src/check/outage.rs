use std::time::Duration;

/// How a connection took the loss of its endpoint, told by the replies to pings sent at an interval all the while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// How many pings got no reply.
    pub lost: u32,
    /// How long there was none at the longest; zero where none was missed.
    pub longest: Duration,
    /// From the loss of the endpoint to the first reply after the last gap; zero where there was none.
    pub healed_after: Duration,
}

/// A reply is late by up to an interval where a ping program ends and the next one begins, and by another on a busy machine;
/// what is longer is an outage.
const LATE_INTERVALS: u32 = 3;

impl Outage {
    /// Reads an outage off the times of the replies, in order, since the endpoint was lost at `lost_at`. What happened
    /// before does not count. All times are since the pings began.
    ///
    /// What is known is known to an interval.
    #[must_use]
    pub fn of(replies: &[Duration], lost_at: Duration, interval: Duration) -> Self {
        let mut outage = Self { lost: 0, longest: Duration::ZERO, healed_after: Duration::ZERO };
        for pair in replies.windows(2) {
            let gap = pair[1].saturating_sub(pair[0]);
            if pair[1] <= lost_at || gap < interval * LATE_INTERVALS {
                continue;
            }
            let missed = gap.as_millis() / interval.as_millis().max(1);
            outage.lost = outage.lost.saturating_add(u32::try_from(missed).unwrap_or(u32::MAX).saturating_sub(1));
            outage.longest = outage.longest.max(gap);
            outage.healed_after = pair[1].saturating_sub(lost_at);
        }
        outage
    }

    /// Whether replies have come without a gap since `since` until `now`, for as long as `steady`.
    #[must_use]
    pub fn is_over(replies: &[Duration], since: Duration, now: Duration, steady: Duration, interval: Duration) -> bool {
        let late = interval * LATE_INTERVALS;
        let recent: Vec<Duration> = replies.iter().copied().filter(|at| *at >= since && *at + steady + late >= now).collect();
        let (Some(first), Some(last)) = (recent.first(), recent.last()) else { return false };
        let unbroken = recent.windows(2).all(|pair| pair[1].saturating_sub(pair[0]) < late);
        unbroken && last.saturating_sub(*first) >= steady && now.saturating_sub(*last) < late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(200);

    fn at(times: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        times.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn what_is_missed_after_the_loss_counts() {
        let replies = at((0..=10).map(|n| n * 200).chain((25..=30).map(|n| n * 200)));
        let outage = Outage::of(&replies, Duration::from_millis(1000), INTERVAL);
        let expected = Outage { lost: 14, longest: Duration::from_millis(3000), healed_after: Duration::from_millis(4000) };
        assert_eq!(outage, expected, "replies to 11 to 24 are missing");
        let before = Outage::of(&replies, Duration::from_millis(5500), INTERVAL);
        assert_eq!((before.lost, before.healed_after), (0, Duration::ZERO), "what was before is not of this loss");
    }

    #[test]
    fn a_late_reply_is_no_outage() {
        let replies = at([0, 200, 400, 990, 1000, 1200]);
        assert_eq!(Outage::of(&replies, Duration::ZERO, INTERVAL).lost, 0);
        assert_eq!(Outage::of(&at([0, 200]), Duration::ZERO, INTERVAL).longest, Duration::ZERO);
        assert_eq!(Outage::of(&[], Duration::ZERO, INTERVAL).lost, 0);
    }

    #[test]
    fn it_is_over_when_replies_come_steadily_until_now() {
        let (steady, since) = (Duration::from_millis(1000), Duration::from_millis(5000));
        let now = |ms| Duration::from_millis(ms);
        let replies = at((25..=31).map(|n| n * 200));
        assert!(Outage::is_over(&replies, since, now(6300), steady, INTERVAL));
        assert!(!Outage::is_over(&replies, since, now(7200), steady, INTERVAL), "they have stopped again");
        assert!(!Outage::is_over(&replies, now(5600), now(6300), steady, INTERVAL), "not for long enough since");
        assert!(!Outage::is_over(&at([5000, 5200, 6000, 6200]), since, now(6300), steady, INTERVAL), "there is a gap");
        assert!(!Outage::is_over(&[], since, now(6300), steady, INTERVAL));
    }
}
