use std::{
    collections::BTreeMap,
    os::fd::OwnedFd,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use rustix::fs::{FileType, fstat};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tonic::{Request, Response, Status};

use super::{
    control::{Control, duplicate},
    descriptors::Inode,
    journal::Happening,
    remote::Remote,
    server::Caller,
    token::{self, RegistryPath},
    wire::{
        self, Empty, NetworkService, NetworkServiceEndpoint, NetworkServiceEndpointQuery, NetworkServiceEndpointResponse, NetworkServiceQuery,
        NetworkServiceResponse,
    },
};
use crate::{
    engine::{
        phases::Moment,
        registry::{Change, REGISTRATION_SECONDS, Registration, Service},
    },
    model::{Labels, Match, Namespaced, Payload},
};

/// The longest name, in bytes: as with Kubernetes' objects, which NSM's registry keeps them as.
const MAX_NAME: usize = 253;
/// The most services of an endpoint, and the most labels of one.
const MAX_ENTRIES: usize = 64;
/// The most endpoints of a pod, each of which holds a descriptor of ours, and the most services of one.
const MAX_OF_A_POD: usize = 64;

/// What a Find answers with.
type Found<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn check_name(what: &str, name: &str) -> Result<(), Status> {
    let is_fine = !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control);
    if is_fine { Ok(()) } else { Err(Status::invalid_argument(format!("the name of the {what} must have 1 to {MAX_NAME} characters"))) }
}

impl Control {
    /// Checks who calls; the result is the answer's metadata, and until when the caller vouches for itself.
    fn authorize<T>(&self, caller: &Caller, request: &Request<T>) -> Result<(tonic::metadata::AsciiMetadataValue, SystemTime), Status> {
        let (token, claims) = self.token_of(caller, request.metadata())?;
        RegistryPath::check(request.metadata())?;
        let own = self.source.token(&caller.shown, &caller.peer.id, token::TOKEN_LIFE).map_err(|error| Status::internal(error.to_string()))?;
        Ok((RegistryPath::answer(&token, own.0).to_metadata()?, claims.expires()))
    }

    /// Registers an endpoint, or refreshes it: for a minute, or as long as the caller's token where that is shorter.
    pub(super) async fn register_endpoint(
        self: &Arc<Self>,
        caller: &Caller,
        request: Request<NetworkServiceEndpoint>,
    ) -> Result<Response<NetworkServiceEndpoint>, Status> {
        let (path, until) = self.authorize(caller, &request)?;
        let mut entry = request.into_inner();
        check_endpoint(&entry)?;
        let member = self.member(caller)?;
        let inode: Inode = entry.url.parse().map_err(|error| Status::invalid_argument(format!("the endpoint's url {error}")))?;
        let socket = caller.received.wait(inode).await.map_err(|error| Status::deadline_exceeded(error.to_string()))?;
        check_socket(&socket)?;

        let key = Namespaced::new(&member.pod.namespace, &entry.name);
        let now = SystemTime::now();
        let expires = until.min(now + Duration::from_secs(REGISTRATION_SECONDS.unsigned_abs()));
        entry.expiration_time = Some(expires.into());
        entry.path_ids = vec![caller.peer.id.to_string(), self.source.id().to_string()];

        let mut registry = self.registry();
        let known = registry.endpoint(&key).cloned();
        if let Some(owner) = known.as_ref().filter(|known| known.pod != member.pod) {
            return Err(Status::permission_denied(format!("no sufficient privileges: endpoint {} is registered by pod {}", entry.name, owner.pod)));
        }
        if known.is_none() {
            check_room("endpoints", registry.endpoints().filter(|(_, registration)| registration.pod == member.pod).count())?;
        }
        let before = known.map(|known| known.remote).filter(|remote| remote.inode == inode);
        entry.initial_registration_time = before.as_ref().and_then(|remote| remote.entry().initial_registration_time).or(Some(now.into()));
        let is_new = before.is_none();
        let remote = match before {
            Some(remote) => {
                remote.refresh(entry.clone());
                remote
            }
            None => {
                let remote = Remote::new(key, caller.peer.id.clone(), duplicate(&socket)?, inode, entry.clone());
                // Before it can be selected.
                let phase = self.registration(caller, &member, &entry.name, &entry.network_service_names, Moment::now());
                Arc::new(remote.after(Some(phase)))
            }
        };
        // Whole seconds: not before it has run out.
        let expires_at = Timestamp::try_from(expires + Duration::from_millis(999)).map_or(i64::MAX, Timestamp::as_second);
        let services = entry.network_service_names.clone();
        let (pod, instance, labels) = (member.pod.clone(), member.instance, labels(&entry));
        registry.register(Registration { pod, instance, services: services.clone(), labels, expires_at, remote: Arc::clone(&remote) });
        drop(registry);
        if is_new {
            self.journal.add(Happening::Registered { pod: member.pod, services, remote });
        }
        let mut response = Response::new(entry);
        response.metadata_mut().insert(RegistryPath::KEY, path);
        Ok(response)
    }

