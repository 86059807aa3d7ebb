use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{
    task::AbortHandle,
    time::{Instant, sleep, sleep_until},
};
use tonic::{Request, Status, Streaming};

use super::{
    MONITOR, REQUEST,
    control::Control,
    descriptors::Inode,
    line::Line,
    mechanism::{INODE_URL, NAME, kernel},
    wire::{
        Connection, ConnectionContext, ConnectionEvent, EventType, IpContext, MonitorScopeSelector, NetworkServiceRequest, Path, PathSegment, State,
    },
};
use crate::{
    engine::identity::{Member, Source},
    model::NsUrl,
};

/// How long to wait after a refresh that has failed.
const AGAIN: Duration = Duration::from_secs(1);
/// How often the same endpoint is asked before another is taken.
const SAME_ENDPOINT: u32 = 2;

/// A client of the engine's own. It asks as a program in its sandbox would, refreshes what it has, and heals it.
#[derive(Debug)]
pub(in crate::engine) struct Client {
    shared: Arc<Shared>,
    /// What keeps each connection, by the number of the request.
    keepers: BTreeMap<usize, AbortHandle>,
}

#[derive(Debug)]
struct Shared {
    member: Member,
    source: Arc<Source>,
    line: Line,
    held: Mutex<BTreeMap<usize, Connection>>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.keepers.values().for_each(AbortHandle::abort);
    }
}

impl Client {
    /// A client in a sandbox.
    ///
    /// # Errors
    /// It has no identity, or the manager does not take it.
    pub(in crate::engine) async fn new(control: &Control, member: &Member) -> Result<Self, Status> {
        let source = control.identity.source_of(&member.pod).map_err(|error| Status::internal(error.to_string()))?;
        let line = control.line_for(member, &source).await?;
        let shared = Arc::new(Shared { member: member.clone(), source, line, held: Mutex::default() });
        Ok(Self { shared, keepers: BTreeMap::new() })
    }

    /// Makes a request, and keeps what comes of it.
    ///
    /// # Errors
    /// What the manager answers.
    pub(in crate::engine) async fn request(&mut self, number: usize, url: &NsUrl) -> Result<(), Status> {
        self.stop(number);
        let connection = self.shared.wanted(number, url)?;
        let connection = self.shared.ask(number, connection).await?;
        self.keepers.insert(number, tokio::spawn(Arc::clone(&self.shared).keep(number, connection)).abort_handle());
        Ok(())
    }

    /// Keeps a connection that was made with an earlier manager, as the manager knows it.
    pub(in crate::engine) fn resume(&mut self, number: usize, connection: Connection) {
        self.stop(number);
        self.shared.held().insert(number, connection.clone());
        self.keepers.insert(number, tokio::spawn(Arc::clone(&self.shared).keep(number, connection)).abort_handle());
    }

    /// Keeps a connection no longer, without closing it: somebody else does.
    pub(in crate::engine) fn stop(&mut self, number: usize) {
        if let Some(keeper) = self.keepers.remove(&number) {
            keeper.abort();
        }
        self.shared.held().remove(&number);
    }
}

