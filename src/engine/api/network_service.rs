use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::timeout;
use tonic::{Request, Response, Status};

use super::{
    REQUEST,
    control::{Control, Established, Key, MANAGER},
    descriptors::{Descriptors, Inode},
    journal::Happening,
    line::Line,
    mechanism::{INODE_URL, KERNEL, LOCAL, NAME, choose, give, kernel, pairs, routes},
    phases::{Asked, Way, refreshed},
    remote::Remote,
    server::Caller,
    token::{self, Ids, Step},
    wire::{Connection, Empty, EventType, IpContext, Mechanism, NetworkServiceRequest, PathSegment, State},
};
use crate::{
    engine::{
        forwarder::{self, End},
        identity::Member,
        names,
        phases::Moment,
        registry::{self, Change, Found, NotFound, Registration},
    },
    model::{InterfaceName, Namespaced, NetworkServiceSpec},
    net,
};

/// How long to wait for an endpoint that is asked for by its name: one that was killed comes back within that.
const RETURNS: Duration = Duration::from_secs(5);
/// How long to wait for an endpoint to let go of what came to nothing.
const PARTING: Duration = Duration::from_secs(1);
/// The same for what was there: nothing else is to be asked for in its place meanwhile.
const ENDS: Duration = Duration::from_secs(6);
/// The longest name of a service, in bytes, and the most labels of a connection.
const MAX_NAME: usize = 253;
const MAX_LABELS: usize = 64;
/// The most segments of a path that are taken of an endpoint.
const MAX_BEHIND: usize = 4;

/// A request, as far as it is understood.
pub(super) struct Wanted {
    /// The connection, in the caller's words, without its path.
    connection: Connection,
    step: Step,
    expires: std::time::SystemTime,
    member: Member,
    /// The caller's mechanism, with a name for its interface.
    mechanism: Mechanism,
    end: End,
    /// How it came to be.
    pub(super) asked: Asked,
}

impl Control {
    /// Serves a request for a connection, or for its refresh, which changes nothing where nothing has changed.
    pub(super) async fn request(self: &Arc<Self>, caller: &Caller, request: Request<NetworkServiceRequest>) -> Result<Response<Connection>, Status> {
        let begun = Instant::now();
        let (metadata, _, message) = request.into_parts();
        let mut connection = message.connection.ok_or_else(|| Status::invalid_argument("the request has no connection"))?;
        check(&connection)?;
        let asked = self.asked(caller, &connection.network_service);
        let (token, claims) = self.token_of(caller, &metadata)?;
        let expires = claims.expires();
        let mut step = token::step(connection.path.take(), &connection.id, MANAGER, (token, claims), self.source.id())?;
        let member = self.member(caller)?;
        let mechanism = choose(connection.mechanism.as_ref(), &message.mechanism_preferences)?;
        let (mechanism, end) = near_end(caller, &member, mechanism, &connection.network_service).await?;
        let key = Key { client: member.pod.clone(), id: step.caller().id.clone() };
        let _turn = self.turn(&key).await;
        // A client that begins anew has lost our id and not its connection, and one whose last request came to nothing may have been
        // given addresses all the same. By another id its endpoint would take it for a second one, and nobody would ever give the
        // addresses of the first back.
        if let Some(known) = self.get(&key) {
            step.set_id(&known.near.id);
        } else if step.is_first {
            step.set_id(&self.ids.of(&[&key.client.namespace, &key.client.name, &key.id]));
        }
        let wanted = Wanted { connection, step, expires, member, mechanism, end, asked };
        let (established, is_made) = self.serve_request(&key, &wanted).await.inspect_err(|status| {
            let (client, service) = (wanted.member.pod.clone(), wanted.connection.network_service.clone());
            let (code, reason, taken) = (status.code(), status.message().to_owned(), begun.elapsed());
            self.journal.add(Happening::Refused { client, id: key.id.clone(), service, code, reason, taken });
        })?;
        if self.member_of(&key.client).is_err() {
            // It was removed meanwhile, and its connections with it.
            self.undo(established).await;
            return Err(Status::unavailable(format!("pod {} has gone", key.client)));
        }
        let mut answer = for_caller(&established.near, &wanted);
        self.sign_for(caller, &established, &mut answer)?;
        let link = established.link.clone();
        let was_down = self.get(&key).is_some_and(|before| !before.is_up());
        self.put(key, established);
        if is_made {
            self.journal.add(Happening::Served { link, taken: begun.elapsed() });
        } else if was_down {
            self.journal.add(Happening::Restored { client: link.client.pod });
        }
        Ok(Response::new(answer))
    }

