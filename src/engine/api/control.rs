use std::{
    collections::{BTreeMap, HashMap},
    os::fd::OwnedFd,
    path::{Path as FilePath, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant, SystemTime},
};

use rustix::fs::{Mode, OFlags};
use tokio::sync::broadcast;
use tokio_rustls::rustls::{ClientConfig, ServerConfig};
use tonic::Status;

use super::{
    descriptors::path_of,
    remote::Remote,
    wire::{self, ConnectionEvent, EventType, State},
};
use crate::{
    engine::{
        forwarder::{self, End},
        identity::{Error, Identity, Member, Sandboxes, Source, SpiffeId, client_config, server_config},
        registry::Registry,
    },
    model::Namespaced,
};

/// The name of the manager's segment on a path.
pub(super) const MANAGER: &str = "nsmgr";
/// How often it is looked whether a registration or a connection has run out.
const SWEEP: Duration = Duration::from_secs(1);
/// How long links wait for somebody to ask for them again: a client of upstream does so within seconds.
const ADOPTED: Duration = Duration::from_secs(60);
/// How many events a monitor may be behind; one that is further is told all again.
const EVENTS: usize = 1024;

/// What a connection is known by: whose it is, and how that one calls it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::engine) struct Key {
    /// The client.
    pub(in crate::engine) client: SpiffeId,
    /// The id of the client's segment.
    pub(in crate::engine) id: String,
}

/// A connection that is there.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Established {
    /// Its links.
    pub(in crate::engine) link: forwarder::Connection,
    /// How the manager and the client see it.
    pub(super) near: wire::Connection,
    /// How the manager and the endpoint see it.
    pub(super) far: wire::Connection,
    /// Its endpoint.
    pub(super) remote: Arc<Remote>,
    /// Until when the client has asked for it.
    pub(super) expires: SystemTime,
}

/// A lock that is there as long as somebody holds it or waits for it.
type Turn = tokio::sync::Mutex<()>;

/// The manager's state: who is registered, what is connected, who may ask.
#[derive(Debug)]
pub(in crate::engine) struct Control {
    /// Where the socket of the API is, and where those of the engine's own endpoints are made. Held open, so that neither a long path
    /// nor a directory above them that is closed stands in the way.
    folders: [OwnedFd; 2],
    socket: &'static str,
    pub(in crate::engine) identity: Arc<Identity>,
    pub(in crate::engine) sandboxes: Arc<Sandboxes>,
    /// Who the manager is.
    pub(super) source: Arc<Source>,
    pub(super) accepts: Arc<ServerConfig>,
    pub(super) connects: Arc<ClientConfig>,
    registry: Mutex<Registry>,
    connections: Mutex<BTreeMap<Key, Established>>,
    turns: Mutex<HashMap<Key, Weak<Turn>>>,
    /// Links that are there and that nobody has asked for since, with the time of their adoption.
    orphans: Mutex<Vec<(forwarder::Connection, Instant)>>,
    pub(super) events: broadcast::Sender<ConnectionEvent>,
}

impl Control {
    /// A manager with nothing, whose API is at `socket` in the first of these folders; the sockets of the engine's own
    /// endpoints are made in the second.
    ///
    /// # Errors
    /// Its identity cannot be made, or the folders are not there.
    pub(in crate::engine) fn new(identity: Arc<Identity>, folders: [&FilePath; 2], socket: &'static str) -> Result<Arc<Self>, Error> {
        let source = identity.source(&identity.domain().id(&["ns", "nsm-system", "pod", MANAGER])?)?;
        let (accepts, connects) = (server_config(&source)?, client_config(&source)?);
        Ok(Arc::new(Self {
            folders: [open(folders[0])?, open(folders[1])?],
            socket,
            identity,
            sandboxes: Arc::default(),
            source,
            accepts,
            connects,
            registry: Mutex::default(),
            connections: Mutex::default(),
            turns: Mutex::default(),
            orphans: Mutex::default(),
            events: broadcast::Sender::new(EVENTS),
        }))
    }

