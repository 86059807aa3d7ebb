//! A cluster with one program in it: what `exec` is answered, frame by frame (kubernetes: remotecommand, v5.channel.k8s.io).

use std::sync::{Arc, Mutex};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
        http::HeaderValue,
    },
};

/// A frame of the server: its channel, then the bytes.
#[derive(Clone)]
pub(crate) struct Frame(Vec<u8>);

impl Frame {
    fn new(channel: u8, bytes: &[u8]) -> Self {
        Self([&[channel], bytes].concat())
    }

    pub(crate) fn out(bytes: &[u8]) -> Self {
        Self::new(1, bytes)
    }

    pub(crate) fn err(bytes: &[u8]) -> Self {
        Self::new(2, bytes)
    }

    pub(crate) fn status(status: &Value) -> Self {
        Self::new(3, status.to_string().as_bytes())
    }
}

/// How a program's exit code is told.
pub(crate) fn exit_code(code: u8) -> Value {
    let details = json!({"causes": [{"reason": "ExitCode", "message": code.to_string()}]});
    json!({"status": "Failure", "reason": "NonZeroExitCode", "message": format!("command terminated with exit code {code}"), "details": details})
}

/// What the program answers to all that it is given to read.
type Answer = dyn Fn(&[u8]) -> Vec<Frame> + Send + Sync;

/// The server; it ends with the test.
pub(crate) struct Attached {
    url: String,
    asked: Arc<Mutex<String>>,
    _alive: oneshot::Sender<()>,
}

impl Attached {
    /// A server whose every namespace has these pods.
    pub(crate) fn new(pods: &Value, answer: impl Fn(&[u8]) -> Vec<Frame> + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(String::new()));
        let (pods, answer, seen): (_, Arc<Answer>, _) = (pods.clone(), Arc::new(answer), asked.clone());
        let (alive, ended) = oneshot::channel::<()>();
        let serve = async move {
            listener.set_nonblocking(true).expect("a socket");
            let listener = TcpListener::from_std(listener).expect("a socket");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, pods.clone(), Arc::clone(&answer), seen.clone()));
            }
        };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    () = serve => {}
                    _ = ended => {}
                }
            });
        });
        Self { url, asked, _alive: alive }
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// The path of the request for a program.
    pub(crate) fn asked(&self) -> String {
        self.asked.lock().expect("a path").clone()
    }
}

async fn serve(mut stream: TcpStream, pods: Value, answer: Arc<Answer>, seen: Arc<Mutex<String>>) {
    let mut head = vec![0; 16 * 1024];
    loop {
        let count = stream.peek(&mut head).await.unwrap_or(0);
        let text = String::from_utf8_lossy(&head[..count]).into_owned();
        if count == 0 {
            return;
        }
        let Some(end) = text.find("\r\n\r\n") else {
            tokio::task::yield_now().await;
            continue;
        };
        let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
        if path.contains("/portforward?") {
            seen.lock().expect("a path").clone_from(&path);
            return forward(stream, &path, &*answer).await;
        }
        if path.contains("/exec?") {
            seen.lock().expect("a path").clone_from(&path);
            return run(stream, &path, &*answer).await;
        }
        // Every other question here is a GET without a body.
        stream.read_exact(&mut head[..end + 4]).await.expect("what was seen");
        let body = match path.split('?').next().unwrap_or_default() {
            "/version" => json!({
                "major": "1", "minor": "34", "gitVersion": "v1.34.1", "gitCommit": "", "gitTreeState": "", "buildDate": "", "goVersion": "",
                "compiler": "", "platform": ""
            }),
            path if path.ends_with("/pods") => pods.clone(),
            _ => json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []}),
        };
        let body = body.to_string();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.expect("an answer");
    }
}

/// A port of a pod (kubernetes: portforward over websockets): each channel begins with the port, then what is read up to the end of
/// an HTTP request's head is answered on the first channel.
#[allow(clippy::result_large_err, reason = "the handshake's own type")]
async fn forward(stream: TcpStream, path: &str, answer: &Answer) {
    let protocol = |_: &Request, mut response: Response| {
        response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("v4.channel.k8s.io"));
        Ok(response)
    };
    let port: u16 = path.rsplit_once("ports=").and_then(|(_, port)| port.parse().ok()).expect("a port");
    let (mut to, mut from) = accept_hdr_async(stream, protocol).await.expect("a handshake").split();
    for channel in [0, 1] {
        to.send(Message::binary([&[channel], &port.to_le_bytes()[..]].concat())).await.expect("a reader");
    }
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        match from.next().await {
            Some(Ok(Message::Binary(frame))) if frame.first() == Some(&0) => read.extend_from_slice(&frame[1..]),
            Some(Ok(_)) => {}
            _ => return,
        }
    }
    for Frame(bytes) in answer(&read) {
        if to.send(Message::binary([&[0], &bytes[1..]].concat())).await.is_err() {
            return;
        }
    }
    // The end of the pod's side does not come through a websocket: it stays open until the other side goes.
    while let Some(Ok(_)) = from.next().await {}
}

#[allow(clippy::result_large_err, reason = "the handshake's own type")]
async fn run(stream: TcpStream, path: &str, answer: &Answer) {
    let protocol = |_: &Request, mut response: Response| {
        response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("v5.channel.k8s.io"));
        Ok(response)
    };
    let socket = accept_hdr_async(stream, protocol).await.expect("a handshake");
    let (mut to, mut from) = socket.split();
    let mut read = Vec::new();
    if path.contains("command=flood") {
        for _ in 0..2048 {
            to.send(Message::binary([&[1], [b'x'; 1 << 15].as_slice()].concat())).await.expect("a reader");
        }
    }
    // Standard input is over when its channel is closed: 255, then the channel.
    while path.contains("stdin=true") {
        match from.next().await {
            Some(Ok(Message::Binary(frame))) if frame.as_ref() == [255, 0] => break,
            // `cat` answers at once, and reads no more until it has.
            Some(Ok(Message::Binary(frame))) if path.contains("command=cat") => {
                if to.send(Message::binary([&[1], &frame[1..]].concat())).await.is_err() {
                    return;
                }
            }
            Some(Ok(Message::Binary(frame))) if frame.first() == Some(&0) => read.extend_from_slice(&frame[1..]),
            Some(Ok(_)) => {}
            _ => return,
        }
    }
    for Frame(bytes) in answer(&read) {
        if to.send(Message::binary(bytes)).await.is_err() {
            return;
        }
    }
    if path.contains("command=break") {
        return;
    }
    let _ = to.close().await;
    // The other side closes too.
    while let Some(Ok(_)) = from.next().await {}
}
