use std::{net::IpAddr, time::Duration};

use futures::{StreamExt, future::join_all, stream};

use super::{Cluster, look};
use crate::{
    model::{Asks, ExecEnd, ExecOutput, PingOptions, Pinged, PodProbes, Probe, ProbeRequest, Resolver, Result, Unavailable, UnavailableKind},
    target::Ctx,
};

/// How many pods are looked into at once. An API server allows a few hundred streams, and a node runs a few dozen at a time.
const AT_ONCE: usize = 32;
/// What a look takes beside the pings' own time.
const SLACK: Duration = Duration::from_secs(10);

impl Cluster {
    /// Looks into pods, in the order of the requests: runs `ip` and `ping` in the containers that are named. What was seen
    /// until the command was stopped is in `seen`.
    ///
    /// # Errors
    /// The command was stopped. That a program could not be run is in the answer.
    pub async fn probe(&self, ctx: &Ctx, requests: Vec<ProbeRequest>, seen: &mut Vec<PodProbes>) -> Result<()> {
        // What is there is taken at once: one that does not answer is not to hold back the others when the time is up.
        let numbered = requests.into_iter().enumerate().map(async |(place, request)| (place, self.probe_pod(request).await));
        let mut probes = stream::iter(numbered).buffer_unordered(AT_ONCE);
        let mut found = Vec::new();
        let look = async {
            while let Some(probes) = probes.next().await {
                found.push(probes);
            }
            Ok(())
        };
        let looked = ctx.run("looking into the pods", look).await;
        found.sort_by_key(|(place, _)| *place);
        seen.extend(found.into_iter().map(|(_, probes)| probes));
        looked
    }

    async fn probe_pod(&self, request: ProbeRequest) -> PodProbes {
        let probes = self.look_into(&request, &request.container).await;
        let Some(image) = request.debug_image.as_deref().filter(|_| lacks_programs(&probes)) else { return probes };
        match self.debug_container(&request.pod, image).await {
            // The network is the pod's, but files are a container's own: what was seen of them in the first one stays.
            Ok(container) => {
                let seen = self.look_into(&ProbeRequest { asks: Asks { resolver: false, ..request.asks }, ..request.clone() }, &container).await;
                PodProbes { container: request.container, resolver: probes.resolver, ..seen }
            }
            Err(unavailable) => refused(probes, &unavailable),
        }
    }

    async fn look_into(&self, request: &ProbeRequest, container: &str) -> PodProbes {
        let limit = ping_time(request.ping) + SLACK;
        match self.run(&request.pod, container, look::command(request), limit).await {
            Err(unavailable) => PodProbes::unavailable(request, &unavailable),
            // There is no shell; what was to be run may be there all the same.
            Ok(ExecOutput { end: ExecEnd::Exited(126 | 127), .. }) => self.look_without_shell(request, container).await,
            Ok(output) => look::read(request, &output),
        }
    }

    async fn look_without_shell(&self, request: &ProbeRequest, container: &str) -> PodProbes {
        let run = async |command: Vec<String>, limit: Duration| self.run(&request.pod, container, command, limit).await;
        let ip = async |arguments: &[&str]| match request.asks.network {
            true => run(["ip"].iter().chain(arguments).map(|word| (*word).to_owned()).collect(), SLACK).await,
            false => Err(Unavailable { kind: UnavailableKind::NotAsked, reason: "only pings were asked for".to_owned() }),
        };
        let pings = join_all(request.pings.iter().map(async |destination: &IpAddr| {
            let result = run(look::ping_command(*destination, request.ping), ping_time(request.ping) + SLACK).await;
            Pinged { destination: *destination, packet_bytes: None, result: probe(result) }
        }));
        let (links, routes, routes_v6, pings) = futures::join!(ip(&["addr"]), ip(&["route"]), ip(&["-6", "route"]), pings);
        let (links, routes, routes_v6) = (probe(links), probe(routes), probe(routes_v6));
        let (pod, container) = (request.pod.clone(), request.container.clone());
        // The files of the container cannot be read, and another container has files of its own.
        let no_shell = Unavailable { kind: UnavailableKind::NotAsked, reason: "the image has no shell to read /etc/resolv.conf with".to_owned() };
        let resolver = request.asks.resolver.then(|| Resolver::unavailable(&no_shell));
        PodProbes { pod, container, links, routes, routes_v6, pings, resolver, traces: None, counters: None }
    }
}

