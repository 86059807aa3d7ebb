//! Messages and descriptors between two processes: one JSON document a packet, with at most one descriptor.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags,
    SocketType, recvmsg, sendmsg, socketpair,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{io::Interest, net::UnixStream};

/// The longest packet, in bytes: what a socket of this kind takes by default (`net.core.wmem_default`).
const LONGEST: usize = 208 * 1024;

/// The two ends of a channel; what is sent is never cut or joined.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// One end, to send and to receive by. Must be called on a runtime.
pub(super) fn open(end: OwnedFd) -> io::Result<(Sender, Receiver)> {
    let end = std::os::unix::net::UnixStream::from(end);
    end.set_nonblocking(true)?;
    // A stream only to the runtime, which knows no sockets of packets: it tells when there is something, and does no more.
    let end = Arc::new(UnixStream::from_std(end)?);
    Ok((Sender(Arc::clone(&end)), Receiver { end, buffer: vec![0; LONGEST] }))
}

/// Sends messages.
#[derive(Debug)]
pub(super) struct Sender(Arc<UnixStream>);

impl Sender {
    /// Sends a message, with a descriptor where there is one.
    ///
    /// # Errors
    /// The other end is gone, or the message is too long.
    pub(super) async fn send(&self, message: &impl Serialize, descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let bytes = serde_json::to_vec(message)?;
        let descriptors: Vec<BorrowedFd<'_>> = descriptor.into_iter().collect();
        let send = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !descriptors.is_empty() {
                control.push(SendAncillaryMessage::ScmRights(&descriptors));
            }
            Ok(sendmsg(self.0.as_fd(), &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?)
        };
        self.0.async_io(Interest::WRITABLE, send).await.map(drop)
    }
}

/// Receives messages.
#[derive(Debug)]
pub(super) struct Receiver {
    end: Arc<UnixStream>,
    buffer: Vec<u8>,
}

impl Receiver {
    /// The next message and its descriptor; `None` where the other end is gone.
    ///
    /// # Errors
    /// What came is no message.
    pub(super) async fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<(T, Option<OwnedFd>)>> {
        let buffer = &mut self.buffer;
        let receive = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let received = recvmsg(self.end.as_fd(), &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
            let descriptor = control.drain().find_map(|message| match message {
                RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
                _ => None,
            });
            Ok((received.bytes, descriptor))
        };
        match self.end.async_io(Interest::READABLE, receive).await {
            Ok((0, _)) => Ok(None),
            Ok((bytes, descriptor)) => Ok(Some((serde_json::from_slice(&self.buffer[..bytes])?, descriptor))),
            // It was killed with something still unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Read};

    use super::*;

    #[tokio::test]
    async fn messages_and_descriptors_arrive_whole_and_in_order() {
        let (near, far) = pair().unwrap();
        let (sender, _keep) = open(near).unwrap();
        let (_, mut receiver) = open(far).unwrap();
        let long = "x".repeat(100_000);
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, b"inside").unwrap();
        sender.send(&long, None).await.unwrap();
        sender.send(&"with", Some(file.as_fd())).await.unwrap();
        let (first, none) = receiver.receive::<String>().await.unwrap().unwrap();
        assert!(first == long && none.is_none());
        let (second, descriptor) = receiver.receive::<String>().await.unwrap().unwrap();
        let mut text = String::new();
        let mut passed = File::from(descriptor.unwrap());
        io::Seek::rewind(&mut passed).unwrap();
        passed.read_to_string(&mut text).unwrap();
        assert_eq!((second.as_str(), text.as_str()), ("with", "inside"));
        assert!(sender.send(&"y".repeat(10 * LONGEST), None).await.is_err(), "what is too long is refused, not cut");
    }

    #[tokio::test]
    async fn the_end_of_the_other_side_is_told() {
        let (near, far) = pair().unwrap();
        let (_, mut receiver) = open(near).unwrap();
        drop(far);
        assert!(receiver.receive::<String>().await.unwrap().is_none());
    }
}
