use std::{fs, io, path::Path, time::Duration};

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

use super::{Local, Reply, Request, unexpected};
use crate::{
    engine::protocol::LOG,
    model::{LogLine, LogRange, LogSource, LogTail, Mark, Namespaced, News, Result, Unavailable, UnavailableKind},
    target::{Ctx, Follow},
};

/// How often is asked for what was logged: the engine tells nobody by itself, and answers in less than a millisecond.
const POLL: Duration = Duration::from_millis(250);
/// The characters of a stamp such as `Jan  2 15:04:05.000`.
const STAMP: usize = 19;
/// The role of the engine itself.
const ENGINE: &str = "engine";

/// The engine's own log, which has its last words in it.
pub(in crate::target) fn engine_source() -> LogSource {
    LogSource { role: ENGINE, pod: Namespaced::new("", "log"), container: ENGINE.to_owned(), node: None }
}

impl Local {
    /// The logs as they are.
    pub(in crate::target) async fn read_logs(
        &self,
        ctx: &Ctx,
        sources: &[LogSource],
        range: LogRange,
    ) -> Result<Vec<Result<Vec<LogLine>, Unavailable>>> {
        let tails = self.log_tails(ctx).await?.unwrap_or_default();
        let now = Timestamp::now();
        let since = range.since.and_then(|since| SignedDuration::try_from(since).ok());
        let from = since.and_then(|since| now.checked_sub(since).ok());
        let log = |(index, source): (usize, &LogSource)| {
            let mut lines = read(self.dir(), &tails, index, source, now)?;
            lines.retain(|line| line.time >= from);
            let tail = range.tail.and_then(|tail| usize::try_from(tail).ok()).unwrap_or(usize::MAX);
            lines.drain(..lines.len().saturating_sub(tail));
            Ok(lines)
        };
        Ok(sources.iter().enumerate().map(log).collect())
    }

    /// Asks again and again, until the engine has ended.
    pub(in crate::target) async fn follow_logs(&self, ctx: &Ctx, sources: &[LogSource], follow: Follow) -> Result<()> {
        let Follow { marks, news, .. } = follow;
        let mut marks: Vec<Mark> = marks.into_iter().map(Result::unwrap_or_default).collect();
        // The engine's own lines have no stamps: what is there already is told by how many there are.
        let mut known = read(self.dir(), &[], 0, &engine_source(), Timestamp::now()).map_or(0, |lines| lines.len());
        let mut gone = vec![false; sources.len()];
        loop {
            tokio::time::sleep(POLL).await;
            let (Some(tails), Some(status)) = (self.log_tails(ctx).await?, self.status(ctx).await?) else {
                // Nobody may listen any more.
                let _ = news.send(News::Ended(0, "the engine of this machine has ended".to_owned())).await;
                return Ok(());
            };
            let now = Timestamp::now();
            for (index, source) in sources.iter().enumerate() {
                let lines = read(self.dir(), &tails, index, source, now).unwrap_or_default();
                let mut told: Vec<News> = if source.role == ENGINE {
                    let new: Vec<LogLine> = lines.into_iter().skip(known).collect();
                    known += new.len();
                    new.into_iter().map(|line| News::Line(LogLine { time: Some(now), ..line })).collect()
                } else {
                    marks[index].read_again();
                    lines.into_iter().filter(|line| marks[index].takes(line.time)).map(News::Line).collect()
                };
                let is_gone = source.role != ENGINE && !status.namespaces.iter().any(|(pod, _)| *pod == source.pod);
                if is_gone && !gone[index] {
                    told.push(News::Ended(index, format!("pod {} was deleted", source.pod)));
                }
                gone[index] = is_gone;
                for told in told {
                    if news.send(told).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// What the pods have logged; `None` where no engine runs.
    async fn log_tails(&self, ctx: &Ctx) -> Result<Option<Vec<LogTail>>> {
        match self.ask(ctx, "reading the logs", &Request::Logs).await? {
            Some(Reply::Logs(tails)) => Ok(Some(tails)),
            Some(reply) => Err(unexpected(&reply)),
            None => Ok(None),
        }
    }
}

/// A source's lines. Of most containers there are none: nothing runs in a pod on this machine but what the engine does there.
fn read(dir: &Path, tails: &[LogTail], index: usize, source: &LogSource, now: Timestamp) -> Result<Vec<LogLine>, Unavailable> {
    let lines = if source.role == ENGINE {
        own_lines(&dir.join(LOG)).map_err(|error| Unavailable { kind: UnavailableKind::Transport, reason: error.to_string() })?
    } else {
        let tail = tails.iter().find(|tail| tail.pod == source.pod && tail.container == source.container);
        tail.map_or_else(|| Ok(Vec::new()), |tail| tail.lines.clone())?
    };
    let line = |text: String| LogLine { time: time_of(&text, now), source: index, text };
    Ok(lines.into_iter().map(line).collect())
}

fn own_lines(path: &Path) -> io::Result<Vec<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The time at the beginning of a line, in the form of NSM's logs, which leaves out the year: it is the last that there was.
fn time_of(line: &str, now: Timestamp) -> Option<Timestamp> {
    let stamp = line.get(..STAMP)?;
    let in_year = |year: i16| {
        let time = DateTime::strptime("%Y %b %e %H:%M:%S%.f", format!("{year} {stamp}")).ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    let year = now.to_zoned(TimeZone::UTC).year();
    in_year(year).filter(|time| *time <= now).or_else(|| in_year(year - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_is_the_last_that_there_was() {
        let now: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        let time = |line: &str| time_of(line, now).map(|time| time.to_string());
        assert_eq!(time("Jan  1 23:59:59.123 [INFO] x").as_deref(), Some("2026-01-01T23:59:59.123Z"));
        assert_eq!(time("Dec 31 23:59:59.123 [INFO] x").as_deref(), Some("2025-12-31T23:59:59.123Z"));
        assert_eq!(time("thread 'main' panicked at x"), None);
        assert_eq!(time("x"), None);
    }
}
