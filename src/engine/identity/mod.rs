//! Who is who on this machine: the engine's own SPIFFE authority, and what it gives to the programs in the sandboxes.
//!
//! ```text
//!   program in a sandbox ──► workload_api ──► attest    SO_PEERCRED: process → network namespace → sandbox
//!   the engine's own parts ───────┐              │
//!                                 ▼              ▼
//!                               source ◄── spiffe://DOMAIN/ns/NAMESPACE/pod/NAME
//!                                 │
//!                                 ├─► svid ◄── authority   X.509, renewed at half of its life
//!                                 ├─► jwt ◄─── authority   JWT-SVIDs
//!                                 └─► tls                  mTLS by trust bundle and SPIFFE ID, no host names
//! ```
//!
//! Everything is kept in memory: the authority ends with the engine, and with it all that it has signed. A SPIRE `agent` takes the place of
//! `workload_api` and `authority` where one is named; the engine is then one of those who ask it.
//!
//! # Decisions
//!
//! - **Identity is where a process is, not what it says.** A caller of the Workload API is attested by `SO_PEERCRED`: its process, that process's
//!   network namespace by (device, inode), the sandbox that owns it, `spiffe://DOMAIN/ns/NAMESPACE/pod/NAME`. A mechanism may name no network
//!   namespace but that of the sandbox that its caller is in, and its descriptor must have come over the same connection. The domain is named
//!   after the authority's key, which is in memory alone, so that no two engines have the same.
//! - **An SVID is renewed with its key.** NSM's policies check a token against the certificate of the connection that it comes over, and connections
//!   outlive certificates: with a new key at every renewal, every connection's next refresh would fail. Renewal is at half of the SVID's life:
//!   whoever asks gets one in the first half, and one timer renews what nobody asks for, so that what is counted and shown is right. Callers
//!   keep their connections. An endpoint is connected with anew after each renewal: upstream's let their part of a path end no later than the
//!   certificate that they were shown, and a client whose path has ended refreshes it without a pause.
//! - **A SPIRE agent takes the authority's place, and no other** (`identity/agent.rs`). Its folder is shown in the sandboxes, where `agent.sock` is a
//!   link into it, so that one that starts again is found. The engine is one caller of the agent among others: manager and built-in parts share
//!   an SVID. So a certificate says who calls, and `SO_PEERCRED` which pod it is in; the engine's own parts, which are one process, are told apart by
//!   the name of the socket that they connect from. An agent renews keys too: each connection remembers what was shown on it, and tokens that go over
//!   it are signed with that key. A program whose key is another by now is told to connect again, and an endpoint is connected with anew. The
//!   last SVID is handed on to the next manager.

mod agent;
mod attest;
mod authority;
mod der;
mod jwt;
mod messages;
mod source;
mod spiffe_id;
mod svid;
mod tls;
mod workload_api;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

pub use self::agent::{AGENT_VARIABLE, agent_url};
use self::authority::{Authority, SavedAuthority, read_key};
pub(super) use self::{
    agent::AgentSocket,
    attest::{Member, Sandboxes, process_of},
    jwt::{Claims, JwtError, decode, verify},
    source::Source,
    spiffe_id::{SpiffeId, TrustDomain},
    svid::Svid,
    tls::{Accepts, Connects, Peer, peer_of},
    workload_api::WorkloadApi,
};
use super::phases::Moment;
use crate::model::Namespaced;

/// How long an X.509 SVID is valid unless something else is asked for: an hour, as with SPIRE.
pub(super) const SVID_TTL: Duration = Duration::from_secs(3600);

/// The shortest pause between two looks at what is to be renewed.
const LEAST_PAUSE: Duration = Duration::from_millis(10);

/// What was said about identities when the engine was started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settings {
    /// How long X.509 SVIDs of our own are to be valid.
    pub(super) svid_ttl: Option<Duration>,
    /// Who gives the identities in our place.
    pub(super) agent: Option<AgentSocket>,
}

/// An identity cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {reason}")]
pub(super) struct Error {
    what: String,
    reason: String,
}

impl Error {
    /// What was to be done, and why it was not.
    #[expect(clippy::needless_pass_by_value, reason = "as map_err passes it")]
    pub(super) fn new(what: impl Into<String>, reason: impl ToString) -> Self {
        Self { what: what.into(), reason: reason.to_string() }
    }
}

/// All of it, as it is handed on to a process that goes on in place of this one: identities stay valid then. It holds private keys,
/// and is to be kept nowhere but in memory.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SavedIdentity {
    /// Of our own.
    Own { authority: SavedAuthority, sources: Vec<(String, Vec<u8>)> },
    /// Of an agent: what it has said last, for it may be away when the other process begins.
    Agent { socket: AgentSocket, id: String, chain: Vec<Vec<u8>>, key: Vec<u8>, bundle: Vec<Vec<u8>> },
}

/// An X.509 SVID, as it is told to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SvidState {
    /// Whose it is.
    pub(super) id: SpiffeId,
    /// When it runs out.
    pub(super) not_after: SystemTime,
    /// How often it was renewed.
    pub(super) rotations: u64,
}

