use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::AddressPair;

/// A range of IPv4 or IPv6 addresses, as in `172.16.1.100/31` or `2001:db8::/64`.
///
/// Two addresses are the least that a point-to-point connection needs; a /31 gives exactly those (RFC 3021),
/// and so does a /127 (RFC 6164). Host bits are cleared, as NSM's endpoints do.
///
/// ```
/// use nsmctl::model::Prefix;
///
/// let prefix: Prefix = "172.16.1.101/31".parse()?;
/// assert_eq!(prefix.to_string(), "172.16.1.100/31");
/// assert_eq!(prefix.capacity(), 1);
/// let pair = prefix.first_pair().expect("two addresses");
/// assert_eq!((pair.endpoint.to_string(), pair.client.to_string()), ("172.16.1.100".to_owned(), "172.16.1.101".to_owned()));
/// assert_eq!(prefix.around(3).map(|wider| wider.to_string()).as_deref(), Some("172.16.1.96/29"));
/// # Ok::<(), nsmctl::model::InvalidPrefix>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(IpNet);

/// Why a string is no prefix, or no list of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPrefix {
    /// Not of the form ADDRESS/LENGTH.
    #[error("{0:?} is no address prefix: it must be an IPv4 or IPv6 address, a slash and a length, as in 172.16.1.100/31")]
    Syntax(String),
    /// The brackets of a list of groups do not fit.
    #[error("{0:?} is no list of prefixes: brackets must be balanced, as in [172.16.0.0/24,172.16.1.0/24],2001:db8::/64")]
    Brackets(String),
    /// Of a range whose addresses no connection can have.
    #[error("{prefix} cannot be given out: {range}")]
    Reserved {
        /// The prefix.
        prefix: Prefix,
        /// What its addresses are.
        range: &'static str,
    },
}

/// Ranges whose addresses no endpoint can have (RFC 6890, RFC 4291, RFC 5771).
const RESERVED: [(&str, &str); 8] = [
    ("0.0.0.0/8", "0.0.0.0/8 stands for no address at all"),
    ("127.0.0.0/8", "127.0.0.0/8 never leaves the loopback interface"),
    ("169.254.0.0/16", "169.254.0.0/16 is link-local"),
    ("224.0.0.0/4", "224.0.0.0/4 is multicast"),
    ("::/128", ":: stands for no address at all"),
    ("::1/128", "::1 is the loopback interface's"),
    ("fe80::/10", "fe80::/10 is link-local, and every interface has such addresses of its own"),
    ("ff00::/8", "ff00::/8 is multicast"),
];

impl Prefix {
    /// Whether the address lies in the range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// Whether an address lies in both ranges.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.0.contains(&other.0) || other.0.contains(&self.0)
    }

    /// The length of the prefix in bits.
    #[must_use]
    pub fn length(&self) -> u8 {
        self.0.prefix_len()
    }

    /// How many connections the range serves: each takes two addresses. Saturates at `u128::MAX`.
    #[must_use]
    pub fn capacity(&self) -> u128 {
        let host_bits = u32::from(self.0.max_prefix_len() - self.0.prefix_len());
        1_u128.checked_shl(host_bits).map_or(u128::MAX, |addresses| addresses / 2)
    }

    /// Sees that its addresses can be given out, of which the first are the first to go.
    ///
    /// # Errors
    /// They are reserved for something else.
    pub fn check_usable(&self) -> Result<(), InvalidPrefix> {
        let first = self.0.network();
        let holds = |text: &str| text.parse::<IpNet>().is_ok_and(|range| range.contains(&first));
        match RESERVED.iter().find(|(text, _)| holds(text)) {
            Some((_, range)) => Err(InvalidPrefix::Reserved { prefix: *self, range }),
            None => Ok(()),
        }
    }

    /// The address at an offset from the first one; `None` past the last one.
    ///
    /// NSM's address pools leave out neither the first nor the last address of a range.
    #[must_use]
    pub fn address(&self, offset: u128) -> Option<IpAddr> {
        let address = match self.0.network() {
            IpAddr::V4(first) => u32::try_from(offset).ok().and_then(|o| u32::from(first).checked_add(o)).map(|a| IpAddr::V4(Ipv4Addr::from(a))),
            IpAddr::V6(first) => u128::from(first).checked_add(offset).map(|a| IpAddr::V6(Ipv6Addr::from(a))),
        }?;
        self.contains(address).then_some(address)
    }

    /// The addresses that NSM's point-to-point IPAM gives to the first connection: the endpoint's is pulled first
    /// (sdk, `pkg/tools/ippool`, `PullP2PAddrs`). `None` where the range has only one address.
    #[must_use]
    pub fn first_pair(&self) -> Option<AddressPair> {
        Some(AddressPair { endpoint: self.address(0)?, client: self.address(1)? })
    }

    /// The smallest range around this one that serves so many connections. `None` where the address family has none.
    #[must_use]
    pub fn around(&self, connections: u128) -> Option<Self> {
        let host_bits = connections.checked_mul(2)?.checked_next_power_of_two()?.ilog2();
        let length = u32::from(self.0.max_prefix_len()).checked_sub(host_bits)?;
        let length = u8::try_from(length).ok()?.min(self.length());
        IpNet::new(self.0.addr(), length).ok().map(|net| Self(net.trunc()))
    }
}

