//! Names that are made up: of interfaces as NSM does it, of pods as Kubernetes does it.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::sandbox::host_name;
use crate::model::{InterfaceName, InvalidInterfaceName, Labels, Namespaced, Workload, WorkloadKind};

/// How much of the service's name goes into an interface's, in characters (sdk, `pkg/tools/nsurl` and `ifnameutils`).
const SERVICE_CHARACTERS: usize = 10;

/// The name of an interface that nobody named: `SERVICE[:10]-RANDOM`, at most 15 characters.
///
/// # Errors
/// The service's name has characters that no interface can have.
pub(super) fn interface(service: &str) -> Result<InterfaceName, InvalidInterfaceName> {
    const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let random = RandomState::new().build_hasher().finish();
    let service: String = service.chars().take(SERVICE_CHARACTERS).collect();
    format!("{service}-{}", spell(random, ALPHANUMERIC, 4)).parse()
}

/// Whether an interface of this name may have been named after the service by [`interface`].
pub(super) fn is_interface_of(name: &str, service: &str) -> bool {
    let beginning: String = service.chars().take(SERVICE_CHARACTERS).collect();
    let random = name.strip_prefix(&beginning).and_then(|rest| rest.strip_prefix('-'));
    random.is_some_and(|random| random.len() == 4 && random.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// Adds to labels what NSM's clients and endpoints add to theirs, where it is not there yet: their node and their pod. This machine is
/// part of no named cluster.
pub(super) fn add_own_labels(labels: &mut Labels, pod: &str) {
    labels.entry("nodeName".to_owned()).or_insert_with(host_name);
    labels.entry("podName".to_owned()).or_insert_with(|| pod.to_owned());
}

/// How many pods a workload makes here.
pub(super) fn pod_count(workload: &Workload) -> u64 {
    match workload.kind {
        WorkloadKind::Pod | WorkloadKind::DaemonSet => 1,
        WorkloadKind::StatefulSet | WorkloadKind::Deployment => u64::from(workload.replicas.unwrap_or(1)),
    }
}

/// The names of a workload's pods.
pub(super) fn pods(workload: &Workload) -> Vec<Namespaced> {
    let name = &workload.id.name;
    let names: Vec<String> = match workload.kind {
        WorkloadKind::Pod => vec![name.clone()],
        WorkloadKind::DaemonSet => vec![format!("{name}-{}", short_id(workload))],
        WorkloadKind::StatefulSet => (0..workload.replicas.unwrap_or(1)).map(|n| format!("{name}-{n}")).collect(),
        WorkloadKind::Deployment => (0..workload.replicas.unwrap_or(1)).map(|n| format!("{name}-{}-{n}", short_id(workload))).collect(),
    };
    names.into_iter().map(|pod| Namespaced::new(&workload.id.namespace, pod)).collect()
}

/// Five characters that are always the same for the same workload. The alphabet has no vowels, as with Kubernetes, so
/// that no word comes out.
fn short_id(workload: &Workload) -> String {
    const CONSONANTS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    // FNV-1a, 64 bits: small, and the same in every version of Rust, which the standard hasher does not promise.
    let text = format!("{workload}");
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    spell(hash, CONSONANTS, 5)
}

fn spell(mut number: u64, alphabet: &[u8], length: usize) -> String {
    let base = alphabet.len() as u64;
    let mut character = || {
        let index = usize::try_from(number % base).unwrap_or_default();
        number /= base;
        char::from(alphabet[index])
    };
    (0..length).map(|_| character()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn workload(kind: WorkloadKind, replicas: Option<u32>) -> Workload {
        let (pod_labels, selector) = (BTreeMap::new(), BTreeMap::new());
        let id = Namespaced::new("ns", "nse-kernel");
        Workload { kind, id, replicas, pod_labels, selector, container: "nse".into(), requests: vec![], endpoint: None }
    }

    #[test]
    fn labels_of_ones_own_stay() {
        let mut labels = Labels::from([("nodeName".to_owned(), "chosen".to_owned())]);
        add_own_labels(&mut labels, "alpine");
        assert_eq!((labels["nodeName"].as_str(), labels["podName"].as_str()), ("chosen", "alpine"));
    }

    #[test]
    fn an_interface_is_named_after_its_service() {
        let name = interface("kernel2kernel").unwrap();
        assert!(name.as_str().starts_with("kernel2ker-") && name.as_str().len() == 15, "{name}");
        assert!(interface("a").unwrap().as_str().len() == 6);
        assert!(interface("a/b").is_err());
        assert!(is_interface_of(name.as_str(), "kernel2kernel") && !is_interface_of(name.as_str(), "kernel2"));
        assert!(!is_interface_of("kernel2ker-ab", "kernel2kernel") && !is_interface_of("nsm-1", "nsm"));
    }

    #[test]
    fn pods_are_named_after_their_workload() {
        let names = |kind, replicas| pods(&workload(kind, replicas)).into_iter().map(|pod| pod.name).collect::<Vec<_>>();
        assert_eq!(names(WorkloadKind::Pod, Some(1)), ["nse-kernel"]);
        assert_eq!(names(WorkloadKind::StatefulSet, Some(2)), ["nse-kernel-0", "nse-kernel-1"]);
        // Written out, because a name that changes between versions would re-create pods.
        assert_eq!(names(WorkloadKind::Deployment, Some(1)), ["nse-kernel-zwmrs-0"]);
        assert_eq!(names(WorkloadKind::DaemonSet, None), ["nse-kernel-4kfgk"]);
    }
}