/// Who says who is who on this machine, and the identities that it has given.
#[derive(Debug)]
pub(super) struct Identity {
    giver: Giver,
    /// With an agent there is one: the engine's own.
    sources: Mutex<HashMap<SpiffeId, Arc<Source>>>,
}

#[derive(Debug)]
enum Giver {
    /// The engine: every pod is somebody of its own.
    Own(Arc<Authority>),
    /// A SPIRE agent: all parts of the engine are one, and which pod a caller is in is told by where its process is.
    Agent(AgentSocket, Arc<Source>),
}

impl Identity {
    /// A new authority, whose X.509 SVIDs are valid for `ttl`.
    ///
    /// # Errors
    /// There is no randomness for its keys.
    pub(super) fn new(ttl: Duration) -> Result<Self, Error> {
        Ok(Self { giver: Giver::Own(Arc::new(Authority::new(ttl)?)), sources: Mutex::default() })
    }

    /// As was said when the engine was started.
    ///
    /// # Errors
    /// There is no randomness for keys, or the agent has no identity for us.
    pub(super) async fn begin(settings: &Settings) -> crate::model::Result<Self> {
        let defect = |error: Error| crate::model::Failure::failed(error.to_string());
        match &settings.agent {
            None => Self::new(settings.svid_ttl.unwrap_or(SVID_TTL)).map_err(defect),
            Some(agent) => Ok(Self::by(agent.clone(), agent.first().await?)),
        }
    }

    fn by(agent: AgentSocket, source: Source) -> Self {
        let source = Arc::new(source);
        Self { sources: Mutex::new(HashMap::from([(source.id().clone(), Arc::clone(&source))])), giver: Giver::Agent(agent, source) }
    }

    /// All of it, for the process that follows.
    pub(super) fn save(&self) -> SavedIdentity {
        match &self.giver {
            Giver::Own(authority) => {
                let key = |source: &Arc<Source>| (source.id().to_string(), source.svid().private_key.clone());
                SavedIdentity::Own { authority: authority.save(), sources: self.sources().values().map(key).collect() }
            }
            Giver::Agent(socket, source) => {
                let (svid, id) = (source.svid(), source.id().to_string());
                let chain = svid.certified.cert.iter().map(|one| one.to_vec()).collect();
                let bundle = source.bundle().iter().map(|one| one.to_vec()).collect();
                SavedIdentity::Agent { socket: socket.clone(), id, chain, key: svid.private_key.clone(), bundle }
            }
        }
    }

    /// What another process has handed on.
    ///
    /// # Errors
    /// It is nothing that [`Self::save`] has made.
    pub(super) fn restore(saved: &SavedIdentity) -> Result<Self, Error> {
        match saved {
            SavedIdentity::Own { authority, sources } => {
                let authority = Arc::new(Authority::restore(authority)?);
                let source = |(id, key): &(String, Vec<u8>)| {
                    let id = SpiffeId::parse(id)?;
                    Ok((id.clone(), Arc::new(Source::with(Arc::clone(&authority), id, read_key(key)?)?)))
                };
                let sources = sources.iter().map(source).collect::<Result<_, Error>>()?;
                Ok(Self { giver: Giver::Own(authority), sources: Mutex::new(sources) })
            }
            SavedIdentity::Agent { socket, id, chain, key, bundle } => {
                let certificates = |all: &[Vec<u8>]| all.iter().map(|one| one.clone().into()).collect::<Vec<_>>();
                let not_after = der::not_after(chain.first().map(Vec::as_slice).unwrap_or_default())?;
                let svid = Svid::new(certificates(chain), key, SystemTime::now(), not_after)?;
                Ok(Self::by(socket.clone(), Source::from_elsewhere(SpiffeId::parse(id)?, svid, certificates(bundle).into())))
            }
        }
    }

    fn sources(&self) -> MutexGuard<'_, HashMap<SpiffeId, Arc<Source>>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Our own authority, where there is no agent.
    fn authority(&self) -> Option<&Arc<Authority>> {
        match &self.giver {
            Giver::Own(authority) => Some(authority),
            Giver::Agent(..) => None,
        }
    }

    /// The agent that gives identities in our place.
    pub(super) fn agent(&self) -> Option<&AgentSocket> {
        match &self.giver {
            Giver::Own(_) => None,
            Giver::Agent(agent, _) => Some(agent),
        }
    }

    /// The trust domain.
    pub(super) fn domain(&self) -> &TrustDomain {
        match &self.giver {
            Giver::Own(authority) => authority.domain(),
            Giver::Agent(_, source) => source.domain(),
        }
    }

    /// How long SVIDs are valid, where that is ours to say.
    pub(super) fn svid_ttl(&self) -> Option<Duration> {
        self.authority().map(|authority| authority.ttl())
    }

    /// Has SVIDs be valid for another time, those that there are included. The result is what it was before; none where an agent
    /// gives them.
    pub(super) fn set_svid_ttl(&self, ttl: Duration) -> Option<Duration> {
        self.authority().map(|authority| authority.set_ttl(ttl))
    }

