use std::collections::VecDeque;

use futures::{AsyncBufRead, AsyncBufReadExt};
use kube::{Api, api::LogParams};

use super::{Cluster, error, partial::Pod};
use crate::model::{LogTail, Namespaced, Unavailable, UnavailableKind};

/// How many lines of a log are read: NSM's programs log a few lines a request, each wrapped five deep, and retry every few seconds.
const LINES: usize = 200;
/// How much of one line is kept, in bytes: NSM wraps a cause five deep, and a TRACE log dumps whole messages.
const LINE_BYTES: usize = 16 * 1024;
/// How much of a log is kept, in bytes.
const KEPT_BYTES: usize = 512 * 1024;
/// How much of a log is read at all, in bytes: what the server takes for 200 lines may be anything.
const READ_BYTES: usize = 32 * 1024 * 1024;

/// The end of a log: of however much comes, only this much is kept.
#[derive(Default)]
struct Tail {
    lines: VecDeque<String>,
    kept: usize,
    line: Vec<u8>,
}

impl Tail {
    /// Takes in a part of a line.
    fn add(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES.saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The line is at its end.
    fn end(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        self.kept += line.len();
        self.lines.push_back(line);
        while self.lines.len() > LINES || self.kept > KEPT_BYTES {
            self.kept -= self.lines.pop_front().map_or(0, |line| line.len());
        }
    }

    async fn read(mut self, mut stream: impl AsyncBufRead + Unpin) -> std::io::Result<Vec<String>> {
        let mut read = 0;
        while read < READ_BYTES {
            let chunk = stream.fill_buf().await?;
            if chunk.is_empty() {
                break;
            }
            let length = chunk.len();
            let mut parts = chunk.split(|byte| *byte == b'\n').peekable();
            while let Some(part) = parts.next() {
                self.add(part);
                if parts.peek().is_some() {
                    self.end();
                }
            }
            stream.consume_unpin(length);
            read += length;
        }
        if !self.line.is_empty() {
            self.end();
        }
        Ok(self.lines.into())
    }
}

impl Cluster {
    /// The end of a container's log, as it streams in.
    pub(super) async fn tail(&self, pod: &Namespaced, container: String) -> LogTail {
        let lines = self.tail_lines(pod, &container).await;
        LogTail { pod: pod.clone(), container, lines }
    }

    async fn tail_lines(&self, pod: &Namespaced, container: &str) -> Result<Vec<String>, Unavailable> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
        let tail = i64::try_from(LINES).ok();
        let params = LogParams { container: Some(container.to_owned()), tail_lines: tail, ..LogParams::default() };
        let stream = api.log_stream(&pod.name, &params).await.map_err(|error| error::unavailable(&error))?;
        let broken = |error: std::io::Error| Unavailable { kind: UnavailableKind::Transport, reason: format!("the log broke off: {error}") };
        Tail::default().read(Box::pin(stream)).await.map_err(broken)
    }
}

#[cfg(test)]
mod tests {
    use futures::io::{AsyncReadExt, BufReader, Cursor, repeat};

    use super::*;

    async fn read(bytes: Vec<u8>) -> Vec<String> {
        // A small buffer, so that lines come in parts.
        Tail::default().read(BufReader::with_capacity(7, Cursor::new(bytes))).await.unwrap()
    }

    #[tokio::test]
    async fn the_last_lines_are_kept_whole() {
        assert_eq!(read(b"one\ntwo two two\n\nlast".to_vec()).await, ["one", "two two two", "", "last"]);
        assert_eq!(read(Vec::new()).await, [""; 0]);
        let many: String = (0..1000).map(|number| format!("line {number}\n")).collect();
        let kept = read(many.into_bytes()).await;
        assert_eq!((kept.len(), kept[0].as_str(), kept[199].as_str()), (200, "line 800", "line 999"));
    }

    #[tokio::test]
    async fn an_endless_line_is_cut_and_an_endless_log_is_left() {
        let endless = BufReader::with_capacity(64 * 1024, repeat(b'x').take(100 * 1024 * 1024));
        let kept = Tail::default().read(endless).await.unwrap();
        assert_eq!((kept.len(), kept[0].len()), (1, LINE_BYTES));
        let long: Vec<u8> = (0..300).flat_map(|_| [b"y".repeat(10_000), b"\n".to_vec()].concat()).collect();
        let kept = read(long).await;
        assert!(kept.iter().map(String::len).sum::<usize>() <= KEPT_BYTES && kept.len() > 40, "{}", kept.len());
    }
}
