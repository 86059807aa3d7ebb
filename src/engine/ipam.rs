//! Addresses for connections, as NSM's point-to-point IPAM gives them out (sdk, `pkg/tools/ippool`).

use std::{collections::HashSet, net::IpAddr};

use ipnet::IpNet;

use crate::model::{AddressPair, Prefix, PrefixGroups};

/// The addresses that an endpoint gives out.
#[derive(Debug)]
pub(super) struct Pool {
    prefixes: PrefixGroups,
    taken: HashSet<IpAddr>,
}

/// A group has no two addresses left; the words are those of NSM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("IPPool is empty")]
pub(super) struct Exhausted;

/// What is not to be given out: the addresses of a client's other connections, and whatever else a client says.
#[derive(Debug)]
pub(super) struct Excluded(Vec<IpNet>);

impl Excluded {
    /// These prefixes.
    #[must_use]
    pub(super) fn new(prefixes: &[IpNet]) -> Self {
        // No two of them overlap then, so that of each address one alone is to be looked at.
        let mut disjoint = IpNet::aggregate(&prefixes.to_vec());
        disjoint.sort_unstable_by_key(IpNet::network);
        Self(disjoint)
    }

    /// The prefix that excludes an address.
    fn around(&self, address: &IpAddr) -> Option<&IpNet> {
        let begun = self.0.partition_point(|prefix| prefix.network() <= *address);
        self.0.get(begun.checked_sub(1)?).filter(|prefix| prefix.contains(address))
    }

    /// Whether an address is excluded.
    #[must_use]
    pub(super) fn has(&self, address: &IpAddr) -> bool {
        self.around(address).is_some()
    }
}

impl Pool {
    /// A pool from which nothing is taken.
    #[must_use]
    pub(super) fn new(prefixes: PrefixGroups) -> Self {
        Self { prefixes, taken: HashSet::new() }
    }

    /// Takes the lowest free pair out of each group, the endpoint's address first. Addresses that are excluded are passed over.
    ///
    /// # Errors
    /// A group has no pair left, or there is no group at all. Nothing is taken then.
    pub(super) fn pull(&mut self, excluded: &Excluded) -> Result<Vec<AddressPair>, Exhausted> {
        if self.prefixes.groups().is_empty() {
            return Err(Exhausted);
        }
        let mut pairs = Vec::new();
        // Groups may overlap, so what one takes is gone for the next.
        let mut taken = HashSet::new();
        for group in self.prefixes.groups() {
            let is_taken = |address: &IpAddr| self.taken.contains(address) || taken.contains(address);
            let pair = group.iter().find_map(|prefix| lowest_pair(prefix, excluded, is_taken)).ok_or(Exhausted)?;
            taken.extend([pair.endpoint, pair.client]);
            pairs.push(pair);
        }
        self.taken.extend(taken);
        Ok(pairs)
    }

    /// Takes these very pairs, one of each group: whoever had them before gets them again. Says whether they were to be had.
    pub(super) fn claim(&mut self, pairs: &[AddressPair]) -> bool {
        let groups = self.prefixes.groups();
        let is_of = |pair: &AddressPair, group: &[Prefix]| group.iter().any(|prefix| prefix.contains(pair.client) && prefix.contains(pair.endpoint));
        let addresses: HashSet<IpAddr> = pairs.iter().flat_map(|pair| [pair.client, pair.endpoint]).collect();
        let fits = pairs.len() == groups.len() && !groups.is_empty() && pairs.iter().zip(groups).all(|(pair, group)| is_of(pair, group));
        let is_free = fits && addresses.len() == 2 * pairs.len() && self.taken.is_disjoint(&addresses);
        if is_free {
            self.taken.extend(addresses);
        }
        is_free
    }

    /// Gives pairs back.
    pub(super) fn release(&mut self, pairs: &[AddressPair]) {
        for pair in pairs {
            self.taken.remove(&pair.endpoint);
            self.taken.remove(&pair.client);
        }
    }
}

/// Both addresses come out of one prefix. What is taken is passed over one by one, so that the search ends soon after that, and each prefix
/// that is excluded at once: it may have 2^64 addresses.
fn lowest_pair(prefix: &Prefix, excluded: &Excluded, is_taken: impl Fn(&IpAddr) -> bool) -> Option<AddressPair> {
    let mut next = prefix.address(0);
    let mut free = || loop {
        let address = next?;
        let passed = excluded.around(&address);
        next = following(passed.map_or(address, IpNet::broadcast)).filter(|following| prefix.contains(*following));
        if passed.is_none() && !is_taken(&address) {
            return Some(address);
        }
    };
    Some(AddressPair { endpoint: free()?, client: free()? })
}

