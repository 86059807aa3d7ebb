use std::{
    collections::HashMap,
    io,
    os::fd::OwnedFd,
    path::Path as FilePath,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, SystemTime},
};

use prost::Message;
use tokio::{task::AbortHandle, time::timeout};
use tonic::{Request, Response, Status};

use super::{
    CLOSE, MONITOR,
    control::{Control, while_held},
    descriptors::{Inode, path_of},
    line::Line,
    wire::{Connection, ConnectionEvent, Empty, EventType, MonitorScopeSelector, NetworkServiceEndpoint, State},
};
use crate::{
    engine::identity::SpiffeId,
    model::{Namespaced, Phase},
};

/// How long an endpoint may take for its answer: less than our caller waits, so that another can be tried.
const ANSWERS: Duration = Duration::from_secs(6);
/// How long it may take to say that it has closed a connection. Who is silent for as long has not refreshed its registration either.
const PARTS: Duration = Duration::from_secs(60);

/// What is held as long as an endpoint has not said that it has closed a connection.
type Parting = tokio::sync::Mutex<()>;

/// An endpoint that has registered itself, and how it is called.
#[derive(Debug)]
pub(in crate::engine) struct Remote {
    /// What it is registered by.
    pub(in crate::engine) key: Namespaced,
    /// Who it is.
    pub(in crate::engine) id: SpiffeId,
    /// Its socket; it may only name it.
    socket: OwnedFd,
    /// What that is.
    pub(super) inode: Inode,
    /// How it came to be registered, where that was seen.
    pub(in crate::engine) phase: Option<Phase>,
    entry: Mutex<NetworkServiceEndpoint>,
    /// How it is called, and what watches that.
    line: tokio::sync::Mutex<Option<(Line, AbortHandle)>>,
    /// By our ids of connections.
    partings: Mutex<HashMap<String, Weak<Parting>>>,
}

impl Remote {
    /// An endpoint at a socket.
    pub(super) fn new(key: Namespaced, id: SpiffeId, socket: OwnedFd, inode: Inode, entry: NetworkServiceEndpoint) -> Self {
        let (line, partings) = (tokio::sync::Mutex::default(), Mutex::default());
        Self { key, id, socket, inode, phase: None, entry: Mutex::new(entry), line, partings }
    }

    /// The same, registered by this phase.
    pub(super) fn after(self, phase: Option<Phase>) -> Self {
        Self { phase, ..self }
    }

    /// One that nobody can call.
    #[cfg(test)]
    pub(in crate::engine) fn example(key: Namespaced) -> Self {
        let socket = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let (id, inode) = (SpiffeId::parse("spiffe://example/nse").unwrap(), Inode::of(&socket).unwrap());
        Self::new(key, id, socket, inode, NetworkServiceEndpoint::default())
    }

    /// Its socket once more, for another process to hold.
    ///
    /// # Errors
    /// There are no more descriptors to be had.
    pub(in crate::engine) fn duplicate(&self) -> io::Result<OwnedFd> {
        self.socket.try_clone()
    }

