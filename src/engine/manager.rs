//! The engine's own endpoints and clients, and what they have become by NSM's API.

use std::{
    collections::BTreeMap,
    sync::{Arc, MutexGuard},
};

use super::{
    api::{Client, Control, Endpoint},
    forwarder::Connection,
    identity::Member,
    registry::Registry,
};
use crate::{
    model::{EndpointSpec, Namespaced, NsUrl},
    net,
};

/// Registry, endpoints and connections of everything that is deployed.
#[derive(Debug)]
pub(super) struct Manager {
    control: Arc<Control>,
    endpoints: BTreeMap<Namespaced, Endpoint>,
    clients: BTreeMap<Namespaced, Client>,
}

/// Why a call was not served, in the words of whoever did not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(String);

impl From<tonic::Status> for Refused {
    fn from(status: tonic::Status) -> Self {
        Self(status.message().to_owned())
    }
}

impl Manager {
    /// A manager without endpoints and clients.
    pub(super) fn new(control: Arc<Control>) -> Self {
        Self { control, endpoints: BTreeMap::new(), clients: BTreeMap::new() }
    }

    /// Who offers what; not to be held while waiting.
    pub(super) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.control.registry()
    }

    /// Starts an endpoint in a pod.
    ///
    /// # Errors
    /// It has no socket, or is not registered.
    pub(super) async fn add_endpoint(&mut self, member: &Member, spec: &EndpointSpec) -> Result<(), Refused> {
        let endpoint = Endpoint::start(&self.control, member, spec).await?;
        self.endpoints.insert(member.pod.clone(), endpoint);
        Ok(())
    }

    /// Ends what is in a pod, and closes what it takes part in; the result is what was closed, with errors of the kernel.
    pub(super) async fn remove_pod(&mut self, pod: &Namespaced) -> Vec<(Connection, Option<net::Error>)> {
        // Before its connections go, so that it does not ask for them again.
        self.clients.remove(pod);
        let closed = self.control.remove_sandbox(pod).await;
        closed.iter().for_each(|(connection, _)| self.stop(connection));
        self.endpoints.remove(pod);
        closed
    }

    /// Every connection.
    pub(super) fn connections(&self) -> Vec<Connection> {
        self.control.list().into_iter().map(|(_, established)| established.link).collect()
    }

    /// The connection that serves a client's request.
    pub(super) fn connection_of(&self, client: &Namespaced, request: usize) -> Option<Connection> {
        self.connections().into_iter().find(|connection| connection.client.pod == *client && connection.request == request)
    }

    /// Makes a client's request.
    ///
    /// # Errors
    /// Why nobody serves it. Nothing is left of what was tried.
    pub(super) async fn request(&mut self, member: &Member, request: usize, url: &NsUrl) -> Result<Connection, Refused> {
        if !self.clients.contains_key(&member.pod) {
            self.clients.insert(member.pod.clone(), Client::new(&self.control, member).await?);
        }
        if let Some(client) = self.clients.get_mut(&member.pod) {
            client.request(request, url).await?;
        }
        self.connection_of(&member.pod, request).ok_or_else(|| Refused("the connection has gone again".to_owned()))
    }

    /// Closes the connections that `which` selects.
    pub(super) async fn close(&mut self, which: impl Fn(&Connection) -> bool) {
        for (key, established) in self.control.list() {
            if which(&established.link) {
                self.stop(&established.link);
                self.control.close(&key).await;
            }
        }
    }

    /// Has its client keep a connection no longer.
    fn stop(&mut self, connection: &Connection) {
        if let Some(client) = self.clients.get_mut(&connection.client.pod) {
            client.stop(connection.request);
        }
    }
}
