use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use serde::{Deserialize, Serialize};

use super::{InterfaceCounters, Match, Namespaced, Payload, Prefix, ProbeRequest};

/// Why something could not be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unavailable {
    /// What stood in the way.
    pub kind: UnavailableKind,
    /// The reason in words, with the missing permission where that is it.
    pub reason: String,
}

/// What stood in the way of seeing something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnavailableKind {
    /// No permission.
    Forbidden,
    /// It does not exist.
    NotFound,
    /// It did not answer in time.
    Timeout,
    /// It could not be reached, or the connection broke.
    Transport,
    /// The program is not in the image.
    NoProgram,
    /// It was not asked, because something else has to be there first.
    NotAsked,
}

/// What a program that ran inside a pod left behind, word for word: parsed later, quoted as evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecOutput {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How it ended.
    pub end: ExecEnd,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

/// How a program that ran inside a pod ended. Only `Transport` and `LostStatus` are worth a second try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExecEnd {
    /// With this exit code.
    Exited(i32),
    /// It ran, but the connection ended before its status came: that is not a success.
    LostStatus,
    /// It could not be started, or the connection broke.
    Transport(String),
    /// It was still running when the time was up.
    Timeout,
}

/// Something asked inside a pod: the words of a program, a value that needs no parsing, or why there is neither.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe<T> {
    /// A program's output, still to be parsed.
    Output(ExecOutput),
    /// The value itself, as the kernel gave it.
    Value(T),
    /// Neither.
    Unavailable(Unavailable),
}

/// An address on an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InterfaceAddress {
    /// The address.
    pub address: IpAddr,
    /// The length of its prefix in bits.
    pub prefix_length: u8,
}

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Its flags in `ip`'s words: `UP`, `LOWER_UP`, `POINTOPOINT`, …
    pub flags: BTreeSet<String>,
    /// The largest packet that it admits, in bytes.
    pub mtu: Option<u32>,
    /// Its queueing discipline.
    pub qdisc: Option<String>,
    /// Its operational state in `ip`'s words; busybox prints none.
    pub state: Option<String>,
    /// Its addresses.
    pub addresses: Vec<InterfaceAddress>,
}

impl Link {
    /// Whether the interface is switched on.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.flags.contains("UP")
    }

    /// Whether there is somebody at the other end, and the kernel sends to it. What lies below is up a moment before the link
    /// itself is, and `ip` prints both `LOWER_UP` and `NO-CARRIER` then: packets are dropped (linux: IFF_LOWER_UP and IFF_RUNNING).
    #[must_use]
    pub fn is_lower_up(&self) -> bool {
        self.flags.contains("LOWER_UP") && !self.flags.contains("NO-CARRIER")
    }

    /// Whether it has the address.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|a| a.address == address)
    }
}

impl Link {
    /// Its flags, MTU, queue and state in the words of `ip`.
    #[must_use]
    pub fn properties(&self) -> String {
        let flags = self.flags.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        let mtu = self.mtu.map(|mtu| format!(" mtu {mtu}")).unwrap_or_default();
        let qdisc = self.qdisc.as_ref().map(|qdisc| format!(" qdisc {qdisc}")).unwrap_or_default();
        let state = self.state.as_ref().map(|state| format!(" state {state}")).unwrap_or_default();
        format!("<{flags}>{mtu}{qdisc}{state}")
    }
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Route {
    /// Where to; `0.0.0.0/0` and `::/0` for the default.
    pub destination: Prefix,
    /// The gateway, where there is one.
    pub via: Option<IpAddr>,
    /// The interface.
    pub device: Option<String>,
    /// What it does where it leads nowhere: `blackhole`, `unreachable`, `prohibit` or `throw`.
    #[serde(default)]
    pub refuses: Option<String>,
}

impl Route {
    /// The route that the kernel takes to an address: the most specific one.
    #[must_use]
    pub fn best(routes: &[Self], address: IpAddr) -> Option<&Self> {
        let leading = routes.iter().filter(|route| route.destination.contains(address));
        // Of two as specific the metric decides, which is not known here; one that leads somewhere gets the benefit.
        leading.max_by_key(|route| (route.destination.length(), route.refuses.is_none()))
    }
}

/// What a ping came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PingStats {
    /// Echo requests sent.
    pub transmitted: u32,
    /// Echo replies that came back.
    pub received: u32,
    /// The shortest, mean and longest round trip in milliseconds, where a reply came.
    pub round_trip_ms: Option<(f64, f64, f64)>,
}