    /// Signs our segment with the key that the caller knows us by. Our token for the endpoint is signed with what we have shown there,
    /// which is another where a SPIRE agent has renewed our SVID in between.
    fn sign_for(&self, caller: &Caller, established: &Established, answer: &mut Connection) -> Result<(), Status> {
        let Some(path) = answer.path.as_mut().filter(|_| self.identity.agent().is_some()) else { return Ok(()) };
        let own = usize::try_from(path.index).ok().and_then(|index| path.path_segments.get_mut(index + 1));
        let (token, expires) =
            self.source.token(&caller.shown, &established.remote.id, token::TOKEN_LIFE).map_err(|error| Status::internal(error.to_string()))?;
        own.into_iter().for_each(|own| (own.token, own.expires) = (token.clone(), Some(expires.into())));
        Ok(())
    }

    /// Tries one endpoint after the other. The result is the connection, and whether its links were made for it.
    async fn serve_request(self: &Arc<Self>, key: &Key, wanted: &Wanted) -> Result<(Established, bool), Status> {
        let mut before = self.get(key);
        let mut replaced = None;
        if wanted.connection.state() == State::ReselectRequested {
            replaced = self.replace(key, before.take()).await;
        }
        let served = self.serve_anew(key, wanted, &mut before, &mut replaced).await;
        if let Some(replaced) = replaced.filter(|_| served.is_err()) {
            self.tell(EventType::Delete, &replaced);
        }
        served
    }

    /// Undoes a connection that another is to follow. That it is gone is told where none does: a client that waited for the other
    /// one would take it for that.
    async fn replace(self: &Arc<Self>, key: &Key, old: Option<Established>) -> Option<Established> {
        let old = old?;
        self.take(key);
        self.undo(old.clone()).await;
        Some(old)
    }

    async fn serve_anew(
        self: &Arc<Self>,
        key: &Key,
        wanted: &Wanted,
        before: &mut Option<Established>,
        replaced: &mut Option<Established>,
    ) -> Result<(Established, bool), Status> {
        let found = self.find(&wanted.connection, &wanted.member).await?;
        if !wanted.connection.payload.is_empty() && wanted.connection.payload != found.payload.to_string() {
            return Err(Status::not_found(NotFound::Service(wanted.connection.network_service.clone()).to_string()));
        }
        let orphan = self.orphan(&wanted.end);
        let mut registered: Vec<_> = found.candidates.iter().filter_map(|candidate| self.registry().endpoint(candidate).cloned()).collect();
        // Where its link leads to is the endpoint that it had.
        registered.sort_by_key(|registration| orphan.as_ref().is_none_or(|orphan| orphan.endpoint.pod != registration.pod));
        let mut failure = Status::not_found(NotFound::Endpoint.to_string());
        for registration in registered {
            // The client's interface has one name, so that what leads to another endpoint goes first.
            if let Some(old) = before.take_if(|old| old.remote.key != registration.remote.key) {
                *replaced = self.replace(key, Some(old)).await;
            }
            match self.connect(wanted, &found, &registration, before.as_ref(), orphan.as_ref()).await {
                Ok(made) => {
                    self.take_orphan(&wanted.end);
                    return Ok(made);
                }
                Err(status) => failure = status,
            }
        }
        Err(failure)
    }