    /// Takes an endpoint's registration back. That there is none is no error.
    pub(super) fn unregister_endpoint(&self, caller: &Caller, request: Request<NetworkServiceEndpoint>) -> Result<Response<Empty>, Status> {
        let (path, _) = self.authorize(caller, &request)?;
        let member = self.member(caller)?;
        let name = request.into_inner().name;
        let key = Namespaced::new(&member.pod.namespace, name);
        let mut registry = self.registry();
        match registry.endpoint(&key) {
            Some(known) if known.pod != member.pod => {
                return Err(Status::permission_denied(format!("no sufficient privileges: endpoint {} is registered by pod {}", key.name, known.pod)));
            }
            _ => registry.unregister(&key),
        }
        drop(registry);
        self.journal.add(Happening::Unregistered { pod: member.pod, key });
        let mut response = Response::new(Empty {});
        response.metadata_mut().insert(RegistryPath::KEY, path);
        Ok(response)
    }

    /// The endpoints that there are, and with `watch` what becomes of them.
    pub(super) fn find_endpoints(
        &self,
        request: Request<NetworkServiceEndpointQuery>,
    ) -> Result<Response<Found<NetworkServiceEndpointResponse>>, Status> {
        let NetworkServiceEndpointQuery { network_service_endpoint, watch } = request.into_inner();
        let query = network_service_endpoint.unwrap_or_default();
        let registry = self.registry();
        let changes = registry.watch();
        let answer = |entry, deleted| Ok(NetworkServiceEndpointResponse { network_service_endpoint: Some(entry), deleted });
        let all = registry.endpoints().map(|(_, registration)| registration.remote.entry());
        let first: Vec<_> = all.filter(|entry| endpoint_matches(entry, &query)).map(|entry| answer(entry, false)).collect();
        drop(registry);
        let pick = move |change| match change {
            Change::Endpoint(registration, deleted) => {
                Some(registration.remote.entry()).filter(|entry| endpoint_matches(entry, &query)).map(|entry| answer(entry, deleted))
            }
            Change::Service(..) => None,
        };
        Ok(Response::new(found(first, watch.then_some(changes), pick)))
    }

    /// Registers a network service. One that is there stays as it is: what the deployment says goes before what a program says.
    pub(super) fn register_service(&self, caller: &Caller, request: Request<NetworkService>) -> Result<Response<NetworkService>, Status> {
        let (path, _) = self.authorize(caller, &request)?;
        let member = self.member(caller)?;
        let mut service = request.into_inner();
        check_name("network service", &service.name)?;
        let payload = match service.payload.as_str() {
            "ETHERNET" => Payload::Ethernet,
            // What upstream takes where nothing is said.
            "IP" | "" => Payload::Ip,
            other => {
                let other: String = other.chars().take(20).collect();
                return Err(Status::invalid_argument(format!("the payload {other:?} is neither ETHERNET nor IP")));
            }
        };
        check_matches(&service.matches)?;
        let matches = service.matches.into_iter().map(Match::from).collect();
        let mut registry = self.registry();
        let is_another = |id: &Namespaced, other: &Service| other.registered_by.as_ref() == Some(&member.pod) && id.name != service.name;
        check_room("network services", registry.services().filter(|(id, other)| is_another(id, other)).count())?;
        let known = registry.register_service(&member.pod, &member.instance, &service.name, payload, matches);
        drop(registry);
        service.payload = known.payload.to_string();
        service.matches = known.matches.into_iter().map(wire::Match::from).collect();
        service.path_ids = vec![caller.peer.id.to_string(), self.source.id().to_string()];
        let mut response = Response::new(service);
        response.metadata_mut().insert(RegistryPath::KEY, path);
        Ok(response)
    }

    /// Takes a network service back that the same pod has registered; others stay.
    pub(super) fn unregister_service(&self, caller: &Caller, request: Request<NetworkService>) -> Result<Response<Empty>, Status> {
        let (path, _) = self.authorize(caller, &request)?;
        let member = self.member(caller)?;
        let id = Namespaced::new(&member.pod.namespace, request.into_inner().name);
        let mut registry = self.registry();
        let is_own = registry.services().any(|(known, service)| *known == id && service.registered_by.as_ref() == Some(&member.pod));
        if is_own {
            registry.remove_service(&id);
        }
        let mut response = Response::new(Empty {});
        response.metadata_mut().insert(RegistryPath::KEY, path);
        Ok(response)
    }

    /// The network services that there are, and with `watch` what becomes of them.
    pub(super) fn find_services(&self, request: Request<NetworkServiceQuery>) -> Result<Response<Found<NetworkServiceResponse>>, Status> {
        let NetworkServiceQuery { network_service, watch } = request.into_inner();
        let query = network_service.unwrap_or_default();
        let registry = self.registry();
        let changes = registry.watch();
        let is_meant = move |id: &Namespaced, service: Option<&Service>| service_matches(id, service, &query);
        let all = registry.services().filter(|(id, service)| is_meant(id, Some(service)));
        let first: Vec<_> = all.map(|(id, service)| Ok(service_of(id, Some(service)))).collect();
        drop(registry);
        let pick = move |change| match change {
            Change::Service(id, service) => is_meant(&id, service.as_ref()).then(|| Ok(service_of(&id, service.as_ref()))),
            Change::Endpoint(..) => None,
        };
        Ok(Response::new(found(first, watch.then_some(changes), pick)))
    }
}

