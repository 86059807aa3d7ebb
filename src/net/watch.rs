use std::{io, time::Duration};

use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, netlink::SocketAddrNetlink, recv, socket_with};
use tokio::{io::Interest, net::UnixStream};

use super::{Error, Namespace, Result};

/// Interfaces (RTMGRP_LINK) and addresses of both families (RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR), of linux/rtnetlink.h.
const GROUPS: u32 = 0x1 | 0x10 | 0x100;
/// How long it is waited where the kernel tells nothing any more, so that a watch that is broken takes no core.
const BROKEN: Duration = Duration::from_secs(1);

/// Tells when interfaces or addresses change in a namespace. It costs nothing while nothing changes.
#[derive(Debug)]
pub struct Watch(UnixStream);

impl Watch {
    /// Begins to watch.
    ///
    /// # Errors
    /// No more files may be opened.
    pub async fn begin(namespace: &Namespace) -> Result<Self> {
        let failed = |error: io::Error| Error::new("watch a network namespace", error);
        // A socket stays in the namespace in which it was made.
        let socket = namespace.run(async move |_| {
            // The protocol is NETLINK_ROUTE, whose number is 0.
            let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None);
            let socket = socket.map_err(|error| failed(error.into()))?;
            bind(&socket, &SocketAddrNetlink::new(0, GROUPS)).map_err(|error| failed(error.into()))?;
            Ok(socket)
        });
        // A stream only to the runtime, which knows no netlink: it tells when there is something, and does no more.
        UnixStream::from_std(socket.await?.into()).map(Self).map_err(failed)
    }

    /// Waits until something has changed.
    pub async fn changed(&mut self) {
        let mut buffer = [0; 4096];
        // What it is, is asked of the kernel. Where it could not keep up it says ENOBUFS, which is a change too.
        let read = || match recv(&self.0, &mut buffer, RecvFlags::empty()) {
            Err(error) if io::Error::from(error).kind() == io::ErrorKind::WouldBlock => Err(io::Error::from(error)),
            Err(rustix::io::Errno::NOBUFS) | Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        };
        if self.0.async_io(Interest::READABLE, read).await.is_err() {
            tokio::time::sleep(BROKEN).await;
        }
    }
}
