use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{InterfaceName, InvalidInterfaceName};

/// How packets get into the client: the scheme of an NSM URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Mechanism {
    /// A network interface of the kernel.
    Kernel,
    /// A virtual function of an SR-IOV device.
    Vfio,
    /// A memif socket, for VPP.
    Memif,
    /// A WireGuard tunnel.
    Wireguard,
    /// Any other word: NSM's set is open.
    Other(String),
}

impl From<String> for Mechanism {
    fn from(scheme: String) -> Self {
        match scheme.to_ascii_lowercase().as_str() {
            "kernel" => Self::Kernel,
            "vfio" => Self::Vfio,
            "memif" => Self::Memif,
            "wireguard" => Self::Wireguard,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl From<Mechanism> for String {
    fn from(mechanism: Mechanism) -> Self {
        mechanism.to_string()
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kernel => "kernel",
            Self::Vfio => "vfio",
            Self::Memif => "memif",
            Self::Wireguard => "wireguard",
            Self::Other(scheme) => scheme,
        })
    }
}

/// One request of a client: `MECHANISM://SERVICE[@DOMAIN][/INTERFACE][?label=value&…]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NsUrl {
    /// The mechanism that the client asks for.
    pub mechanism: Mechanism,
    /// The name of the NetworkService.
    pub service: String,
    /// The domain that the service is looked up in, where it is another one.
    pub domain: Option<String>,
    /// The name of the interface in the client; NSM makes one up where there is none.
    pub interface: Option<InterfaceName>,
    /// The labels that the client presents; the values of a repeated key are joined with a comma.
    pub labels: BTreeMap<String, String>,
}

/// Why a string is not an NSM URL. The message quotes the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed network service URL {url:?}: {reason}")]
pub struct InvalidNsUrl {
    /// The URL as it was written.
    pub url: String,
    /// What is wrong with it.
    #[source]
    pub reason: UrlParseReason,
}

/// What is wrong with a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlParseReason {
    /// There is no `://`, or nothing in front of it.
    #[error("it must begin with a mechanism, as in kernel://SERVICE/INTERFACE")]
    NoMechanism,
    /// The scheme has a character that a URL scheme cannot have (RFC 3986, section 3.1).
    #[error("{0:?} cannot be a mechanism")]
    BadMechanism(String),
    /// Nothing stands where the service should.
    #[error("it names no network service")]
    NoService,
    /// There is white space in it. NSM's init container fails on the blank after a comma while the webhook still injects.
    #[error("it has white space in it, which NSM's init container does not take (`error processing rootConf from env`)")]
    WhiteSpace,
    /// A `%` that is not followed by two hexadecimal digits.
    #[error("{0:?} is not percent-encoded")]
    Encoding(String),
    /// The last part of the path is no name for an interface.
    #[error(transparent)]
    Interface(InvalidInterfaceName),
    /// The interface that every pod has for itself.
    #[error("lo is every pod's own loopback interface, so no connection can have that name")]
    Loopback,
    /// Another request of the same annotation has the interface.
    #[error("its interface is also that of {0}, and a pod has no two of one name")]
    SameInterface(String),
    /// What stands for the service has a port.
    #[error("{0:?} cannot be a network service: a name has no colon in it, and there are no ports")]
    Colon(String),
    /// The list ends with a comma.
    #[error("it ends with a comma, with no URL behind it")]
    TrailingComma,
    /// Nothing stands in front of a comma.
    #[error("there is no URL in front of one of its commas")]
    EmptyItem,
    /// The value is empty.
    #[error("it is empty")]
    Empty,
}

