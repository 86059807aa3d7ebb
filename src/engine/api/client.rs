use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use ipnet::IpNet;
use tokio::{
    task::AbortHandle,
    time::{Instant, sleep, sleep_until},
};
use tonic::{Request, Status, Streaming};

use super::{
    CLOSE, MONITOR, REQUEST,
    control::Control,
    descriptors::Inode,
    line::Line,
    mechanism::{INODE_URL, NAME, kernel},
    wire::{Connection, ConnectionEvent, Empty, EventType, IpContext, MonitorScopeSelector, NetworkServiceRequest, Path, PathSegment, State},
};
use crate::{
    engine::{
        identity::{Member, Source},
        names,
    },
    model::NsUrl,
};

/// How long to wait after a refresh that has failed.
const AGAIN: Duration = Duration::from_secs(1);
/// The same after the first: an endpoint that was killed refuses until it is known to be gone, and is then waited for.
const AT_ONCE: Duration = Duration::from_millis(50);
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
        source.give();
        let line = control.line_for(member, &source).await?;
        let shared = Arc::new(Shared { member: member.clone(), source, line, held: Mutex::default() });
        Ok(Self { shared, keepers: BTreeMap::new() })
    }

    /// What makes its requests, without holding it.
    pub(in crate::engine) fn asker(&self) -> Asker {
        Asker(Arc::clone(&self.shared))
    }

    /// Keeps a connection, as the manager knows it.
    pub(in crate::engine) fn keep(&mut self, number: usize, connection: Connection) {
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

/// Makes the requests of a client.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Asker(Arc<Shared>);

impl Asker {
    /// Makes a request; what comes of it is to be kept.
    ///
    /// # Errors
    /// What the manager answers.
    pub(in crate::engine) async fn ask(&self, number: usize, url: &NsUrl) -> Result<Connection, Status> {
        self.0.ask(number, self.0.wanted(number, url)?).await
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
        let mut labels = url.labels.clone();
        names::add_own_labels(&mut labels, &name);
        let segment = PathSegment { name, id: id.clone(), ..PathSegment::default() };
        Ok(Connection {
            id,
            network_service: url.service.clone(),
            mechanism: Some(mechanism),
            labels,
            path: Some(Path { index: 0, path_segments: vec![segment] }),
            ..Connection::default()
        })
    }

    /// What it has over its other connections, so that none gets the same; but for what a connection that is refreshed has itself,
    /// which is to stay.
    fn excluded(&self, number: usize, own: &IpContext) -> Vec<String> {
        let held = self.held();
        let others = held.iter().filter(|(other, _)| **other != number).map(|(_, connection)| connection);
        let contexts = others.filter_map(|connection| connection.context.as_ref()?.ip_context.as_ref());
        let is_own = |address: &String| own.src_ip_addrs.contains(address) || own.dst_ip_addrs.contains(address);
        contexts.flat_map(in_use).filter(|address| !is_own(address)).collect::<BTreeSet<_>>().into_iter().collect()
    }

    async fn ask(&self, number: usize, mut connection: Connection) -> Result<Connection, Status> {
        let context = connection.context.get_or_insert_default().ip_context.get_or_insert_default();
        context.excluded_prefixes = self.excluded(number, context);
        let excluded = context.excluded_prefixes.clone();
        let namespace = self.member.namespace.duplicate().map_err(|error| Status::internal(error.to_string()))?;
        self.line.outgoing.send(namespace);
        let mechanism_preferences = connection.mechanism.clone().into_iter().collect();
        let request = Request::new(NetworkServiceRequest { connection: Some(connection), mechanism_preferences });
        let answer = self.line.call::<_, Connection>(&self.source, REQUEST, request).await?.into_inner();
        if let Some(address) = overlap(&answer, &excluded) {
            let error = Status::failed_precondition(format!("IP {address} is excluded, but it was found in response IPs"));
            // The first error is what counts.
            let _ = self.line.call::<_, Empty>(&self.source, CLOSE, Request::new(answer)).await;
            return Err(error);
        }
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
                // The machine was suspended, or its clock was set: nobody has closed it, it was not refreshed in time.
                Happened::Gone if ends(&connection).is_some_and(|end| end <= SystemTime::now()) => true,
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
                        sleep(if tries == 1 { AT_ONCE } else { AGAIN }).await;
                    }
                }
            }
            // What was told of the one that is gone is not about this one.
            if is_down || events.is_none() {
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

/// The addresses of both ends of a connection, and those that it has a route of its own to.
fn in_use(context: &IpContext) -> impl Iterator<Item = String> {
    let is_host = |prefix: &&String| prefix.parse::<IpNet>().is_ok_and(|net| net.prefix_len() == net.max_prefix_len());
    let routes = context.src_routes.iter().chain(&context.dst_routes).map(|route| &route.prefix).filter(is_host);
    context.src_ip_addrs.iter().chain(&context.dst_ip_addrs).chain(routes).cloned()
}

/// The first address of a connection that was excluded: endpoints need not look at that.
fn overlap(answer: &Connection, excluded: &[String]) -> Option<IpAddr> {
    let context = answer.context.as_ref()?.ip_context.as_ref()?;
    let excluded: Vec<IpNet> = excluded.iter().filter_map(|prefix| prefix.parse().ok()).collect();
    let addresses = context.src_ip_addrs.iter().chain(&context.dst_ip_addrs).filter_map(|text| text.parse::<IpNet>().ok());
    addresses.map(|net| net.addr()).find(|address| excluded.iter().any(|net| net.addr() == *address))
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
    ends(connection).and_then(|end| end.duration_since(now).ok()).unwrap_or_default().max(AGAIN) / 5
}

/// When the token that ends first does.
fn ends(connection: &Connection) -> Option<SystemTime> {
    let segments = connection.path.iter().flat_map(|path| &path.path_segments);
    segments.filter_map(|segment| SystemTime::try_from(segment.expires?).ok()).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::api::wire::{ConnectionContext, Route};

    #[test]
    fn what_another_connection_has_is_seen_in_an_answer() {
        let route = |prefix: &str| Route { prefix: prefix.into(), ..Route::default() };
        let context = IpContext {
            src_ip_addrs: vec!["10.0.0.1/32".into()],
            dst_ip_addrs: vec!["10.0.0.0/32".into()],
            src_routes: vec![route("10.0.0.0/32"), route("192.0.2.0/24"), route("192.0.2.7/32"), route("x")],
            ..IpContext::default()
        };
        let used: Vec<String> = in_use(&context).collect();
        assert_eq!(used, ["10.0.0.1/32", "10.0.0.0/32", "10.0.0.0/32", "192.0.2.7/32"], "a network may be behind several endpoints");
        let answer = Connection { context: Some(ConnectionContext { ip_context: Some(context), ..Default::default() }), ..Connection::default() };
        let overlap = |excluded: &str| overlap(&answer, &[excluded.to_owned()]).map(|address| address.to_string());
        assert_eq!((overlap("10.0.0.0/32").as_deref(), overlap("192.0.2.7/32"), overlap("10.0.0.2/32")), (Some("10.0.0.0"), None, None));
    }
}
