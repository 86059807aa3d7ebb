use std::{
    collections::HashMap,
    fs,
    net::IpAddr,
    os::fd::OwnedFd,
    path::Path as FilePath,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use futures::{StreamExt, stream};
use ipnet::IpNet;
use rustix::fs::{Mode, OFlags};
use tokio::{net::UnixListener, task::JoinSet, time::sleep};
use tonic::{Request, Response, Status};

use super::{
    CLOSE, MONITOR, REGISTER_ENDPOINT, REQUEST,
    control::{Control, duplicate},
    descriptors::Inode,
    line::Line,
    mechanism::{INODE_URL, NAME, choose, give, pairs},
    server::{Caller, accept},
    token::{self, RegistryPath},
    wire::{Connection, ConnectionEvent, Empty, EventType, Labels, MonitorScopeSelector, NetworkServiceEndpoint, NetworkServiceRequest},
};
use crate::{
    engine::{
        grpc::{self, Answer, Question},
        identity::{Accepts, Member, Source},
        ipam::{Excluded, Pool},
        names,
    },
    model::{AddressPair, EndpointSpec},
};

/// The name of the socket while it is made; it has none afterwards, and is reached by its descriptor.
const SOCKET: &str = "nse.sock";
/// How long to wait after a refresh that has failed.
const AGAIN: Duration = Duration::from_secs(1);
/// The most prefixes that a client may exclude.
const MAX_EXCLUDED: usize = 1024;

/// An endpoint of the engine's own. It registers, and is called, as a program in its sandbox would be.
#[derive(Debug)]
pub(in crate::engine) struct Endpoint {
    /// What answers and what refreshes the registration; both end with this.
    _tasks: JoinSet<()>,
}

/// What an endpoint answers with.
#[derive(Debug)]
struct Serving {
    member: Member,
    source: Arc<Source>,
    accepts: Accepts,
    addresses: Mutex<Addresses>,
}

#[derive(Debug)]
struct Addresses {
    pool: Pool,
    given: Given,
}

/// Addresses by the ids of the connections, as the caller has them.
type Given = HashMap<String, Vec<AddressPair>>;

fn failed(error: &dyn ToString) -> Status {
    Status::internal(error.to_string())
}

impl Endpoint {
    /// Starts an endpoint in a sandbox and registers it. What was `given` out before, by the ids of connections, stays so.
    ///
    /// # Errors
    /// It has no socket or no identity, or is refused.
    pub(in crate::engine) async fn start(control: &Control, member: &Member, spec: &EndpointSpec, given: Given) -> Result<Self, Status> {
        let source = control.identity.source_of(&member.pod).map_err(|error| failed(&error))?;
        source.give();
        let accepts = Accepts::new(&source).map_err(|error| failed(&error))?;
        let mut pool = Pool::new(spec.prefixes.clone());
        let given = given.into_iter().filter(|(_, pairs)| pool.claim(pairs)).collect();
        let addresses = Mutex::new(Addresses { pool, given });
        let (listener, socket) = listen(&control.workshop())?;
        let inode = Inode::of(&socket).map_err(|error| failed(&error))?;
        let serving = Arc::new(Serving { member: member.clone(), source: Arc::clone(&source), accepts, addresses });
        let mut tasks = JoinSet::new();
        tasks.spawn(serving.serve(listener));

        let line = control.line_for(member, &source).await?;
        let mut labels = spec.labels.clone().unwrap_or_default();
        names::add_own_labels(&mut labels, &member.pod.name);
        let entry = NetworkServiceEndpoint {
            name: member.pod.name.clone(),
            network_service_names: spec.services.clone(),
            network_service_labels: spec.services.iter().map(|service| (service.clone(), Labels { labels: labels.clone() })).collect(),
            url: inode.to_string(),
            ..Default::default()
        };
        let registered = register(&line, &source, &socket, entry).await?;
        tasks.spawn(refresh(line, source, socket, registered));
        Ok(Self { _tasks: tasks })
    }
}

/// A socket without a name, and a descriptor that says which it is.
fn listen(dir: &FilePath) -> Result<(UnixListener, OwnedFd), Status> {
    let path = dir.join(SOCKET);
    // Nothing is awaited in between, so that the name is free for the next.
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path).map_err(|error| failed(&error))?;
    let socket = rustix::fs::open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(|error| failed(&error));
    let _ = fs::remove_file(&path);
    Ok((listener, socket?))
}

async fn register(line: &Line, source: &Source, socket: &OwnedFd, entry: NetworkServiceEndpoint) -> Result<NetworkServiceEndpoint, Status> {
    let mut request = Request::new(entry);
    request.metadata_mut().insert(RegistryPath::KEY, RegistryPath::default().to_metadata()?);
    line.outgoing.send(duplicate(socket)?);
    Ok(line.call(source, REGISTER_ENDPOINT, request).await?.into_inner())
}

/// Refreshes a registration at two thirds of its time, as upstream's endpoints do, for ever.
async fn refresh(line: Line, source: Arc<Source>, socket: OwnedFd, mut entry: NetworkServiceEndpoint) {
    loop {
        let expires = entry.expiration_time.and_then(|time| SystemTime::try_from(time).ok()).unwrap_or_else(SystemTime::now);
        sleep(expires.duration_since(SystemTime::now()).unwrap_or_default() * 2 / 3).await;
        match register(&line, &source, &socket, entry.clone()).await {
            Ok(refreshed) => entry = refreshed,
            Err(_) => sleep(AGAIN).await,
        }
    }
}