    /// Who a pod is, where its SPIFFE ID says that.
    fn id_of(&self, pod: &Namespaced) -> Result<SpiffeId, Error> {
        self.domain().id(&["ns", &pod.namespace, "pod", &pod.name])
    }

    /// The pod that a SPIFFE ID is of, where every pod has one of its own.
    pub(super) fn pod_of(&self, id: &SpiffeId) -> Option<Namespaced> {
        let rest = id.as_str().strip_prefix(&format!("{}/ns/", self.authority()?.domain().uri()))?;
        let (namespace, name) = rest.split_once("/pod/")?;
        Some(Namespaced::new(namespace, name))
    }

    /// The credentials of what is the engine's own in a pod.
    ///
    /// # Errors
    /// The pod's name has characters that no SPIFFE ID can have, or there is no randomness for a key.
    pub(super) fn source_of(&self, pod: &Namespaced) -> Result<Arc<Source>, Error> {
        match &self.giver {
            Giver::Own(_) => self.source(&self.id_of(pod)?),
            Giver::Agent(_, source) => Ok(Arc::clone(source)),
        }
    }

    /// The credentials of somebody, made when they are first asked for.
    ///
    /// # Errors
    /// There is no randomness for a key, or they are not ours to make.
    pub(super) fn source(&self, id: &SpiffeId) -> Result<Arc<Source>, Error> {
        let mut sources = self.sources();
        if let Some(source) = sources.get(id) {
            return Ok(Arc::clone(source));
        }
        let authority = self.authority().ok_or_else(|| Error::new(format!("say who {id} is"), "a SPIRE agent does that"))?;
        let source = Arc::new(Source::new(Arc::clone(authority), id.clone())?);
        sources.insert(id.clone(), Arc::clone(&source));
        Ok(source)
    }

    /// When somebody who had no SVID yet was last given one; `None` where that was not seen, as with an agent, which gives them itself.
    pub(super) fn given(&self, id: &SpiffeId) -> Option<Moment> {
        self.sources().get(id)?.given()
    }

    /// Renews in time what nobody asks for, for ever: whoever looks at an SVID sees one that is valid, and a count that is right.
    pub(super) async fn keep_fresh(self: Arc<Self>) {
        let authority = match &self.giver {
            Giver::Own(authority) => authority,
            Giver::Agent(agent, source) => return agent.follow(Arc::clone(source)).await,
        };
        let mut changes = authority.ttl_changes();
        loop {
            let sources: Vec<_> = self.sources().values().cloned().collect();
            // One that is made meanwhile is due later than all of these.
            let due = sources.iter().map(|source| source.svid().renew_at).min().unwrap_or_else(|| SystemTime::now() + authority.ttl() / 2);
            let pause = due.duration_since(SystemTime::now()).unwrap_or_default().max(LEAST_PAUSE);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = changes.changed() => {}
            }
        }
    }

    /// What there is of everybody's SVID, by name.
    pub(super) fn svids(&self) -> Vec<SvidState> {
        let sources: Vec<_> = self.sources().values().cloned().collect();
        let state = |source: Arc<Source>| SvidState { id: source.id().clone(), not_after: source.svid().not_after, rotations: source.renewals() };
        let mut states: Vec<_> = sources.into_iter().map(state).collect();
        states.sort_by(|one, other| one.id.cmp(&other.id));
        states
    }

    /// Forgets the key of a pod that is gone.
    pub(super) fn forget(&self, pod: &Namespaced) {
        if let (Giver::Own(_), Ok(id)) = (&self.giver, self.id_of(pod)) {
            self.sources().remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_over_is_the_same_authority() {
        let before = Identity::new(SVID_TTL).unwrap();
        let id = before.domain().id(&["x"]).unwrap();
        let source = before.source(&id).unwrap();
        let (token, jwt) = (source.svid(), before.authority().unwrap().jwt_svid(&id, vec!["me".into()], SVID_TTL).unwrap());
        before.set_svid_ttl(Duration::from_secs(30));
        let kept = serde_json::to_vec(&before.save()).unwrap();
        let after = Identity::restore(&serde_json::from_slice(&kept).unwrap()).unwrap();
        assert_eq!(after.domain(), before.domain());
        let restored = after.source(&id).unwrap();
        assert_eq!((restored.bundle(), &restored.svid().private_key), (source.bundle(), &token.private_key));
        assert!(after.authority().unwrap().validate(&jwt, "me").is_ok());
        assert_eq!(after.svid_ttl(), Some(Duration::from_secs(30)));
    }

    #[tokio::test]
    async fn what_nobody_asks_for_is_renewed_and_counted_too() {
        let identity = Arc::new(Identity::new(Duration::from_millis(40)).unwrap());
        let source = identity.source(&identity.domain().id(&["x"]).unwrap()).unwrap();
        let fresh = tokio::spawn(Arc::clone(&identity).keep_fresh());
        let renewed = async {
            while source.renewals() < 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), renewed).await.unwrap();
        fresh.abort();
    }
}