    /// The endpoints that could serve a request. One that is asked for by its name is waited for.
    async fn find(&self, connection: &Connection, member: &Member) -> Result<Found, Status> {
        let name = &connection.network_service_endpoint_name;
        let mut changes = self.registry().watch();
        let look = || {
            let now = jiff::Timestamp::now().as_second();
            let asked = registry::Asked {
                service: &connection.network_service,
                instance: &member.instance,
                namespace: &member.pod.namespace,
                labels: &connection.labels,
                endpoint: name,
            };
            let loads = self.loads();
            self.registry().find(&asked, now, |endpoint| loads.get(endpoint).copied().unwrap_or_default())
        };
        let appears = async {
            loop {
                match look() {
                    Err(NotFound::Endpoint) if !name.is_empty() => {}
                    found => return found,
                }
                while matches!(changes.recv().await, Ok(Change::Service(..) | Change::Endpoint(_, true))) {}
            }
        };
        let found = timeout(RETURNS, appears).await;
        let gone = |_| Status::not_found(format!("network service endpoint {name} is not found"));
        found.map_err(gone)?.map_err(|error| Status::not_found(error.to_string()))
    }

    /// The clients of a service, with the numbers of their requests, which its matches would give to another endpoint now, or to none.
    pub(in crate::engine) fn passed_over(&self, service: &NetworkServiceSpec) -> Vec<(Namespaced, usize)> {
        let now = jiff::Timestamp::now().as_second();
        let is_chosen = |(key, established): &(Key, Established)| {
            let Ok(member) = self.member_of(&key.client) else { return false };
            let asked = registry::Asked {
                service: &established.near.network_service,
                instance: &member.instance,
                namespace: &member.pod.namespace,
                labels: &established.near.labels,
                endpoint: "",
            };
            self.registry().find(&asked, now, |_| 0).is_ok_and(|found| found.candidates.contains(&established.remote.key))
        };
        let of_service = self.list(|established| established.link.service == service.id).into_iter();
        of_service.filter(|one| !is_chosen(one)).map(|(_, established)| (established.link.client.pod, established.link.request)).collect()
    }

    /// Has an endpoint take its side of a connection, and makes the links.
    async fn connect(
        self: &Arc<Self>,
        wanted: &Wanted,
        found: &Found,
        registration: &Registration,
        same: Option<&Established>,
        orphan: Option<&forwarder::Connection>,
    ) -> Result<(Established, bool), Status> {
        let (remote, selected) = (&registration.remote, Moment::now());
        let behind = wanted.step.own + 1;
        let mut asked = for_endpoint(wanted, found, remote, same, orphan.filter(|orphan| orphan.endpoint.pod == registration.pod), &self.ids);
        remote.parted(wanted.step.id(), PARTING).await?;
        let asking = self.ask(remote, &mut asked, behind).await;
        let mut closing = asked.connection.unwrap_or_default();
        let made = match asking {
            Ok((answer, line)) => {
                if let (Some(path), Some(answered)) = (&mut closing.path, &answer.path) {
                    // What it calls the connection, which need not be what it was asked for.
                    path.path_segments.truncate(behind);
                    path.path_segments.extend(answered.path_segments.iter().skip(behind).take(MAX_BEHIND).cloned());
                }
                let old = same.map(|same| &same.link).or(orphan);
                let way = Way { candidates: found.candidates.len(), selected, answered: Moment::now(), line: &line };
                self.accept(wanted, found, registration, &way, answer, old).await
            }
            // It may have served it all the same, only that its answer came too late.
            Err(status) => Err(status),
        };
        if made.is_err() && same.is_none() {
            // The first error is what counts.
            remote.part(self, closing, PARTING).await;
        }
        made
    }

