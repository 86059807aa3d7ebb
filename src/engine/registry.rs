//! Which network services there are, and who offers them.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use tokio::sync::broadcast;

use super::api::Remote;
use crate::model::{Applied, Labels, Match, Namespaced, NetworkServiceSpec, Payload, selection::select};

/// How long a registration lasts unless it is renewed, in seconds: a minute, as with NSM's registry.
pub(super) const REGISTRATION_SECONDS: i64 = 60;

/// How many changes a watcher may be behind; one that is further is told all again.
const CHANGES: usize = 256;

static NO_LABELS: Labels = Labels::new();

/// NetworkServices and NetworkServiceEndpoints.
#[derive(Debug)]
pub(super) struct Registry {
    services: BTreeMap<Namespaced, Service>,
    endpoints: BTreeMap<Namespaced, Registration>,
    changes: broadcast::Sender<Change>,
}

impl Default for Registry {
    fn default() -> Self {
        Self { services: BTreeMap::new(), endpoints: BTreeMap::new(), changes: broadcast::Sender::new(CHANGES) }
    }
}

/// What became of an entry: its new state, or that it is gone.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// Of a NetworkService.
    Service(Namespaced, Option<Service>),
    /// Of a NetworkServiceEndpoint; with its last state where it is gone.
    Endpoint(Registration, bool),
}

/// A NetworkService and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    /// The deployment that made it.
    pub(super) instance: String,
    /// What travels over it.
    pub(super) payload: Payload,
    /// Which of its endpoints serve which clients.
    pub(super) matches: Vec<Match>,
    /// The pod that registered it, where it is not part of the deployment itself: it goes with that.
    pub(super) registered_by: Option<Namespaced>,
}

/// A NetworkServiceEndpoint, named after its pod unless it names itself.
#[derive(Debug, Clone)]
pub(super) struct Registration {
    /// The pod that it runs in.
    pub(super) pod: Namespaced,
    /// The deployment that it belongs to.
    pub(super) instance: String,
    /// The names of the services that it offers.
    pub(super) services: Vec<String>,
    /// Its labels for each of them.
    pub(super) labels: Arc<BTreeMap<String, Labels>>,
    /// When it runs out, in seconds since 1970.
    pub(super) expires_at: i64,
    /// How it is called.
    pub(super) remote: Arc<Remote>,
}

/// What a client asks for, and where it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The name of the service.
    pub(super) service: &'a str,
    /// The client's deployment.
    pub(super) instance: &'a str,
    /// The client's namespace.
    pub(super) namespace: &'a str,
    /// The client's labels.
    pub(super) labels: &'a Labels,
    /// The endpoint that it is to be, whatever the matches say; empty for any that they select.
    pub(super) endpoint: &'a str,
}

/// Who can serve a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The NetworkService.
    pub(super) service: Namespaced,
    /// What travels over it.
    pub(super) payload: Payload,
    /// Its live endpoints that may serve the client, the nearest first.
    pub(super) candidates: Vec<Namespaced>,
}

/// Why nobody can serve a request, in the words of NSM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotFound {
    /// There is no NetworkService of that name.
    #[error("network service {0} is not found")]
    Service(String),
    /// No live endpoint offers it that may serve the client.
    #[error("endpoint candidates not found")]
    Endpoint,
}

/// Another deployment has a NetworkService of that name in that namespace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("NetworkService {id} belongs to the deployment {owner}")]
pub(super) struct Conflict {
    /// The service.
    pub(super) id: Namespaced,
    /// Whose it is.
    pub(super) owner: String,
}

impl Registry {
    /// Whether the deployment may have this service.
    ///
    /// # Errors
    /// It is another deployment's.
    pub(super) fn check_service(&self, instance: &str, id: &Namespaced) -> Result<(), Conflict> {
        let owner = self.services.get(id).map(|service| &service.instance).filter(|owner| *owner != instance);
        owner.map_or(Ok(()), |owner| Err(Conflict { id: id.clone(), owner: owner.clone() }))
    }

    /// Makes or changes a NetworkService.
    pub(super) fn put_service(&mut self, instance: &str, spec: &NetworkServiceSpec) -> Applied {
        let (payload, matches) = (spec.payload, spec.matches.clone());
        let service = Service { instance: instance.to_owned(), payload, matches, registered_by: None };
        let before = self.services.insert(spec.id.clone(), service.clone());
        let applied = match before {
            None => Applied::Created,
            Some(before) if before == service => return Applied::Unchanged,
            Some(_) => Applied::Configured,
        };
        self.tell(Change::Service(spec.id.clone(), Some(service)));
        applied
    }