impl From<IpNet> for Prefix {
    fn from(net: IpNet) -> Self {
        Self(net.trunc())
    }
}

impl FromStr for Prefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let net: IpNet = text.parse().map_err(|_| InvalidPrefix::Syntax(text.to_owned()))?;
        Ok(Self(net.trunc()))
    }
}

impl TryFrom<String> for Prefix {
    type Error = InvalidPrefix;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The value of an endpoint's NSM_CIDR_PREFIX: every connection gets one pair of addresses out of each group, and the
/// prefixes of a group are used one after the other.
///
/// `172.16.1.0/24,2001:db8::/64` is two groups of one prefix each, `[10.0.0.0/31,10.0.1.0/31]` one group of two
/// (sdk, `pkg/tools/cidr`, `Groups`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PrefixGroups(Vec<Vec<Prefix>>);

impl PrefixGroups {
    /// The groups, in their order.
    #[must_use]
    pub fn groups(&self) -> &[Vec<Prefix>] {
        &self.0
    }

    /// Every prefix of every group.
    pub fn prefixes(&self) -> impl Iterator<Item = Prefix> + '_ {
        self.0.iter().flatten().copied()
    }

    /// How many connections can be served: the smallest group decides. Zero without a group.
    #[must_use]
    pub fn capacity(&self) -> u128 {
        self.0.iter().map(|group| capacity_of(group)).min().unwrap_or(0)
    }

    /// The same with each group that is too small for so many connections made as large as that takes. `None` where the
    /// address family has no such range, or where two would share addresses then.
    #[must_use]
    pub fn around(&self, connections: u128) -> Option<Self> {
        let widened = |group: &Vec<Prefix>| match capacity_of(group) {
            capacity if capacity >= connections => Some(group.clone()),
            _ => Some(vec![group.first()?.around(connections)?]),
        };
        let widened = Self(self.0.iter().map(widened).collect::<Option<_>>()?);
        let prefixes: Vec<Prefix> = widened.prefixes().collect();
        let shared = prefixes.iter().enumerate().any(|(at, one)| prefixes[at + 1..].iter().any(|other| one.overlaps(other)));
        (!shared).then_some(widened)
    }

    /// What the first connection gets: a pair out of each group. `None` where a group has no pair to give.
    #[must_use]
    pub fn first_pairs(&self) -> Option<Vec<AddressPair>> {
        self.0.iter().map(|group| group.iter().find_map(Prefix::first_pair)).collect()
    }
}

fn capacity_of(group: &[Prefix]) -> u128 {
    group.iter().fold(0, |sum, prefix| sum.saturating_add(prefix.capacity()))
}