fn probe<T>(result: Result<ExecOutput, Unavailable>) -> Probe<T> {
    result.map_or_else(Probe::Unavailable, Probe::Output)
}

/// Whether the container's image has no `ip` or no `ping`.
fn lacks_programs(probes: &PodProbes) -> bool {
    let is_absent = |end: Option<&ExecEnd>| matches!(end, Some(ExecEnd::Exited(126 | 127)));
    let links = if let Probe::Output(output) = &probes.links { Some(&output.end) } else { None };
    let pings = probes.pings.iter().map(|ping| if let Probe::Output(output) = &ping.result { Some(&output.end) } else { None });
    is_absent(links) || pings.into_iter().any(is_absent)
}

/// What could not be seen, for want of programs in the image and of the container that would have brought them.
fn refused(mut probes: PodProbes, unavailable: &Unavailable) -> PodProbes {
    fn replace<T>(probe: &mut Probe<T>, unavailable: &Unavailable) {
        if matches!(probe, Probe::Output(ExecOutput { end: ExecEnd::Exited(126 | 127), .. })) {
            *probe = Probe::Unavailable(unavailable.clone());
        }
    }
    replace(&mut probes.links, unavailable);
    replace(&mut probes.routes, unavailable);
    replace(&mut probes.routes_v6, unavailable);
    probes.pings.iter_mut().for_each(|ping| replace(&mut ping.result, unavailable));
    probes
}

fn ping_time(options: PingOptions) -> Duration {
    Duration::from_millis(u64::from(options.count) * options.interval_ms + options.wait_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Namespaced;

    fn ended<T>(code: i32) -> Probe<T> {
        Probe::Output(ExecOutput { command: vec!["x".into()], end: ExecEnd::Exited(code), stdout: String::new(), stderr: String::new() })
    }

    fn request(asks: Asks) -> ProbeRequest {
        let pings = vec!["10.0.0.1".parse().unwrap()];
        ProbeRequest { pod: Namespaced::new("ns", "p"), container: "c".into(), asks, pings, ping: PingOptions::default(), debug_image: None }
    }

    fn probes(ip: i32, ping: i32) -> PodProbes {
        let pings = vec![Pinged { destination: "10.0.0.1".parse().unwrap(), packet_bytes: None, result: ended(ping) }];
        let (pod, container) = (Namespaced::new("ns", "p"), "c".to_owned());
        PodProbes { pod, container, links: ended(ip), routes: ended(ip), routes_v6: ended(ip), pings, resolver: None, traces: None, counters: None }
    }

    #[test]
    fn an_image_lacks_what_cannot_be_run() {
        assert!(!lacks_programs(&probes(0, 0)) && !lacks_programs(&probes(1, 1)), "a program that complains is there");
        assert!(lacks_programs(&probes(127, 0)) && lacks_programs(&probes(0, 127)) && lacks_programs(&probes(126, 0)));
        let forbidden = Unavailable { kind: UnavailableKind::Forbidden, reason: "create pods/exec".into() };
        let asks = Asks { resolver: true, traces: true, ..Asks::default() };
        let unseen = PodProbes::unavailable(&request(asks), &forbidden);
        assert!(unseen.resolver.is_some() && unseen.traces.is_some() && unseen.counters.is_none(), "what was asked is unknown: {unseen:?}");
        assert!(!lacks_programs(&unseen), "what cannot be asked is not said to lack anything");
    }

    #[test]
    fn only_what_could_not_be_run_becomes_unknown() {
        let forbidden = Unavailable { kind: UnavailableKind::Forbidden, reason: "patch pods/ephemeralcontainers".into() };
        let seen = refused(probes(0, 127), &forbidden);
        assert_eq!((&seen.links, &seen.routes, &seen.pings[0].result), (&ended(0), &ended(0), &Probe::Unavailable(forbidden.clone())));
        let seen = refused(probes(127, 1), &forbidden);
        assert_eq!((&seen.links, &seen.routes_v6), (&Probe::Unavailable(forbidden.clone()), &Probe::Unavailable(forbidden)));
        assert_eq!(seen.pings[0].result, ended(1));
    }
}
