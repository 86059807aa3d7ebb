//! The engine's own endpoints and clients, and what they have become by NSM's API.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, MutexGuard},
};

use super::{
    api::{Asker, Client, Control, Endpoint, Kept},
    forwarder::Connection,
    identity::Member,
    registry::Registry,
};
use crate::{
    model::{AddressPair, EndpointSpec, Namespaced, NsUrl},
    net,
};

/// What was closed, each with the error of the kernel where it kept the link.
pub(super) type Closed = Vec<(Connection, Option<net::Error>)>;

/// Registry, endpoints and connections of everything that is deployed.
#[derive(Debug)]
pub(super) struct Manager {
    /// What answers NSM's API.
    pub(super) control: Arc<Control>,
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

    /// Starts an endpoint in a pod. What was `given` out before, by the ids of connections, stays so.
    ///
    /// # Errors
    /// It has no socket, or is not registered.
    pub(super) async fn add_endpoint(
        &mut self,
        member: &Member,
        spec: &EndpointSpec,
        given: HashMap<String, Vec<AddressPair>>,
    ) -> Result<(), Refused> {
        let endpoint = Endpoint::start(&self.control, member, spec, given).await?;
        self.endpoints.insert(member.pod.clone(), endpoint);
        Ok(())
    }

    /// Whether the endpoint of a pod is the engine's own.
    pub(super) fn has_endpoint(&self, pod: &Namespaced) -> bool {
        self.endpoints.contains_key(pod)
    }

    /// Ends what is in a pod, and closes what it takes part in; the result is what was closed.
    pub(super) async fn remove_pod(&mut self, pod: &Namespaced) -> Closed {
        // Before its connections go, so that it does not ask for them again.
        self.clients.remove(pod);
        let closed = self.control.remove_sandbox(pod).await;
        closed.iter().for_each(|(connection, _)| self.stop(connection));
        self.endpoints.remove(pod);
        closed
    }

    /// Every connection, also those that were taken on and that their clients have not asked for again yet.
    pub(super) fn connections(&self) -> Vec<Connection> {
        self.control.links(|_| true)
    }

    /// The connection that serves a client's request.
    pub(super) fn connection_of(&self, client: &Namespaced, request: usize) -> Option<Connection> {
        let own = self.control.list(|established| established.link.is_of(client, request));
        own.into_iter().next().map(|(_, established)| established.link)
    }

    /// Whether each of a client's requests, of which there are so many, is served by a connection that is up.
    pub(super) fn serves_all(&self, client: &Namespaced, requests: usize) -> bool {
        let up = |request| !self.control.list(|established| established.link.is_of(client, request) && established.is_up()).is_empty();
        (0..requests).all(up)
    }

    async fn client(&mut self, member: &Member) -> Result<&mut Client, Refused> {
        if !self.clients.contains_key(&member.pod) {
            self.clients.insert(member.pod.clone(), Client::new(&self.control, member).await?);
        }
        self.clients.get_mut(&member.pod).ok_or_else(|| Refused("the client has gone again".to_owned()))
    }

    /// The requests of a client that nobody serves, and what makes them.
    ///
    /// # Errors
    /// The client has no identity, or is not taken.
    pub(super) async fn asking(&mut self, member: &Member, requests: &[NsUrl]) -> Result<(Asker, Vec<(usize, NsUrl)>), Refused> {
        let unserved = |(number, _): &(usize, &NsUrl)| self.connection_of(&member.pod, *number).is_none();
        let requests = requests.iter().enumerate().filter(unserved).map(|(number, url)| (number, url.clone())).collect();
        Ok((self.client(member).await?.asker(), requests))
    }

    /// Has a client keep what has come of its requests, if it is still there.
    pub(super) fn keep(&mut self, pod: &Namespaced, made: Vec<(usize, Kept)>) {
        if let Some(client) = self.clients.get_mut(pod) {
            made.into_iter().for_each(|(number, connection)| client.keep(number, connection));
        }
    }

    /// Has a client keep the connections that an earlier manager has made for it.
    ///
    /// # Errors
    /// It has no identity, or is not taken.
    pub(super) async fn resume(&mut self, member: &Member) -> Result<(), Refused> {
        for (key, established) in self.control.list(|established| established.link.client.pod == member.pod) {
            self.client(member).await?.keep(established.link.request, Control::told(&key, &established));
        }
        Ok(())
    }

    /// Closes the connections that `which` selects; the result is what was closed.
    pub(super) async fn close(&mut self, which: impl Fn(&Connection) -> bool) -> Closed {
        let mut closed = self.control.close_orphans(|connection, _| which(connection)).await;
        for (key, established) in self.control.list(|established| which(&established.link)) {
            self.stop(&established.link);
            closed.extend(self.control.close(&key).await);
        }
        closed
    }

    /// Has its client keep a connection no longer.
    fn stop(&mut self, connection: &Connection) {
        if let Some(client) = self.clients.get_mut(&connection.client.pod) {
            client.stop(connection.request);
        }
    }
}