impl FromStr for PrefixGroups {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let brackets = || InvalidPrefix::Brackets(text.to_owned());
        let mut groups: Vec<Vec<Prefix>> = Vec::new();
        let mut inside = false;
        if compact.is_empty() {
            return Ok(Self(groups));
        }
        for item in compact.split(',') {
            let (opens, item) = item.strip_prefix('[').map_or((false, item), |rest| (true, rest));
            let (closes, item) = item.strip_suffix(']').map_or((false, item), |rest| (true, rest));
            if opens && inside || closes && !(inside || opens) {
                return Err(brackets());
            }
            let prefix = item.parse()?;
            match groups.last_mut() {
                Some(group) if inside => group.push(prefix),
                _ => groups.push(vec![prefix]),
            }
            inside = (inside || opens) && !closes;
        }
        if inside { Err(brackets()) } else { Ok(Self(groups)) }
    }
}

impl TryFrom<String> for PrefixGroups {
    type Error = InvalidPrefix;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PrefixGroups> for String {
    fn from(groups: PrefixGroups) -> Self {
        groups.to_string()
    }
}

impl fmt::Display for PrefixGroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, group) in self.0.iter().enumerate() {
            let list = group.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let comma = if i == 0 { "" } else { "," };
            if group.len() == 1 { write!(f, "{comma}{list}")? } else { write!(f, "{comma}[{list}]")? }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair(endpoint: &str, client: &str) -> AddressPair {
        AddressPair { endpoint: endpoint.parse().unwrap(), client: client.parse().unwrap() }
    }

    #[test]
    fn a_31_serves_one_connection_and_the_endpoint_comes_first() {
        let prefix: Prefix = "172.16.1.100/31".parse().unwrap();
        assert_eq!(prefix.capacity(), 1);
        assert_eq!(prefix.first_pair(), Some(pair("172.16.1.100", "172.16.1.101")));
        let six: Prefix = "2001:db8::/127".parse().unwrap();
        assert_eq!(six.first_pair(), Some(pair("2001:db8::", "2001:db8::1")));
    }

    #[test]
    fn host_bits_are_cleared() {
        assert_eq!("10.0.0.7/24".parse::<Prefix>().unwrap().to_string(), "10.0.0.0/24");
    }

