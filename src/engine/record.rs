//! What happened over NSM's API, as people are told of it: events, lines of logs and counters.

use super::{
    api::Happening,
    forwarder::Connection,
    mesh::{Emit, Mesh, object},
    sandbox::{CLIENT_CONTAINER, CLIENT_INIT_CONTAINER},
};
use crate::model::{Event, Namespaced, Phase};

impl Mesh {
    /// Takes note of what happened since it was asked last, and tells the phases of connections that have ended since; whether
    /// anything did.
    pub(super) fn take_note(&mut self, emit: &mut Emit<'_>) -> bool {
        let happened = self.manager.control.journal.take();
        let noted = !happened.is_empty();
        for happening in happened {
            match happening {
                Happening::Registered { pod, services, remote } => {
                    remote.phase.iter().for_each(|phase| emit(told(phase)));
                    if !(self.manager.has_endpoint(&pod) && remote.key == pod) {
                        match remote.duplicate() {
                            Ok(socket) => self.link.hold_endpoint(&remote.key, socket),
                            Err(error) => super::supervisor::log(&format!("the socket of endpoint {} cannot be held: {error}", remote.key)),
                        }
                    }
                    let text = format!("registered endpoint {} for {} as {}", remote.key.name, services.join(", "), remote.id);
                    self.events.normal(object("Pod", &pod), "Registered", text);
                }
                Happening::Unregistered { pod, key } => {
                    self.link.release_endpoint(&key);
                    if self.sandboxes.contains_key(&pod) {
                        self.events.normal(object("Pod", &pod), "Unregistered", format!("endpoint {} is registered no longer", key.name));
                    }
                }
                Happening::Served { link, taken } => {
                    self.metrics.request("served", link.heals > 0, taken);
                    // The endpoint's registration was told when it happened.
                    link.phases.iter().flat_map(|phases| phases.iter().skip(1)).for_each(|phase| emit(told(phase)));
                    self.served(&link);
                }
                Happening::Restored { client } => self.be_served(&client),
                Happening::Refused { client, id, service, code, reason, taken } => {
                    self.metrics.request(outcome(code), false, taken);
                    self.refused(&client, &id, &service, &reason);
                }
                Happening::Closed { link } => {
                    let text = format!("closed its connection to {} over {}", link.endpoint.pod, link.client.interface);
                    self.events.normal(object("Pod", &link.client.pod), "Closed", text);
                }
            }
        }
        noted
    }

    fn served(&mut self, link: &Connection) {
        let pod = &link.client.pod;
        let addresses = link.pairs.iter().map(|pair| format!("{} and {}", pair.client, pair.endpoint)).collect::<Vec<_>>().join(", ");
        let (reason, text) = match link.heals {
            0 => {
                ("Connected", format!("connected to {} of {} over {} with {addresses}", link.endpoint.pod, link.service.name, link.client.interface))
            }
            _ => ("Healed", format!("connected again to {} over {}", link.endpoint.pod, link.client.interface)),
        };
        self.events.normal(object("Pod", pod), reason, &text);
        let Some(sandbox) = self.sandboxes.get_mut(pod).filter(|sandbox| sandbox.is_own_client()) else { return };
        let container = if link.heals == 0 { CLIENT_INIT_CONTAINER } else { CLIENT_CONTAINER };
        sandbox.log(container, "INFO", &format!("{}-{}", pod.name, link.request), &text);
        self.be_served(pod);
    }

    /// Takes note that a pod waits no longer, where all that it has asked for is there.
    fn be_served(&mut self, pod: &Namespaced) {
        let Some(sandbox) = self.sandboxes.get_mut(pod).filter(|sandbox| sandbox.is_own_client()) else { return };
        if self.manager.serves_all(pod, sandbox.workload.requests.len()) {
            sandbox.waiting = None;
        }
    }

    fn refused(&mut self, pod: &Namespaced, id: &str, service: &str, reason: &str) {
        self.events.warning(object("Pod", pod), "RequestFailed", reason);
        let Some(sandbox) = self.sandboxes.get_mut(pod).filter(|sandbox| sandbox.is_own_client()) else { return };
        let url = sandbox.workload.requests.iter().find(|url| url.service == service).map(ToString::to_string);
        let is_served = self.manager.serves_all(pod, sandbox.workload.requests.len());
        let registrations = self.manager.control.journal.registrations();
        sandbox.be_refused(id, url.as_deref().unwrap_or(service), reason, is_served, registrations);
    }
}

/// That a phase has ended.
fn told(phase: &Phase) -> Event {
    Event::Phase(Box::new(phase.clone()))
}

/// What has become of a request that was not served, as it is counted.
fn outcome(code: tonic::Code) -> &'static str {
    use tonic::Code;
    match code {
        Code::NotFound => "not_found",
        Code::ResourceExhausted => "no_address_left",
        Code::InvalidArgument => "invalid",
        Code::PermissionDenied | Code::Unauthenticated => "denied",
        Code::Unavailable | Code::DeadlineExceeded => "endpoint_unavailable",
        _ => "failed",
    }
}
