//! Programs in sandboxes: a person's own, in the place of a container's image.
//!
//! ```text
//!   Apply ─► run: which, how often, when again ─► supervisor ─► launcher ─► program
//!              ▲                                      │
//!              └───────── its log, its end ◄──────────┘
//! ```
//!
//! # Decisions
//!
//! - **A sandbox is made by a process that then waits**: the launcher, for namespaces are entered by a single thread, and `fork` without
//!   `exec` is unsafe code. It enters the pod's network namespace, makes a mount and a PID namespace, joins the control groups through its child,
//!   and removes them at the end, so that it has SIGTERM where others have SIGKILL when the supervisor dies. The supervisor itself stays out of any
//!   PID namespace: numbers of processes then mean the same to it, to the person and to /proc. Folders that a machine does not have are shown by
//!   a folder in memory over the nearest parent, with everything else of it bound back into it. Where /proc is partly covered (in a container) there is
//!   no /proc for a PID namespace: the program then runs without one, and the launcher ends what it leaves.

mod backoff;
mod cgroup;
mod environment;
mod launcher;
mod life;
mod mounts;

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use self::launcher::{inside, sandbox};
pub(super) use self::life::{Again, LAST_WORDS};
use self::{backoff::Backoff, environment::resolve};
use super::{
    mesh::Host,
    protocol::{AGENT_FOLDER, NSM_FOLDER, SPIRE_FOLDER},
    sandbox::{Sandbox, host_name},
    supervisor::{End, Launch},
};
use crate::model::{ContainerProgram, ContainerRole, ContainerState, Namespaced};

/// Where NSM's programs expect the folder of its socket.
const NSM_SEEN: &str = "/var/lib/networkservicemesh";
/// Where NSM's programs expect the folder of SPIRE's socket.
const SPIRE_SEEN: &str = "/run/spire/sockets";
/// The folder for what a program does not keep, in the engine's directory as its sandbox sees it: in memory, and its own.
const TEMPORARY: &str = "tmp";
/// How long a program must have run to count as started: one that cannot start ends sooner.
const SETTLED: Duration = Duration::from_millis(300);

/// How long a program may take to register, or to be connected: as long as reasons may last that often pass.
const REACHES: Duration = Duration::from_secs(15);

/// A program of a pod, from its first start to the end of the pod.
#[derive(Debug)]
pub(super) struct Run {
    /// What is run.
    pub(super) program: ContainerProgram,
    phase: Phase,
    restarts: u32,
    backoff: Backoff,
    /// How it ended last.
    last: Option<End>,
    /// Whether it had settled before that.
    was_settled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Others come first.
    Waiting,
    /// Since then.
    Running(Instant),
    /// It is started again after a pause.
    Pausing(Duration),
    /// It has done its work, or is not wanted any more.
    Done,
}

/// What of a run is kept for the next manager.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SavedRun {
    program: ContainerProgram,
    restarts: u32,
    backoff: Backoff,
    last: Option<End>,
    is_done: bool,
}

impl Run {
    /// A program that is still to be started.
    pub(super) fn new(program: ContainerProgram) -> Self {
        Self { program, phase: Phase::Waiting, restarts: 0, backoff: Backoff::default(), last: None, was_settled: false }
    }

    /// A program as the last manager has left it; that it runs is told by the supervisor.
    pub(super) fn restore(saved: SavedRun) -> Self {
        let SavedRun { program, restarts, backoff, last, is_done } = saved;
        Self { program, phase: if is_done { Phase::Done } else { Phase::Waiting }, restarts, backoff, last, was_settled: false }
    }

    /// What the next manager has to know.
    pub(super) fn save(&self) -> SavedRun {
        let Self { program, restarts, backoff, last, .. } = self;
        SavedRun { program: program.clone(), restarts: *restarts, backoff: *backoff, last: last.clone(), is_done: self.phase == Phase::Done }
    }

    /// What the supervisor knows it by.
    pub(super) fn key(&self, pod: &Namespaced) -> String {
        format!("{}/{}/{}", pod.namespace, pod.name, self.program.container)
    }

    /// The container of a program that others wait for: it is ready once it `is_done` with what it is there for.
    pub(super) fn state_by(&self, log: &[String], is_done: bool) -> ContainerState {
        let state = self.state(log);
        let what = match self.program.role {
            ContainerRole::Endpoint => "its program has not registered an endpoint by NSM's API",
            _ => "its program has not been given the connections that it is there for",
        };
        match self.phase {
            Phase::Running(since) if state.ready && !is_done => ContainerState {
                ready: false,
                reason: (since.elapsed() >= REACHES).then(|| "NotReady".to_owned()),
                message: Some(what.to_owned()),
                ..state
            },
            _ => state,
        }
    }

    fn has_settled(&self) -> bool {
        // One that has shown before that it can run is taken at its word.
        matches!(self.phase, Phase::Running(since) if self.was_settled || since.elapsed() >= SETTLED)
    }

    /// The container as Kubernetes would show it; `log` is the end of what it has said.
    pub(super) fn state(&self, log: &[String]) -> ContainerState {
        let is_init = self.program.role.is_init();
        let said = || {
            let end = self.last.as_ref().map(|end| format!("{end}; ")).unwrap_or_default();
            let words = if log.is_empty() { "it has logged nothing".to_owned() } else { format!("its last words: {}", log.join(" | ")) };
            format!("{end}{words}")
        };
        let (reason, message) = match (self.phase, &self.last) {
            (Phase::Waiting, _) => (Some("PodInitializing".to_owned()), None),
            (Phase::Running(_), _) | (Phase::Done, None) => (None, None),
            (Phase::Done, Some(_)) => (Some("Completed".to_owned()), None),
            (Phase::Pausing(_), Some(End::NotStarted(_))) => (Some("StartError".to_owned()), Some(said())),
            (Phase::Pausing(pause), _) => {
                (Some("CrashLoopBackOff".to_owned()), Some(format!("{}; it is started again {} s later", said(), pause.as_secs())))
            }
        };
        ContainerState {
            name: self.program.container.clone(),
            image: self.program.path.display().to_string(),
            ready: if is_init { self.phase == Phase::Done } else { self.has_settled() },
            running: matches!(self.phase, Phase::Running(_)),
            restarts: self.restarts,
            since: None,
            reason,
            message,
        }
    }
}

impl Sandbox {
    /// What is needed to start one of its programs.
    fn launch(&self, run: &Run, host: &Host) -> crate::net::Result<Launch> {
        let (environment, arguments) =
            resolve(&run.program, &self.pod, &self.workload, &host_name(), &host.dir.join(TEMPORARY).display().to_string());
        let mut shown = [(NSM_FOLDER, NSM_SEEN), (SPIRE_FOLDER, SPIRE_SEEN)].map(|(folder, seen)| (host.dir.join(folder), seen.into())).to_vec();
        // The folder, not the socket: an agent that starts again makes another.
        let of_agent = host.agent.as_ref().and_then(|agent| agent.path().parent());
        shown.extend(of_agent.map(|folder| (folder.to_owned(), host.dir.join(AGENT_FOLDER))));
        Ok(Launch {
            key: run.key(&self.pod),
            namespace: self.namespace.inode()?,
            path: run.program.path.clone(),
            arguments,
            environment,
            directory: run.program.directory.clone().unwrap_or_else(|| "/".to_owned()),
            shown,
            hidden: host.dir.clone(),
            limits: run.program.limits,
        })
    }
}
