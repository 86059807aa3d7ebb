//! A SPIRE agent, or whatever else answers by the SPIFFE Workload API, in the place of the engine's own authority.
//!
//! ```text
//!   spire-server ──► agent ─┬─► programs in the sandboxes   each asks for itself, and is attested by its registration entries
//!                           └─► the engine                  manager, and its own endpoints and clients, by an entry of the engine's
//! ```

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use tokio::{
    net::UnixStream,
    time::{Instant, sleep, timeout},
};
use tonic::{Code, Request, Status, Streaming};

use super::{
    Error, Source, SpiffeId, der,
    messages::{Nothing, X509Svid, X509SvidResponse},
    source::Bundle,
    svid::Svid,
    workload_api::SECURITY_HEADER,
};
use crate::{
    engine::{grpc::Channel, supervisor::log},
    model::{Failure, Result},
};

/// The variable that names an agent, as all clients of the Workload API know it (Workload Endpoint, 4).
pub const AGENT_VARIABLE: &str = "SPIFFE_ENDPOINT_SOCKET";
/// How long an agent may take for its first answer: on a busy machine it takes seconds to look at who asks.
const ANSWERS: Duration = Duration::from_secs(15);
/// How long an identity is waited for: a registration entry that was just made reaches an agent within its five seconds' interval.
const ISSUED: Duration = Duration::from_secs(7);
/// The pause before an agent is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Where an agent answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct AgentSocket(PathBuf);

/// What names an agent, in the one form in which the engine tells it.
///
/// # Errors
/// It names no unix socket.
pub fn agent_url(url: &str) -> Result<String> {
    AgentSocket::parse(url).map(|socket| socket.to_string())
}

/// Why an agent gives no identity.
#[derive(Debug, thiserror::Error)]
enum Refused {
    /// It is not there.
    #[error("nobody answers: {0}")]
    Absent(String),
    /// It does not know us, or not yet.
    #[error("{}", .0.message())]
    Nobody(Status),
    /// It says something else.
    #[error("{0}")]
    Strange(String),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Strange(error.to_string())
    }
}

impl AgentSocket {
    /// Reads what the variable says.
    ///
    /// # Errors
    /// It names no unix socket.
    pub(in crate::engine) fn parse(url: &str) -> Result<Self> {
        let refuse = |reason: &str| {
            Failure::usage(format!("{AGENT_VARIABLE}={url}: {reason}"))
                .hint(format!("name the agent's socket, as in unix:///tmp/spire-agent/public/api.sock, or unset {AGENT_VARIABLE}: {OWN}"))
        };
        if url.starts_with("tcp:") {
            return Err(refuse("over TCP an agent cannot tell which program asks it"));
        }
        let path = url.strip_prefix("unix:").ok_or_else(|| refuse("this is no URL of a unix socket"))?;
        let path = path.strip_prefix("//").unwrap_or(path);
        match path.starts_with('/') && !path.ends_with('/') && !path.contains(['?', '#', '\0']) {
            true => Ok(Self(path.into())),
            false => Err(refuse("the path must be absolute, and there is nothing else in such a URL")),
        }
    }

    /// One at a path.
    #[cfg(test)]
    pub(in crate::engine) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The socket.
    pub(in crate::engine) fn path(&self) -> &Path {
        &self.0
    }

    /// Sees that the agent answers and gives this program an identity.
    ///
    /// # Errors
    /// It does not, with what to do about it.
    pub(in crate::engine) async fn probe(&self) -> Result<()> {
        self.first().await.map(drop)
    }

    /// The engine's credentials.
    ///
    /// # Errors
    /// The agent does not answer, or has none for us.
    pub(super) async fn first(&self) -> Result<Source> {
        let begun = Instant::now();
        loop {
            match self.ask().await {
                Ok((_, first)) => {
                    return read(&first).map(|(id, svid, bundle)| Source::from_elsewhere(id, svid, bundle)).map_err(|error| self.failure(&error));
                }
                Err(Refused::Nobody(_)) if begun.elapsed() < ISSUED => sleep(AGAIN).await,
                Err(refused) => return Err(self.failure(&refused)),
            }
        }
    }

    fn failure(&self, refused: &Refused) -> Failure {
        let Self(path) = self;
        let message = match refused {
            Refused::Absent(_) => format!("{AGENT_VARIABLE} names {self}, where {refused}"),
            Refused::Nobody(_) => format!("the SPIRE agent at {self} ({AGENT_VARIABLE}) gives the engine no identity: {refused}"),
            Refused::Strange(_) => format!("what answers at {self} ({AGENT_VARIABLE}) cannot be used: {refused}"),
        };
        Failure::failed(message).hint(match refused {
            Refused::Nobody(_) => {
                let program = std::env::current_exe().map_or_else(|_| "/path/to/nsmctl".to_owned(), |path| path.display().to_string());
                format!(
                    "make a registration entry for it: spire-server entry create -parentID spiffe://DOMAIN/AGENT -spiffeID spiffe://DOMAIN/nsmctl \
                     -selector unix:uid:{} -selector unix:path:{program} (that takes discover_workload_path in the agent's configuration), and one \
                     for every program; or unset {AGENT_VARIABLE}: {OWN}",
                    seen_uid(&std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default(), nix::unistd::getuid().as_raw())
                )
            }
            _ => format!("see that a SPIRE agent runs and that {} is its socket, or unset {AGENT_VARIABLE}: {OWN}", path.display()),
        })
    }

