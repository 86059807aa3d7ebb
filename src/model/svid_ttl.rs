use std::{ops::RangeInclusive, time::Duration};

/// How long an X.509 SVID may be valid: it is renewed at half of its life, on a busy machine too, and lives no longer than the
/// certificate of a SPIRE server does by default.
const SVID_TTLS: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(24 * 3600);

/// Whether X.509 SVIDs can be valid for so long.
///
/// # Errors
/// What is wrong with it, as a fragment that fits after a colon.
pub fn check_svid_ttl(ttl: Duration) -> Result<Duration, &'static str> {
    match SVID_TTLS.contains(&ttl) {
        true => Ok(ttl),
        false => Err("an X.509 SVID is valid for 2s to 24h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_svid_lives_neither_too_short_nor_too_long() {
        let check = |milliseconds| check_svid_ttl(Duration::from_millis(milliseconds)).is_ok();
        assert_eq!([1999, 2000, 3_600_000, 86_400_000, 86_400_001].map(check), [false, true, true, true, false]);
    }
}