impl PingStats {
    /// The share of requests without a reply, in percent. A ping that sent nothing has lost everything.
    #[must_use]
    pub fn loss_percent(&self) -> f64 {
        if self.transmitted == 0 {
            return 100.0;
        }
        f64::from(self.transmitted.saturating_sub(self.received)) * 100.0 / f64::from(self.transmitted)
    }
}

/// A ping out of a pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pinged {
    /// Where to.
    pub destination: IpAddr,
    /// How long its packets are, the IP header included, in bytes: a question about the path's MTU. `None` for the usual
    /// length, which every path takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packet_bytes: Option<u32>,
    /// What came of it.
    pub result: Probe<PingStats>,
}

/// A name that was looked up inside a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// The name server that was asked.
    pub server: String,
    /// What it answered, in the words of `nslookup`.
    pub answer: ExecOutput,
}

/// How names are resolved inside a pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resolver {
    /// The pod's /etc/resolv.conf, word for word.
    pub configuration: Probe<String>,
    /// What was looked up, where NSM has put a resolver of its own in front of the cluster's. A server that gave no answer in
    /// the time that it had is not among them.
    pub lookups: Vec<Lookup>,
}

impl Resolver {
    /// What was asked and could not be seen.
    #[must_use]
    pub fn unavailable(unavailable: &Unavailable) -> Self {
        Self { configuration: Probe::Unavailable(unavailable.clone()), lookups: Vec::new() }
    }
}

/// What was asked inside one pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PodProbes {
    /// The pod.
    pub pod: Namespaced,
    /// The container that was asked: the workload's own, not the injected one.
    pub container: String,
    /// Its interfaces.
    pub links: Probe<Vec<Link>>,
    /// Its IPv4 routes.
    pub routes: Probe<Vec<Route>>,
    /// Its IPv6 routes.
    pub routes_v6: Probe<Vec<Route>>,
    /// The pings sent out of it.
    pub pings: Vec<Pinged>,
    /// How it resolves names; `None` where that was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolver: Option<Resolver>,
    /// What mechanisms without a kernel interface leave behind, a line each: `memif SOCKET`, `vfio DEVICE`,
    /// `wireguard INTERFACE`. `None` where that was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces: Option<Probe<Vec<String>>>,
    /// What the kernel has counted of each interface. `None` where that was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counters: Option<Result<Vec<InterfaceCounters>, Unavailable>>,
}

impl PodProbes {
    /// What was asked inside a pod of which nothing could be seen, for one reason.
    #[must_use]
    pub fn unavailable(request: &ProbeRequest, unavailable: &Unavailable) -> Self {
        let asks = request.asks;
        let pinged = |destination: &IpAddr| Pinged { destination: *destination, packet_bytes: None, result: Probe::Unavailable(unavailable.clone()) };
        Self {
            pod: request.pod.clone(),
            container: request.container.clone(),
            links: Probe::Unavailable(unavailable.clone()),
            routes: Probe::Unavailable(unavailable.clone()),
            routes_v6: Probe::Unavailable(unavailable.clone()),
            pings: request.pings.iter().map(pinged).collect(),
            resolver: asks.resolver.then(|| Resolver::unavailable(unavailable)),
            traces: asks.traces.then(|| Probe::Unavailable(unavailable.clone())),
            counters: asks.counters.then(|| Err(unavailable.clone())),
        }
    }
}