    #[test]
    fn what_is_reserved_is_not_given_out() {
        let check = |text: &str| text.parse::<Prefix>().unwrap().check_usable().map_err(|error| error.to_string());
        for (bad, why) in [
            ("0.0.0.0/31", "no address at all"),
            ("0.0.0.0/0", "no address at all"),
            ("127.0.0.0/31", "loopback"),
            ("169.254.1.0/24", "link-local"),
            ("224.0.0.0/31", "multicast"),
            ("::/127", "no address at all"),
            ("::1/128", "loopback"),
            ("fe80::10/127", "link-local"),
            ("ff02::/127", "multicast"),
        ] {
            let error = check(bad).unwrap_err();
            assert!(error.starts_with(&format!("{bad} cannot be given out: ")) && error.contains(why), "{error}");
        }
        for good in ["172.16.1.100/31", "10.0.0.0/8", "2001:db8::/64", "fd00::/8", "100.64.0.0/10", "1.0.0.0/31"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn ranges_overlap_where_one_holds_the_other() {
        let overlap = |a: &str, b: &str| a.parse::<Prefix>().unwrap().overlaps(&b.parse().unwrap());
        assert!(overlap("10.0.0.0/24", "10.0.0.128/31") && overlap("10.0.0.128/31", "10.0.0.0/24") && overlap("10.0.0.0/31", "10.0.0.0/31"));
        assert!(!overlap("10.0.0.0/31", "10.0.0.2/31") && !overlap("0.0.0.0/0", "::/0"));
    }

    #[test]
    fn one_address_serves_nobody() {
        let prefix: Prefix = "10.0.0.1/32".parse().unwrap();
        assert_eq!((prefix.capacity(), prefix.first_pair()), (0, None));
    }

    #[test]
    fn a_whole_address_space_does_not_overflow() {
        assert_eq!("::/0".parse::<Prefix>().unwrap().capacity(), u128::MAX);
        assert_eq!("0.0.0.0/0".parse::<Prefix>().unwrap().address(u128::from(u32::MAX)), Some("255.255.255.255".parse().unwrap()));
        assert_eq!("0.0.0.0/0".parse::<Prefix>().unwrap().address(1 << 32), None);
    }

    #[test]
    fn the_smallest_range_around_an_address_is_found() {
        let around = |prefix: &str, connections| prefix.parse::<Prefix>().unwrap().around(connections).map(|wider| wider.to_string());
        assert_eq!(around("172.16.1.100/31", 3).as_deref(), Some("172.16.1.96/29"));
        assert_eq!(around("172.16.1.100/31", 1).as_deref(), Some("172.16.1.100/31"));
        assert_eq!(around("172.16.1.100/24", 3).as_deref(), Some("172.16.1.0/24"));
        assert_eq!(around("10.0.0.1/32", 1).as_deref(), Some("10.0.0.0/31"));
        assert_eq!(around("2001:db8::64/127", 3).as_deref(), Some("2001:db8::60/125"));
        assert_eq!(around("10.0.0.0/31", 1 << 31).as_deref(), Some("0.0.0.0/0"));
        assert_eq!(around("10.0.0.0/31", (1 << 31) + 1), None);
        assert_eq!(around("::/127", u128::MAX), None);
    }

    #[test]
    fn groups_are_widened_where_they_are_too_small() {
        let around = |prefixes: &str, connections| prefixes.parse::<PrefixGroups>().unwrap().around(connections).map(|wider| wider.to_string());
        assert_eq!(around("10.0.0.0/31,2001:db8::/64", 3).as_deref(), Some("10.0.0.0/29,2001:db8::/64"));
        assert_eq!(around("[10.0.0.0/31,10.0.1.0/31],2001:db8::/127", 2).as_deref(), Some("[10.0.0.0/31,10.0.1.0/31],2001:db8::/126"));
        assert_eq!(around("10.0.0.0/31,10.0.0.2/31", 2), None, "both would be 10.0.0.0/30");
    }

    #[test]
    fn groups_are_read_as_upstream_reads_them() {
        let groups: PrefixGroups = "[10.0.0.0/31, 10.0.1.0/31], 2001:db8::/64".parse().unwrap();
        assert_eq!(groups.groups().iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(groups.capacity(), 2);
        assert_eq!(groups.first_pairs(), Some(vec![pair("10.0.0.0", "10.0.0.1"), pair("2001:db8::", "2001:db8::1")]));
        assert_eq!(groups.to_string(), "[10.0.0.0/31,10.0.1.0/31],2001:db8::/64");
    }

    #[test]
    fn bad_prefixes_name_themselves() {
        for bad in ["10.0.0.0", "10.0.0.0/33", "10.0.0/24", "2001:db8::/129", "x"] {
            assert_eq!(bad.parse::<Prefix>(), Err(InvalidPrefix::Syntax(bad.to_owned())));
        }
        for bad in ["[10.0.0.0/31", "10.0.0.0/31]", "[10.0.0.0/31,[10.0.0.0/31]"] {
            assert_eq!(bad.parse::<PrefixGroups>(), Err(InvalidPrefix::Brackets(bad.to_owned())));
        }
        assert_eq!("10.0.0.0/31,".parse::<PrefixGroups>(), Err(InvalidPrefix::Syntax(String::new())));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = text.parse::<Prefix>();
            let _ = text.parse::<PrefixGroups>();
        }

        #[test]
        fn what_is_printed_is_read_back(bits in any::<u32>(), length in 0_u8..=32) {
            let prefix: Prefix = format!("{}/{length}", Ipv4Addr::from(bits)).parse().unwrap();
            prop_assert_eq!(prefix.to_string().parse::<Prefix>().unwrap(), prefix);
            prop_assert_eq!(prefix.first_pair().is_some(), length < 32);
        }

        #[test]
        fn what_would_do_does_and_nothing_smaller(bits in any::<u128>(), length in 0_u8..=128, connections in 1_u128..5000) {
            let prefix: Prefix = format!("{}/{length}", Ipv6Addr::from(bits)).parse().unwrap();
            let wider = prefix.around(connections).unwrap();
            prop_assert!(wider.capacity() >= connections && wider.overlaps(&prefix));
            prop_assert!(wider == prefix || wider.capacity() / 2 < connections);
        }
    }
}
