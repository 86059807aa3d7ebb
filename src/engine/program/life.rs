//! What the manager does when programs are to be started, log something, and end.

use std::time::{Duration, Instant};

use super::{
    super::{
        mesh::{Mesh, object},
        phases::Moment,
        sandbox::{CLIENT_CONTAINER, Sandbox},
        supervisor::{End, Notice},
    },
    Phase, Run,
};
use crate::model::{ContainerRole, Namespaced};

/// How many of its last lines say why a program does not run.
pub(in crate::engine) const LAST_WORDS: usize = 3;

/// A program that is to be started again after a pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct Again {
    /// Which.
    pub(in crate::engine) key: String,
    /// After how long.
    pub(in crate::engine) pause: Duration,
}

impl Mesh {
    /// Starts what of a pod's programs is to run now: its init containers one after the other, then all others.
    pub(in crate::engine) fn start_programs(&mut self, pod: &Namespaced) {
        let Some(sandbox) = self.sandboxes.get(pod) else { return };
        let is_open = |run: &Run| run.program.role.is_init() && run.phase != Phase::Done;
        let next: Vec<usize> = match sandbox.programs.iter().position(is_open) {
            Some(init) => vec![init],
            None => (0..sandbox.programs.len()).collect(),
        };
        for index in next {
            if self.sandboxes.get(pod).is_some_and(|sandbox| sandbox.programs.get(index).is_some_and(|run| run.phase == Phase::Waiting)) {
                self.start_program(pod, index);
            }
        }
    }

    fn start_program(&mut self, pod: &Namespaced, index: usize) {
        let Some(sandbox) = self.sandboxes.get_mut(pod) else { return };
        let Some(launch) = sandbox.programs.get(index).map(|run| sandbox.launch(run, &self.host)) else { return };
        let run = &mut sandbox.programs[index];
        let text = format!("container {}: started {}", run.program.container, run.program.path.display());
        match launch {
            Ok(launch) => {
                run.phase = Phase::Running(Instant::now());
                if run.program.role == ContainerRole::Endpoint {
                    self.manager.control.start(pod, Moment::now(), format!("{} started", run.program.path.display()));
                }
                self.link.launch(launch);
                self.events.normal(object("Pod", pod), "Started", text);
            }
            Err(error) => self.events.warning(object("Pod", pod), "Failed", format!("container {}: {error}", run.program.container)),
        }
    }

    /// Takes note of what the supervisor tells of a program. What is to be started again later is the result.
    pub(in crate::engine) async fn note(&mut self, notice: Notice) -> Option<Again> {
        match notice {
            Notice::Line { key, at_ms, text } => {
                let (sandbox, index) = self.find(&key)?;
                let container = sandbox.programs[index].program.container.clone();
                sandbox.log_line(&container, at_ms, &text);
                None
            }
            Notice::Running { key } if self.find(&key).is_none() => {
                // It was started for a deployment that the last manager did not live to save, and its pod is gone with that.
                self.link.stop(&key, true).await;
                self.link.forget(&key);
                None
            }
            Notice::Running { key } => {
                let (sandbox, index) = self.find(&key)?;
                // Since when is not known; it has settled.
                let since = Instant::now().checked_sub(super::SETTLED);
                sandbox.programs[index].phase = Phase::Running(since.unwrap_or_else(Instant::now));
                None
            }
            Notice::Ended { key, end } => self.ended(&key, end).await,
            _ => None,
        }
    }

    async fn ended(&mut self, key: &str, end: End) -> Option<Again> {
        let (sandbox, index) = self.find(key)?;
        let pod = sandbox.pod.clone();
        let run = &mut sandbox.programs[index];
        if run.phase == Phase::Done {
            return None;
        }
        let (role, container) = (run.program.role, run.program.container.clone());
        let ran = if let Phase::Running(since) = run.phase { since.elapsed() } else { Duration::ZERO };
        run.last = Some(end.clone());
        run.was_settled = ran >= super::SETTLED;
        if role.is_init() && end == End::Exited(0) {
            run.phase = Phase::Done;
            self.events.normal(object("Pod", &pod), "Completed", format!("container {container}: {end}"));
            self.start_programs(&pod);
            return None;
        }
        run.restarts = run.restarts.saturating_add(1);
        let pause = run.backoff.ended(ran);
        let when = if pause.is_zero() { "it is started again at once".to_owned() } else { format!("it is started again in {} s", pause.as_secs()) };
        let reason = if pause.is_zero() { "Ended" } else { "BackOff" };
        run.phase = Phase::Pausing(pause);
        self.events.warning(object("Pod", &pod), reason, format!("container {container}: {end}; {when}"));
        self.lose(&pod, role).await;
        if pause.is_zero() {
            self.again(key);
            return None;
        }
        Some(Again { key: key.to_owned(), pause })
    }

    /// Starts a program whose pause is over.
    pub(in crate::engine) fn again(&mut self, key: &str) {
        let Some((sandbox, index)) = self.find(key) else { return };
        let pod = sandbox.pod.clone();
        if !matches!(sandbox.programs[index].phase, Phase::Pausing(_)) {
            return;
        }
        self.start_program(&pod, index);
    }

    /// Closes the connections that have lost an end: the kernel would go on answering pings, and nobody would be there.
    async fn lose(&mut self, pod: &Namespaced, role: ContainerRole) {
        match role {
            ContainerRole::Endpoint => {
                for client in self.manager.control.lose(pod).await {
                    let text = format!("the endpoint {pod} has ended; the connection is made again with it");
                    self.events.warning(object("Pod", &client), "EndpointLost", &text);
                    if let Some(sandbox) = self.sandboxes.get_mut(&client) {
                        sandbox.log(CLIENT_CONTAINER, "WARN", &client.name, &text);
                    }
                }
            }
            ContainerRole::Client => drop(self.manager.close(|connection| connection.client.pod == *pod).await),
            ContainerRole::Init | ContainerRole::ClientInit | ContainerRole::Other => {}
        }
    }

    /// Starts what did not run when the last manager went, now that it is known what did.
    pub(in crate::engine) fn start_all(&mut self) {
        let pods: Vec<Namespaced> = self.sandboxes.keys().cloned().collect();
        pods.iter().for_each(|pod| self.start_programs(pod));
    }

    /// Takes the programs of pods from being started again; the result is what is still to be ended.
    pub(in crate::engine) fn retire(&mut self, holds: impl Fn(&Sandbox) -> bool) -> Vec<String> {
        let mut keys = Vec::new();
        for sandbox in self.sandboxes.values_mut().filter(|sandbox| holds(sandbox)) {
            for run in &mut sandbox.programs {
                run.phase = Phase::Done;
                keys.push(run.key(&sandbox.pod));
            }
        }
        keys
    }

    fn find(&mut self, key: &str) -> Option<(&mut Sandbox, usize)> {
        let (pod, _) = key.rsplit_once('/')?;
        let (namespace, name) = pod.split_once('/')?;
        let sandbox = self.sandboxes.get_mut(&Namespaced::new(namespace, name))?;
        let index = sandbox.programs.iter().position(|run| run.key(&sandbox.pod) == key)?;
        Some((sandbox, index))
    }
}
