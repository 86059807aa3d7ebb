//! What is said over the engine's socket: one JSON document a line, requests one way, replies the other.
//!
//! ```text
//!   client                      engine
//!   {"hello":{"version":…}} ──►
//!                           ◄── {"hello":{"version":…,"pid":…,"instances":[…]}}
//!   {"apply":{…}}           ──►
//!                           ◄── {"event":…}   any number of these
//!                           ◄── {"applied":…} exactly one of the others
//! ```
//!
//! The hello and `"shutdown"` never change, so that every version can tell what it meets and end it.

use std::{fmt::Display, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::model::{
    Applied, ContainerProgram, EngineState, Event, Failure, Family, Inventory, LogTail, Namespaced, NetworkServiceSpec, ObjectRef, Outcome,
    PodProbes, ProbeRequest, Removed, System, Workload,
};

/// The name of the socket in the engine's directory.
pub const SOCKET: &str = "engine.sock";
/// The folder of the socket of NSM's API in the engine's directory, which a sandbox sees as `/var/lib/networkservicemesh`.
pub const NSM_FOLDER: &str = "nsm";
/// That socket, by the name that NSM's programs know.
pub const NSM_SOCKET: &str = "nsm.io.sock";
/// The folder of the socket of the SPIFFE Workload API, which a sandbox sees as `/run/spire/sockets`.
pub const SPIRE_FOLDER: &str = "spire";
/// That socket, by the name that NSM's manifests give it.
pub const SPIRE_SOCKET: &str = "agent.sock";
/// The folder in which the engine's own endpoints make their sockets; no sandbox sees it.
pub const ENDPOINT_FOLDER: &str = "nse";
/// The name of the log in the engine's directory.
pub const LOG: &str = "engine.log";
/// The name of the lock in the engine's directory.
pub const LOCK: &str = "engine.lock";
/// The link in the engine's directory, as a sandbox sees it, to the folder of a SPIRE agent's socket.
pub const AGENT_FOLDER: &str = "agent";
/// This version; an engine and its client must be of the same.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// The first request of every connection.
    Hello {
        /// The client's version.
        version: String,
    },
    /// Make what is there be this, and no more, for one deployment.
    Apply(Apply),
    /// What exists?
    Inventory,
    /// Of what workloads is it made?
    Workloads,
    /// With which options was it deployed?
    Options {
        /// The deployment.
        instance: String,
    },
    /// What is inside these pods?
    Probe(Vec<ProbeRequest>),
    /// What carries it, and what was logged?
    System,
    /// Only what was logged?
    Logs,
    /// What carries which connections?
    Carried,
    /// What was counted, and where is that exposed?
    Metrics,
    /// What goes with a deployment?
    Held {
        /// The deployment.
        instance: String,
    },
    /// Remove a deployment.
    Delete {
        /// The deployment.
        instance: String,
    },
    /// Who gives identities, and for how long?
    Identities {
        /// X.509 SVIDs are to be valid for so long from now on.
        svid_ttl: Option<Duration>,
    },
    /// Who is there, and where are its namespaces?
    Status,
    /// Put another manager in this one's place, and keep everything.
    Restart,
    /// End the endpoint of a connection, and say what that costs.
    Lose(Lose),
    /// Remove everything and end.
    Shutdown,
}

/// A deployment as it is to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Apply {
    /// The deployment's identity.
    pub instance: String,
    /// The namespace that it is made in.
    pub namespace: String,
    /// Its endpoints and clients.
    pub workloads: Vec<Workload>,
    /// Its network services.
    pub services: Vec<NetworkServiceSpec>,
    /// What was asked to be different from the manifests.
    #[serde(default)]
    pub options: Option<String>,
    /// What runs in its pods instead of images.
    #[serde(default)]
    pub programs: Vec<ContainerProgram>,
}

/// An endpoint that is to be lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lose {
    /// The client's pod.
    pub client: Namespaced,
    /// The endpoint's address.
    pub peer: IpAddr,
    /// The time between two pings, in milliseconds.
    pub interval_ms: u64,
    /// How long it may take to heal, in milliseconds.
    pub limit_ms: u64,
}

/// What the loss of an endpoint came to. Times are in milliseconds since the pings began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// What was done.
    pub what: String,
    /// When each reply came.
    pub replies_ms: Vec<u64>,
    /// When it was done.
    pub lost_at_ms: u64,
    /// Whether replies came steadily again in time.
    pub is_healed: bool,
}

