//! The adverts on the wire, by which the holder is ended at the same moments between two of them whichever daemon it runs.

use std::io;
use std::mem::MaybeUninit;
use std::net::Ipv4Addr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use vipwarden::cli::demo::lab::Node;

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const VRRP: i32 = 112;
/// Longer than any interval that is measured.
const PATIENCE: Duration = Duration::from_secs(10);

/// A listener.
pub struct Adverts {
    socket: Socket,
}

impl Adverts {
    /// Begins to listen on a node.
    pub fn listen(node: &Node) -> Self {
        let own: Ipv4Addr = node.ipv4().parse().expect("an address");
        let open = || -> io::Result<Socket> {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(VRRP)))?;
            socket.join_multicast_v4(&GROUP, &own)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            Ok(socket)
        };
        Self { socket: node.inside(open).expect("the namespace is there").expect("root") }
    }

    /// Waits for the next one.
    pub fn next(&self) {
        let mut room = [MaybeUninit::uninit(); 1];
        self.socket.set_nonblocking(true).expect("a socket");
        while self.socket.recv(&mut room).is_ok() {}
        self.socket.set_nonblocking(false).expect("a socket");
        self.socket.recv(&mut room).expect("somebody advertises");
    }
}
