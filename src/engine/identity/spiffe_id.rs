use std::fmt;

use super::Error;

/// What the SPIFFE ID standard allows at most, in bytes (SPIFFE-ID, 2.3).
const MAX_BYTES: usize = 2048;
/// The longest name of a trust domain, in bytes (SPIFFE-ID, 2.1).
const MAX_DOMAIN_BYTES: usize = 255;
const SCHEME: &str = "spiffe://";

/// A SPIFFE ID, in the one form that the standard has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::engine) struct SpiffeId {
    text: String,
    domain_bytes: usize,
}

/// What one authority is responsible for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::engine) struct TrustDomain(String);

impl TrustDomain {
    /// A trust domain by its name.
    ///
    /// # Errors
    /// It is empty, too long, or has other characters than `a-z`, `0-9`, `.`, `-` and `_`.
    pub(in crate::engine) fn new(name: &str) -> Result<Self, Error> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        match !name.is_empty() && name.len() <= MAX_DOMAIN_BYTES && name.bytes().all(allowed) {
            true => Ok(Self(name.to_owned())),
            false => Err(Error::new("read a trust domain", format!("{name:?} is no name of one"))),
        }
    }

    /// The ID of the domain itself, which is that of its authority.
    pub(in crate::engine) fn uri(&self) -> String {
        format!("{SCHEME}{}", self.0)
    }

    /// An ID in the domain.
    ///
    /// # Errors
    /// A part is empty or has other characters than letters, digits, `.`, `-` and `_`.
    pub(in crate::engine) fn id(&self, path: &[&str]) -> Result<SpiffeId, Error> {
        SpiffeId::parse(&format!("{}/{}", self.uri(), path.join("/")))
    }
}

impl SpiffeId {
    /// Reads an ID.
    ///
    /// # Errors
    /// It is none, or the ID of a trust domain and so of nobody in it.
    pub(in crate::engine) fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |reason: &str| Error::new("read a SPIFFE ID", format!("{:?} {reason}", shorten(text)));
        if text.len() > MAX_BYTES {
            return Err(refuse("is too long"));
        }
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| refuse("does not begin with spiffe://"))?;
        let (domain, path) = rest.split_once('/').ok_or_else(|| refuse("has no path"))?;
        TrustDomain::new(domain)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let is_segment = |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(allowed);
        match path.split('/').all(is_segment) {
            true => Ok(Self { text: text.to_owned(), domain_bytes: domain.len() }),
            false => Err(refuse("has a path that no SPIFFE ID has")),
        }
    }

    /// The whole of it.
    pub(in crate::engine) fn as_str(&self) -> &str {
        &self.text
    }

    /// The trust domain that it is in.
    pub(super) fn domain(&self) -> TrustDomain {
        TrustDomain(self.text[SCHEME.len()..SCHEME.len() + self.domain_bytes].to_owned())
    }

    /// Whether it is in a trust domain.
    pub(in crate::engine) fn is_in(&self, domain: &TrustDomain) -> bool {
        self.text[SCHEME.len()..SCHEME.len() + self.domain_bytes] == domain.0
    }
}

/// As much of a text that comes from others as is put into a message.
fn shorten(text: &str) -> String {
    text.chars().take(100).collect()
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_standard_allows_is_an_id() {
        for good in ["spiffe://a.b/x", "spiffe://d/ns/n/pod/alpine-1", "spiffe://d/A_b.c"] {
            assert_eq!(SpiffeId::parse(good).unwrap().as_str(), good);
        }
        let long = format!("spiffe://d/{}", "x".repeat(MAX_BYTES));
        for bad in ["", "spiffe://d", "spiffe://d/", "spiffe:///x", "https://d/x", "spiffe://D/x", "spiffe://d/x/../y", "spiffe://d/x y", &long] {
            assert!(SpiffeId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_domain_is_the_whole_name() {
        let id = SpiffeId::parse("spiffe://example.org/x").unwrap();
        assert!(id.is_in(&TrustDomain::new("example.org").unwrap()));
        assert!(!id.is_in(&TrustDomain::new("example.or").unwrap()) && !id.is_in(&TrustDomain::new("example.orgs").unwrap()));
    }
}