/// The address after another; `None` after the last.
fn following(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => u32::from(address).checked_add(1).map(|next| IpAddr::V4(next.into())),
        IpAddr::V6(address) => u128::from(address).checked_add(1).map(|next| IpAddr::V6(next.into())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pool(prefixes: &str) -> Pool {
        Pool::new(prefixes.parse().unwrap())
    }

    fn excluded(prefixes: &[&str]) -> Excluded {
        Excluded::new(&prefixes.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>())
    }

    fn pull(pool: &mut Pool) -> Result<Vec<AddressPair>, Exhausted> {
        pool.pull(&excluded(&[]))
    }

    #[test]
    fn the_first_pair_is_what_the_plan_expects() {
        for prefixes in ["172.16.1.100/31", "172.16.1.0/24,2001:db8::/64", "[10.0.0.1/32,10.0.1.0/31],2001:db8::/127"] {
            let groups: PrefixGroups = prefixes.parse().unwrap();
            assert_eq!(pull(&mut Pool::new(groups.clone())).ok(), groups.first_pairs());
        }
    }

    #[test]
    fn an_empty_pool_says_so_in_the_words_of_nsm() {
        let mut pool = pool("172.16.1.100/31,2001:db8::/64");
        pull(&mut pool).unwrap();
        assert_eq!(pull(&mut pool).unwrap_err().to_string(), "IPPool is empty");
        assert_eq!(pull(&mut Pool::new(PrefixGroups::default())), Err(Exhausted));
    }

    #[test]
    fn the_prefixes_of_a_group_are_used_one_after_the_other() {
        let mut pool = pool("[10.0.0.0/31,10.0.1.0/31]");
        let endpoints: Vec<_> = (0..2).map(|_| pull(&mut pool).unwrap()[0].endpoint.to_string()).collect();
        assert_eq!(endpoints, ["10.0.0.0", "10.0.1.0"]);
    }

    #[test]
    fn addresses_of_the_clients_other_connections_are_passed_over() {
        let pair = excluded(&["10.0.0.1/32", "10.0.0.0/32"]);
        assert_eq!(pool("10.0.0.0/31").pull(&pair), Err(Exhausted));
        assert_eq!(pool("10.0.0.0/30").pull(&pair).unwrap()[0].endpoint.to_string(), "10.0.0.2");
    }

    #[test]
    fn a_whole_network_is_passed_over_at_once() {
        let pulled = |prefixes: &str, out: &[&str]| pool(prefixes).pull(&excluded(out)).map(|pairs| pairs[0].endpoint.to_string());
        assert_eq!(pulled("2001:db8::/64", &["2001:db8::/64"]), Err(Exhausted));
        assert_eq!(pulled("::/0", &["::/0", "2001:db8::/32", "0.0.0.0/0"]), Err(Exhausted));
        assert_eq!(pulled("2001:db8::/63", &["2001:db8::/64", "2001:db8:0:1::/128"]).as_deref(), Ok("2001:db8:0:1::1"));
        assert_eq!(pulled("10.0.0.0/8", &["10.128.0.0/9", "10.0.0.0/9", "192.0.2.0/24"]), Err(Exhausted));
        assert_eq!(pulled("255.255.255.254/31", &["255.255.255.255/32"]), Err(Exhausted));
    }

    #[test]
    fn addresses_can_be_had_again_by_whoever_had_them_while_nobody_else_has() {
        let mut pool = pool("[10.0.0.0/30],2001:db8::/127");
        let first = pull(&mut pool).unwrap();
        assert!(!pool.claim(&first), "they are taken");
        pool.release(&first);
        assert!(!pool.claim(&first[..1]) && !pool.claim(&[]), "a group is missing");
        let foreign = AddressPair { client: "192.0.2.1".parse().unwrap(), endpoint: "192.0.2.0".parse().unwrap() };
        assert!(!pool.claim(&[foreign, first[1]]) && pool.claim(&first));
    }

    #[test]
    fn a_whole_address_space_is_no_burden() {
        assert!(pull(&mut pool("::/0")).is_ok());
    }

    proptest! {
        #[test]
        fn no_two_live_pairs_share_an_address(steps in proptest::collection::vec(any::<Option<u8>>(), 0..60)) {
            let mut pool = pool("[10.0.0.0/29,10.0.1.0/30],2001:db8::/123,10.0.0.4/29");
            let mut live: Vec<Vec<AddressPair>> = Vec::new();
            for step in steps {
                match step {
                    Some(which) if !live.is_empty() => {
                        let pairs = live.swap_remove(usize::from(which) % live.len());
                        pool.release(&pairs);
                        // What was given back can be had again.
                        live.push(pull(&mut pool).unwrap());
                    }
                    _ => live.extend(pull(&mut pool)),
                }
                let addresses: Vec<IpAddr> = live.iter().flatten().flat_map(|pair| [pair.client, pair.endpoint]).collect();
                prop_assert_eq!(addresses.iter().collect::<HashSet<_>>().len(), addresses.len());
                prop_assert_eq!(addresses.len(), pool.taken.len());
            }
        }

        #[test]
        fn as_many_are_served_as_the_prefixes_promise(length in 24_u8..=32) {
            let groups: PrefixGroups = format!("10.0.0.0/{length}").parse().unwrap();
            let mut pool = Pool::new(groups.clone());
            let served = (0..).take_while(|_| pull(&mut pool).is_ok()).count();
            prop_assert_eq!(u128::try_from(served).unwrap(), groups.capacity());
        }
    }
}