    /// What it has registered.
    pub(in crate::engine) fn entry(&self) -> NetworkServiceEndpoint {
        self.entry.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes note of a refresh.
    pub(super) fn refresh(&self, entry: NetworkServiceEndpoint) {
        *self.entry.lock().unwrap_or_else(PoisonError::into_inner) = entry;
    }

    /// A connection to it, made where there is none, and anew where we have another SVID by now than we have shown on it. Upstream's endpoints
    /// let their segment of a path end no later than the certificate that they were shown (sdk, `pkg/tools/spiffejwt/token.go`): once that is
    /// over, their clients would refresh without a pause.
    async fn line(self: &Arc<Self>, control: &Arc<Control>) -> Result<Line, Status> {
        let mut line = self.line.lock().await;
        let current = control.source.svid();
        if let Some((line, _)) = line.as_ref().filter(|(line, _)| !line.is_closed() && Arc::ptr_eq(&line.shown, &current)) {
            return Ok(line.clone());
        }
        let made = match Box::pin(self.connect(control)).await {
            Ok(made) => made,
            Err(status) => {
                // Whoever cannot be connected with just now knows us by the other for a while yet.
                let is_valid = |line: &Line| !line.is_closed() && line.shown.not_after > SystemTime::now();
                return line.as_ref().map(|(line, _)| line).filter(|line| is_valid(line)).cloned().ok_or(status);
            }
        };
        let watch = tokio::spawn(Arc::clone(self).watch(Arc::clone(control), made.clone()));
        // The watch of one that is closed tells the clients of it; that of one that is only given up has nothing to tell.
        if let Some((_, watch)) = line.replace((made.clone(), watch.abort_handle())).filter(|(old, _)| !old.is_closed()) {
            watch.abort();
        }
        Ok(made)
    }

    /// Connects with it anew where it shows another key by now than it has shown on `old`. Its clients hear of that only where it fails.
    ///
    /// # Errors
    /// It cannot be connected with.
    pub(super) async fn reconnect(self: &Arc<Self>, control: &Arc<Control>, old: &Line) -> Result<(), Status> {
        // Somebody else may have done it already.
        if let Some((_, watch)) = self.line.lock().await.take_if(|(line, _)| line.peer.public_key == old.peer.public_key) {
            watch.abort();
        }
        self.line(control).await.map(drop).inspect_err(|_| control.lost(self))
    }

    async fn connect(self: &Arc<Self>, control: &Control) -> Result<Line, Status> {
        let line = Line::open(FilePath::new(&path_of(&self.socket)), &control.connects).await.map_err(|error| {
            if error.kind() == io::ErrorKind::ConnectionRefused {
                // Nobody listens any more, and its registration would go on for a minute.
                control.registry().unregister_same(self);
            }
            Status::unavailable(format!("endpoint {} is not available: {error}", self.key.name))
        })?;
        match line.peer.id == self.id {
            true => Ok(line),
            false => Err(Status::permission_denied(format!("endpoint {} is {}, and was registered by {}", self.key.name, line.peer.id, self.id))),
        }
    }

    /// Calls one of its methods, with our token for it.
    pub(super) async fn call<Q, A>(self: &Arc<Self>, control: &Arc<Control>, method: &'static str, message: Q) -> Result<(Response<A>, Line), Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        self.call_within(control, method, message, ANSWERS).await
    }

    async fn call_within<Q, A>(
        self: &Arc<Self>,
        control: &Arc<Control>,
        method: &'static str,
        message: Q,
        limit: Duration,
    ) -> Result<(Response<A>, Line), Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let asked = async {
            let line = self.line(control).await?;
            Ok((line.call(&control.source, method, Request::new(message)).await?, line))
        };
        let late = |_| Status::deadline_exceeded(format!("endpoint {} did not answer within {} s", self.key.name, limit.as_secs()));
        timeout(limit, asked).await.map_err(late)?
    }

    /// Has it close a connection, and waits for that, but no longer than `patience`. The call goes on then: an endpoint that stands still
    /// does at some time what it was told meanwhile, and in whichever order.
    pub(super) async fn part(self: &Arc<Self>, control: &Arc<Control>, connection: Connection, patience: Duration) {
        let parting = while_held(&self.partings, &connection.id, Parting::default);
        // Who is told already need not be told twice.
        let Ok(held) = Arc::clone(&parting).try_lock_owned() else { return drop(timeout(patience, parting.lock()).await) };
        let (remote, control) = (Arc::clone(self), Arc::clone(control));
        let parting = tokio::spawn(async move {
            // An endpoint that is gone, or does not answer, gives the addresses back when its token for them runs out.
            let _ = remote.call_within::<_, Empty>(&control, CLOSE, connection, PARTS).await;
            drop(held);
        });
        let _ = timeout(patience, parting).await;
    }

    /// Waits until it has closed what it was told to close of this id, so that a request by the same id is not closed in its place.
    ///
    /// # Errors
    /// It has not said so within `patience`.
    pub(super) async fn parted(&self, id: &str, patience: Duration) -> Result<(), Status> {
        let pending = self.partings.lock().unwrap_or_else(PoisonError::into_inner).get(id).and_then(Weak::upgrade);
        let Some(parting) = pending else { return Ok(()) };
        let late = |_| Status::unavailable(format!("endpoint {} has not closed the connection before this one yet", self.key.name));
        timeout(patience, parting.lock()).await.map(drop).map_err(late)
    }

    /// Passes on what the endpoint tells of its connections, until its end.
    async fn watch(self: Arc<Self>, control: Arc<Control>, line: Line) {
        let events = line.stream::<_, ConnectionEvent>(&control.source, MONITOR, MonitorScopeSelector::default()).await;
        if let Ok(mut events) = events {
            while let Ok(Some(event)) = events.message().await {
                self.pass_on(&control, &event);
            }
        }
        control.lost(&self);
    }

    fn pass_on(self: &Arc<Self>, control: &Control, event: &ConnectionEvent) {
        for connection in event.connections.values() {
            // It tells of its own segment; ours is the one before.
            let own = connection.path.as_ref().and_then(|path| path.path_segments.get(usize::try_from(path.index.checked_sub(1)?).ok()?));
            let Some(own) = own else { continue };
            let state = match (event.r#type(), connection.state()) {
                (EventType::Delete, _) | (_, State::Down) => State::Down,
                (_, State::RefreshRequested) => State::RefreshRequested,
                _ => continue,
            };
            control.passed_on(self, &own.id, state);
        }
    }
}