/// The state of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerState {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Whether it is ready; for an init container, whether it has done its work.
    pub ready: bool,
    /// Whether it runs.
    pub running: bool,
    /// How often it was restarted.
    pub restarts: u32,
    /// Why it does not run: `ImagePullBackOff`, `CrashLoopBackOff`, `OOMKilled`, …
    pub reason: Option<String>,
    /// What Kubernetes adds to the reason.
    pub message: Option<String>,
    /// Since when it runs, or when it has ended, in seconds since 1970; `None` where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
}

/// The state of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodState {
    /// Its name.
    pub id: Namespaced,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its NSM annotation.
    pub annotation: Option<String>,
    /// What made it, kind and name: the Deployment, where a ReplicaSet stands between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<(String, String)>,
    /// The node that it runs on, once it is scheduled.
    pub node: Option<String>,
    /// Its phase: `Pending`, `Running`, …
    pub phase: String,
    /// Whether it is ready.
    pub ready: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Why it was not scheduled.
    pub unschedulable: Option<String>,
    /// Its init containers.
    pub init_containers: Vec<ContainerState>,
    /// Its containers.
    pub containers: Vec<ContainerState>,
}

/// Whether a container of this name is one that NSM's webhook puts into a client, of either kind.
///
/// Their names are the base names of the images that the webhook was given: `cmd-nsc` and `cmd-nsc-init` in all that upstream
/// ships.
#[must_use]
pub fn is_nsm_client(container: &str) -> bool {
    container.starts_with("cmd-nsc")
}

impl PodState {
    /// The init container that NSM's webhook adds to a client.
    #[must_use]
    pub fn client_init(&self) -> Option<&ContainerState> {
        self.init_containers.iter().find(|container| is_nsm_client(&container.name))
    }

    /// Whether NSM's webhook put its containers into the pod.
    #[must_use]
    pub fn is_injected(&self) -> bool {
        self.containers.iter().chain(&self.init_containers).any(|container| is_nsm_client(&container.name))
    }

    /// The state of the pod in one word, as `kubectl get pods` has it.
    #[must_use]
    pub fn status(&self) -> String {
        if self.deleting {
            return "Terminating".to_owned();
        }
        let done = self.init_containers.iter().filter(|c| c.ready).count();
        if done < self.init_containers.len() {
            let reason = self.init_containers.iter().find_map(|c| c.reason.clone()).filter(|r| r != "PodInitializing");
            return reason.map_or_else(|| format!("Init:{done}/{}", self.init_containers.len()), |r| format!("Init:{r}"));
        }
        self.containers.iter().find_map(|c| c.reason.clone()).unwrap_or_else(|| self.phase.clone())
    }
}

/// A NetworkService as it exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkServiceState {
    /// Its name.
    pub id: Namespaced,
    /// Its payload; `None` where it has one that NSM does not know.
    pub payload: Option<Payload>,
    /// Which of its endpoints serve which clients; none where they cannot be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<Match>,
}

/// A NetworkServiceEndpoint as the registry has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredEndpoint {
    /// The name of the object.
    pub id: Namespaced,
    /// The services that it offers.
    pub services: Vec<String>,
    /// The SPIFFE ID of whoever registered it, where the registry keeps it.
    pub spiffe_id: Option<String>,
    /// The pod that has registered it, where the registry keeps that beside the SPIFFE ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_by: Option<Namespaced>,
    /// When its registration runs out, in seconds since 1970.
    pub expires_at: Option<i64>,
    /// The node that it serves, where it is a forwarder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwards_on: Option<String>,
}

impl RegisteredEndpoint {
    /// The pod that registered, as the registry says, or as its SPIFFE ID names it: `spiffe://DOMAIN/ns/NAMESPACE/pod/NAME` (upstream's
    /// ClusterSPIFFEIDs).
    #[must_use]
    pub fn pod(&self) -> Option<Namespaced> {
        if self.registered_by.is_some() {
            return self.registered_by.clone();
        }
        let mut parts = self.spiffe_id.as_deref()?.strip_prefix("spiffe://")?.split('/').skip(1);
        match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("ns"), Some(namespace), Some("pod"), Some(name), None) => Some(Namespaced::new(namespace, name)),
            _ => None,
        }
    }

    /// Whether it is the registration of this pod: by its SPIFFE ID, else by its name, which is the pod's, or begins with it and
    /// a dash.
    #[must_use]
    pub fn is_of(&self, pod: &Namespaced) -> bool {
        let rest = || self.id.name.strip_prefix(&pod.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        self.pod().map_or_else(rest, |own| own == *pod)
    }
}

