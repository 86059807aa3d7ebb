use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{engine::identity::Settings, model::Namespaced};

/// What the manager asks of the supervisor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::engine) enum Order {
    /// It answers on the socket.
    Ready,
    /// Keep this network namespace; its descriptor comes with it.
    Hold {
        /// The number that the kernel gives it.
        inode: u64,
    },
    /// Let go of a network namespace.
    Release {
        /// Its number.
        inode: u64,
    },
    /// Keep the socket of an endpoint, which has registered; its descriptor comes with it.
    HoldEndpoint {
        /// What it is registered by.
        key: Namespaced,
    },
    /// Let go of the socket of an endpoint.
    ReleaseEndpoint {
        /// What it was registered by.
        key: Namespaced,
    },
    /// Keep this for the next manager; it comes as a file, and takes the place of what was kept before.
    Save,
    /// Start a program.
    Launch(Box<Launch>),
    /// End a program: as its manifest's container would be ended, or at once.
    Stop {
        /// Which.
        key: String,
        /// At once.
        now: bool,
    },
    /// What a program has logged is not wanted any more.
    Forget {
        /// Which.
        key: String,
    },
    /// Start another manager in this one's place, which ends now.
    Restart,
    /// Nothing is deployed any more: remove the files and let go of everything.
    End,
}

/// What the supervisor tells its manager: first everything that it holds, then what happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::engine) enum Notice {
    /// Who tells, and of which directory.
    Begin {
        /// The supervisor's process.
        supervisor: u32,
        /// The engine's directory.
        dir: PathBuf,
        /// How many managers there were before.
        restarts: u32,
        /// What was said about identities.
        identities: Settings,
    },
    /// A socket to answer on comes with it.
    Listener(Socket),
    /// A network namespace comes with it.
    Namespace {
        /// The number that the kernel gives it.
        inode: u64,
    },
    /// The socket of an endpoint comes with it.
    Endpoint {
        /// What it is registered by.
        key: Namespaced,
    },
    /// What the last manager wanted to be kept comes with it.
    State,
    /// A program that is running.
    Running {
        /// Which.
        key: String,
    },
    /// That was everything.
    Begun,
    /// A program has logged a line.
    Line {
        /// Which.
        key: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
        /// The line, without its end.
        text: String,
    },
    /// A program has ended.
    Ended {
        /// Which.
        key: String,
        /// How.
        end: End,
    },
    /// Somebody wants the engine to end.
    Stop,
    /// The files are removed, and everything is let go of.
    Over,
}

/// What an engine answers on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::engine) enum Socket {
    /// The requests of nsmctl.
    Engine,
    /// NSM's API.
    Nsm,
    /// The SPIFFE Workload API.
    Spire,
}

impl Socket {
    /// All of them.
    pub(in crate::engine) const ALL: [Self; 3] = [Self::Engine, Self::Nsm, Self::Spire];
}

/// A program and what it is to find around itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct Launch {
    /// Which: namespace, pod and container.
    pub(in crate::engine) key: String,
    /// The network namespace, by its number.
    pub(in crate::engine) namespace: u64,
    /// The file that is executed.
    pub(in crate::engine) path: PathBuf,
    /// Its arguments.
    pub(in crate::engine) arguments: Vec<String>,
    /// Its whole environment.
    pub(in crate::engine) environment: Vec<(String, String)>,
    /// The directory that it is started in.
    pub(in crate::engine) directory: String,
    /// Directories, and where each appears to it.
    pub(in crate::engine) shown: Vec<(PathBuf, PathBuf)>,
    /// The engine's directory, which it does not see.
    pub(in crate::engine) hidden: PathBuf,
    /// What it may use.
    pub(in crate::engine) limits: crate::model::Limits,
}

/// How a program has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::engine) enum End {
    /// With this exit code.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// By the kernel, at its limit of memory.
    OutOfMemory,
    /// It could not be started in a PID namespace, because there is no /proc for that: containers in which /proc is partly covered
    /// are given no other. The supervisor starts it again without.
    NoProc,
    /// It was never started.
    NotStarted(String),
}
