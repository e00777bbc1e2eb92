//! Where the daemon listens: addresses as people write them, and sockets of both families.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

const BACKLOG: i32 = 128;

/// Reads `[::]:10112`, `127.0.0.1:10112`, or `:10112` for all addresses of both families.
///
/// # Errors
/// It is none of these.
pub fn parse(text: &str) -> Result<SocketAddr, String> {
    let full = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
    full.parse().map_err(|_| "want an address with a port, like [::]:10112, 127.0.0.1:10112 or :10112".to_owned())
}

/// Listens on `address`; on `[::]` for IPv4 too, whatever `net.ipv6.bindv6only` says. Needs a tokio runtime.
///
/// # Errors
/// In words: the address, what the kernel says, and what to do.
pub fn bind(address: &SocketAddr) -> Result<TcpListener, String> {
    let without_ipv6 =
        |error: &io::Error| error.raw_os_error() == Some(libc::EAFNOSUPPORT) && address.ip() == Ipv6Addr::UNSPECIFIED;
    match open(address) {
        Err(error) if without_ipv6(&error) => open(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()))),
        opened => opened,
    }
    .map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "another process has the port (`ss -ltnp 'sport = :{}'` names it): stop it, or choose another with --listen or [web] listen",
                address.port()
            ),
            io::ErrorKind::AddrNotAvailable => "this host has no such address: see `ip address`".into(),
            io::ErrorKind::PermissionDenied => "choose a port above 1023 with --listen or [web] listen".into(),
            _ => "choose another with --listen or [web] listen".into(),
        };
        format!("can't listen on {address}: {error}; {remedy}")
    })
}

fn open(address: &SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(*address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&(*address).into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_host_means_all_of_both_families() {
        assert_eq!(parse(":9"), parse("[::]:9"));
        assert_eq!(parse("127.0.0.1:9"), Ok(SocketAddr::from(([127, 0, 0, 1], 9))));
        assert!(parse("10112").is_err());
        assert!(parse("localhost:9").is_err());
    }

    #[tokio::test]
    async fn a_listener_on_all_addresses_takes_both_families() {
        let listener = bind(&parse(":0").expect("an address")).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        for host in ["127.0.0.1", "::1"] {
            let connected = tokio::net::TcpStream::connect((host, port)).await;
            assert!(connected.is_ok(), "{host}: {connected:?}");
        }
    }

    #[tokio::test]
    async fn a_port_in_use_is_named_with_what_to_do() {
        let first = bind(&parse("127.0.0.1:0").expect("an address")).expect("a free port");
        let taken = first.local_addr().expect("it is bound");
        let error = bind(&taken).expect_err("the port is taken");
        assert!(error.contains(&taken.to_string()) && error.contains("--listen"), "{error}");
    }
}
