//! What there is, told without changing it. What the kernel knows is asked of the kernel, at that moment.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use futures::{StreamExt, future::join_all, stream};

use super::{
    forwarder::{Connection, look},
    mesh::{Host, Mesh, object},
    protocol::{Identities, Refusal, Status},
    registry::{Registration, Service},
    sandbox::{CLIENT_CONTAINER, Reached, Sandbox},
    supervisor::number,
};
use crate::{
    model::{
        Carried, ComponentState, Inventory, Link, LogTail, Namespaced, NetworkServiceState, Outcome, PACKET_PLATEAUS, PingOptions, Pinged, PodProbes,
        Probe, ProbeRequest, RegisteredEndpoint, Resolver, Route, System, Unavailable, UnavailableKind, check_svid_ttl,
    },
    net::{self, Namespace},
};

/// The parts of the engine. They are one process, so that an answer proves them all.
pub(crate) const PARTS: [&str; 4] = ["engine", "registry", "manager", "forwarder"];

impl Mesh {
    /// What exists.
    pub(super) fn inventory(&mut self) -> Inventory {
        let registry = self.manager.registry();
        let state = |(id, service): (&_, &Service)| NetworkServiceState {
            id: Clone::clone(id),
            payload: Some(service.payload),
            matches: service.matches.clone(),
        };
        let services = registry.services().map(state).collect();
        let endpoint = |(id, registration): (&_, &Registration)| RegisteredEndpoint {
            id: Clone::clone(id),
            services: registration.services.clone(),
            spiffe_id: Some(registration.remote.id.to_string()),
            registered_by: Some(registration.pod.clone()),
            expires_at: Some(registration.expires_at),
            forwards_on: None,
        };
        let endpoints = registry.endpoints().map(endpoint).collect();
        let registered: BTreeSet<Namespaced> = registry.endpoints().map(|(_, registration)| registration.pod.clone()).collect();
        drop(registry);
        let connections = self.manager.connections();
        let registrations = self.manager.control.journal.registrations();
        let reached = |sandbox: &Sandbox| Reached {
            registrations,
            is_registered: registered.contains(&sandbox.pod),
            is_connected: connections.iter().filter(|connection| connection.client.pod == sandbox.pod).count() >= sandbox.workload.requests.len(),
        };
        let pods = self.sandboxes.values().map(|sandbox| sandbox.state(reached(sandbox))).collect();
        Inventory { pods: Ok(pods), services: Ok(services), endpoints: Ok(endpoints), identities: Err(no_identities()) }
    }

    /// The parts of the engine, what happened, what was logged, and which connections are broken now.
    pub(super) async fn system(&mut self) -> System {
        let mut faults = Vec::new();
        for connection in self.manager.connections() {
            faults.extend(connection.fault().await.map(|fault| (connection.client.pod.clone(), fault)));
        }
        for (pod, fault) in faults {
            self.events.warning(object("Pod", &pod), "DataPlaneDown", &fault);
            if let Some(sandbox) = self.sandboxes.get_mut(&pod) {
                sandbox.log(CLIENT_CONTAINER, "WARN", &pod.name, &format!("Data plane is down: {fault}"));
            }
        }
        let components = PARTS.map(|role| ComponentState { role: role.to_owned(), object: None, ready: Ok((1, 1)) }).to_vec();
        System { events: Ok(self.events.list()), logs: self.logs(), ..System::of(components) }
    }

    /// What it knows of the connections that it carries. Nothing is asked of the kernel.
    pub(super) fn carried(&self) -> Vec<Carried> {
        let carried = |connection: &Connection| Carried {
            instance: self.sandboxes.get(&connection.client.pod).map(|sandbox| sandbox.instance.clone()).unwrap_or_default(),
            client: connection.client.pod.clone(),
            interface: connection.client.interface.to_string(),
            since: connection.since,
            heals: connection.heals,
            phases: connection.phases.as_deref().cloned(),
        };
        self.manager.connections().iter().map(carried).collect()
    }

    /// What was logged. Nothing is looked at for it, so that asking again and again adds nothing.
    pub(super) fn logs(&self) -> Vec<LogTail> {
        self.sandboxes.values().flat_map(Sandbox::log_tails).collect()
    }

    /// Who gives identities, and for how long; for `svid_ttl` from now on, where that is asked for.
    pub(super) fn identities(&self, svid_ttl: Option<Duration>) -> Result<Identities, Refusal> {
        let identity = &self.manager.control.identity;
        let before = identity.svid_ttl();
        if let Some(ttl) = svid_ttl {
            identity.set_svid_ttl(check_svid_ttl(ttl).map_err(|why| Refusal::new(Outcome::Usage, why))?);
            self.save();
        }
        let (domain, agent) = (identity.domain().to_string(), identity.agent().map(ToString::to_string));
        Ok(Identities { domain, agent, svid_ttl: identity.svid_ttl(), before })
    }

    /// Who is there.
    pub(super) fn status(&self) -> Status {
        let manager = number();
        let path = |namespace: &Namespace| format!("/proc/{manager}/fd/{}", namespace.descriptor());
        let namespaces = self.sandboxes.values().map(|sandbox| (sandbox.pod.clone(), path(&sandbox.namespace))).collect();
        let Host { supervisor: pid, restarts, .. } = self.host;
        Status { pid, manager, restarts, instances: self.deployments.keys().cloned().collect(), namespaces }
    }