/// What the engine answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// To a hello.
    Hello(Hello),
    /// Something happened; the answer follows later.
    Event(Event),
    /// To an apply.
    Applied(AppliedAll),
    /// To the question what exists.
    Inventory(Box<Inventory>),
    /// To the question of what workloads it is made.
    Workloads(Vec<Workload>),
    /// To the question with which options it was deployed.
    Options(Option<String>),
    /// To a probe, in the order of its requests.
    Probes(Vec<PodProbes>),
    /// To the question what carries it.
    System(Box<System>),
    /// To the question what was logged.
    Logs(Vec<LogTail>),
    /// To the question what carries which connections.
    Carried(EngineState),
    /// To the question what goes with a deployment, in the order in which it does.
    Held(Vec<ObjectRef>),
    /// To the question what was counted.
    Metrics(Counted),
    /// To a delete.
    Removed(Removed),
    /// To the question who gives identities.
    Identities(Identities),
    /// To the question who is there.
    Status(Status),
    /// To the loss of an endpoint.
    Lost(Loss),
    /// The manager ends now, and another takes its place: connect again.
    Restarting,
    /// The engine is ending and takes no more work: start another.
    Ending,
    /// The request was not done.
    Refused(Refusal),
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The engine's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// The deployments that it holds.
    pub instances: Vec<String>,
}

/// What applying came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedAll {
    /// Every object and what was done to it.
    pub objects: Vec<(ObjectRef, Applied)>,
    /// The pods whose requests nobody serves, each with the reason.
    pub pending: Vec<(Namespaced, String)>,
    /// Where the engine's metrics are exposed; `None` where no port was free.
    pub metrics: Option<String>,
}

/// Who gives identities on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identities {
    /// The trust domain.
    pub domain: String,
    /// The SPIRE agent that gives them, as `unix://PATH`; `None` for the engine itself.
    pub agent: Option<String>,
    /// How long X.509 SVIDs are valid; `None` where an agent says that.
    pub svid_ttl: Option<Duration>,
    /// How long they were valid before this was asked.
    pub before: Option<Duration>,
}

/// The engine and where its namespaces are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its process: the supervisor, with which everything ends.
    pub pid: u32,
    /// The process of its manager, which can be restarted.
    pub manager: u32,
    /// How many managers there were before this one.
    pub restarts: u32,
    /// The deployments that it holds.
    pub instances: Vec<String>,
    /// The network namespace of every pod, as `nsenter --net=PATH` takes it.
    pub namespaces: Vec<(Namespaced, String)>,
}

/// What the engine has counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// Where it exposes that; `None` where no port was free.
    pub address: Option<String>,
    /// The metrics.
    pub families: Vec<Family>,
}

/// Why a request was not done: a [`Failure`] that can travel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What it means for the command.
    pub outcome: Outcome,
    /// What happened.
    pub message: String,
    /// The next step.
    pub hint: Option<String>,
}

impl Refusal {
    /// A refusal with a message of its own.
    pub fn new(outcome: Outcome, message: impl Display) -> Self {
        Self { outcome, message: message.to_string(), hint: None }
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }
}

impl From<&Failure> for Refusal {
    fn from(failure: &Failure) -> Self {
        Self { outcome: failure.outcome, message: failure.message(), hint: failure.hint.clone() }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { outcome: refusal.outcome, hint: refusal.hint, error: anyhow::Error::msg(refusal.message) }
    }
}

/// What a starting engine writes to its standard output: one line, then it closes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Started {
    /// The socket is open.
    Ready {
        /// The engine's process.
        pid: u32,
    },
    /// Another engine holds the directory.
    Busy,
    /// It cannot start.
    Error(Refusal),
}

/// One message as a line.
///
/// # Errors
/// It has no form in JSON, which none of the messages here is.
pub fn to_line(message: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Asks, ObjectState, PingOptions};

    fn round_trip<T: Serialize + for<'a> Deserialize<'a> + PartialEq + std::fmt::Debug>(message: &T) -> String {
        let line = to_line(message).unwrap();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert_eq!(&serde_json::from_slice::<T>(&line).unwrap(), message);
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }

    #[test]
    fn the_form_of_hello_and_shutdown_is_fixed() {
        assert_eq!(round_trip(&Request::Hello { version: "1".into() }), r#"{"hello":{"version":"1"}}"#);
        assert_eq!(round_trip(&Request::Shutdown), r#""shutdown""#);
        let hello = Hello { version: "1".into(), pid: 2, instances: vec!["a".into()] };
        assert_eq!(round_trip(&Reply::Hello(hello)), r#"{"hello":{"version":"1","pid":2,"instances":["a"]}}"#);
    }

    #[test]
    fn messages_are_read_back_as_written() {
        let pod = Namespaced::new("ns", "a\nb");
        let ping = PingOptions::default();
        let (asks, pings) = (Asks { network: true, ..Asks::default() }, vec!["::1".parse().unwrap()]);
        let probe = ProbeRequest { pod: pod.clone(), container: "c".into(), asks, pings, ping, debug_image: None };
        round_trip(&Request::Probe(vec![probe]));
        let object = ObjectRef::namespaced("Pod", "ns", "a");
        round_trip(&Reply::Event(Event::Object(object.clone(), ObjectState::Waiting("x".into()))));
        round_trip(&Reply::Applied(AppliedAll {
            objects: vec![(object, Applied::Created)],
            pending: vec![(pod, "IPPool is empty".into())],
            metrics: None,
        }));
        round_trip(&Reply::Refused(Refusal::new(Outcome::Usage, "no").hint("yes")));
        round_trip(&Started::Error(Refusal::new(Outcome::CannotTell, "no")));
    }
}
