use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use futures::{
    StreamExt,
    future::join_all,
    stream::{BoxStream, select_all},
};
use kube::{
    Api, ResourceExt,
    api::DynamicObject,
    runtime::{
        WatchStreamExt,
        watcher::{Config, Error, Event, watcher},
    },
};

use super::{
    Cluster, error,
    partial::Pod,
    pod::pod_state,
    progress::{Complaints, Progress, busy, defer, progress},
    resource_named,
};
use crate::{
    model::{Failure, Milestones, Namespaced, ObjectRef, ObjectState, Plan, PodState, Result, Workload, WorkloadKind, log},
    target::Ctx,
};

/// How long a reason that is often passing may last. A client is unschedulable until its endpoint has a node, which takes
/// a second or two; a controller that was refused tries again within ten seconds.
const GRACE: Duration = Duration::from_secs(15);

/// How often the logs of those that are waited for are read: a person reads no faster, and NSM tries again every few seconds.
const LISTEN: Duration = Duration::from_secs(2);

/// One thing that a watch has seen.
enum Seen {
    Pod(Box<PodState>),
    PodGone(Namespaced),
    /// The watch on a namespace's pods begins anew: what it does not name again is gone.
    Restarted(String),
    Listed(String),
    Workload(usize, Box<DynamicObject>),
    WorkloadGone(usize),
    Broken(Box<Error>),
    Nothing,
}

impl Seen {
    fn pods(namespace: &str, event: Result<Event<Pod>, Error>) -> Self {
        match event {
            Ok(Event::Apply(pod) | Event::InitApply(pod)) => Self::Pod(Box::new(pod_state(&pod))),
            Ok(Event::Delete(pod)) => Self::PodGone(Namespaced::new(namespace, pod.name_any())),
            Ok(Event::Init) => Self::Restarted(namespace.to_owned()),
            Ok(Event::InitDone) => Self::Listed(namespace.to_owned()),
            Err(error) => Self::Broken(Box::new(error)),
        }
    }

    fn workload(index: usize, event: Result<Event<DynamicObject>, Error>) -> Self {
        match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => Self::Workload(index, Box::new(object)),
            Ok(Event::Delete(_)) => Self::WorkloadGone(index),
            Ok(Event::Init | Event::InitDone) => Self::Nothing,
            Err(error) => Self::Broken(Box::new(error)),
        }
    }
}

/// What the watches have seen so far.
#[derive(Default)]
struct Picture {
    pods: BTreeMap<Namespaced, PodState>,
    /// The pods that a watch that has begun anew has not named again yet.
    stale: BTreeSet<Namespaced>,
    objects: BTreeMap<usize, DynamicObject>,
}

