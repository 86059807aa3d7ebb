//! What nsmctl talks about, and nothing else: names, addresses, what is expected, what was seen, what follows.
//!
//! Everything here is pure. It reads no file, opens no socket and knows neither Kubernetes nor netlink, so
//! that a check or a diagnosis is the same for a cluster, for this machine and for a recorded snapshot.
//!
//! ```text
//!   manifests ──► Plan ──► Expectation ─┐
//!                                       ├──► Finding ──► Outcome (the exit code)
//!   Target ──► Observation ─────────────┘
//! ```

mod container_program;
mod difference;
mod dns_label;
mod event;
mod expectation;
mod failure;
mod few;
mod finding;
mod interface;
mod kind;
pub mod log;
mod metrics;
mod milestones;
mod object;
mod observation;
mod outcome;
mod permission;
mod phase;
mod plan;
mod pod_index;
mod prefix;
mod preflight;
mod program;
mod raw;
mod scope;
pub mod selection;
mod similar;
mod snapshot;
mod status;
mod stream;
mod svid_ttl;
mod url;
mod workload;

pub use container_program::{ContainerProgram, ContainerRole, Limits, Variable, VariableValue};
pub use difference::{Change, Difference};
pub use dns_label::check_dns_label;
pub use event::{Event, Notice, ObjectState, Sink};
pub use expectation::{AddressPair, Expectation, Expectations};
pub use failure::{Failure, IntoFailure, Result};
pub use few::few;
pub use finding::{Consequence, Diagnosed, Finding, Verdict};
pub use interface::{InterfaceName, InvalidInterfaceName, MAX_INTERFACE_NAME};
pub use kind::{
    ANNOTATION, INSTANCE_LABEL, KINDS, Kind, MANAGED_BY, MANAGED_BY_LABEL, NSM_NAMESPACE, OPTIONS_ANNOTATION, PART_OF_LABEL, SPIFFE_LABEL,
    SPIRE_NAMESPACE,
};
pub use metrics::{ConnectionMetrics, Counters, EndMetrics, Family, InterfaceCounters, MetricKind, Metrics, MetricsSource, Rates, Sample};
pub use milestones::Milestones;
pub use object::{Applied, ObjectRef, Removed};
pub use observation::{
    ContainerState, ExecEnd, ExecOutput, IdentityRule, InterfaceAddress, Inventory, Link, Lookup, NetworkServiceState, Observation, PingStats,
    Pinged, PodProbes, PodState, Probe, RegisteredEndpoint, Resolver, Route, Unavailable, UnavailableKind, is_nsm_client,
};
pub use outcome::Outcome;
pub use permission::{Permission, Purpose};
pub use phase::{ConnectionPhases, DataPath, PathToken, Phase, PhaseEvent, PhaseName, PhaseStep, Security, Tls};
pub use plan::{Asks, PACKET_PLATEAUS, PingOptions, Plan, PlannedObject, ProbeRequest};
pub use pod_index::PodIndex;
pub use prefix::{InvalidPrefix, Prefix, PrefixGroups};
pub use preflight::{Facts, Holder, NodeState, WebhookState};
pub use program::{ExecRequest, TerminalSize};
pub use raw::RawObjects;
pub use scope::{Discovery, Scope};
pub use selection::{Labels, Match};
pub use similar::{did_you_mean, similar};
pub use snapshot::{ComponentState, EventRecord, LogTail, Snapshot, System};
pub use status::{
    Addresses, Carried, ComponentStatus, ConnectionStatus, EndpointStatus, EngineState, InstanceStatus, Known, PathStatus, Ready, ServiceStatus,
    Status,
};
pub use stream::{LogLine, LogRange, LogSource, Mark, News, Window, merge, read_stamped, stamped};
pub use svid_ttl::check_svid_ttl;
pub use url::{InvalidNsUrl, Mechanism, NsUrl, UrlParseReason};
pub use workload::{EndpointSpec, Namespaced, NetworkServiceSpec, Payload, Workload, WorkloadKind};