    /// Makes a NetworkService for a pod that registers it, or changes it; another's that is there stays as it is.
    pub(super) fn register_service(&mut self, pod: &Namespaced, instance: &str, name: &str, payload: Payload, matches: Vec<Match>) -> Service {
        let id = Namespaced::new(&pod.namespace, name);
        let service = Service { instance: instance.to_owned(), payload, matches, registered_by: Some(pod.clone()) };
        if let Some((_, known)) = self.nearest_service(name, instance, &pod.namespace)
            && (known.registered_by.as_ref() != Some(pod) || *known == service)
        {
            return known.clone();
        }
        self.services.insert(id.clone(), service.clone());
        self.tell(Change::Service(id, Some(service.clone())));
        service
    }

    /// Removes a NetworkService.
    pub(super) fn remove_service(&mut self, id: &Namespaced) {
        if self.services.remove(id).is_some() {
            self.tell(Change::Service(id.clone(), None));
        }
    }

    /// Tells of every change from now on.
    pub(super) fn watch(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    fn tell(&self, change: Change) {
        // Nobody may be watching.
        let _ = self.changes.send(change);
    }

    /// Every NetworkService.
    pub(super) fn services(&self) -> impl Iterator<Item = (&Namespaced, &Service)> {
        self.services.iter()
    }

    /// Registers an endpoint, or refreshes it.
    pub(super) fn register(&mut self, registration: Registration) {
        self.endpoints.insert(registration.remote.key.clone(), registration.clone());
        self.tell(Change::Endpoint(registration, false));
    }

    /// The registration of an endpoint.
    pub(super) fn endpoint(&self, id: &Namespaced) -> Option<&Registration> {
        self.endpoints.get(id)
    }

    /// Takes an endpoint's registration back.
    pub(super) fn unregister(&mut self, id: &Namespaced) {
        if let Some(registration) = self.endpoints.remove(id) {
            self.tell(Change::Endpoint(registration, true));
        }
    }

    /// Takes back the registration of an endpoint, unless another has it since.
    pub(super) fn unregister_same(&mut self, remote: &Arc<Remote>) {
        let is_same = |registration: &Registration| Arc::ptr_eq(&registration.remote, remote);
        if self.endpoints.get(&remote.key).is_some_and(is_same) {
            self.unregister(&remote.key.clone());
        }
    }

    /// Takes back the endpoints of a pod; the result is what they were registered by.
    pub(super) fn unregister_pod(&mut self, pod: &Namespaced) -> Vec<Namespaced> {
        let endpoints: Vec<_> = self.endpoints.iter().filter(|(_, registration)| registration.pod == *pod).map(|(id, _)| id.clone()).collect();
        endpoints.iter().for_each(|id| self.unregister(id));
        endpoints
    }

    /// Takes back all that a pod has registered; the result is what its endpoints were registered by.
    pub(super) fn remove_pod(&mut self, pod: &Namespaced) -> Vec<Namespaced> {
        let endpoints = self.unregister_pod(pod);
        let services: Vec<_> =
            self.services.iter().filter(|(_, service)| service.registered_by.as_ref() == Some(pod)).map(|(id, _)| id.clone()).collect();
        services.iter().for_each(|id| self.remove_service(id));
        endpoints
    }

    /// Takes back what has run out; the result is that.
    pub(super) fn expire(&mut self, now: i64) -> Vec<Registration> {
        let over: Vec<_> = self.endpoints.values().filter(|registration| registration.expires_at <= now).cloned().collect();
        over.iter().for_each(|registration| self.unregister(&registration.remote.key));
        over
    }

    /// Every registration.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = (&Namespaced, &Registration)> {
        self.endpoints.iter()
    }

    /// The NetworkService of a name that is nearest to a deployment and a namespace.
    fn nearest_service(&self, name: &str, instance: &str, namespace: &str) -> Option<(&Namespaced, &Service)> {
        let distance = |owner: &str, id: &Namespaced| Reverse((owner == instance, id.namespace == namespace));
        self.services.iter().filter(|(id, _)| id.name == name).min_by_key(|(id, found)| distance(&found.instance, id))
    }

