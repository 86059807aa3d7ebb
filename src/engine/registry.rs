//! Which network services there are, and who offers them.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::model::{Applied, Namespaced, NetworkServiceSpec, Payload};

/// How long a registration lasts unless it is renewed, in seconds: a minute, as with NSM's registry.
pub(super) const REGISTRATION_SECONDS: i64 = 60;

/// NetworkServices and NetworkServiceEndpoints.
#[derive(Debug, Default)]
pub(super) struct Registry {
    services: BTreeMap<Namespaced, Service>,
    endpoints: BTreeMap<Namespaced, Registration>,
}

/// A NetworkService and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    /// The deployment that made it.
    pub(super) instance: String,
    /// What travels over it.
    pub(super) payload: Payload,
}

/// A NetworkServiceEndpoint, named after its pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Registration {
    /// The deployment that it belongs to.
    pub(super) instance: String,
    /// The names of the services that it offers.
    pub(super) services: Vec<String>,
    /// When it runs out, in seconds since 1970.
    pub(super) expires_at: i64,
}

/// Who can serve a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The NetworkService.
    pub(super) service: Namespaced,
    /// What travels over it.
    pub(super) payload: Payload,
    /// Its live endpoints, the nearest first.
    pub(super) candidates: Vec<Namespaced>,
}

/// Why nobody can serve a request, in the words of NSM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotFound {
    /// There is no NetworkService of that name.
    #[error("network service {0} is not found")]
    Service(String),
    /// No live endpoint offers it.
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
        let service = Service { instance: instance.to_owned(), payload: spec.payload };
        match self.services.insert(spec.id.clone(), service.clone()) {
            None => Applied::Created,
            Some(before) if before == service => Applied::Unchanged,
            Some(_) => Applied::Configured,
        }
    }

    /// Removes a NetworkService.
    pub(super) fn remove_service(&mut self, id: &Namespaced) {
        self.services.remove(id);
    }

    /// Every NetworkService.
    pub(super) fn services(&self) -> impl Iterator<Item = (&Namespaced, &Service)> {
        self.services.iter()
    }

    /// Registers an endpoint, as of `now` in seconds since 1970.
    pub(super) fn register(&mut self, id: Namespaced, instance: String, services: Vec<String>, now: i64) {
        self.endpoints.insert(id, Registration { instance, services, expires_at: now + REGISTRATION_SECONDS });
    }

    /// Takes an endpoint's registration back.
    pub(super) fn unregister(&mut self, id: &Namespaced) {
        self.endpoints.remove(id);
    }

    /// Renews every registration: an endpoint inside this process lives as long as the process does.
    pub(super) fn renew(&mut self, now: i64) {
        for registration in self.endpoints.values_mut() {
            registration.expires_at = now + REGISTRATION_SECONDS;
        }
    }

    /// Every registration.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = (&Namespaced, &Registration)> {
        self.endpoints.iter()
    }

    /// What travels over the service, and its live endpoints.
    ///
    /// Names are the same in all namespaces, as with NSM; where several deployments have the name, what is nearest to
    /// the client comes first: its own deployment's, then its own namespace's.
    ///
    /// # Errors
    /// There is no such service, or nobody offers it.
    pub(super) fn find(&self, service: &str, instance: &str, namespace: &str, now: i64) -> Result<Found, NotFound> {
        let distance = |owner: &str, id: &Namespaced| Reverse((owner == instance, id.namespace == namespace));
        let found = self.services.iter().filter(|(id, _)| id.name == service).min_by_key(|(id, found)| distance(&found.instance, id));
        let (id, found) = found.ok_or_else(|| NotFound::Service(service.to_owned()))?;
        let offers = |registration: &Registration| registration.expires_at > now && registration.services.iter().any(|name| name == service);
        let mut candidates: Vec<_> = self.endpoints.iter().filter(|(_, registration)| offers(registration)).collect();
        candidates.sort_by_key(|(id, registration)| distance(&registration.instance, id));
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
        NetworkServiceSpec { id: Namespaced::new(namespace, "s"), payload }
    }

    #[test]
    fn what_is_missing_is_said_in_the_words_of_nsm() {
        let mut registry = Registry::default();
        assert_eq!(registry.find("s", "one", "a", 0).unwrap_err().to_string(), "network service s is not found");
        registry.put_service("one", &spec("a", Payload::Ethernet));
        assert_eq!(registry.find("s", "one", "a", 0).unwrap_err().to_string(), "endpoint candidates not found");
    }

    #[test]
    fn a_registration_runs_out_and_can_be_renewed() {
        let mut registry = Registry::default();
        registry.put_service("one", &spec("a", Payload::Ethernet));
        registry.register(Namespaced::new("a", "nse"), "one".into(), vec!["s".into()], 1000);
        assert!(registry.find("s", "one", "a", 1059).is_ok());
        assert_eq!(registry.find("s", "one", "a", 1060), Err(NotFound::Endpoint));
        registry.renew(1060);
        assert!(registry.find("s", "one", "a", 1060).is_ok());
    }

    #[test]
    fn what_is_nearest_comes_first() {
        let mut registry = Registry::default();
        registry.put_service("one", &spec("a", Payload::Ethernet));
        registry.put_service("two", &spec("b", Payload::Ip));
        for (instance, namespace) in [("one", "a"), ("two", "b")] {
            registry.register(Namespaced::new(namespace, "nse"), instance.into(), vec!["s".into()], 0);
        }
        let found = registry.find("s", "two", "b", 0).unwrap();
        assert_eq!((found.payload, found.candidates[0].namespace.as_str(), found.candidates.len()), (Payload::Ip, "b", 2));
        assert_eq!(registry.find("s", "three", "a", 0).unwrap().payload, Payload::Ethernet);
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