/// An endpoint's labels, by its services.
pub(super) fn labels(entry: &NetworkServiceEndpoint) -> Arc<BTreeMap<String, Labels>> {
    Arc::new(entry.network_service_labels.iter().map(|(service, labels)| (service.clone(), labels.labels.clone())).collect())
}

fn check_endpoint(entry: &NetworkServiceEndpoint) -> Result<(), Status> {
    check_name("endpoint", &entry.name)?;
    entry.network_service_names.iter().try_for_each(|name| check_name("network service", name))?;
    let labels = entry.network_service_labels.values().map(|labels| labels.labels.len());
    match entry.network_service_names.len() <= MAX_ENTRIES && entry.network_service_labels.len() <= MAX_ENTRIES && labels.max() <= Some(MAX_ENTRIES) {
        true => Ok(()),
        false => Err(Status::invalid_argument(format!("an endpoint has at most {MAX_ENTRIES} services with as many labels"))),
    }
}

fn check_matches(matches: &[wire::Match]) -> Result<(), Status> {
    let sizes = matches.iter().flat_map(|one| {
        let metadata = one.metadata.as_ref().map_or(0, |metadata| metadata.labels.len());
        let routes = one.routes.iter().map(|route| route.destination_selector.len());
        routes.chain([one.routes.len(), one.source_selector.len(), metadata])
    });
    match matches.len() <= MAX_ENTRIES && sizes.max() <= Some(MAX_ENTRIES) {
        true => Ok(()),
        false => Err(Status::invalid_argument(format!("a network service has at most {MAX_ENTRIES} matches, with as many routes and labels"))),
    }
}

/// Whether a pod may have one more of what it has so many of.
fn check_room(what: &str, there_are: usize) -> Result<(), Status> {
    let message = || format!("a pod has at most {MAX_OF_A_POD} {what}");
    if there_are < MAX_OF_A_POD { Ok(()) } else { Err(Status::resource_exhausted(message())) }
}

fn check_socket(socket: &OwnedFd) -> Result<(), Status> {
    match fstat(socket) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Socket => Ok(()),
        _ => Err(Status::invalid_argument("the endpoint's url is that of no socket")),
    }
}

/// Whether an endpoint is what was asked for: by its name, by a service, by labels, or by nothing.
fn endpoint_matches(entry: &NetworkServiceEndpoint, query: &NetworkServiceEndpoint) -> bool {
    let has_labels = query.network_service_labels.iter().all(|(service, wanted)| {
        let labels = entry.network_service_labels.get(service).map(|labels| &labels.labels);
        wanted.labels.iter().all(|(key, value)| labels.is_some_and(|labels| labels.get(key) == Some(value)))
    });
    (query.name.is_empty() || query.name == entry.name)
        && query.network_service_names.iter().all(|name| entry.network_service_names.contains(name))
        && has_labels
}

/// Whether a service is what was asked for, by its name, its payload, its matches, or by nothing; of one that is gone only the name
/// is known.
fn service_matches(id: &Namespaced, service: Option<&Service>, query: &NetworkService) -> bool {
    let is_so = |service: &Service| {
        let matches = || service.matches.iter().cloned().map(wire::Match::from).collect::<Vec<_>>();
        (query.payload.is_empty() || query.payload == service.payload.to_string()) && (query.matches.is_empty() || query.matches == matches())
    };
    (query.name.is_empty() || query.name == id.name) && service.is_none_or(is_so)
}

fn service_of(id: &Namespaced, service: Option<&Service>) -> NetworkServiceResponse {
    let payload = service.map(|service| service.payload.to_string()).unwrap_or_default();
    let matches = service.into_iter().flat_map(|service| &service.matches).cloned().map(wire::Match::from).collect();
    let entry = NetworkService { name: id.name.clone(), payload, matches, ..NetworkService::default() };
    NetworkServiceResponse { network_service: Some(entry), deleted: service.is_none() }
}

/// What there is, and after it the changes, where they are wanted.
fn found<T, F>(first: Vec<Result<T, Status>>, changes: Option<Receiver<Change>>, pick: F) -> Found<T>
where
    T: Send + 'static,
    F: Fn(Change) -> Option<Result<T, Status>> + Send + 'static,
{
    let first = stream::iter(first);
    let Some(changes) = changes else { return Box::pin(first) };
    let rest = stream::unfold((changes, pick), |(mut changes, pick)| async move {
        loop {
            match changes.recv().await {
                Ok(change) => {
                    if let Some(answer) = pick(change) {
                        return Some((answer, (changes, pick)));
                    }
                }
                // Whoever asks again is told all.
                Err(RecvError::Lagged(_) | RecvError::Closed) => return None,
            }
        }
    });
    Box::pin(first.chain(rest))
}
