use std::sync::{Arc, atomic::Ordering};

use tokio_rustls::rustls::CommonState;

use super::{control::Control, line::Line, network_service::Wanted, remote::Remote, server::Caller};
use crate::{
    engine::{
        forwarder::{Connection, Laid},
        identity::{Member, SpiffeId},
        phases::{Moment, Step, phase},
    },
    model::{PathToken, Phase, PhaseEvent, PhaseName, Security, Tls},
};

/// A handshake of mutual TLS that has ended well.
#[derive(Debug, Clone)]
pub(super) struct Handshake {
    begun: Moment,
    done: Moment,
    tls: Tls,
}

impl Handshake {
    /// A handshake that has just ended, by what both ends have agreed upon.
    pub(super) fn ended(begun: Moment, session: &CommonState) -> Self {
        let version = session.protocol_version().and_then(|version| version.as_str()).unwrap_or_default().replace('_', ".");
        let suite = session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or_default().to_owned();
        Self { begun, done: Moment::now(), tls: Tls { version, suite } }
    }
}

/// A request from the moment on from which it counts.
#[derive(Debug)]
pub(super) struct Asked {
    began: Moment,
    steps: Vec<Step>,
    client: SpiffeId,
    handshake: Handshake,
}

/// How an endpoint was come to.
pub(super) struct Way<'a> {
    /// How many could have served.
    pub(super) candidates: usize,
    /// When it was decided for.
    pub(super) selected: Moment,
    /// When it had answered.
    pub(super) answered: Moment,
    /// How it is called.
    pub(super) line: &'a Line,
}

impl Control {
    /// How an endpoint has come to be registered at this moment.
    pub(super) fn registration(&self, caller: &Caller, member: &Member, name: &str, services: &[String], registered: Moment) -> Phase {
        let Caller { peer, handshake, .. } = caller;
        let started = self.started(&member.pod);
        let began = started.as_ref().map_or(handshake.begun, |(at, _)| *at);
        let mut steps: Vec<Step> = started.into_iter().map(|(at, what)| (PhaseEvent::Started, at, what)).collect();
        steps.extend(self.identity.given(&peer.id).map(|at| (PhaseEvent::SvidIssued, at, format!("SVID given out: {}", peer.id))));
        steps.push((PhaseEvent::ManagerReached, handshake.done, "mutual TLS with nsmgr".to_owned()));
        steps.push((PhaseEvent::Registered, registered, format!("registered as {name} for {}", services.join(", "))));
        phase(PhaseName::Registration, member.pod.name.clone(), [began, registered], steps)
    }

    /// A request that has just been received. The first over a connection begins with the client's identity; with a later one, that was
    /// there long before.
    pub(super) fn asked(&self, caller: &Caller, service: &str) -> Asked {
        let received = Moment::now();
        let Caller { peer, handshake, has_asked, .. } = caller;
        let given = self.identity.given(&peer.id);
        let is_first = !has_asked.swap(true, Ordering::Relaxed);
        let began = if is_first { given.map_or(handshake.begun, |given| given.min(handshake.begun)) } else { received };
        let mut steps: Vec<Step> = vec![
            (PhaseEvent::ManagerReached, handshake.done, "mutual TLS with nsmgr".to_owned()),
            (PhaseEvent::RequestReceived, received, format!("request for {service} received")),
        ];
        steps.extend(given.map(|at| (PhaseEvent::SvidIssued, at, format!("SVID given out: {}", peer.id))));
        Asked { began, steps, client: peer.id.clone(), handshake: handshake.clone() }
    }

    /// The phases of a connection whose links were laid and whose path was checked just now; `None` where it was not seen how its
    /// endpoint has registered.
    pub(super) fn phases(&self, wanted: &Wanted, remote: &Remote, way: &Way<'_>, link: &Connection, laid: Laid, path: Vec<PathToken>) -> Phases {
        let registration = remote.phase.clone()?;
        let Asked { began, steps, client, handshake } = &wanted.asked;
        let Way { candidates, selected, answered, line } = way;
        let (near, far, checked) = (&link.client, &link.endpoint, Moment::now());
        let subject = format!("{} {}", near.pod.name, near.interface);
        let words = |tls: &Tls| format!("mutual {} ({})", tls.version, tls.suite);

        let of = if *candidates > 1 { format!(", of {candidates}") } else { String::new() };
        let chosen = (PhaseEvent::EndpointSelected, *selected, format!("endpoint {} selected{of}", remote.key.name));
        let request = phase(PhaseName::ClientRequest, subject.clone(), [*began, *selected], steps.iter().cloned().chain([chosen]).collect());

        let addresses = link.pairs.iter().map(|pair| format!("{} ↔ {}", pair.client, pair.endpoint)).collect::<Vec<_>>().join(", ");
        let up = |end: &crate::engine::forwarder::End| format!("{} of {} is up", end.interface, end.pod.name);
        let steps = vec![
            (PhaseEvent::EndpointReached, line.handshake.done, "mutual TLS of nsmgr with the endpoint".to_owned()),
            (PhaseEvent::EndpointAnswered, *answered, format!("endpoint answered: addresses {addresses}")),
            (PhaseEvent::InterfacesMade, laid.made, "interfaces made".to_owned()),
            (PhaseEvent::EndpointInterfaceUp, laid.endpoint_up, up(far)),
            (PhaseEvent::ClientInterfaceUp, laid.client_up, up(near)),
        ];
        let connection = phase(PhaseName::Connection, subject.clone(), [*selected, laid.client_up], steps);

        let verified = |pod: &str, id: &SpiffeId, tls: &Tls| format!("nsmgr verified {pod} as {id}: {}", words(tls));
        let names: Vec<&str> = path.iter().map(|token| token.segment.as_str()).collect();
        let steps = vec![
            (PhaseEvent::ClientVerified, handshake.done, verified(&near.pod.name, client, &handshake.tls)),
            (PhaseEvent::EndpointVerified, line.handshake.done, verified(&far.pod.name, &line.peer.id, &line.handshake.tls)),
            (PhaseEvent::TokensChecked, checked, format!("tokens checked: {}", names.join(" → "))),
        ];
        let security = Security {
            client: client.to_string(),
            manager: self.source.id().to_string(),
            endpoint: line.peer.id.to_string(),
            client_tls: handshake.tls.clone(),
            endpoint_tls: line.handshake.tls.clone(),
            path,
            data_path: Connection::data_path(),
        };
        let tunnel = Phase { security: Some(security), ..phase(PhaseName::SecureTunnel, subject, [laid.client_up, checked], steps) };
        Some(Arc::new(vec![registration, request, connection, tunnel]))
    }
}

/// The phases of a connection, where they were seen.
type Phases = Option<Arc<Vec<Phase>>>;

/// The same phases, with the tokens that a refresh has brought.
pub(super) fn refreshed(phases: &Arc<Vec<Phase>>, path: &[PathToken]) -> Arc<Vec<Phase>> {
    let mut phases = Arc::clone(phases);
    for security in Arc::make_mut(&mut phases).iter_mut().filter_map(|phase| phase.security.as_mut()) {
        security.path = path.to_vec();
    }
    phases
}

#[cfg(test)]
impl Asked {
    /// The request of nobody.
    pub(super) fn example() -> Self {
        let now = Moment::now();
        let tls = Tls { version: "TLSv1.3".into(), suite: "x".into() };
        let client = SpiffeId::parse("spiffe://example/client").unwrap();
        Self { began: now, steps: Vec::new(), client, handshake: Handshake { begun: now, done: now, tls } }
    }
}

#[cfg(test)]
#[path = "phases_tests.rs"]
mod tests;
