use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::Hash,
    os::fd::OwnedFd,
    path::{Path as FilePath, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, SystemTime},
};

use rustix::fs::{Mode, OFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tonic::Status;

use super::{
    descriptors::path_of,
    journal::{Happening, Journal},
    line::Line,
    links::Links,
    remote::Remote,
    server::Caller,
    token::{self, Ids},
    wire::{self, ConnectionEvent, EventType, State},
};
use crate::{
    engine::{
        forwarder,
        identity::{Accepts, Connects, Error, Identity, Member, Sandboxes, Source},
        phases::Moment,
        registry::Registry,
    },
    model::Namespaced,
};

/// The name of the manager's segment on a path.
pub(super) const MANAGER: &str = "nsmgr";
/// How often it is looked whether a registration or a connection has run out.
const SWEEP: Duration = Duration::from_secs(1);
/// How many events a monitor may be behind; one that is further is told all again.
const EVENTS: usize = 1024;

/// How many requests are worked on at once. They go on also where their caller has gone, so that nothing else bounds them.
const UNDER_WAY: usize = 1024;
/// How many of them one pod may have under way, so that none takes the place of all others.
const OF_A_POD: usize = 64;

/// What a connection is known by: whose it is, and how that one calls it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::engine) struct Key {
    /// The client's pod.
    pub(in crate::engine) client: Namespaced,
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

impl Established {
    /// Whether its endpoint is there, as far as it is known.
    pub(in crate::engine) fn is_up(&self) -> bool {
        self.near.state() != State::Down
    }
}

/// What has become of a connection, and the pods at its ends.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) event: ConnectionEvent,
    pub(super) pods: [Namespaced; 2],
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
    pub(super) accepts: Accepts,
    pub(super) connects: Connects,
    /// The pods of our own parts that connect just now, by the names of the sockets that they connect from.
    pub(super) own: Mutex<HashMap<PathBuf, Namespaced>>,
    registry: Mutex<Registry>,
    connections: Mutex<BTreeMap<Key, Established>>,
    turns: Mutex<HashMap<Key, Weak<Turn>>>,
    /// When what is in each pod began, and what that was.
    starts: Mutex<HashMap<Namespaced, (Moment, String)>>,
    pub(super) links: Links,
    pub(super) ids: Ids,
    under_way: Arc<Semaphore>,
    /// The share of each pod that has requests under way.
    shares: Mutex<HashMap<Namespaced, Weak<Semaphore>>>,
    pub(super) events: broadcast::Sender<Told>,
    /// What happened, for whoever tells people.
    pub(in crate::engine) journal: Journal,
    /// Whether connections may be asked for: not before those of an earlier manager are known.
    is_open: watch::Sender<bool>,
}

impl Control {
    /// A manager with nothing, whose API is at `socket` in the first of these folders; the sockets of the engine's own
    /// endpoints are made in the second.
    ///
    /// # Errors
    /// Its identity cannot be made, or the folders are not there.
    pub(in crate::engine) fn new(identity: Arc<Identity>, folders: [&FilePath; 2], socket: &'static str) -> Result<Arc<Self>, Error> {
        let source = identity.source_of(&Namespaced::new("nsm-system", MANAGER))?;
        let (accepts, connects) = (Accepts::new(&source)?, Connects::new(&source)?);
        Ok(Arc::new(Self {
            folders: [open(folders[0])?, open(folders[1])?],
            socket,
            identity,
            sandboxes: Arc::default(),
            source,
            accepts,
            connects,
            own: Mutex::default(),
            registry: Mutex::default(),
            connections: Mutex::default(),
            turns: Mutex::default(),
            starts: Mutex::default(),
            links: Links::default(),
            ids: Ids::new(),
            under_way: Arc::new(Semaphore::new(UNDER_WAY)),
            shares: Mutex::default(),
            events: broadcast::Sender::new(EVENTS),
            journal: Journal::default(),
            is_open: watch::Sender::new(true),
        }))
    }

