use std::{
    collections::{BTreeMap, HashMap},
    os::fd::OwnedFd,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use prost::Message;
use serde::{Deserialize, Serialize};

use super::{
    control::{Control, Established, Key},
    descriptors::Inode,
    links::ADOPTED,
    registration::labels,
    remote::Remote,
    wire::{self, NetworkServiceEndpoint},
};
use crate::{
    engine::{
        forwarder::{Connection, End, Routes},
        identity::SpiffeId,
        registry::Registration,
    },
    model::{AddressPair, InterfaceName, Match, Namespaced, Payload, Phase},
};

/// What of the API is kept for the next manager.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::engine) struct SavedApi {
    /// By which a request is known again whose answer was lost with this manager.
    ids: String,
    registrations: Vec<SavedRegistration>,
    services: Vec<SavedService>,
    connections: Vec<SavedConnection>,
}

/// A network service that a pod has registered.
#[derive(Debug, Serialize, Deserialize)]
struct SavedService {
    name: String,
    instance: String,
    payload: Payload,
    matches: Vec<Match>,
    pod: Namespaced,
}

/// An endpoint; its socket is kept beside it.
#[derive(Debug, Serialize, Deserialize)]
struct SavedRegistration {
    key: Namespaced,
    pod: Namespaced,
    instance: String,
    id: String,
    expires_at: i64,
    entry: String,
    phase: Option<Phase>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedConnection {
    request: usize,
    service: Namespaced,
    payload: Payload,
    client: (Namespaced, InterfaceName),
    endpoint: (Namespaced, InterfaceName),
    pairs: Vec<AddressPair>,
    routes: Routes,
    since: i64,
    heals: u32,
    phases: Option<Vec<Phase>>,
    /// Of links that somebody has asked for.
    established: Option<SavedEstablished>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedEstablished {
    id: String,
    remote: Namespaced,
    near: String,
    far: String,
    expires: u64,
}

fn write(message: &impl Message) -> String {
    BASE64_STANDARD.encode(message.encode_to_vec())
}

fn read<M: Message + Default>(text: &str) -> Option<M> {
    M::decode(BASE64_STANDARD.decode(text).ok()?.as_slice()).ok()
}

impl SavedConnection {
    fn of(link: &Connection, established: Option<SavedEstablished>) -> Self {
        let end = |end: &End| (end.pod.clone(), end.interface.clone());
        Self {
            request: link.request,
            service: link.service.clone(),
            payload: link.payload,
            client: end(&link.client),
            endpoint: end(&link.endpoint),
            pairs: link.pairs.clone(),
            routes: link.routes.clone(),
            since: link.since,
            heals: link.heals,
            phases: link.phases.as_deref().cloned(),
            established,
        }
    }

    /// The links again; `None` where one of its pods is gone.
    fn link(&self, control: &Control) -> Option<Connection> {
        let end = |(pod, interface): &(Namespaced, InterfaceName)| {
            let namespace = control.sandboxes.by_pod(pod)?.namespace;
            Some(End { pod: pod.clone(), namespace, interface: interface.clone() })
        };
        let (client, endpoint) = (end(&self.client)?, end(&self.endpoint)?);
        let Self { request, payload, since, heals, .. } = *self;
        let (service, pairs, routes) = (self.service.clone(), self.pairs.clone(), self.routes.clone());
        let phases = self.phases.clone().map(Arc::new);
        Some(Connection { request, service, payload, client, endpoint, pairs, routes, since, heals, phases })
    }
}

impl SavedApi {
    /// The addresses that an endpoint of the engine's own has given out, by the ids of its connections.
    pub(in crate::engine) fn given_by(&self, endpoint: &Namespaced) -> HashMap<String, Vec<AddressPair>> {
        let own = self.connections.iter().filter(|connection| connection.endpoint.0 == *endpoint);
        let given = |connection: &SavedConnection| {
            let far = read::<wire::Connection>(&connection.established.as_ref()?.far)?;
            Some((far.id, connection.pairs.clone()))
        };
        own.filter_map(given).collect()
    }
}

impl Control {
    /// What the next manager has to know.
    pub(in crate::engine) fn save(&self) -> SavedApi {
        let registry = self.registry();
        let registration = |registration: &Registration| SavedRegistration {
            key: registration.remote.key.clone(),
            pod: registration.pod.clone(),
            instance: registration.instance.clone(),
            id: registration.remote.id.to_string(),
            expires_at: registration.expires_at,
            entry: write(&registration.remote.entry()),
            phase: registration.remote.phase.clone(),
        };
        let registrations = registry.endpoints().map(|(_, known)| registration(known)).collect();
        let by_pods = registry.services().filter_map(|(id, service)| {
            let pod = service.registered_by.clone()?;
            let (name, instance, matches) = (id.name.clone(), service.instance.clone(), service.matches.clone());
            Some(SavedService { name, instance, payload: service.payload, matches, pod })
        });
        let services = by_pods.collect();
        drop(registry);
        let established = |(key, established): &(Key, Established)| {
            let Established { near, far, remote, expires, .. } = established;
            let expires = expires.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let (id, remote) = (key.id.clone(), remote.key.clone());
            SavedConnection::of(&established.link, Some(SavedEstablished { id, remote, near: write(near), far: write(far), expires }))
        };
        let connections: Vec<_> = self.list(|_| true).iter().map(established).collect();
        let orphans = self.orphans().into_iter().map(|link| SavedConnection::of(&link, None));
        SavedApi { ids: self.ids.secret(), registrations, services, connections: connections.into_iter().chain(orphans).collect() }
    }

    /// Takes on what programs in the sandboxes have registered with an earlier manager, whose sockets were handed over.
    pub(in crate::engine) fn restore_registrations(&self, saved: &SavedApi, mut sockets: BTreeMap<Namespaced, OwnedFd>) {
        self.ids.go_on(saved.ids.clone());
        let mut registry = self.registry();
        for SavedService { name, instance, payload, matches, pod } in &saved.services {
            registry.register_service(pod, instance, name, *payload, matches.clone());
        }
        for registration in &saved.registrations {
            let Some(socket) = sockets.remove(&registration.key) else { continue };
            let (Ok(id), Ok(inode), Some(entry)) =
                (SpiffeId::parse(&registration.id), Inode::of(&socket), read::<NetworkServiceEndpoint>(&registration.entry))
            else {
                continue;
            };
            let SavedRegistration { key, pod, instance, expires_at, .. } = registration;
            let (services, labels) = (entry.network_service_names.clone(), labels(&entry));
            let remote = Arc::new(Remote::new(key.clone(), id, socket, inode, entry).after(registration.phase.clone()));
            registry.register(Registration { pod: pod.clone(), instance: instance.clone(), services, labels, expires_at: *expires_at, remote });
        }
    }

    /// Goes on with the connections of an earlier manager. Where an endpoint is not known any more, the links are kept for whoever
    /// asks for them again.
    pub(in crate::engine) fn restore_connections(&self, saved: SavedApi) {
        // Whoever does not ask again within a minute is gone.
        let least = SystemTime::now() + ADOPTED;
        for saved in saved.connections {
            let Some(link) = saved.link(self) else { continue };
            let known = saved.established.and_then(|saved| {
                let key = Key { client: link.client.pod.clone(), id: saved.id };
                let (near, far) = (read::<wire::Connection>(&saved.near)?, read::<wire::Connection>(&saved.far)?);
                let remote = Arc::clone(&self.registry().endpoint(&saved.remote)?.remote);
                let expires = least.max(UNIX_EPOCH + Duration::from_secs(saved.expires));
                Some((key, near, far, remote, expires))
            });
            match known {
                Some((key, near, far, remote, expires)) => self.resume(key, Established { link, near, far, remote, expires }),
                None => self.adopt(link),
            }
        }
    }
}
