//! For any plan, deploy and then cleanup leave the cluster as it was.

use std::{
    env,
    fmt::{self, Display},
    hash::{BuildHasher, RandomState},
    str::FromStr,
};

use proptest::{
    option,
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::{
    cluster::{Cluster, EXAMPLE},
    program::eventually,
};

/// How many plans are tried: each takes some ten seconds. `NSMCTL_E2E_CASES` says otherwise.
const CASES: u32 = 4;

const THEIRS: &str = "nsmctl-theirs";
const NEIGHBOUR: &str = "nsmctl-neighbour";

/// What is deployed, and what was there before.
#[derive(Debug, Clone)]
struct Plan {
    clients: u32,
    cidr: Option<String>,
    cross_node: bool,
    payload: Option<&'static str>,
    name_prefix: Option<&'static str>,
    namespace: Option<&'static str>,
    /// The namespace is somebody else's, with something in it.
    is_there: bool,
    /// Somebody has a NetworkService of another name.
    has_neighbour: bool,
}

impl Plan {
    fn any() -> impl Strategy<Value = Self> {
        let addresses = (1..=3_u32).prop_flat_map(|clients| (Just(clients), cidr(clients)));
        let prefix = option::of(prop_oneof![Just("blue-"), Just("a")]);
        let what = (addresses, any::<bool>(), option::of(prop_oneof![Just("ethernet"), Just("ip")]), prefix);
        let place = (option::of(Just(THEIRS)), any::<bool>(), any::<bool>());
        (what, place).prop_map(|(((clients, cidr), cross_node, payload, name_prefix), (namespace, is_there, has_neighbour))| Self {
            clients,
            cidr,
            cross_node,
            payload,
            name_prefix,
            namespace,
            is_there,
            has_neighbour,
        })
    }

    fn flags(&self) -> Vec<String> {
        let option = |name: &str, value: Option<&str>| value.map(|value| [format!("--{name}"), value.to_owned()]).into_iter().flatten();
        let clients = (self.clients > 1).then(|| self.clients.to_string());
        let options = [
            ("clients", clients.as_deref()),
            ("cidr", self.cidr.as_deref()),
            ("payload", self.payload),
            ("name-prefix", self.name_prefix),
            ("namespace", self.namespace),
        ];
        let cross_node = self.cross_node.then(|| "--cross-node".to_owned());
        options.into_iter().flat_map(|(name, value)| option(name, value)).chain(cross_node).collect()
    }

    /// Makes what is to be there before.
    fn prepare(&self, cluster: &Cluster) {
        let namespace = self.namespace.unwrap_or(EXAMPLE);
        if self.is_there {
            make(cluster, namespace);
            cluster.kubectl(&["create", "configmap", "-n", namespace, "mine", "--from-literal=a=b"]);
        }
        if self.has_neighbour {
            let home = if self.is_there { namespace } else { NEIGHBOUR };
            if !self.is_there {
                make(cluster, home);
            }
            let service = format!("{{name: another, namespace: {home}}}\nspec: {{payload: IP}}\n");
            cluster.apply(&format!("apiVersion: networkservicemesh.io/v1\nkind: NetworkService\nmetadata: {service}"));
        }
    }

    fn try_on(&self, cluster: &Cluster) {
        self.prepare(cluster);
        let before = cluster.listing();
        let flags = self.flags();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        for command in ["deploy", "cleanup"] {
            let ran = cluster.nsmctl(&[&[command], flags.as_slice()].concat());
            assert!(ran.code == Some(0), "{command} of {self}: {ran:?}");
        }
        cluster.is_as_it_was(&before, &format!("deploy and cleanup of {self}"));
        let made = [(self.is_there, self.namespace.unwrap_or(EXAMPLE)), (self.has_neighbour && !self.is_there, NEIGHBOUR)];
        for (_, namespace) in made.into_iter().filter(|(is_made, _)| *is_made) {
            cluster.kubectl(&["delete", "namespace", namespace]);
        }
    }
}

impl Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_there = if self.is_there { ", whose namespace was there before" } else { "" };
        let neighbour = if self.has_neighbour { ", beside another NetworkService" } else { "" };
        write!(f, "`{}`{is_there}{neighbour}", self.flags().join(" "))
    }
}

/// A namespace of somebody else's, with what Kubernetes puts into each.
fn make(cluster: &Cluster, name: &str) {
    cluster.kubectl(&["create", "namespace", name]);
    eventually("what every namespace has", || cluster.has(&["-n", name, "serviceaccount/default", "configmap/kube-root-ca.crt"]));
}

/// Prefixes that hold an address and its peer's for each client, and up to four times as many; the manifest's own holds one.
fn cidr(clients: u32) -> impl Strategy<Value = Option<String>> {
    let bits = clients.next_power_of_two().ilog2() + 1;
    let v4 =
        (0..=2_u32, 0..250_u8, 0..8_u32).prop_map(move |(more, net, block)| format!("10.{net}.0.{}/{}", block << (bits + more), 32 - bits - more));
    let v6 = (0..=2_u32, 0..8_u32).prop_map(move |(more, block)| format!("2001:db8::{:x}/{}", block << (bits + more), 128 - bits - more));
    let both = (v4.clone(), v6.clone()).prop_map(|(v4, v6)| format!("{v4},{v6}"));
    let said = prop_oneof![v4, v6, both];
    if clients == 1 { option::of(said).boxed() } else { said.prop_map(Some).boxed() }
}

fn setting<T: FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

/// Which plans is said by a seed, which `NSMCTL_E2E_SEED` gives again. They are not made smaller where one fails: that would
/// take minutes, and says little more than the plan itself.
#[test]
fn deploy_then_cleanup_leaves_the_listing_as_it_was() {
    let seed: u64 = setting("NSMCTL_E2E_SEED").unwrap_or_else(|| RandomState::new().hash_one(()));
    println!("NSMCTL_E2E_SEED={seed} tries these plans again");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let cluster = Cluster::new().with_namespace(THEIRS).with_namespace(NEIGHBOUR);
    for case in 1..=setting("NSMCTL_E2E_CASES").unwrap_or(CASES) {
        let plan = Plan::any().new_tree(&mut runner).expect("a plan").current();
        println!("{case}: {plan}");
        plan.try_on(&cluster);
    }
}
