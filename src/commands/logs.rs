use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    select::{Chosen, choose, pods},
    session::Session,
};
use crate::{
    cli::LogsArgs,
    model::{
        Expectations, Failure, IntoFailure, LogLine, LogRange, LogSource, Mark, News, Outcome, PodState, Result, Unavailable, Window, Workload,
        is_nsm_client, merge,
    },
    report::{LogView, Report, write_lines},
    settings::Settings,
    target::{Ctx, Follow},
};

/// How many lines of each log are shown where nobody says: what happened lately, of half a dozen logs.
const TAIL: u32 = 50;
/// As many where it goes on: to see where one is.
const FOLLOW_TAIL: u32 = 10;
/// How long a line waits for one that was logged before it and comes later: more than the way from two nodes differs by, and
/// nobody notices.
const WAIT: Duration = Duration::from_millis(200);
/// How many lines may wait to be printed before no more are read.
const QUEUE: usize = 1024;

/// Shows what was logged on the way of one connection, and goes on with it where that is asked for.
pub(super) async fn run(arguments: &LogsArgs, settings: &Settings, ctx: &Ctx, report: &mut Report) -> Result<()> {
    report.streamed = true;
    let session = Session::look(settings, ctx, report).await?;
    session.has_workloads()?;
    let pods = pods(&session, ctx).await?;
    let mut sources = way(&session.plan.expectations, &pods, arguments.name.as_deref(), ctx).map_err(|failure| mistaken(failure, arguments))?;
    let nodes: BTreeSet<String> = sources.iter().filter_map(|source| source.node.clone()).collect();
    match session.target.carriers(ctx, &nodes).await? {
        Ok(carriers) => sources.extend(carriers),
        Err(unavailable) => ctx.events.warn(format!("the managers and forwarders cannot be found: {}", unavailable.reason)),
    }
    let range = range(arguments);
    // Of a log of which nothing is to be shown, its last line still tells from where on to follow it.
    let asked = LogRange { tail: range.tail.map(|tail| tail.max(1)), ..range };
    let logs = session.target.logs(ctx, &sources, asked).await?;
    for (source, log) in sources.iter().zip(&logs) {
        log.as_ref().err().inspect(|unavailable| trouble(ctx, source, unavailable));
    }
    let view = LogView::of_stdout(sources, settings.output.format, !arguments.no_prefix);
    let shown = if range.tail == Some(0) { Vec::new() } else { merge(logs.iter().flatten().cloned().collect()) };
    // Who has logged nothing is heard as little as who is not asked.
    if shown.is_empty() && range.tail != Some(0) && logs.iter().any(Result::is_ok) {
        let since = range.since.map(|since| format!(" in the last {since:?}")).unwrap_or_default();
        ctx.events.info(format!("nobody on the way has logged anything{since}"));
    }
    if !print(&view, shown).await? {
        return Ok(());
    }
    if !arguments.follow {
        return read_any(&logs);
    }
    let marks = logs.into_iter().map(|log| log.map(|lines| Mark::behind(&lines))).collect();
    follow(&session, ctx, &view, marks, range.since).await
}

/// Everywhere else `-f` names manifests.
fn mistaken(failure: Failure, arguments: &LogsArgs) -> Failure {
    match arguments.follow && arguments.name.as_ref().is_some_and(|name| Path::new(name).exists()) {
        true => failure.hint("-f is --follow here; name manifests with --manifests"),
        false => failure,
    }
}

fn range(arguments: &LogsArgs) -> LogRange {
    let tail = match (arguments.tail, arguments.since) {
        (Some(tail), _) => Some(tail),
        (None, Some(_)) => None,
        (None, None) => Some(if arguments.follow { FOLLOW_TAIL } else { TAIL }),
    };
    LogRange { tail, since: arguments.since }
}