impl NsUrl {
    /// Reads the value of a `networkservicemesh.io` annotation: URLs with commas between them.
    ///
    /// ```
    /// use nsmctl::model::{Mechanism, NsUrl};
    ///
    /// let requests = NsUrl::parse_list("kernel://kernel2kernel/nsm-1?app=web,memif://vpp2vpp")?;
    /// assert_eq!(requests[0].service, "kernel2kernel");
    /// assert_eq!(requests[0].interface.as_ref().map(ToString::to_string).as_deref(), Some("nsm-1"));
    /// assert_eq!(requests[1].mechanism, Mechanism::Memif);
    /// assert!(NsUrl::parse_list("kernel://one, kernel://two").is_err());
    /// # Ok::<(), nsmctl::model::InvalidNsUrl>(())
    /// ```
    ///
    /// # Errors
    /// The first URL that is malformed, or that asks for an interface that another has. White space around a comma is an
    /// error, because it is one to NSM.
    pub fn parse_list(annotation: &str) -> Result<Vec<Self>, InvalidNsUrl> {
        let invalid = |url: &str, reason| InvalidNsUrl { url: url.to_owned(), reason };
        if !annotation.is_empty() && annotation.split(',').any(str::is_empty) {
            let reason = if annotation.ends_with(',') { UrlParseReason::TrailingComma } else { UrlParseReason::EmptyItem };
            return Err(invalid(annotation, reason));
        }
        let mut urls: Vec<Self> = Vec::new();
        for text in annotation.split(',') {
            let url: Self = text.parse()?;
            // Only those of the kernel are names in one and the same list.
            let is_same = |other: &&Self| url.interface.is_some() && other.interface == url.interface && other.mechanism == url.mechanism;
            if let Some(other) = urls.iter().find(is_same).filter(|_| url.mechanism == Mechanism::Kernel) {
                return Err(invalid(text, UrlParseReason::SameInterface(other.to_string())));
            }
            urls.push(url);
        }
        Ok(urls)
    }
}

fn decode(text: &str) -> Result<String, UrlParseReason> {
    let bad = || UrlParseReason::Encoding(text.to_owned());
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || bytes.next().and_then(|d| char::from(d).to_digit(16));
            let (Some(high), Some(low)) = (digit(), digit()) else { return Err(bad()) };
            decoded.push(u8::try_from(high * 16 + low).map_err(|_| bad())?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).map_err(|_| bad())
}

impl FromStr for NsUrl {
    type Err = InvalidNsUrl;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        parse(url).map_err(|reason| InvalidNsUrl { url: url.to_owned(), reason })
    }
}

fn parse(url: &str) -> Result<NsUrl, UrlParseReason> {
    if url.is_empty() {
        return Err(UrlParseReason::Empty);
    }
    if url.contains(char::is_whitespace) {
        return Err(UrlParseReason::WhiteSpace);
    }
    let (scheme, rest) = url.split_once("://").ok_or(UrlParseReason::NoMechanism)?;
    if scheme.is_empty() {
        return Err(UrlParseReason::NoMechanism);
    }
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) {
        return Err(UrlParseReason::BadMechanism(scheme.to_owned()));
    }
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, query)| (rest, query));
    let (authority, path) = rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
    let (service, domain) = authority.split_once('@').map_or((authority, None), |(service, domain)| (service, Some(domain)));
    let service = decode(service)?;
    if service.is_empty() {
        return Err(UrlParseReason::NoService);
    }
    if service.contains(':') {
        return Err(UrlParseReason::Colon(service));
    }
    let interface = match path.and_then(|path| path.rsplit('/').next()) {
        None | Some("") => None,
        Some(name) => match decode(name)? {
            name if name == "lo" => return Err(UrlParseReason::Loopback),
            name => Some(name.parse().map_err(UrlParseReason::Interface)?),
        },
    };
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decode(value)?;
        labels
            .entry(decode(key)?)
            .and_modify(|values| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert(value);
    }
    let domain = domain.filter(|d| !d.is_empty()).map(decode).transpose()?;
    Ok(NsUrl { mechanism: Mechanism::from(scheme.to_owned()), service, domain, interface, labels })
}

fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

impl fmt::Display for NsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.mechanism, encode(&self.service))?;
        if let Some(domain) = &self.domain {
            write!(f, "@{}", encode(domain))?;
        }
        if let Some(interface) = &self.interface {
            write!(f, "/{}", encode(interface.as_str()))?;
        }
        for (i, (key, value)) in self.labels.iter().enumerate() {
            write!(f, "{}{}={}", if i == 0 { '?' } else { '&' }, encode(key), encode(value))?;
        }
        Ok(())
    }
}

