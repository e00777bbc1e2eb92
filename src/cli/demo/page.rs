//! The page of a daemon inside the laboratory, served on an address of this host.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use super::daemon;
use super::lab::Node;

/// Forwards every connection to the vipwarden on `node`, for as long as this process lives.
pub fn forward(listener: TcpListener, node: Node) {
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let node = node.clone();
            // One that breaks is its browser's business.
            thread::spawn(move || relay(client, &node));
        }
    });
}

fn relay(mut client: TcpStream, node: &Node) -> io::Result<()> {
    let mut server = daemon::connect(node)?;
    let (mut asked, mut asks) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        io::copy(&mut asked, &mut asks)?;
        asks.shutdown(Shutdown::Write)
    });
    io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Both)
}