impl Cluster {
    /// Waits until every workload of the plan is ready, by watch; tells what each waits for as that changes.
    ///
    /// # Errors
    /// A workload cannot become ready, with the reason; the server refuses the watch; or the time is up. A watch that
    /// breaks off is no error: it is begun again.
    pub async fn wait(&self, ctx: &Ctx, plan: &Plan) -> Result<Milestones> {
        let workloads: Vec<&Workload> = plan.expectations.workloads.iter().filter(|workload| workload.replicas != Some(0)).collect();
        let mut seen = self.watches(&workloads);
        let mut picture = Picture::default();
        let mut told: Vec<Option<Progress>> = vec![None; workloads.len()];
        let mut hopeless_since: Vec<Option<Instant>> = vec![None; workloads.len()];
        let mut complaints = Complaints::new();
        let mut listen = tokio::time::interval(LISTEN);
        let begun = Instant::now();
        let mut milestones = Milestones::default();
        loop {
            let pods: Vec<PodState> = picture.pods.values().cloned().collect();
            let judge = |(index, workload): (usize, &&Workload)| progress(workload, picture.objects.get(&index), &pods, &complaints);
            let mut states: Vec<Progress> = workloads.iter().enumerate().map(judge).collect();
            defer(&mut states, &workloads, &plan.expectations.connections, &pods);
            tell(ctx, &workloads, &states, &mut told);
            pass(&mut milestones, &workloads, &pods, begun.elapsed());
            if states.iter().all(|state| *state == Progress::Ready) {
                milestones.ready = Some(begun.elapsed());
                return Ok(milestones);
            }
            let mut wake = None;
            for (index, state) in states.iter().enumerate() {
                let Progress::Hopeless { reason, hint, passing } = state else {
                    hopeless_since[index] = None;
                    continue;
                };
                let end = *hopeless_since[index].get_or_insert_with(Instant::now) + if *passing { GRACE } else { Duration::ZERO };
                if end <= Instant::now() {
                    return Err(Failure::failed(format!("{} cannot become ready: {reason}", workloads[index])).hint(hint));
                }
                wake = Some(wake.map_or(end, |earlier: Instant| earlier.min(end)));
            }
            let grace = async {
                match wake {
                    Some(end) => tokio::time::sleep_until(end.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                reason = ctx.cancel.cancelled() => return Err(Failure::msg(reason, format!("stopped while waiting for {}", pending(&workloads, &states)))),
                () = tokio::time::sleep_until(ctx.deadline.into()) => return Err(ctx.timed_out(&format!("waiting for {}", pending(&workloads, &states)))),
                next = seen.next() => match next {
                    Some(Seen::Broken(error)) => refusal(&error)?,
                    Some(event) => picture.take(event),
                    None => return Err(Failure::cannot_tell("the watch on the cluster ended")),
                },
                () = grace => {}
                _ = listen.tick() => complaints = self.complaints(&pods).await,
            }
        }
    }

    /// What the init containers that pods wait for have last complained about. Where their logs may not be read, nothing.
    async fn complaints(&self, pods: &[PodState]) -> Complaints {
        let waiting = pods.iter().filter(|pod| !pod.deleting).filter_map(|pod| Some((pod, busy(pod)?)));
        let asked = waiting.map(async |(pod, container)| {
            let log = tokio::time::timeout(LISTEN, self.tail(&pod.id, container.name.clone())).await.ok()?;
            let last = log::errors(&log.lines.ok()?).pop()?;
            Some((pod.id.clone(), log::gist(&last.text)))
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    fn watches(&self, workloads: &[&Workload]) -> impl futures::Stream<Item = Seen> + use<> {
        let namespaces: BTreeSet<&str> = workloads.iter().map(|workload| workload.id.namespace.as_str()).collect();
        let pods = namespaces.into_iter().map(|namespace| {
            let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
            let namespace = namespace.to_owned();
            let seen = move |event| Seen::pods(&namespace, event);
            watcher(api, Config::default()).default_backoff().map(seen).boxed()
        });
        let objects = workloads.iter().enumerate().filter(|(_, workload)| workload.kind != WorkloadKind::Pod).filter_map(|(index, workload)| {
            let api = self.api(&resource_named(&workload.kind.to_string())?, Some(&workload.id.namespace));
            let config = Config::default().fields(&format!("metadata.name={}", workload.id.name));
            let seen = move |event| Seen::workload(index, event);
            Some(watcher(api, config).default_backoff().map(seen).boxed())
        });
        let all: Vec<BoxStream<'static, Seen>> = pods.chain(objects).collect();
        select_all(all)
    }
}

impl Picture {
    fn take(&mut self, seen: Seen) {
        match seen {
            Seen::Pod(state) => {
                self.stale.remove(&state.id);
                self.pods.insert(state.id.clone(), *state);
            }
            Seen::PodGone(id) => {
                self.pods.remove(&id);
            }
            Seen::Restarted(namespace) => self.stale.extend(self.pods.keys().filter(|id| id.namespace == namespace).cloned()),
            Seen::Listed(namespace) => {
                let gone: Vec<Namespaced> = self.stale.iter().filter(|id| id.namespace == namespace).cloned().collect();
                for id in gone {
                    self.stale.remove(&id);
                    self.pods.remove(&id);
                }
            }
            Seen::Workload(index, object) => {
                self.objects.insert(index, *object);
            }
            Seen::WorkloadGone(index) => {
                self.objects.remove(&index);
            }
            Seen::Broken(_) | Seen::Nothing => {}
        }
    }
}

/// A watch that may not be is an end; any other trouble passes, or the time is up.
fn refusal(error: &Error) -> Result<()> {
    let (Error::InitialListFailed(cause) | Error::WatchStartFailed(cause) | Error::WatchFailed(cause)) = error else { return Ok(()) };
    match error::code(cause) {
        Some(401 | 403) => Err(error::failure(cause, "watch the pods")),
        _ => Ok(()),
    }
}

/// Notes what all pods have behind them now.
fn pass(milestones: &mut Milestones, workloads: &[&Workload], pods: &[PodState], elapsed: Duration) {
    let all = |holds: fn(&PodState) -> bool| {
        workloads.iter().all(|workload| {
            let mut own = pods.iter().filter(|pod| !pod.deleting && workload.owns(pod)).peekable();
            own.peek().is_some() && own.all(holds)
        })
    };
    if milestones.scheduled.is_none() && all(|pod| pod.node.is_some()) {
        milestones.scheduled = Some(elapsed);
    }
    if milestones.initialised.is_none() && all(|pod| pod.node.is_some() && pod.init_containers.iter().all(|container| container.ready)) {
        milestones.initialised = Some(elapsed);
    }
}

fn tell(ctx: &Ctx, workloads: &[&Workload], states: &[Progress], told: &mut [Option<Progress>]) {
    for ((workload, state), told) in workloads.iter().zip(states).zip(told) {
        if told.as_ref() == Some(state) || (told.is_none() && *state == Progress::Unseen) {
            continue;
        }
        let object = ObjectRef::namespaced(workload.kind.to_string(), &workload.id.namespace, &workload.id.name);
        ctx.events.object(&object, if *state == Progress::Ready { ObjectState::Ready } else { ObjectState::Waiting(state.text().to_owned()) });
        *told = Some(state.clone());
    }
}

/// What is still waited for, in a line.
fn pending(workloads: &[&Workload], states: &[Progress]) -> String {
    let waiting = workloads.iter().zip(states).filter(|(_, state)| **state != Progress::Ready);
    waiting.map(|(workload, state)| format!("{workload} ({})", state.text())).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": name, "namespace": "ns"}})).unwrap()
    }

    fn names(picture: &Picture) -> Vec<&str> {
        picture.pods.keys().map(|id| id.name.as_str()).collect()
    }

    #[test]
    fn what_a_new_watch_does_not_name_again_is_gone() {
        let mut picture = Picture::default();
        for event in [Event::Init, Event::InitApply(pod("a")), Event::InitApply(pod("b")), Event::InitDone, Event::Apply(pod("c"))] {
            picture.take(Seen::pods("ns", Ok(event)));
        }
        assert_eq!(names(&picture), ["a", "b", "c"]);
        picture.take(Seen::pods("ns", Ok(Event::Delete(pod("c")))));
        for event in [Event::Init, Event::InitApply(pod("b"))] {
            picture.take(Seen::pods("ns", Ok(event)));
        }
        assert_eq!(names(&picture), ["a", "b"], "nothing is gone before the list is whole");
        picture.take(Seen::pods("ns", Ok(Event::InitDone)));
        assert_eq!(names(&picture), ["b"]);
    }

    #[test]
    fn a_watch_that_may_not_be_is_an_end_and_one_that_broke_off_is_none() {
        let api = |code| kube::Error::Api(Box::new(kube::core::Status::failure("cannot watch", "Reason").with_code(code)));
        assert!(refusal(&Error::InitialListFailed(api(403))).is_err());
        assert!(refusal(&Error::WatchStartFailed(api(410))).is_ok());
        assert!(refusal(&Error::WatchFailed(api(500))).is_ok());
        assert!(refusal(&Error::NoResourceVersion).is_ok());
    }
}