/// The containers of the client and its endpoints. An endpoint that is named stands for its first client and itself.
fn way(expectations: &Expectations, pods: &[PodState], name: Option<&str>, ctx: &Ctx) -> Result<Vec<LogSource>> {
    let chosen = choose(expectations, pods, name)?;
    if chosen.among > 1 {
        ctx.events.info(format!("of the {} pods of {} this is {}; name another to see it", chosen.among, chosen.workload, chosen.pod.id.name));
    }
    if !chosen.workload.is_client() {
        let served = expectations.connections.iter().find(|connection| connection.candidates.contains(&chosen.workload.id));
        let client = served.and_then(|connection| choose(expectations, pods, Some(&connection.client.name)).ok());
        let client = client.map(|client| containers("client", client)).unwrap_or_default();
        return Ok([client, containers("endpoint", chosen)].concat());
    }
    let connections = expectations.connections.iter().filter(|connection| connection.client == chosen.workload.id);
    // Of several that offer the service, it may be any.
    let endpoints: BTreeSet<_> = connections.flat_map(|connection| connection.candidates.iter()).collect();
    let endpoints = endpoints.into_iter().filter_map(|id| expectations.workload(id)).filter(|workload| workload.id != chosen.workload.id);
    let own = |workload: &Workload| -> Vec<LogSource> {
        let own = pods.iter().filter(|pod| workload.owns(pod) && !pod.deleting);
        own.flat_map(|pod| containers("endpoint", Chosen { workload, pod, among: 1 })).collect()
    };
    Ok(containers("client", chosen).into_iter().chain(endpoints.flat_map(own)).collect())
}

/// The containers of a pod that take part: the workload's own, and those that NSM has put beside it.
fn containers(role: &'static str, Chosen { workload, pod, .. }: Chosen<'_>) -> Vec<LogSource> {
    let concerned = |name: &String| *name == workload.container || is_nsm_client(name);
    let names = pod.containers.iter().chain(&pod.init_containers).map(|container| container.name.clone()).filter(concerned);
    names.map(|container| LogSource { role, pod: pod.id.clone(), container, node: pod.node.clone() }).collect()
}

fn trouble(ctx: &Ctx, source: &LogSource, unavailable: &Unavailable) {
    ctx.events.warn(format!("no log of {source}: {}", unavailable.reason));
}

/// What could not be read at all is not nothing.
fn read_any(logs: &[Result<Vec<LogLine>, Unavailable>]) -> Result<()> {
    match logs.iter().any(Result::is_ok) {
        true => Ok(()),
        false => Err(Failure::cannot_tell("no log could be read").hint("`nsmctl troubleshoot` says more")),
    }
}

/// Prints lines without keeping signals waiting, however slow their reader; `false` where there is none any more.
async fn print(view: &LogView, lines: Vec<LogLine>) -> Result<bool> {
    if lines.is_empty() {
        return Ok(true);
    }
    let text = view.render(&lines);
    let written = tokio::task::spawn_blocking(move || write_lines(&text)).await.or_fail(Outcome::Defect, "cannot print")?;
    written.or_fail(Outcome::Failed, "cannot write the logs to standard output")
}

async fn follow(session: &Session, ctx: &Ctx, view: &LogView, marks: Vec<Result<Mark, Unavailable>>, since: Option<Duration>) -> Result<()> {
    let (sender, news) = mpsc::channel(QUEUE);
    let following = async {
        session.target.follow(ctx, &view.sources, Follow { marks, since, news: sender }).await?;
        // The sender is gone with it, and that ends the printing.
        std::future::pending::<Result<()>>().await
    };
    tokio::select! {
        biased;
        stopped = following => stopped,
        printed = ctx.run("following the logs", print_news(ctx, view, news)) => printed,
    }
}

