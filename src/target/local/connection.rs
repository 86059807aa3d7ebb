use std::{io, path::Path};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::{
    engine::{
        protocol::{Hello, Reply, Request, VERSION, to_line},
        socket_path,
    },
    model::{Failure, IntoFailure, Outcome, Result, Sink},
    runtime_dir,
};

/// A conversation with the engine.
pub(super) struct Connection {
    reader: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
    /// Who answers.
    pub(super) hello: Hello,
}

/// What an attempt to connect came to.
enum Opened {
    Answers(Box<Connection>),
    Absent,
    Restarts,
}

impl Connection {
    /// Connects to the engine of the directory; `None` where nobody answers. That the directory is closed to us is an error:
    /// another user's engine may be in it.
    pub(super) async fn open(dir: &Path) -> Result<Option<Self>> {
        loop {
            match Self::try_open(dir).await? {
                Opened::Answers(connection) => return Ok(Some(*connection)),
                Opened::Absent => return Ok(None),
                // The next manager answers on the same socket.
                Opened::Restarts => {}
            }
        }
    }

    async fn try_open(dir: &Path) -> Result<Opened> {
        let path = socket_path(dir)?;
        if !runtime_dir::holds(&path)? {
            return Ok(Opened::Absent);
        }
        runtime_dir::check(dir)?;
        let stream = match UnixStream::connect(&path).await {
            Ok(stream) => stream,
            // The socket of an engine that was killed, or one that goes just now.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => return Ok(Opened::Absent),
            Err(error) => return Err(error).or_fail(Outcome::CannotTell, format!("cannot reach the engine at {}", path.display())),
        };
        let (reader, writer) = stream.into_split();
        let nobody = Hello { version: String::new(), pid: 0, instances: Vec::new() };
        let mut connection = Self { reader: BufReader::new(reader).lines(), writer, hello: nobody };
        let greeting = Request::Hello { version: VERSION.to_owned() };
        match connection.ask(&greeting, &Sink::none()).await? {
            Some(Reply::Hello(hello)) => Ok(Opened::Answers(Box::new(Self { hello, ..connection }))),
            // It ends just now; its going is waited for, so that what follows does not meet it again.
            Some(Reply::Ending) => {
                connection.closed().await;
                Ok(Opened::Absent)
            }
            // Its manager ends just now, or was killed. Where the supervisor was, the socket refuses the next try.
            Some(Reply::Restarting) | None => {
                connection.closed().await;
                Ok(Opened::Restarts)
            }
            Some(reply) => Err(unexpected(&reply)),
        }
    }

    /// Sees that the engine speaks as we do.
    pub(super) fn same_version(self) -> Result<Self> {
        if self.hello.version == VERSION {
            return Ok(self);
        }
        let Hello { version, pid, instances } = &self.hello;
        let message = format!("the engine on this machine (process {pid}) is of version {version}, and this is nsmctl {VERSION}");
        let hint = format!("use nsmctl {version}, or clean up what it holds ({}) with `nsmctl cleanup` and deploy again", instances.join(", "));
        Err(Failure::cannot_tell(message).hint(hint))
    }

    /// Asks, passes on what happens in the meantime and returns the answer; `None` where the engine goes without one.
    pub(super) async fn ask(&mut self, request: &Request, events: &Sink) -> Result<Option<Reply>> {
        let line = to_line(request).or_fail(Outcome::Defect, "cannot write a request to the engine")?;
        if self.writer.write_all(&line).await.is_err() {
            return Ok(None);
        }
        while let Ok(Some(line)) = self.reader.next_line().await {
            match serde_json::from_str(&line).or_fail(Outcome::CannotTell, "cannot read the engine's answer")? {
                Reply::Event(event) => events.emit(event),
                Reply::Refused(refusal) => return Err(refusal.into()),
                reply => return Ok(Some(reply)),
            }
        }
        Ok(None)
    }

    /// Waits until the engine is gone.
    pub(super) async fn closed(mut self) {
        while let Ok(Some(_)) = self.reader.next_line().await {}
    }
}

/// The engine answered something else.
pub(super) fn unexpected(reply: &Reply) -> Failure {
    Failure::msg(Outcome::Defect, format!("the engine gave an answer that does not fit the question: {reply:?}"))
}
