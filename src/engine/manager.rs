//! Matches requests to endpoints and keeps the connections.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Arc, MutexGuard},
};

use super::{
    api::Control,
    forwarder::{Connection, End},
    ipam::{Exhausted, Pool},
    names,
    registry::{NotFound, Registry},
};
use crate::{
    model::{EndpointSpec, InvalidInterfaceName, Namespaced, NsUrl},
    net::{self, Namespace},
};

/// Registry, endpoints and connections of everything that is deployed.
#[derive(Debug)]
pub(super) struct Manager {
    control: Arc<Control>,
    endpoints: BTreeMap<Namespaced, Endpoint>,
    connections: Vec<Connection>,
}

#[derive(Debug)]
struct Endpoint {
    namespace: Namespace,
    pool: Pool,
}

/// Who requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client<'a> {
    /// The pod.
    pub(super) pod: &'a Namespaced,
    /// The deployment that it belongs to.
    pub(super) instance: &'a str,
    /// The pod's network namespace.
    pub(super) namespace: &'a Namespace,
}

/// Why a request is not served.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// Nobody is there to serve it.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// No endpoint has addresses left.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// No interface can be named after the service.
    #[error(transparent)]
    Interface(#[from] InvalidInterfaceName),
    /// The kernel refused.
    #[error(transparent)]
    Net(#[from] net::Error),
}

impl Manager {
    /// A manager without endpoints and connections of its own.
    pub(super) fn new(control: Arc<Control>) -> Self {
        Self { control, endpoints: BTreeMap::new(), connections: Vec::new() }
    }

    /// Who offers what; not to be held while waiting.
    pub(super) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.control.registry()
    }

    /// Takes an endpoint in.
    pub(super) fn add_endpoint(&mut self, pod: &Namespaced, instance: &str, namespace: &Namespace, spec: &EndpointSpec, now: i64) {
        self.registry().register(pod.clone(), instance.to_owned(), spec.services.clone(), now);
        let endpoint = Endpoint { namespace: namespace.clone(), pool: Pool::new(spec.prefixes.clone()) };
        self.endpoints.insert(pod.clone(), endpoint);
    }

    /// Lets an endpoint go; its connections are closed before.
    pub(super) fn remove_endpoint(&mut self, pod: &Namespaced) {
        self.registry().unregister(pod);
        self.endpoints.remove(pod);
    }

    /// Every connection.
    pub(super) fn connections(&self) -> &[Connection] {
        &self.connections
    }

    /// The connection that serves a client's request.
    pub(super) fn connection_of(&self, client: &Namespaced, request: usize) -> Option<&Connection> {
        self.connections.iter().find(|connection| connection.client.pod == *client && connection.request == request)
    }

    /// Serves a request: the nearest endpoint that has addresses left and that the links can be made to.
    ///
    /// # Errors
    /// Why the last candidate did not serve it, or that there is none. Nothing is left of what was tried.
    pub(super) async fn request(&mut self, client: Client<'_>, request: usize, url: &NsUrl, now: i64) -> Result<&Connection, RequestError> {
        let found = self.registry().find(&url.service, client.instance, &client.pod.namespace, now)?;
        let taken: BTreeSet<IpAddr> = self.addresses_of(client.pod);
        let mut failure = RequestError::NotFound(NotFound::Endpoint);
        for pod in found.candidates {
            let Some(endpoint) = self.endpoints.get_mut(&pod) else { continue };
            let pairs = match endpoint.pool.pull(&taken) {
                Ok(pairs) => pairs,
                Err(exhausted) => {
                    failure = exhausted.into();
                    continue;
                }
            };
            let ends =
                url.interface.clone().map_or_else(|| names::interface(&url.service), Ok).and_then(|near| Ok((near, names::interface(&url.service)?)));
            let made = match ends {
                Ok((near, far)) => {
                    let client = End { pod: client.pod.clone(), namespace: client.namespace.clone(), interface: near };
                    let endpoint = End { pod: pod.clone(), namespace: endpoint.namespace.clone(), interface: far };
                    let (service, payload) = (found.service.clone(), found.payload);
                    let connection = Connection { request, service, payload, client, endpoint, pairs: pairs.clone() };
                    connection.establish().await.map(|()| connection).map_err(RequestError::from)
                }
                Err(error) => Err(error.into()),
            };
            match made {
                Ok(connection) => {
                    self.connections.push(connection);
                    return Ok(&self.connections[self.connections.len() - 1]);
                }
                Err(error) => {
                    failure = error;
                    endpoint.pool.release(&pairs);
                }
            }
        }
        Err(failure)
    }

    /// The addresses of a client's connections, which its next one must not have again.
    fn addresses_of(&self, client: &Namespaced) -> BTreeSet<IpAddr> {
        let connections = self.connections.iter().filter(|connection| connection.client.pod == *client);
        connections.flat_map(|connection| &connection.pairs).flat_map(|pair| [pair.client, pair.endpoint]).collect()
    }

    /// Closes the connections that `which` selects, gives their addresses back and returns them, each with the kernel's
    /// error where it kept the link.
    pub(super) async fn close(&mut self, which: impl Fn(&Connection) -> bool) -> Vec<(Connection, Option<net::Error>)> {
        let (closing, staying) = std::mem::take(&mut self.connections).into_iter().partition::<Vec<_>, _>(|connection| which(connection));
        self.connections = staying;
        let mut closed = Vec::new();
        for connection in closing {
            let error = connection.close().await.err();
            if let Some(endpoint) = self.endpoints.get_mut(&connection.endpoint.pod) {
                endpoint.pool.release(&connection.pairs);
            }
            closed.push((connection, error));
        }
        closed
    }
}