async fn print_news(ctx: &Ctx, view: &LogView, mut news: mpsc::Receiver<News>) -> Result<()> {
    let mut window = Window::new(WAIT);
    let mut said = BTreeSet::new();
    loop {
        let due = window.due();
        let due = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = due => if !print(view, window.take(Instant::now())).await? {
                return Ok(());
            },
            item = news.recv() => match item {
                Some(News::Line(line)) => window.push(Instant::now(), line),
                Some(News::Trouble(source, unavailable)) => trouble(ctx, &view.sources[source], &unavailable),
                // Of a pod that was deleted, each of its containers says so.
                Some(News::Ended(_, why)) => if !why.is_empty() && said.insert(why.clone()) {
                    ctx.events.info(why);
                },
                None => break,
            },
        }
    }
    print(view, window.rest()).await?;
    ctx.events.info("nothing is left to be followed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        cancel::Cancel,
        cli::{Cli, Command},
        manifest::{Customisation, embedded, plan, read},
        model::{Namespaced, Sink, UnavailableKind, WorkloadKind},
    };

    fn pod(name: &str, labels: &Value, containers: &[&str], init: &[&str]) -> PodState {
        let states = |names: &[&str]| -> Vec<Value> {
            names.iter().map(|name| json!({"name": name, "image": "", "ready": true, "running": true, "restarts": 0})).collect()
        };
        serde_json::from_value(json!({
            "id": {"namespace": "ns-kernel2kernel", "name": name}, "labels": labels, "phase": "Running", "ready": true, "deleting": false,
            "node": "n", "init_containers": states(init), "containers": states(containers)
        }))
        .unwrap()
    }

    fn tags(name: Option<&str>) -> Vec<String> {
        tags_of(&plan(&read(&embedded()).unwrap(), &Customisation::default(), "default").unwrap().expectations, name)
    }

    fn tags_of(expectations: &Expectations, name: Option<&str>) -> Vec<String> {
        let pods = [
            pod("alpine", &json!({}), &["alpine", "cmd-nsc", "proxy"], &["cmd-nsc-init", "other-init"]),
            pod("nse-kernel-x", &json!({"app": "nse-kernel", "spiffe.io/spiffe-id": "true"}), &["nse"], &[]),
            pod("stranger", &json!({}), &["x"], &[]),
        ];
        let ctx = Ctx::new(Cancel::default(), Duration::from_secs(1), Sink::none());
        way(expectations, &pods, name, &ctx).unwrap().iter().map(LogSource::tag).collect()
    }

    #[test]
    fn everybody_on_the_way_is_heard_and_nobody_else() {
        let all = ["client alpine/alpine", "client alpine/cmd-nsc", "client alpine/cmd-nsc-init", "endpoint nse-kernel-x/nse"];
        for name in [None, Some("alpine"), Some("nse-kernel"), Some("nse-kernel-x")] {
            assert_eq!(tags(name), all, "{name:?}");
        }
    }

    #[test]
    fn of_several_that_offer_a_service_each_is_heard() {
        let mut expectations = plan(&read(&embedded()).unwrap(), &Customisation::default(), "default").unwrap().expectations;
        let other = expectations.workloads.iter().find(|workload| !workload.is_client()).cloned().unwrap();
        let other = Workload { kind: WorkloadKind::Pod, id: Namespaced::new("ns-kernel2kernel", "stranger"), container: "x".into(), ..other };
        let connection = &mut expectations.connections[0];
        connection.candidates = [connection.candidates.to_vec(), vec![other.id.clone()]].concat().into();
        connection.endpoint = None;
        expectations.workloads.push(other);
        for name in [None, Some("stranger")] {
            assert!(tags_of(&expectations, name).contains(&"endpoint stranger/x".to_owned()), "{:?}", tags_of(&expectations, name));
        }
        assert!(tags_of(&expectations, None).contains(&"endpoint nse-kernel-x/nse".to_owned()));
    }

    #[test]
    fn how_much_is_shown_depends_on_what_is_asked() {
        let range = |arguments: &[&str]| match Cli::try_parse_from([&["nsmctl", "logs"], arguments].concat()).unwrap().command {
            Command::Logs(arguments) => range(&arguments),
            other => panic!("{other:?}"),
        };
        let minute = Some(Duration::from_secs(60));
        assert_eq!(range(&[]), LogRange { tail: Some(50), since: None });
        assert_eq!(range(&["-f"]), LogRange { tail: Some(10), since: None });
        assert_eq!(range(&["--since", "1m"]), LogRange { tail: None, since: minute });
        assert_eq!(range(&["--since", "1m", "--tail", "0"]), LogRange { tail: Some(0), since: minute });
    }

    #[test]
    fn logs_of_which_none_can_be_read_are_no_success() {
        let refused = || Err(Unavailable { kind: UnavailableKind::Forbidden, reason: "no".to_owned() });
        assert!(read_any(&[refused(), Ok(Vec::new())]).is_ok());
        assert_eq!(read_any(&[refused()]).unwrap_err().outcome, Outcome::CannotTell);
    }
}