/// The identities that SPIRE gives out: a ClusterSPIFFEID and the pods of the inventory that it selects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityRule {
    /// The ClusterSPIFFEID's name.
    pub name: String,
    /// The pods that it selects.
    pub pods: BTreeSet<Namespaced>,
}

/// What exists, each part with why it could not be seen where it could not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// The pods of the namespaces concerned.
    pub pods: Result<Vec<PodState>, Unavailable>,
    /// The network services of all namespaces.
    pub services: Result<Vec<NetworkServiceState>, Unavailable>,
    /// The registered endpoints, forwarders included.
    pub endpoints: Result<Vec<RegisteredEndpoint>, Unavailable>,
    /// What gives the pods their identities.
    pub identities: Result<Vec<IdentityRule>, Unavailable>,
}

/// Everything that `verify` looks at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When it was taken, in seconds since 1970.
    pub taken_at: i64,
    /// What exists.
    pub inventory: Inventory,
    /// What was asked inside the pods.
    pub probes: Vec<PodProbes>,
}

impl Observation {
    /// The pods that could be seen; none where they could not.
    #[must_use]
    pub fn pods(&self) -> &[PodState] {
        self.inventory.pods.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registered(name: &str, spiffe_id: Option<&str>) -> RegisteredEndpoint {
        let id = Namespaced::new("nsm-system", name);
        RegisteredEndpoint {
            id,
            services: Vec::new(),
            spiffe_id: spiffe_id.map(str::to_owned),
            registered_by: None,
            expires_at: None,
            forwards_on: None,
        }
    }

    #[test]
    fn a_registration_names_its_pod_by_its_identity() {
        let pod = |spiffe_id: &str| registered("x", Some(spiffe_id)).pod();
        assert_eq!(pod("spiffe://k8s.nsm/ns/a/pod/nse-1"), Some(Namespaced::new("a", "nse-1")));
        for other in [
            "spiffe://k8s.nsm/ns/a/sa/default",
            "spiffe://k8s.nsm/ns/a/pod/nse-1/more",
            "spiffe://k8s.nsm/ns/a/pod",
            "https://k8s.nsm/ns/a/pod/nse-1",
            "",
        ] {
            assert_eq!(pod(other), None, "{other}");
        }
        assert_eq!(registered("nse-1", None).pod(), None);
        // Who keeps that beside it knows better: with a SPIRE of one's own an ID may say anything.
        let known = RegisteredEndpoint { registered_by: Some(Namespaced::new("b", "nse-2")), ..registered("x", Some("spiffe://d/ns/a/pod/nse-1")) };
        assert_eq!(known.pod(), Some(Namespaced::new("b", "nse-2")));
    }

    #[test]
    fn a_registration_is_of_the_pod_that_made_it() {
        let own = Namespaced::new("a", "nse-1");
        assert!(registered("anything", Some("spiffe://k8s.nsm/ns/a/pod/nse-1")).is_of(&own));
        // The identity counts, whatever the name says.
        assert!(!registered("nse-1", Some("spiffe://k8s.nsm/ns/b/pod/nse-1")).is_of(&own));
        assert!(registered("nse-1", None).is_of(&own) && registered("nse-1-x2k4p", None).is_of(&own));
        assert!(registered("nse-1", Some("spiffe://k8s.nsm/ns/a/sa/default")).is_of(&own), "an identity that names no pod is none");
        assert!(!registered("nse-10", None).is_of(&own) && !registered("other", None).is_of(&own));
    }
}
