use std::{collections::HashMap, sync::Arc};

use futures::{Stream, StreamExt, stream};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tonic::{Request, Response, Status};

use super::{
    control::{Control, Told},
    server::Caller,
    wire::{Connection, ConnectionEvent, EventType, MonitorScopeSelector},
};
use crate::model::Namespaced;

/// The most segments that somebody may ask for at once.
const MAX_SEGMENTS: usize = 1024;

impl Control {
    /// What is there now, even if that is nothing, and then what becomes of it.
    ///
    /// Everybody sees its own connections only, as client or as endpoint.
    pub(super) fn monitor(
        self: &Arc<Self>,
        caller: &Caller,
        request: Request<MonitorScopeSelector>,
    ) -> Result<Response<impl Stream<Item = Result<ConnectionEvent, Status>> + Send + use<>>, Status> {
        let selector = request.into_inner();
        if selector.path_segments.len() > MAX_SEGMENTS || selector.network_services.len() > MAX_SEGMENTS {
            return Err(Status::invalid_argument(format!("at most {MAX_SEGMENTS} segments can be asked for")));
        }
        let watcher = Watcher { control: Arc::clone(self), pod: self.member(caller).ok().map(|member| member.pod), selector };
        // Before it is looked: what happens in between is not missed.
        let events = self.events.subscribe();
        let first = ConnectionEvent { r#type: EventType::InitialStateTransfer.into(), connections: watcher.now() };
        let rest = stream::unfold((watcher, events), |(watcher, mut events)| async move {
            let event = watcher.next(&mut events).await?;
            Some((Ok(event), (watcher, events)))
        });
        Ok(Response::new(stream::iter([Ok(first)]).chain(rest)))
    }
}

/// Somebody who watches connections.
struct Watcher {
    control: Arc<Control>,
    /// None where it is in no sandbox, and so has no connections.
    pod: Option<Namespaced>,
    selector: MonitorScopeSelector,
}

impl Watcher {
    fn now(&self) -> HashMap<String, Connection> {
        let own = self.control.list(|established| self.pod.as_ref().is_some_and(|pod| established.link.touches(pod)));
        own.into_iter()
            .map(|(_, established)| established.near)
            .filter(|near| matches(near, &self.selector))
            .map(|near| (near.id.clone(), near))
            .collect()
    }

    async fn next(&self, events: &mut Receiver<Told>) -> Option<ConnectionEvent> {
        loop {
            let Told { mut event, pods } = match events.recv().await {
                Ok(told) => told,
                Err(RecvError::Lagged(_)) => return Some(ConnectionEvent { r#type: EventType::Update.into(), connections: self.now() }),
                Err(RecvError::Closed) => return None,
            };
            event.connections.retain(|_, connection| matches(connection, &self.selector));
            if !event.connections.is_empty() && self.pod.as_ref().is_some_and(|pod| pods.contains(pod)) {
                return Some(event);
            }
        }
    }
}

/// Whether a connection has one of the segments, by what is said of them; and one of the services.
fn matches(connection: &Connection, selector: &MonitorScopeSelector) -> bool {
    let segments = connection.path.as_ref().map(|path| path.path_segments.as_slice()).unwrap_or_default();
    let wanted = |one: &super::wire::PathSegment| {
        segments.iter().any(|segment| (one.id.is_empty() || one.id == segment.id) && (one.name.is_empty() || one.name == segment.name))
    };
    (selector.path_segments.is_empty() || selector.path_segments.iter().any(wanted))
        && (selector.network_services.is_empty() || selector.network_services.contains(&connection.network_service))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::api::wire::{Path, PathSegment};

    #[test]
    fn a_connection_is_of_interest_by_any_of_its_segments() {
        let segment = |name: &str, id: &str| PathSegment { name: name.into(), id: id.into(), ..PathSegment::default() };
        let path = Path { index: 1, path_segments: vec![segment("nsc", "a"), segment("nsmgr", "b")] };
        let connection = Connection { network_service: "s".into(), path: Some(path), ..Connection::default() };
        let asked = |segments: &[PathSegment], services: &[&str]| {
            let network_services = services.iter().map(|name| (*name).to_owned()).collect();
            matches(&connection, &MonitorScopeSelector { path_segments: segments.to_vec(), network_services })
        };
        assert!(asked(&[], &[]) && asked(&[segment("", "a")], &[]) && asked(&[segment("x", "x"), segment("nsmgr", "")], &["s"]));
        assert!(!asked(&[segment("nsc", "b")], &[]) && !asked(&[], &["t"]));
    }
}
