//! The engine's metrics by HTTP, on the loopback interface only: what `curl localhost:9090/metrics` gets.
//!
//! Of a request one line counts, so that it is read here, within bounds: nobody can make the engine wait, or fill its memory.
//!
//! # Decisions
//!
//! - **The engine's exporter reads one line.** It listens on the loopback interface only, on the first free port from 9090 on, and that none is
//!   free stops nothing. Of an HTTP request it reads the first line within 8 KiB and 5 seconds, sixteen at a time, so that it needs no server of
//!   a library; scraping a pod asks by HTTP/1.0, which has no chunks, over the port forward's stream.

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

use crate::prometheus::CONTENT_TYPE;

/// The port that Prometheus' own documents use.
const PORT: u16 = 9090;
/// How many ports from there on are tried before any that is free is taken.
const TRIED: u16 = 10;
/// The longest head of a request, in bytes: as long as most servers take.
const MAX_HEAD: usize = 8 * 1024;
/// How long a request and its answer may take together.
const LIMIT: Duration = Duration::from_secs(5);
/// How many are answered at once.
const AT_ONCE: usize = 16;
/// The pause after a connection could not be accepted, for want of descriptors: it will not be better at once.
const PAUSE: Duration = Duration::from_millis(200);

/// Says what there is, as Prometheus' text.
pub(super) type Tell = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Option<String>> + Send>> + Send + Sync>;

/// A listener on the first port that is free; `None` where there is none, which stops nothing.
pub(super) async fn bind() -> Option<(TcpListener, SocketAddr)> {
    for port in (PORT..PORT + TRIED).chain([0]) {
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            let address = listener.local_addr().ok()?;
            return Some((listener, address));
        }
    }
    None
}

/// Answers for as long as the engine lives.
pub(super) async fn serve(listener: TcpListener, tell: Tell) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        // Who comes while all places are taken is hung up on.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let tell = Arc::clone(&tell);
        tokio::spawn(async move {
            // Who takes longer has lost interest.
            let _ = timeout(LIMIT, answer(stream, &tell)).await;
            drop(place);
        });
    }
}

async fn answer(mut stream: TcpStream, tell: &Tell) -> io::Result<()> {
    let (status, body) = match head(&mut stream).await? {
        None => ("431 Request Header Fields Too Large", "the request is too long\n".to_owned()),
        Some(head) => match target(&head) {
            Err(status) => (status, "nsmctl's engine takes GET /metrics\n".to_owned()),
            Ok("/metrics") => match tell().await {
                Some(text) => ("200 OK", text),
                None => ("503 Service Unavailable", "the engine ends just now\n".to_owned()),
            },
            Ok(_) => ("404 Not Found", "the metrics of nsmctl's engine are at /metrics\n".to_owned()),
        },
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// The head of a request, up to its empty line; `None` where it is too long.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let count = stream.read(&mut piece).await?;
        bytes.extend_from_slice(&piece[..count]);
        if bytes.windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(Some(String::from_utf8_lossy(&bytes).into_owned()));
        }
        match count {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if bytes.len() > MAX_HEAD => return Ok(None),
            _ => {}
        }
    }
}

/// What is asked for: the path without a query.
fn target(head: &str) -> Result<&str, &'static str> {
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some("GET"), Some(target), Some(version), None) if version.starts_with("HTTP/1.") => Ok(target.split('?').next().unwrap_or(target)),
        (Some(method), Some(_), Some(version), None) if version.starts_with("HTTP/") && !method.is_empty() => Err("405 Method Not Allowed"),
        _ => Err("400 Bad Request"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_get_is_answered() {
        assert_eq!(target("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"), Ok("/metrics"));
        assert_eq!(target("GET /metrics?x=1 HTTP/1.0\r\n\r\n"), Ok("/metrics"));
        assert_eq!(target("POST /metrics HTTP/1.1\r\n\r\n"), Err("405 Method Not Allowed"));
        for wrong in ["", "GET", "GET /metrics", "\0\0\0 x y", "GET /a b HTTP/1.1", "GET /metrics SMTP/1.1"] {
            assert_eq!(target(wrong), Err("400 Bad Request"), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn a_head_is_read_within_bounds() {
        let read = async |text: &[u8]| head(&mut &*text.to_vec()).await;
        assert_eq!(read(b"GET / HTTP/1.1\r\n\r\nbody").await.unwrap().as_deref(), Some("GET / HTTP/1.1\r\n\r\nbody"));
        assert_eq!(read(&[b'x'; 3 * MAX_HEAD]).await.unwrap(), None);
        assert!(read(b"GET / HTTP/1.1\r\n").await.is_err(), "it breaks off");
    }
}