    /// The namespaces that are to be looked into; `None` where there is no such pod.
    pub(super) fn targets(&self, requests: Vec<ProbeRequest>) -> Vec<(ProbeRequest, Option<Namespace>)> {
        let namespace = |request: &ProbeRequest| self.sandboxes.get(&request.pod).map(|sandbox| sandbox.namespace.clone());
        requests.into_iter().map(|request| (namespace(&request), request)).map(|(namespace, request)| (request, namespace)).collect()
    }
}

/// How many pods are looked into at once: each takes a thread or a few, and most of a ping is waiting.
const AT_ONCE: usize = 32;

/// Looks into pods, many at once. Needs no lock: a namespace lives as long as somebody looks into it.
pub(super) async fn probe(targets: Vec<(ProbeRequest, Option<Namespace>)>) -> Vec<PodProbes> {
    stream::iter(targets).map(|(request, namespace)| probe_pod(request, namespace)).buffered(AT_ONCE).collect().await
}

async fn probe_pod(request: ProbeRequest, namespace: Option<Namespace>) -> PodProbes {
    let Some(namespace) = namespace else {
        let absent = Unavailable { kind: UnavailableKind::NotFound, reason: format!("there is no pod {} on this machine", request.pod) };
        return PodProbes::unavailable(&request, &absent);
    };
    let ProbeRequest { pod, container, asks, pings, ping, debug_image: _ } = request;
    let (links, routes, routes_v6) = match asks.network || asks.path_mtu {
        true => match namespace.run(look).await {
            Ok((links, v4, v6)) => (Probe::Value(links), Probe::Value(v4), Probe::Value(v6)),
            Err(error) => (unavailable(&error), unavailable(&error), unavailable(&error)),
        },
        false => (not_asked(), not_asked(), not_asked()),
    };
    let counters = match asks.counters {
        true => Some(namespace.run(async |handle| net::list_counters(&handle).await).await.map_err(|error| not_seen(&error))),
        false => None,
    };
    let usual = pings.iter().map(|destination| ping_from(&namespace, *destination, None, ping));
    let longest =
        pings.iter().filter(|_| asks.path_mtu).filter_map(|destination| Some((*destination, admitted(&links, &routes, &routes_v6, *destination)?)));
    let longest = longest.map(|(destination, admitted)| path_mtu(&namespace, destination, admitted));
    let (mut pings, longest) = futures::join!(join_all(usual), join_all(longest));
    pings.extend(longest.into_iter().flatten());
    let no_resolver = Unavailable { kind: UnavailableKind::NotAsked, reason: "the engine puts no resolver into a pod".to_owned() };
    let resolver = asks.resolver.then(|| Resolver::unavailable(&no_resolver));
    // What is no kernel interface is not made here.
    PodProbes { pod, container, links, routes, routes_v6, pings, resolver, traces: None, counters }
}

/// The longest packet that the interface towards an address admits.
fn admitted(links: &Probe<Vec<Link>>, v4: &Probe<Vec<Route>>, v6: &Probe<Vec<Route>>, destination: IpAddr) -> Option<u32> {
    let (Probe::Value(links), Probe::Value(routes)) = (links, if destination.is_ipv4() { v4 } else { v6 }) else { return None };
    let device = Route::best(routes, destination)?.device.as_ref()?;
    links.iter().find(|link| link.name == *device)?.mtu
}

/// Sends packets as long as the interface admits; where they are lost, shorter ones at once, to tell how long a packet may be.
async fn path_mtu(namespace: &Namespace, destination: IpAddr, admitted: u32) -> Vec<Pinged> {
    let once = PingOptions { count: 1, ..PingOptions::default() };
    let longest = ping_from(namespace, destination, Some(admitted), PingOptions { count: 2, ..once }).await;
    let is_lost = matches!(&longest.result, Probe::Value(stats) if stats.received == 0);
    let shorter = PACKET_PLATEAUS.into_iter().filter(|packet| is_lost && *packet < admitted);
    let shorter = join_all(shorter.map(|packet| ping_from(namespace, destination, Some(packet), once))).await;
    std::iter::once(longest).chain(shorter).collect()
}

async fn ping_from(namespace: &Namespace, destination: IpAddr, packet_bytes: Option<u32>, options: PingOptions) -> Pinged {
    let result = namespace.run(async move |_| net::ping(destination, packet_bytes, options).await).await;
    Pinged { destination, packet_bytes, result: result.map_or_else(|error| unavailable(&error), Probe::Value) }
}

fn unavailable<T>(error: &net::Error) -> Probe<T> {
    Probe::Unavailable(not_seen(error))
}

fn not_seen(error: &net::Error) -> Unavailable {
    Unavailable { kind: UnavailableKind::Transport, reason: error.to_string() }
}

fn not_asked<T>() -> Probe<T> {
    Probe::Unavailable(Unavailable { kind: UnavailableKind::NotAsked, reason: "only pings were asked for".to_owned() })
}

/// Why no rules are listed that give identities: every pod has one.
#[must_use]
pub fn no_identities() -> Unavailable {
    Unavailable { kind: UnavailableKind::NotAsked, reason: "not checked: the engine attests every pod by its network namespace".to_owned() }
}