    /// Asks for our SVIDs; the result is where they come, and the first.
    async fn ask(&self) -> std::result::Result<(Streaming<X509SvidResponse>, X509SvidResponse), Refused> {
        let work = async {
            let stream = UnixStream::connect(&self.0).await.map_err(|error| Refused::Absent(error.to_string()))?;
            let channel = Channel::new(stream).await.map_err(|error| Refused::Strange(error.to_string()))?;
            let mut request = Request::new(Nothing {});
            request.metadata_mut().insert(SECURITY_HEADER, tonic::metadata::MetadataValue::from_static("true"));
            let answer = channel.stream("/SpiffeWorkloadAPI/FetchX509SVID", request).await.map_err(status)?;
            let mut stream: Streaming<X509SvidResponse> = answer.into_inner();
            let first = stream.message().await.map_err(status)?.ok_or_else(|| Refused::Strange("it has answered nothing".to_owned()))?;
            Ok((stream, first))
        };
        timeout(ANSWERS, work).await.unwrap_or_else(|_| Err(Refused::Strange(format!("it does not answer within {} s", ANSWERS.as_secs()))))
    }

    /// Takes on what the agent tells from now on, for ever.
    pub(super) async fn follow(&self, source: Arc<Source>) {
        let mut complained = None;
        let mut complain = |refused: Option<String>| {
            if refused != complained {
                match &refused {
                    Some(reason) => log(&format!("the SPIRE agent at {self} renews no identities: {reason}; the last is used until its end")),
                    None => log(&format!("the SPIRE agent at {self} answers again")),
                }
                complained = refused;
            }
        };
        loop {
            match self.ask().await {
                Ok((mut stream, first)) => {
                    complain(take(&source, &first).err().map(|refused| refused.to_string()));
                    while let Ok(Some(next)) = stream.message().await {
                        complain(take(&source, &next).err().map(|refused| refused.to_string()));
                    }
                }
                Err(refused) => complain(Some(refused.to_string())),
            }
            sleep(AGAIN).await;
        }
    }
}

/// The number of a user as it is outside of our user namespace, by the map of that (user_namespaces(7)).
fn seen_uid(map: &str, uid: u32) -> u32 {
    let lines = map.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    let mut own = lines.filter_map(|(inside, outside, count)| uid.checked_sub(inside).filter(|at| *at < count).map(|at| outside + at));
    own.next().unwrap_or(uid)
}

/// What becomes of identities without an agent.
const OWN: &str = "the engine then gives identities itself";

impl std::fmt::Display for AgentSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unix://{}", self.0.display())
    }
}

fn status(status: Status) -> Refused {
    match status.code() {
        Code::PermissionDenied => Refused::Nobody(status),
        _ => Refused::Strange(status.message().to_owned()),
    }
}

fn take(source: &Source, answer: &X509SvidResponse) -> std::result::Result<(), Refused> {
    let (id, svid, bundle) = read(answer)?;
    if id != *source.id() {
        // Connections and tokens are of the one who has made them.
        return Err(Refused::Strange(format!("we are {} and are now called {id}, which takes `nsmctl cleanup` and another deploy", source.id())));
    }
    source.replace(svid, bundle);
    Ok(())
}

/// The first of the SVIDs, which is the one to be used where nothing says otherwise (Workload API, 5.2.1).
fn read(answer: &X509SvidResponse) -> std::result::Result<(SpiffeId, Svid, Bundle), Refused> {
    let X509Svid { spiffe_id, certificates, private_key, bundle } =
        answer.svids.first().ok_or_else(|| Refused::Nobody(Status::permission_denied("no identity issued")))?;
    let (id, chain) = (SpiffeId::parse(spiffe_id)?, der::certificates(certificates)?);
    let not_after = der::not_after(chain.first().ok_or_else(|| Error::new("use an SVID", "it has no certificate"))?)?;
    let svid = Svid::new(chain, private_key, SystemTime::now(), not_after)
        .map_err(|error| Error::new("use the SVID of an agent", format!("{error}; NSM's tokens need a key of ECDSA P-256")))?;
    Ok((id, svid, der::certificates(bundle)?.into()))
}

#[cfg(test)]
#[path = "agent_tests.rs"]
mod tests;