    /// What travels over the service, and its live endpoints.
    ///
    /// Names are the same in all namespaces, as with NSM; where several deployments have the name, what is nearest to
    /// the client comes first: its own deployment's, then its own namespace's. Of endpoints that are as near, the one with
    /// the least `load` comes first, and of those the one whose route stands first in the service's match. A client that names its
    /// endpoint has that one: matches are for the choice, as with NSM.
    ///
    /// # Errors
    /// There is no such service, or nobody offers it to this client.
    pub(super) fn find(&self, asked: &Asked<'_>, now: i64, load: impl Fn(&Namespaced) -> usize) -> Result<Found, NotFound> {
        let Asked { service, instance, namespace, labels, endpoint } = *asked;
        let distance = |owner: &str, id: &Namespaced| Reverse((owner == instance, id.namespace == namespace));
        let found = self.nearest_service(service, instance, namespace);
        let (id, found) = found.ok_or_else(|| NotFound::Service(service.to_owned()))?;
        let offers = |registration: &Registration| registration.expires_at > now && registration.services.iter().any(|name| name == service);
        let is_meant = |id: &Namespaced| endpoint.is_empty() || id.name == endpoint;
        let offering: Vec<_> = self.endpoints.iter().filter(|(id, registration)| is_meant(id) && offers(registration)).collect();
        let matches = if endpoint.is_empty() { &found.matches[..] } else { &[] };
        let mut candidates = select(matches, labels, &offering, |(_, registration)| registration.labels.get(service).unwrap_or(&NO_LABELS));
        candidates.sort_by_key(|(id, registration)| (distance(&registration.instance, id), load(id)));
        if candidates.is_empty() {
            return Err(NotFound::Endpoint);
        }
        let candidates = candidates.into_iter().map(|(id, _)| id.clone()).collect();
        Ok(Found { service: id.clone(), payload: found.payload, candidates })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(namespace: &str, payload: Payload) -> NetworkServiceSpec {
        NetworkServiceSpec { id: Namespaced::new(namespace, "s"), payload, matches: Vec::new() }
    }

    /// An endpoint of the service, at something that is no socket.
    fn registration(namespace: &str, instance: &str, expires_at: i64) -> Registration {
        let pod = Namespaced::new(namespace, "nse");
        let remote = Arc::new(Remote::example(pod.clone()));
        Registration { pod, instance: instance.into(), services: vec!["s".into()], labels: Arc::default(), expires_at, remote }
    }

    fn asked<'a>(service: &'a str, instance: &'a str, namespace: &'a str) -> Asked<'a> {
        Asked { service, instance, namespace, labels: &NO_LABELS, endpoint: "" }
    }

    fn find(registry: &Registry, service: &str, instance: &str, namespace: &str, now: i64) -> Result<Found, NotFound> {
        registry.find(&asked(service, instance, namespace), now, |_| 0)
    }

    #[test]
    fn of_endpoints_that_are_as_near_the_least_loaded_comes_first() {
        let mut registry = Registry::default();
        registry.put_service("one", &spec("a", Payload::Ethernet));
        for (namespace, instance) in [("a", "one"), ("b", "one"), ("c", "one"), ("c", "two")] {
            registry.register(registration(namespace, instance, 60));
        }
        let loads = [("a", 5), ("b", 2), ("c", 0)];
        let load = |id: &Namespaced| loads.iter().find(|(namespace, _)| *namespace == id.namespace).unwrap().1;
        let found = registry.find(&asked("s", "one", "x"), 0, load).unwrap();
        assert_eq!(found.candidates.iter().map(|id| id.namespace.as_str()).collect::<Vec<_>>(), ["b", "a", "c"], "the last is another deployment's");
    }

    #[test]
    fn matches_select_before_nearness_and_load() {
        let app = |value: &str| Labels::from([("app".to_owned(), value.to_owned())]);
        let matches = serde_json::json!([{"source_selector": {"app": "a"}, "routes": [{"destination_selector": {"app": "web"}}]}]);
        let matches = Match::read_list(matches.as_array().unwrap()).unwrap();
        let mut registry = Registry::default();
        assert_eq!(registry.put_service("one", &spec("a", Payload::Ip)), Applied::Created);
        assert_eq!(registry.put_service("one", &NetworkServiceSpec { matches, ..spec("a", Payload::Ip) }), Applied::Configured);
        for (namespace, instance, value) in [("a", "one", "db"), ("b", "one", "web"), ("c", "two", "web"), ("d", "one", "web")] {
            let labels = Arc::new(BTreeMap::from([("s".to_owned(), app(value)), ("t".to_owned(), app("web"))]));
            registry.register(Registration { labels, ..registration(namespace, instance, 60) });
        }
        let find = |labels: &Labels, endpoint: &str| {
            let load = |id: &Namespaced| usize::from(id.namespace == "b");
            let found = registry.find(&Asked { labels, endpoint, ..asked("s", "one", "a") }, 0, load);
            found.map(|found| found.candidates.into_iter().map(|id| id.namespace).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(find(&app("a"), ""), Ok("d b c".into()));
        assert_eq!(find(&app("b"), ""), Err(NotFound::Endpoint), "no match is the client's");
        assert_eq!(find(&app("b"), "nse"), Ok("a d b c".into()), "who names its endpoint has it");
        assert_eq!(find(&app("a"), "other"), Err(NotFound::Endpoint));
    }

    #[test]
    fn a_service_that_a_pod_has_registered_is_its_own_to_change() {
        let (pod, other) = (Namespaced::new("a", "nse"), Namespaced::new("a", "other"));
        let (mut registry, matches) = (Registry::default(), vec![Match::default()]);
        registry.register_service(&pod, "one", "s", Payload::Ip, Vec::new());
        assert!(registry.register_service(&other, "one", "s", Payload::Ip, matches.clone()).matches.is_empty(), "it is another's");
        assert_eq!(registry.register_service(&pod, "one", "s", Payload::Ip, matches.clone()).matches, matches);
        let mut changes = registry.watch();
        registry.register_service(&pod, "one", "s", Payload::Ip, matches);
        assert!(changes.try_recv().is_err(), "nothing has changed");
    }

    #[test]
    fn what_is_missing_is_said_in_the_words_of_nsm() {
        let mut registry = Registry::default();
        assert_eq!(find(&registry, "s", "one", "a", 0).unwrap_err().to_string(), "network service s is not found");
        registry.put_service("one", &spec("a", Payload::Ethernet));
        assert_eq!(find(&registry, "s", "one", "a", 0).unwrap_err().to_string(), "endpoint candidates not found");
    }

    #[test]
    fn a_registration_runs_out_and_can_be_refreshed() {
        let mut registry = Registry::default();
        registry.put_service("one", &spec("a", Payload::Ethernet));
        let mut changes = registry.watch();
        registry.register(registration("a", "one", 1060));
        assert!(find(&registry, "s", "one", "a", 1059).is_ok());
        assert_eq!(find(&registry, "s", "one", "a", 1060), Err(NotFound::Endpoint));
        registry.register(registration("a", "one", 1100));
        registry.expire(1060);
        assert!(find(&registry, "s", "one", "a", 1060).is_ok());
        registry.expire(1100);
        assert_eq!(registry.endpoints().count(), 0);
        let told: Vec<bool> = std::iter::from_fn(|| changes.try_recv().ok()).map(|change| matches!(change, Change::Endpoint(_, true))).collect();
        assert_eq!(told, [false, false, true]);
    }

    #[test]
    fn what_is_nearest_comes_first() {
        let mut registry = Registry::default();
        registry.put_service("one", &spec("a", Payload::Ethernet));
        registry.put_service("two", &spec("b", Payload::Ip));
        for (instance, namespace) in [("one", "a"), ("two", "b")] {
            registry.register(registration(namespace, instance, 60));
        }
        let found = find(&registry, "s", "two", "b", 0).unwrap();
        assert_eq!((found.payload, found.candidates[0].namespace.as_str(), found.candidates.len()), (Payload::Ip, "b", 2));
        assert_eq!(find(&registry, "s", "three", "a", 0).unwrap().payload, Payload::Ethernet);
    }

    #[test]
    fn a_service_belongs_to_one_deployment() {
        let mut registry = Registry::default();
        assert_eq!(registry.put_service("one", &spec("a", Payload::Ethernet)), Applied::Created);
        assert_eq!(registry.put_service("one", &spec("a", Payload::Ethernet)), Applied::Unchanged);
        assert_eq!(registry.put_service("one", &spec("a", Payload::Ip)), Applied::Configured);
        let conflict = registry.check_service("two", &Namespaced::new("a", "s")).unwrap_err();
        assert_eq!(conflict.to_string(), "NetworkService a/s belongs to the deployment one");
    }
}
