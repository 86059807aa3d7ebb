//! What is read out of certificates in DER that no library here tells: when one ends, and where the next begins.

use std::time::SystemTime;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::Error;

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version of a certificate (RFC 5280, 4.1), which one of the first version does not have.
const VERSION: u8 = 0xa0;

/// One value: its tag, what is in it, all of it, and what follows it (X.690, 8.1).
struct Value<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
    rest: &'a [u8],
}

fn value(bytes: &[u8]) -> Option<Value<'_>> {
    let (&tag, &length) = (bytes.first()?, bytes.get(1)?);
    let (header, length) = match usize::from(length) {
        short @ ..=0x7f => (2, short),
        // So many bytes have the length; what takes more than four is longer than anything here.
        long @ 0x81..=0x84 => {
            let digits = bytes.get(2..2 + (long & 0x7f))?;
            (2 + digits.len(), digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)))
        }
        _ => return None,
    };
    let end = header.checked_add(length)?;
    Some(Value { tag, content: bytes.get(header..end)?, whole: &bytes[..end], rest: &bytes[end..] })
}

/// Takes certificates apart that follow one another.
///
/// # Errors
/// They are none.
pub(super) fn certificates(mut bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let one = value(bytes).filter(|one| one.tag == SEQUENCE).ok_or_else(|| Error::new("read certificates", "they are not DER"))?;
        all.push(CertificateDer::from(one.whole.to_vec()));
        bytes = one.rest;
    }
    Ok(all)
}

/// When a certificate ends.
///
/// # Errors
/// It is none.
pub(super) fn not_after(certificate: &[u8]) -> Result<SystemTime, Error> {
    find_not_after(certificate).ok_or_else(|| Error::new("read a certificate", "it does not say when it ends"))
}

fn find_not_after(certificate: &[u8]) -> Option<SystemTime> {
    let signed = value(value(certificate)?.content)?;
    let first = value(signed.content)?;
    let serial = if first.tag == VERSION { value(first.rest)? } else { first };
    let algorithm = value(serial.rest)?;
    let issuer = value(algorithm.rest)?;
    let validity = value(issuer.rest)?;
    let end = value(value(validity.content)?.rest)?;
    let text = std::str::from_utf8(end.content).ok()?;
    let text = match end.tag {
        // Years from 50 on are of the last century (RFC 5280, 4.1.2.5.1).
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let civil = DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    let end: Timestamp = civil.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(end.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::identity::{Identity, SVID_TTL};

    #[test]
    fn certificates_are_taken_apart_and_tell_their_end() {
        let identity = Identity::new(SVID_TTL).unwrap();
        let source = identity.source(&identity.domain().id(&["x"]).unwrap()).unwrap();
        let (svid, bundle) = (source.svid(), source.bundle());
        let both = [svid.certificate.to_vec(), bundle[0].to_vec()].concat();
        assert_eq!(certificates(&both).unwrap(), [svid.certificate.clone(), bundle[0].clone()]);
        let end = not_after(&svid.certificate).unwrap();
        assert!(end <= svid.not_after && end + Duration::from_secs(1) > svid.not_after, "whole seconds");
        // That of the authority ends after 2049 in some years, and is then written otherwise.
        assert!(not_after(&bundle[0]).unwrap() > end);
    }

    #[test]
    fn what_is_cut_off_anywhere_is_an_error_and_no_panic() {
        let identity = Identity::new(SVID_TTL).unwrap();
        let certificate = identity.source(&identity.domain().id(&["x"]).unwrap()).unwrap().svid().certificate.to_vec();
        for length in 1..certificate.len() {
            assert!(certificates(&certificate[..length]).is_err() && not_after(&certificate[..length]).is_err(), "{length}");
        }
        for strange in [&[0x30, 0x85, 1, 1, 1, 1, 1][..], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0x80], &[0x30]] {
            assert!(certificates(strange).is_err());
        }
    }

    #[test]
    fn both_ways_of_writing_a_time_are_read() {
        let wrapped = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()][..], content].concat();
        let certificate = |tag: u8, time: &str| {
            let validity = wrapped(SEQUENCE, &wrapped(tag, time.as_bytes()).repeat(2));
            let parts = [wrapped(VERSION, &[]), wrapped(2, &[1]), wrapped(SEQUENCE, &[]), wrapped(SEQUENCE, &[]), validity].concat();
            wrapped(SEQUENCE, &wrapped(SEQUENCE, &parts))
        };
        let time = |text: &str| SystemTime::from(text.parse::<Timestamp>().unwrap());
        assert_eq!(not_after(&certificate(UTC_TIME, "491231235959Z")).unwrap(), time("2049-12-31T23:59:59Z"));
        assert_eq!(not_after(&certificate(UTC_TIME, "990102030405Z")).unwrap(), time("1999-01-02T03:04:05Z"));
        assert_eq!(not_after(&certificate(GENERALIZED_TIME, "20500101000000Z")).unwrap(), time("2050-01-01T00:00:00Z"));
        assert!(not_after(&certificate(GENERALIZED_TIME, "20501301000000Z")).is_err());
    }
}