    /// Takes note of when that began in a pod which is to register or to ask.
    pub(in crate::engine) fn start(&self, pod: &Namespaced, at: Moment, what: impl Into<String>) {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).insert(pod.clone(), (at, what.into()));
    }

    /// When that began in a pod, and what it was; `None` where an earlier manager has started it.
    pub(super) fn started(&self, pod: &Namespaced) -> Option<(Moment, String)> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).get(pod).cloned()
    }

    /// Has whoever asks for connections wait, or go on.
    pub(in crate::engine) fn set_open(&self, is_open: bool) {
        self.is_open.send_replace(is_open);
    }

    /// Waits until connections may be asked for.
    pub(super) async fn opened(&self) {
        // It does not end before this does.
        let _ = self.is_open.subscribe().wait_for(|is_open| *is_open).await;
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

    /// The connections that `which` selects; only these are copied. It runs while no connection can change, so that it may not ask
    /// for one.
    pub(in crate::engine) fn list(&self, which: impl Fn(&Established) -> bool) -> Vec<(Key, Established)> {
        let connections = self.connections();
        let selected = connections.iter().filter(|(_, established)| which(established));
        selected.map(|(key, established)| (key.clone(), established.clone())).collect()
    }

    /// The requests that are served, each by its client and its number.
    pub(in crate::engine) fn served(&self) -> HashSet<(Namespaced, usize)> {
        self.connections().values().map(|established| (established.link.client.pod.clone(), established.link.request)).collect()
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

    /// Has work go on to its end also where its caller has gone: half a connection would be nobody's, with its links and addresses.
    ///
    /// # Errors
    /// Those of the work, or there is too much of it under way.
    pub(super) async fn whole<T: Send + 'static, W>(self: &Arc<Self>, caller: Caller, work: impl FnOnce(Arc<Self>, Caller) -> W) -> Result<T, Status>
    where
        W: Future<Output = Result<T, Status>> + Send + 'static,
    {
        // Who is in no sandbox is told so by the work.
        let permits = self.permits(self.member(&caller).ok().map(|member| member.pod).as_ref())?;
        let work = work(Arc::clone(self), caller);
        let work = tokio::spawn(async move {
            let done = work.await;
            drop(permits);
            done
        });
        work.await.unwrap_or_else(|error| Err(Status::internal(format!("the request was not worked on to its end: {error}"))))
    }

    /// What lets a request of a pod be worked on, until it is dropped.
    pub(super) fn permits(&self, pod: Option<&Namespaced>) -> Result<Vec<OwnedSemaphorePermit>, Status> {
        let own = pod.map(|pod| (self.share(pod), format!("{OF_A_POD} requests of {pod}")));
        let all = (Arc::clone(&self.under_way), format!("{UNDER_WAY} requests"));
        let taken = own
            .into_iter()
            .chain([all])
            .map(|(of, what)| of.try_acquire_owned().map_err(|_| Status::resource_exhausted(format!("{what} are under way: ask again later"))));
        taken.collect()
    }

    /// What a pod may have under way.
    fn share(&self, pod: &Namespaced) -> Arc<Semaphore> {
        while_held(&self.shares, pod, || Semaphore::new(OF_A_POD))
    }

    /// Has only one at a time work on a connection.
    pub(super) async fn turn(&self, key: &Key) -> tokio::sync::OwnedMutexGuard<()> {
        while_held(&self.turns, key, Turn::default).lock_owned().await
    }

    /// Keeps a connection and tells those who watch.
    pub(super) fn put(&self, key: Key, established: Established) {
        self.tell(EventType::Update, &established);
        self.connections().insert(key, established);
    }

    /// Goes on with a connection that an earlier manager has made.
    pub(super) fn resume(&self, key: Key, established: Established) {
        self.links.know(&established.link);
        self.connections().insert(key, established);
    }

    /// A connection as its client is told of it.
    pub(in crate::engine) fn told(key: &Key, established: &Established) -> wire::Connection {
        let mut near = established.near.clone();
        near.id.clone_from(&key.id);
        if let Some(path) = &mut near.path {
            path.index = 0;
        }
        near
    }

    /// Takes note of other links of a connection.
    pub(super) fn relink(&self, key: &Key, link: &forwarder::Connection) {
        if let Some(established) = self.connections().get_mut(key) {
            established.link.clone_from(link);
        }
    }

    /// Takes note of how a connection fares, and tells those who watch.
    pub(super) fn change_state(&self, key: &Key, state: State) {
        let mut connections = self.connections();
        let Some(established) = connections.get_mut(key) else { return };
        established.near.state = state.into();
        self.tell(EventType::Update, established);
    }

    /// Takes a connection away that another follows; those who watch are told of that one.
    pub(super) fn take(&self, key: &Key) -> Option<Established> {
        self.connections().remove(key)
    }

    /// Forgets a connection and tells those who watch.
    pub(super) fn forget(&self, key: &Key) -> Option<Established> {
        let removed = self.take(key);
        if let Some(established) = &removed {
            self.tell(EventType::Delete, established);
        }
        removed
    }

    pub(super) fn tell(&self, kind: EventType, Established { near, link, .. }: &Established) {
        let event = ConnectionEvent { r#type: kind.into(), connections: HashMap::from([(near.id.clone(), near.clone())]) };
        let pods = [&link.client, &link.endpoint].map(|end| end.pod.clone());
        // Nobody may be watching.
        let _ = self.events.send(Told { event, pods });
    }

    /// Takes note that endpoints of a pod are registered no longer.
    pub(super) fn tell_unregistered(&self, pod: &Namespaced, endpoints: Vec<Namespaced>) {
        endpoints.into_iter().for_each(|key| self.journal.add(Happening::Unregistered { pod: pod.clone(), key }));
    }

    /// Tells the clients of an endpoint that is gone, so that they heal.
    pub(super) fn lost(&self, remote: &Arc<Remote>) {
        for established in self.connections().values_mut().filter(|established| Arc::ptr_eq(&established.remote, remote)) {
            established.near.state = State::Down.into();
            self.tell(EventType::Update, established);
        }
    }

    /// Tells the client of one connection what its endpoint says of it.
    pub(super) fn passed_on(&self, remote: &Arc<Remote>, id: &str, state: State) {
        let mut connections = self.connections();
        let mut own = connections.values_mut().filter(|established| Arc::ptr_eq(&established.remote, remote));
        let Some(established) = own.find(|established| established.near.id == id) else { return };
        established.near.state = state.into();
        self.tell(EventType::Update, established);
    }

    /// The sandbox of a caller: by its SPIFFE ID where that is a pod's, else by where its process is.
    ///
    /// # Errors
    /// There is none: it has gone, or never had one.
    pub(super) fn member(&self, caller: &Caller) -> Result<Member, Status> {
        let pod = caller.pod.clone().or_else(|| self.identity.pod_of(&caller.peer.id));
        let member = pod.and_then(|pod| self.sandboxes.by_pod(&pod));
        member.ok_or_else(|| Status::permission_denied(format!("{} is in no sandbox of this machine", caller.peer.id)))
    }

    /// The sandbox of a pod.
    ///
    /// # Errors
    /// It has gone.
    pub(super) fn member_of(&self, pod: &Namespaced) -> Result<Member, Status> {
        self.sandboxes.by_pod(pod).ok_or_else(|| Status::permission_denied(format!("{pod} is no sandbox of this machine")))
    }

    /// A connection to this API for what is the engine's own in a sandbox.
    ///
    /// # Errors
    /// It has no identity, or is not taken.
    pub(super) async fn line_for(&self, member: &Member, source: &Arc<Source>) -> Result<Line, Status> {
        let failed = |error: &dyn ToString| Status::internal(error.to_string());
        let connects = Connects::new(source).map_err(|error| failed(&error))?;
        let line = match self.identity.agent() {
            None => Line::open(&self.socket(), &connects).await,
            Some(_) => {
                // All of the engine's own have one SPIFFE ID then, and one process.
                let own = || self.own.lock().unwrap_or_else(PoisonError::into_inner);
                let name = self.workshop().join(token::new_id());
                own().insert(name.clone(), member.pod.clone());
                let line = Line::open_from(&name, &self.socket(), &connects).await;
                own().remove(&name);
                line
            }
        };
        line.map_err(|error| failed(&error))
    }

    /// Lets a sandbox go, with all that it has registered and all its connections.
    pub(in crate::engine) async fn remove_sandbox(self: &Arc<Self>, pod: &Namespaced) -> Vec<(forwarder::Connection, Option<crate::net::Error>)> {
        self.sandboxes.remove(pod);
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).remove(pod);
        let endpoints = self.registry().remove_pod(pod);
        self.tell_unregistered(pod, endpoints);
        let mut closed = Vec::new();
        for (key, _) in self.list(|established| established.link.touches(pod)) {
            closed.extend(self.close(&key).await);
        }
        closed.extend(self.close_orphans(|link, _| link.touches(pod)).await);
        self.links.forget(|client, _| client == pod);
        self.identity.forget(pod);
        closed
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
            for gone in self.registry().expire(jiff::Timestamp::now().as_second()) {
                self.journal.add(Happening::Unregistered { pod: gone.pod, key: gone.remote.key.clone() });
            }
            self.sweep_orphans().await;
            for (key, _) in self.list(|established| established.expires <= now) {
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

/// What there is for a key as long as somebody holds it: that, or another.
pub(super) fn while_held<K: Clone + Eq + Hash, T>(all: &Mutex<HashMap<K, Weak<T>>>, key: &K, make: impl FnOnce() -> T) -> Arc<T> {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|_, one| one.strong_count() > 0);
    let one = all.get(key).and_then(Weak::upgrade).unwrap_or_else(|| Arc::new(make()));
    all.insert(key.clone(), Arc::downgrade(&one));
    one
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
