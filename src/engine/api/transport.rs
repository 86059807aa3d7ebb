//! NSM's connections: gRPC over mTLS over a unix socket, with descriptors beneath the TLS.
//!
//! ```text
//!   h2 frames ──► TLS records ──► bytes ──► sendmsg: one byte with SCM_RIGHTS for each descriptor that waits, then the rest
//!   h2 frames ◄── TLS records ◄── bytes ◄── recvmsg: what comes with them goes into Descriptors
//! ```
//!
//! A descriptor belongs to no byte in particular: it is found by what it is of, its (device, inode).

use std::{
    collections::VecDeque,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, sendmsg};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::UnixStream,
};

use super::descriptors::Descriptors;

/// How many descriptors the kernel hands over with one message at most (`SCM_MAX_FD` of linux/net/scm.h).
const MAX_AT_ONCE: usize = 253;

/// The descriptors that are to go out with the next bytes.
#[derive(Debug, Default, Clone)]
pub(in crate::engine) struct Outgoing(Arc<Mutex<VecDeque<OwnedFd>>>);

impl Outgoing {
    /// Sends a descriptor with what is written next.
    pub(in crate::engine) fn send(&self, descriptor: OwnedFd) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(descriptor);
    }
}

/// A unix socket that passes descriptors along with its bytes.
#[derive(Debug)]
pub(super) struct DescriptorStream {
    stream: UnixStream,
    received: Descriptors,
    outgoing: Outgoing,
}

impl DescriptorStream {
    /// A connection over which nothing has come yet.
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, received: Descriptors::default(), outgoing: Outgoing::default() }
    }

    /// What has come over it.
    pub(super) fn received(&self) -> Descriptors {
        self.received.clone()
    }

    /// What is to go over it.
    pub(super) fn outgoing(&self) -> Outgoing {
        self.outgoing.clone()
    }

    /// Reads bytes, and takes in the descriptors that come with them.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_AT_ONCE))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let message = recvmsg(self.stream.as_fd(), &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                // All of them are taken out first: what is refused must be closed too.
                let descriptors: Vec<OwnedFd> = descriptors.collect();
                descriptors.into_iter().try_for_each(|descriptor| self.received.keep(descriptor))?;
            }
        }
        Ok(message.bytes)
    }

    /// Writes bytes; while a descriptor waits, one of them with it.
    fn transmit(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut waiting = self.outgoing.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(descriptor), Some(first)) = (waiting.front(), bytes.first()) else {
            return Ok(rustix::net::send(self.stream.as_fd(), bytes, SendFlags::NOSIGNAL)?);
        };
        let descriptors = [descriptor.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::Error::other("there is no room for a descriptor"));
        }
        let sent = sendmsg(self.stream.as_fd(), &[IoSlice::new(std::slice::from_ref(first))], &mut control, SendFlags::NOSIGNAL)?;
        // It is the kernel's now.
        waiting.pop_front();
        Ok(sent)
    }
}

impl AsyncRead for DescriptorStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(context))?;
            match self.stream.try_io(Interest::READABLE, || self.receive(buffer.initialize_unfilled())) {
                Ok(read) => {
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for DescriptorStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            match self.stream.try_io(Interest::WRITABLE, || self.transmit(bytes)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::engine::api::descriptors::Inode;

    #[tokio::test]
    async fn each_descriptor_rides_on_one_byte_and_no_byte_is_lost() {
        let (near, far) = UnixStream::pair().unwrap();
        let (mut near, mut far) = (DescriptorStream::new(near), DescriptorStream::new(far));
        let files = [io::pipe().unwrap().0, io::pipe().unwrap().0];
        let inodes = files.each_ref().map(|file| Inode::of(file).unwrap());
        files.into_iter().for_each(|file| near.outgoing().send(file.into()));
        near.write_all(b"hello, world").await.unwrap();
        let mut text = [0; 12];
        far.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"hello, world");
        for inode in inodes {
            assert_eq!(Inode::of(&*far.received().wait(inode).await.unwrap()).unwrap(), inode);
        }
    }

    #[tokio::test]
    async fn whoever_sends_too_many_descriptors_is_cut_off() {
        let (near, far) = UnixStream::pair().unwrap();
        let (mut near, mut far) = (DescriptorStream::new(near), DescriptorStream::new(far));
        for _ in 0..100 {
            near.outgoing().send(io::pipe().unwrap().1.into());
        }
        near.write_all(&[0; 200]).await.unwrap();
        let error = far.read_exact(&mut [0; 200]).await.unwrap_err();
        assert!(error.to_string().contains("descriptors came over one connection"), "{error}");
    }
}