impl Shared {
    fn held(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, Connection>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that a URL asks for.
    fn wanted(&self, number: usize, url: &NsUrl) -> Result<Connection, Status> {
        let name = self.member.pod.name.clone();
        let id = format!("{name}-{number}");
        let inode =
            Inode::of_path(&format!("/proc/self/fd/{}", self.member.namespace.descriptor())).map_err(|error| Status::internal(error.to_string()))?;
        let mut mechanism = kernel([(INODE_URL, inode.to_string())]);
        mechanism.parameters.extend(url.interface.iter().map(|interface| (NAME.to_owned(), interface.to_string())));
        // What it has over its other connections, so that none gets the same.
        let others = self.held();
        let contexts = others.values().filter_map(|connection| connection.context.as_ref()?.ip_context.as_ref());
        let excluded_prefixes = contexts.flat_map(|context| context.src_ip_addrs.iter().chain(&context.dst_ip_addrs)).cloned().collect();
        let ip_context = Some(IpContext { excluded_prefixes, ..IpContext::default() });
        let segment = PathSegment { name, id: id.clone(), ..PathSegment::default() };
        Ok(Connection {
            id,
            network_service: url.service.clone(),
            mechanism: Some(mechanism),
            context: Some(ConnectionContext { ip_context, ..ConnectionContext::default() }),
            labels: url.labels.clone(),
            path: Some(Path { index: 0, path_segments: vec![segment] }),
            ..Connection::default()
        })
    }

    async fn ask(&self, number: usize, connection: Connection) -> Result<Connection, Status> {
        let namespace = self.member.namespace.duplicate().map_err(|error| Status::internal(error.to_string()))?;
        self.line.outgoing.send(namespace);
        let mechanism_preferences = connection.mechanism.clone().into_iter().collect();
        let request = Request::new(NetworkServiceRequest { connection: Some(connection), mechanism_preferences });
        let answer = self.line.call::<_, Connection>(&self.source, REQUEST, request).await?.into_inner();
        self.held().insert(number, answer.clone());
        Ok(answer)
    }

    /// Refreshes a connection in time, and asks for it again when it is told that it is down.
    async fn keep(self: Arc<Self>, number: usize, mut connection: Connection) {
        let mut events = self.watch(&connection).await;
        loop {
            let mut is_down = match happens(&connection, &mut events).await {
                Happened::Due => false,
                Happened::Down => true,
                Happened::Gone => return,
            };
            let mut tries = 0;
            loop {
                if is_down && tries >= SAME_ENDPOINT {
                    connection.network_service_endpoint_name.clear();
                    connection.state = State::ReselectRequested.into();
                }
                match self.ask(number, connection.clone()).await {
                    Ok(refreshed) => {
                        connection = refreshed;
                        break;
                    }
                    Err(_) => {
                        (is_down, tries) = (true, tries + 1);
                        sleep(AGAIN).await;
                    }
                }
            }
            if events.is_none() {
                events = self.watch(&connection).await;
            }
        }
    }

    async fn watch(&self, connection: &Connection) -> Option<Streaming<ConnectionEvent>> {
        let segment = PathSegment { id: connection.id.clone(), ..PathSegment::default() };
        let selector = MonitorScopeSelector { path_segments: vec![segment], network_services: Vec::new() };
        self.line.stream(&self.source, MONITOR, selector).await.ok()
    }
}

/// What a kept connection waits for.
enum Happened {
    /// It is to be refreshed.
    Due,
    /// Its endpoint is gone.
    Down,
    /// Somebody has closed it.
    Gone,
}

async fn happens(connection: &Connection, events: &mut Option<Streaming<ConnectionEvent>>) -> Happened {
    let due = Instant::now() + refresh_after(connection, SystemTime::now());
    loop {
        let next = async {
            match events {
                Some(events) => events.message().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep_until(due) => return Happened::Due,
            event = next => match event {
                Ok(Some(event)) if event.r#type() == EventType::Delete => return Happened::Gone,
                Ok(Some(event)) if event.connections.values().any(|connection| connection.state() == State::Down) => return Happened::Down,
                Ok(Some(_)) => {}
                // The manager is gone, or tells no more.
                Ok(None) | Err(_) => {
                    *events = None;
                    return Happened::Due;
                }
            }
        }
    }
}

/// When to refresh: after a fifth of what is left of the token that ends first, as upstream's clients do.
fn refresh_after(connection: &Connection, now: SystemTime) -> Duration {
    let segments = connection.path.iter().flat_map(|path| &path.path_segments);
    let ends = segments.filter_map(|segment| SystemTime::try_from(segment.expires?).ok()).min();
    ends.and_then(|end| end.duration_since(now).ok()).unwrap_or_default().max(AGAIN) / 5
}