    /// Asks an endpoint, whose segment of the path is that with this index. One whose key a SPIRE agent has renewed since it was connected
    /// with answers with a token that is signed with the new one: it is then asked again, over a connection on which it shows that.
    async fn ask(self: &Arc<Self>, remote: &Arc<Remote>, asked: &mut NetworkServiceRequest, segment: usize) -> Result<(Connection, Line), Status> {
        let (answer, line) = remote.call::<_, Connection>(self, REQUEST, asked.clone()).await?;
        let answer = answer.into_inner();
        let behind: Vec<PathSegment> = answer.path.iter().flat_map(|path| &path.path_segments).skip(segment).take(MAX_BEHIND).cloned().collect();
        let is_renewed = behind.first().is_some_and(|own| token::is_with_another_key(&own.token, &line.peer));
        if self.identity.agent().is_none() || !is_renewed {
            return Ok((answer, line));
        }
        remote.reconnect(self, &line).await?;
        if let Some(connection) = &mut asked.connection {
            // By its own id for it, or it would take this for a second connection.
            let path = connection.path.get_or_insert_default();
            path.path_segments.truncate(segment);
            path.path_segments.extend(behind);
            connection.mechanism = answer.mechanism;
        }
        let (answer, line) = remote.call::<_, Connection>(self, REQUEST, asked.clone()).await?;
        Ok((answer.into_inner(), line))
    }