    /// The socket of the API.
    pub(super) fn socket(&self) -> PathBuf {
        PathBuf::from(path_of(&self.folders[0])).join(self.socket)
    }

    /// Where the engine's own endpoints make their sockets.
    pub(super) fn workshop(&self) -> PathBuf {
        path_of(&self.folders[1]).into()
    }

    /// The registry; not to be held while waiting.
    pub(in crate::engine) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connections(&self) -> MutexGuard<'_, BTreeMap<Key, Established>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every connection.
    pub(in crate::engine) fn list(&self) -> Vec<(Key, Established)> {
        self.connections().iter().map(|(key, established)| (key.clone(), established.clone())).collect()
    }

    /// How many connections each endpoint has.
    pub(super) fn loads(&self) -> HashMap<Namespaced, usize> {
        let mut loads = HashMap::new();
        for established in self.connections().values() {
            *loads.entry(established.remote.key.clone()).or_default() += 1;
        }
        loads
    }

    /// One connection.
    pub(super) fn get(&self, key: &Key) -> Option<Established> {
        self.connections().get(key).cloned()
    }

    /// Has only one at a time work on a connection.
    pub(super) async fn turn(&self, key: &Key) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            let turn = turns.get(key).and_then(Weak::upgrade).unwrap_or_default();
            turns.insert(key.clone(), Arc::downgrade(&turn));
            turn
        };
        turn.lock_owned().await
    }

    /// Keeps a connection and tells those who watch.
    pub(super) fn put(&self, key: Key, established: Established) {
        let near = established.near.clone();
        self.connections().insert(key, established);
        self.tell(EventType::Update, near);
    }

    /// Forgets a connection and tells those who watch.
    pub(super) fn forget(&self, key: &Key) -> Option<Established> {
        let removed = self.connections().remove(key);
        if let Some(established) = &removed {
            self.tell(EventType::Delete, established.near.clone());
        }
        removed
    }

    fn tell(&self, kind: EventType, connection: wire::Connection) {
        let event = ConnectionEvent { r#type: kind.into(), connections: HashMap::from([(connection.id.clone(), connection)]) };
        // Nobody may be watching.
        let _ = self.events.send(event);
    }

    /// Tells the clients of an endpoint that is gone, so that they heal.
    pub(super) fn lost(&self, remote: &Arc<Remote>) {
        let mut down = Vec::new();
        for established in self.connections().values_mut().filter(|established| Arc::ptr_eq(&established.remote, remote)) {
            established.near.state = State::Down.into();
            down.push(established.near.clone());
        }
        down.into_iter().for_each(|connection| self.tell(EventType::Update, connection));
    }

    /// Tells the client of one connection what its endpoint says of it.
    pub(super) fn passed_on(&self, remote: &Arc<Remote>, id: &str, state: State) {
        let mut connections = self.connections();
        let mut own = connections.values_mut().filter(|established| Arc::ptr_eq(&established.remote, remote));
        let Some(established) = own.find(|established| established.near.id == id) else { return };
        established.near.state = state.into();
        let near = established.near.clone();
        drop(connections);
        self.tell(EventType::Update, near);
    }

    /// The sandbox of somebody.
    ///
    /// # Errors
    /// There is none: it has gone, or never had one.
    pub(super) fn member(&self, id: &SpiffeId) -> Result<Member, Status> {
        let pod = id.as_str().strip_prefix(&format!("{}/ns/", self.identity.domain().uri())).and_then(|rest| rest.split_once("/pod/"));
        let member = pod.and_then(|(namespace, name)| self.sandboxes.by_pod(&Namespaced::new(namespace, name)));
        member.ok_or_else(|| Status::permission_denied(format!("{id} is in no sandbox of this machine")))
    }

    /// Lets a sandbox go, with all that it has registered and all its connections.
    pub(in crate::engine) async fn remove_sandbox(self: &Arc<Self>, pod: &Namespaced) -> Vec<(forwarder::Connection, Option<crate::net::Error>)> {
        self.sandboxes.remove(pod);
        self.registry().remove_pod(pod);
        let own = self.list().into_iter().filter(|(_, established)| established.link.touches(pod));
        let mut closed = Vec::new();
        for (key, _) in own.collect::<Vec<_>>() {
            closed.extend(self.close(&key).await);
        }
        self.close_orphans(|link, _| link.touches(pod)).await;
        if let Ok(id) = self.identity.id_of(pod) {
            self.identity.forget(&id);
        }
        closed
    }

    /// Takes links on that an earlier manager has made. They stay as they are for the client that asks for them again, and go where
    /// none does.
    #[cfg_attr(not(test), expect(dead_code, reason = "for a manager that follows another"))]
    pub(in crate::engine) fn adopt(&self, link: forwarder::Connection) {
        self.orphans.lock().unwrap_or_else(PoisonError::into_inner).push((link, Instant::now()));
    }

    /// The link at an interface that nobody has asked for since it was adopted.
    pub(super) fn orphan(&self, end: &End) -> Option<forwarder::Connection> {
        let orphans = self.orphans.lock().unwrap_or_else(PoisonError::into_inner);
        orphans.iter().map(|(link, _)| link).find(|link| link.client.is_same(end)).cloned()
    }

    /// Somebody has asked for the link at an interface.
    pub(super) fn take_orphan(&self, end: &End) {
        self.orphans.lock().unwrap_or_else(PoisonError::into_inner).retain(|(link, _)| !link.client.is_same(end));
    }

    /// Closes adopted links.
    async fn close_orphans(&self, which: impl Fn(&forwarder::Connection, Instant) -> bool) {
        let closing: Vec<_> =
            self.orphans.lock().unwrap_or_else(PoisonError::into_inner).extract_if(.., |(link, since)| which(link, *since)).collect();
        for (link, _) in closing {
            // What cannot be removed goes with its namespace.
            let _ = link.close().await;
        }
    }

    /// Closes a connection, at its endpoint too; the result is what was closed, with the error of the kernel where it kept the link.
    pub(in crate::engine) async fn close(self: &Arc<Self>, key: &Key) -> Option<(forwarder::Connection, Option<crate::net::Error>)> {
        let _turn = self.turn(key).await;
        let established = self.forget(key)?;
        Some(self.undo(established).await)
    }

    /// Takes back what is no longer refreshed, for ever.
    pub(in crate::engine) async fn sweep(self: Arc<Self>) {
        let mut tick = tokio::time::interval(SWEEP);
        loop {
            tick.tick().await;
            let now = SystemTime::now();
            self.registry().expire(jiff::Timestamp::now().as_second());
            self.close_orphans(|_, since| since.elapsed() > ADOPTED).await;
            let over = self.list().into_iter().filter(|(_, established)| established.expires <= now);
            for (key, _) in over.collect::<Vec<_>>() {
                let _turn = self.turn(&key).await;
                // It may have been refreshed while we waited.
                if self.get(&key).is_some_and(|established| established.expires <= now)
                    && let Some(established) = self.forget(&key)
                {
                    self.undo(established).await;
                }
            }
        }
    }
}

/// Holds a folder.
fn open(folder: &FilePath) -> Result<OwnedFd, Error> {
    let held = rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    held.map_err(|error| Error::new(format!("open {}", folder.display()), error))
}

/// A second descriptor of the same file.
///
/// # Errors
/// There is none to be had.
pub(super) fn duplicate(descriptor: &OwnedFd) -> Result<OwnedFd, Status> {
    descriptor.try_clone().map_err(|error| Status::resource_exhausted(format!("cannot duplicate a descriptor: {error}")))
}