impl TryFrom<String> for NsUrl {
    type Error = InvalidNsUrl;

    fn try_from(url: String) -> Result<Self, Self::Error> {
        url.parse()
    }
}

impl From<NsUrl> for String {
    fn from(url: NsUrl) -> Self {
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_every_part() {
        let url: NsUrl = "KERNEL://my-service@dc.example.com/nsm-1?a=1&b=x%20y&a=2".parse().unwrap();
        assert_eq!(url.mechanism, Mechanism::Kernel);
        assert_eq!(url.service, "my-service");
        assert_eq!(url.domain.as_deref(), Some("dc.example.com"));
        assert_eq!(url.interface.as_ref().map(InterfaceName::as_str), Some("nsm-1"));
        assert_eq!(url.labels, BTreeMap::from([("a".into(), "1,2".into()), ("b".into(), "x y".into())]));
    }

    #[test]
    fn interface_and_labels_may_be_left_out() {
        for text in ["memif://vpp", "memif://vpp/"] {
            let url: NsUrl = text.parse().unwrap();
            assert_eq!((url.mechanism, url.interface), (Mechanism::Memif, None));
        }
        assert_eq!("quic://x".parse::<NsUrl>().unwrap().mechanism, Mechanism::Other("quic".into()));
    }

    #[test]
    fn several_urls_are_several_requests() {
        let urls = NsUrl::parse_list("kernel://a/nsm-1,kernel://b/nsm-2").unwrap();
        assert_eq!(urls.iter().map(|u| u.service.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_malformed_url_says_why() {
        let reason = |text: &str| NsUrl::parse_list(text).unwrap_err().reason;
        assert_eq!(reason(""), UrlParseReason::Empty);
        assert_eq!(reason("kernel2kernel"), UrlParseReason::NoMechanism);
        assert_eq!(reason("://x"), UrlParseReason::NoMechanism);
        assert_eq!(reason("ker_nel://x"), UrlParseReason::BadMechanism("ker_nel".into()));
        assert_eq!(reason("kernel:///nsm-1"), UrlParseReason::NoService);
        assert_eq!(reason("kernel://s:80/nsm-1"), UrlParseReason::Colon("s:80".into()));
        assert_eq!(reason("kernel://s/lo"), UrlParseReason::Loopback);
        assert_eq!(reason("kernel://s/nsm-1,"), UrlParseReason::TrailingComma);
        assert_eq!(reason("kernel://s/nsm-1,,kernel://t/nsm-2"), UrlParseReason::EmptyItem);
        assert_eq!(reason("kernel://a/nsm-1, kernel://b/nsm-2"), UrlParseReason::WhiteSpace);
        assert_eq!(reason("kernel://a?x=%4"), UrlParseReason::Encoding("%4".into()));
        assert!(matches!(reason("kernel://a/abcdefghijklmnop"), UrlParseReason::Interface(InvalidInterfaceName::TooLong(_))));
    }

    #[test]
    fn one_interface_is_for_one_request() {
        let error = NsUrl::parse_list("kernel://s/nsm-1,kernel://t/nsm-1").unwrap_err().to_string();
        let expected =
            "malformed network service URL \"kernel://t/nsm-1\": its interface is also that of kernel://s/nsm-1, and a pod has no two of one name";
        assert_eq!(error, expected);
        assert!(NsUrl::parse_list("kernel://s/nsm-1,memif://t/nsm-1,kernel://u,kernel://v").is_ok());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = NsUrl::parse_list(&text);
        }

        #[test]
        fn what_is_printed_is_read_back(service in "[a-z][a-z0-9-]{0,20}", interface in proptest::option::of("[a-km-z][a-z0-9-]{0,14}"),
                                        labels in proptest::collection::btree_map("[a-z]{1,5}", "[ -~]{0,8}", 0..3)) {
            let url = NsUrl { mechanism: Mechanism::Kernel, service, domain: None, interface: interface.map(|i| i.parse().unwrap()), labels };
            prop_assert_eq!(url.to_string().parse::<NsUrl>().unwrap(), url);
        }
    }
}