    /// Makes of an endpoint's answer what it says.
    async fn accept(
        &self,
        wanted: &Wanted,
        found: &Found,
        registration: &Registration,
        way: &Way<'_>,
        mut answer: Connection,
        old: Option<&forwarder::Connection>,
    ) -> Result<(Established, bool), Status> {
        let remote = &registration.remote;
        let refuse = |reason: &dyn ToString| Status::internal(format!("endpoint {} answers wrongly: {}", remote.key.name, reason.to_string()));
        let mechanism = answer.mechanism.as_ref().filter(|mechanism| mechanism.r#type == KERNEL).ok_or_else(|| refuse(&"not a kernel interface"))?;
        let member = self.member_of(&registration.pod)?;
        let far = end(&way.line.received, &member, mechanism).await?.ok_or_else(|| refuse(&"its interface has no name"))?;
        let context = answer.context.as_ref().and_then(|context| context.ip_context.as_ref());
        let pairs = pairs(context).map_err(|reason| refuse(&reason))?;
        let routes = routes(context, &pairs).map_err(|reason| refuse(&reason))?;
        let path = answer.path.take().unwrap_or_default();
        let mut own = wanted.step.path.clone();
        // Only what lies behind us is the endpoint's to say; our token for it stands in its path too.
        let claimed = path.path_segments.get(wanted.step.own).map(|segment| segment.token.clone()).unwrap_or_default();
        let expires = crate::engine::identity::decode(&claimed).map(|claims| claims.expires().into()).ok();
        if let Some(segment) = own.path_segments.get_mut(wanted.step.own) {
            (segment.token, segment.expires) = (claimed, expires);
        }
        own.path_segments.truncate(wanted.step.own + 1);
        own.path_segments.extend(path.path_segments.into_iter().skip(wanted.step.own + 1).take(MAX_BEHIND));
        // Before anything is made for it.
        let check = || token::check_path(&own, wanted.step.own, self.source.id(), &way.line.peer);
        let denied = |status: Status| Status::new(status.code(), refuse(&status.message()).message());
        check().map_err(denied)?;
        (answer.id, answer.state) = (wanted.step.id().to_owned(), State::Up.into());
        answer.network_service_endpoint_name.clone_from(&remote.key.name);
        answer.payload = found.payload.to_string();
        answer.labels.clone_from(&wanted.connection.labels);

        let number = wanted.step.caller().id.rsplit('-').next().and_then(|text| text.parse().ok()).unwrap_or_default();
        let link = forwarder::Connection {
            request: number,
            service: found.service.clone(),
            payload: found.payload,
            client: wanted.end.clone(),
            endpoint: far,
            pairs,
            since: 0,
            heals: 0,
            routes,
            phases: None,
        };
        let (mut link, laid) = self.link(link, old).await?;
        // Links take a moment, seconds on a busy machine: nothing is handed over whose tokens have run out meanwhile.
        let path = match check() {
            Ok(path) => path,
            Err(status) => {
                // The first error is what counts.
                let _ = link.close().await;
                return Err(denied(status));
            }
        };
        link.phases = match laid {
            Some(laid) => self.phases(wanted, remote, way, &link, laid, path),
            None => link.phases.as_ref().map(|phases| refreshed(phases, &path)),
        };
        answer.path = Some(own);
        let near = Connection { mechanism: Some(wanted.mechanism.clone()), ..answer.clone() };
        Ok((Established { link, near, far: answer, remote: Arc::clone(remote), expires: wanted.expires }, laid.is_some()))
    }

    /// Closes a caller's connection. That there is none is no error.
    pub(super) async fn close_for(self: &Arc<Self>, caller: &Caller, request: Request<Connection>) -> Result<Response<Empty>, Status> {
        let (metadata, _, mut connection) = request.into_parts();
        check(&connection)?;
        let (token, claims) = self.token_of(caller, &metadata)?;
        let step = token::step(connection.path.take(), &connection.id, MANAGER, (token, claims), self.source.id())?;
        // What is in no sandbox any more has no connections either.
        let Ok(member) = self.member(caller) else { return Ok(Response::new(Empty {})) };
        let key = Key { client: member.pod, id: step.caller().id.clone() };
        let _turn = self.turn(&key).await;
        if let Some(mut established) = self.forget(&key) {
            // With the caller's token of now: the endpoint looks at it too.
            let path = established.far.path.as_mut().and_then(|path| path.path_segments.get_mut(step.own - 1));
            path.into_iter().for_each(|segment| segment.clone_from(step.caller()));
            let (link, error) = Arc::clone(self).undo_at(established).await;
            self.links.forget(|client, request| link.is_of(client, request));
            self.journal.add(Happening::Closed { link });
            error.map_or(Ok(()), |error| Err(Status::internal(error.to_string())))?;
        }
        Ok(Response::new(Empty {}))
    }

    /// Undoes a connection at its endpoint and its links; the error is the kernel's.
    async fn undo_at(self: Arc<Self>, established: Established) -> (forwarder::Connection, Option<net::Error>) {
        let error = established.link.close().await.err();
        established.remote.part(&self, established.far, ENDS).await;
        (established.link, error)
    }

    /// As [`Self::undo_at`].
    pub(super) async fn undo(self: &Arc<Self>, established: Established) -> (forwarder::Connection, Option<net::Error>) {
        Arc::clone(self).undo_at(established).await
    }
}

fn check(connection: &Connection) -> Result<(), Status> {
    let refuse = |reason: &str| Err(Status::invalid_argument(reason));
    match () {
        () if connection.network_service.is_empty() => refuse("the connection names no network service"),
        () if connection.network_service.len() > MAX_NAME || connection.network_service_endpoint_name.len() > MAX_NAME => {
            refuse("a name is longer than 253 characters")
        }
        () if connection.labels.len() > MAX_LABELS => refuse("the connection has more than 64 labels"),
        () => Ok(()),
    }
}

/// The caller's end, and its mechanism with a name for the interface.
async fn near_end(caller: &Caller, member: &Member, mechanism: &Mechanism, service: &str) -> Result<(Mechanism, End), Status> {
    let mut mechanism = mechanism.clone();
    if mechanism.parameters.get(NAME).is_none_or(String::is_empty) {
        let name = names::interface(service).map_err(|error| Status::invalid_argument(error.to_string()))?;
        mechanism.parameters.insert(NAME.to_owned(), name.to_string());
    }
    LOCAL.clone_into(&mut mechanism.cls);
    let end = end(&caller.received, member, &mechanism).await?;
    end.map(|end| (mechanism, end)).ok_or_else(|| Status::internal("the interface has no name"))
}

/// One end, as somebody's mechanism says: an interface in the network namespace whose descriptor it has sent. It can only be
/// that of the sandbox that it is in itself.
async fn end(received: &Descriptors, member: &Member, mechanism: &Mechanism) -> Result<Option<End>, Status> {
    let parameter = |name| mechanism.parameters.get(name).map(String::as_str).unwrap_or_default();
    let url = parameter(INODE_URL);
    let inode: Inode = url.parse().map_err(|error| Status::invalid_argument(format!("the mechanism's {INODE_URL} {error}")))?;
    received.wait(inode).await.map_err(|error| Status::deadline_exceeded(error.to_string()))?;
    let own = Inode::of_path(&format!("/proc/self/fd/{}", member.namespace.descriptor()));
    if own.map_err(|error| Status::internal(error.to_string()))? != inode {
        return Err(Status::permission_denied(format!("{inode} is not the network namespace of pod {}", member.pod)));
    }
    let Some(name) = Some(parameter(NAME)).filter(|name| !name.is_empty()) else { return Ok(None) };
    let interface: InterfaceName = name.parse().map_err(|error| Status::invalid_argument(format!("the interface {error}")))?;
    Ok(Some(End { pod: member.pod.clone(), namespace: member.namespace.clone(), interface }))
}

/// The connection as an endpoint is asked for it.
fn for_endpoint(
    wanted: &Wanted,
    found: &Found,
    remote: &Remote,
    same: Option<&Established>,
    orphan: Option<&forwarder::Connection>,
    ids: &Ids,
) -> NetworkServiceRequest {
    let mut connection = wanted.connection.clone();
    let mut path = wanted.step.path.clone();
    if connection.network_service_endpoint_name != remote.key.name {
        // The addresses that another endpoint has given are no longer asked for.
        if let Some(context) = connection.context.as_mut().and_then(|context| context.ip_context.as_mut()) {
            let excluded_prefixes = std::mem::take(&mut context.excluded_prefixes);
            *context = IpContext { excluded_prefixes, ..IpContext::default() };
        }
    }
    let mut parameters = Vec::new();
    if let Some(orphan) = orphan.filter(|_| same.is_none()) {
        // What is there is asked for, so that it can stay.
        parameters.push((NAME, orphan.endpoint.interface.to_string()));
        let context = connection.context.get_or_insert_default().ip_context.get_or_insert_default();
        if context.src_ip_addrs.is_empty() {
            give(context, &orphan.pairs);
        }
    }
    let next = wanted.step.own + 1;
    let is_known = |segment: &PathSegment| segment.name == remote.key.name && !segment.id.is_empty();
    if let Some(known) = same.and_then(|same| same.far.path.as_ref()) {
        let behind: Vec<PathSegment> = known.path_segments.iter().skip(next).cloned().collect();
        path.path_segments.truncate(next);
        path.path_segments.extend(behind);
    } else if !path.path_segments.get(next).is_some_and(is_known) {
        // Its own id for it, so that it can be closed also where the answer is lost, and nothing is given for it twice (upstream:
        // sdk, updatepath, takes the id of a segment that has its name).
        path.path_segments.truncate(next);
        let id = ids.of(&[wanted.step.id(), &remote.key.name]);
        path.path_segments.push(PathSegment { name: remote.key.name.clone(), id, ..PathSegment::default() });
    }
    connection.id = wanted.step.id().to_owned();
    connection.path = Some(path);
    connection.mechanism = same.and_then(|same| same.far.mechanism.clone());
    connection.state = State::Up.into();
    connection.payload = found.payload.to_string();
    connection.network_service_endpoint_name.clone_from(&remote.key.name);
    NetworkServiceRequest { connection: Some(connection), mechanism_preferences: vec![kernel(parameters)] }
}

/// The connection as its caller is told of it.
fn for_caller(near: &Connection, wanted: &Wanted) -> Connection {
    let mut answer = near.clone();
    answer.id.clone_from(&wanted.step.caller().id);
    if let Some(path) = &mut answer.path {
        path.index = u32::try_from(wanted.step.own - 1).unwrap_or_default();
    }
    answer
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::{
        engine::{api::wire, forwarder::Routes, identity::Identity},
        model::Payload,
        net::Namespace,
    };

    fn end(pod: &str, interface: &str) -> End {
        End { pod: Namespaced::new("ns", pod), namespace: Namespace::current().unwrap(), interface: interface.parse().unwrap() }
    }

    fn wanted() -> Wanted {
        let segment = |name: &str| PathSegment { name: name.into(), id: name.into(), ..PathSegment::default() };
        let path = wire::Path { index: 1, path_segments: vec![segment("alpine-0"), segment(MANAGER)] };
        let ip_context =
            Some(IpContext { src_ip_addrs: vec!["10.0.0.9/32".into()], excluded_prefixes: vec!["10.1.0.0/16".into()], ..Default::default() });
        let context = Some(wire::ConnectionContext { ip_context, ..Default::default() });
        Wanted {
            connection: Connection { id: "alpine-0".into(), network_service: "s".into(), context, ..Connection::default() },
            step: Step { path, own: 1, is_first: true },
            expires: SystemTime::now(),
            member: Member { pod: Namespaced::new("ns", "alpine"), instance: "i".into(), namespace: Namespace::current().unwrap() },
            mechanism: kernel([]),
            end: end("alpine", "nsm-1"),
            asked: Asked::example(),
        }
    }

    fn asked(wanted: &Wanted, orphan: Option<&forwarder::Connection>) -> (Vec<String>, Vec<String>, Mechanism, Connection) {
        let found = Found { service: Namespaced::new("ns", "s"), payload: Payload::Ip, candidates: vec![] };
        let remote = Remote::example(Namespaced::new("ns", "nse"));
        let mut request = for_endpoint(wanted, &found, &remote, None, orphan, &Ids::new());
        let connection = request.connection.take().unwrap();
        let context = connection.context.clone().unwrap().ip_context.unwrap();
        (context.src_ip_addrs, context.excluded_prefixes, request.mechanism_preferences.remove(0), connection)
    }

    #[test]
    fn an_endpoint_is_asked_with_our_id_and_without_anothers_addresses() {
        let (addresses, excluded, mechanism, connection) = asked(&wanted(), None);
        assert_eq!((addresses, excluded, mechanism), (vec![], vec!["10.1.0.0/16".to_owned()], kernel([])));
        assert_eq!((connection.id.as_str(), connection.network_service_endpoint_name.as_str(), connection.payload.as_str()), (MANAGER, "nse", "IP"));
        let mut again = wanted();
        again.connection.network_service_endpoint_name = "nse".into();
        assert_eq!(asked(&again, None).0, ["10.0.0.9/32"], "its own are asked for");
    }

    #[test]
    fn links_of_an_earlier_manager_are_asked_for_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let control = Control::new(Arc::new(Identity::new(Duration::from_secs(60)).unwrap()), [dir.path(); 2], "x").unwrap();
        let pairs = vec![crate::model::AddressPair { client: "10.0.0.1".parse().unwrap(), endpoint: "10.0.0.0".parse().unwrap() }];
        let (service, payload) = (Namespaced::new("ns", "s"), Payload::Ip);
        control.adopt(forwarder::Connection {
            request: 0,
            service,
            payload,
            client: end("alpine", "nsm-1"),
            endpoint: end("nse", "s-abcd"),
            pairs,
            since: 0,
            heals: 0,
            routes: Routes::default(),
            phases: None,
        });
        assert!(control.orphan(&end("alpine", "nsm-2")).is_none() && control.orphan(&end("nse", "nsm-1")).is_none());
        let orphan = control.orphan(&end("alpine", "nsm-1"));
        let (addresses, _, mechanism, _) = asked(&wanted(), orphan.as_ref());
        assert_eq!((addresses, mechanism), (vec!["10.0.0.1/32".to_owned()], kernel([(NAME, "s-abcd".to_owned())])));
        control.take_orphan(&end("alpine", "nsm-1"));
        assert!(control.orphan(&end("alpine", "nsm-1")).is_none());
    }
}