impl Serving {
    async fn serve(self: Arc<Self>, listener: UnixListener) {
        let mut conversations = JoinSet::new();
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                sleep(AGAIN).await;
                continue;
            };
            let own = Arc::clone(&self);
            conversations.spawn(async move {
                let Some((caller, stream)) = accept(stream, &own.accepts).await else { return };
                // How a caller goes is its own matter.
                let _ = grpc::serve(stream, |question| Arc::clone(&own).route(caller.clone(), question)).await;
            });
            while conversations.try_join_next().is_some() {}
        }
    }

    async fn route(self: Arc<Self>, caller: Caller, question: Question) -> Answer {
        let path = question.uri().path().to_owned();
        match path.as_str() {
            REQUEST => grpc::unary(question, async |request| self.request(&caller, request)).await,
            CLOSE => grpc::unary(question, async |request| self.close(&caller, request)).await,
            MONITOR => {
                // Nothing happens to its connections that the manager does not do itself; the stream's end is what tells something.
                let first = ConnectionEvent { r#type: EventType::InitialStateTransfer.into(), connections: HashMap::new() };
                let events = stream::iter([Ok(first)]).chain(stream::pending());
                grpc::stream(question, async |_: Request<MonitorScopeSelector>| Ok(Response::new(events))).await
            }
            other => grpc::unimplemented(other),
        }
    }

    fn request(&self, caller: &Caller, request: Request<NetworkServiceRequest>) -> Result<Response<Connection>, Status> {
        let (metadata, _, message) = request.into_parts();
        let mut connection = message.connection.ok_or_else(|| Status::invalid_argument("the request has no connection"))?;
        let token = token::from_caller(&metadata, &caller.peer, self.source.id())?;
        let mut step = token::step(connection.path.take(), &connection.id, &self.member.pod.name, token, self.source.id())?;
        let mut mechanism = choose(connection.mechanism.as_ref(), &message.mechanism_preferences)?.clone();
        if mechanism.parameters.get(NAME).is_none_or(String::is_empty) {
            let name = names::interface(&connection.network_service).map_err(|error| Status::invalid_argument(error.to_string()))?;
            mechanism.parameters.insert(NAME.to_owned(), name.to_string());
        }
        let namespace = self.member.namespace.duplicate().map_err(|error| failed(&error))?;
        let inode = Inode::of(&namespace).map_err(|error| failed(&error))?;
        mechanism.parameters.insert(INODE_URL.to_owned(), inode.to_string());
        let (token, expires) = self.source.token(&caller.shown, &caller.peer.id, token::TOKEN_LIFE).map_err(|error| failed(&error))?;
        let context = connection.context.get_or_insert_default().ip_context.get_or_insert_default();
        let excluded = excluded(&context.excluded_prefixes)?;
        let asked = pairs(Some(context)).unwrap_or_default();
        let given = self.addresses(&step.caller().id, &asked, &excluded)?;
        give(context, &given);

        caller.outgoing.send(namespace);
        if let Some(own) = step.path.path_segments.get_mut(step.own) {
            (own.token, own.expires) = (token, Some(expires.into()));
        }
        step.path.index = u32::try_from(step.own - 1).unwrap_or_default();
        connection.id.clone_from(&step.caller().id);
        (connection.mechanism, connection.path) = (Some(mechanism), Some(step.path));
        Ok(Response::new(connection))
    }

    /// The addresses of a connection: those that it has, else those that it had, else the next.
    fn addresses(&self, id: &str, asked: &[AddressPair], excluded: &Excluded) -> Result<Vec<AddressPair>, Status> {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let Addresses { pool, given } = &mut *addresses;
        let is_free = |pairs: &[AddressPair]| !pairs.iter().any(|pair| excluded.has(&pair.client) || excluded.has(&pair.endpoint));
        match given.get(id) {
            Some(known) if is_free(known) => return Ok(known.clone()),
            Some(known) => {
                pool.release(known);
                given.remove(id);
            }
            None => {}
        }
        let pairs = match is_free(asked) && pool.claim(asked) {
            true => asked.to_vec(),
            false => pool.pull(excluded).map_err(|error| Status::resource_exhausted(error.to_string()))?,
        };
        given.insert(id.to_owned(), pairs.clone());
        Ok(pairs)
    }

    fn close(&self, caller: &Caller, request: Request<Connection>) -> Result<Response<Empty>, Status> {
        let (metadata, _, mut connection) = request.into_parts();
        // Whoever calls is believed by its own token: that of the client may have run out, which may be the very reason.
        token::from_caller(&metadata, &caller.peer, self.source.id())?;
        let current = connection.path.take().and_then(|path| path.path_segments.into_iter().nth(usize::try_from(path.index).ok()?));
        let id = current.map(|segment| segment.id).filter(|id| *id == connection.id);
        let id = id.ok_or_else(|| Status::invalid_argument("the connection's id is not that of its current segment"))?;
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pairs) = addresses.given.remove(&id) {
            addresses.pool.release(&pairs);
        }
        Ok(Response::new(Empty {}))
    }
}

/// What a client has elsewhere already.
fn excluded(prefixes: &[String]) -> Result<Excluded, Status> {
    if prefixes.len() > MAX_EXCLUDED {
        return Err(Status::invalid_argument(format!("at most {MAX_EXCLUDED} prefixes can be excluded")));
    }
    let read = |text: &String| text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let prefixes: Vec<IpNet> =
        prefixes.iter().map(read).collect::<Result<_, _>>().map_err(|_| Status::invalid_argument("an excluded prefix is none"))?;
    Ok(Excluded::new(&prefixes))
}
