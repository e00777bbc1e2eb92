//! Raw and packet sockets: opening them, and the options and addresses that socket2 leaves to libc.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::AsRawFd;

use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, SockFilter, Socket, Type};

use crate::observe::IfIndex;

/// Asked of the kernel for every receiving socket; it grants twice as much. It books 0.8 kB for a short advert on a veth, and
/// 2.3 kB with drivers that receive into half pages: room for 10 000 or 3600 frames, so 0.4 or 0.14 s of 25 000 adverts a second.
const RECEIVE_BUFFER_BYTES: libc::c_int = 4 << 20;

/// A packet socket on one interface. It is created with protocol 0, so that nothing arrives before filter and interface
/// are set. `purpose` says in the error what can't be done without it.
pub(super) fn open_packet(
    interface: IfIndex,
    kind: Type,
    protocol: libc::c_int,
    filter: &[SockFilter],
    purpose: &str,
) -> io::Result<Socket> {
    let socket = open(Domain::PACKET, kind, None, purpose)?;
    socket.attach_filter(filter)?;
    raise_receive_buffer(&socket)?;
    socket.bind(&link_address(interface, protocol)).map_err(|error| on_interface(interface, purpose, &error))?;
    Ok(socket)
}

/// An error that says where, and what for.
pub(super) fn on_interface(interface: IfIndex, purpose: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{purpose}: interface index {}: {error}", interface.0))
}

/// A socket that doesn't block, or an error that says which capability is missing and what for.
pub(super) fn open(domain: Domain, kind: Type, protocol: Option<Protocol>, purpose: &str) -> io::Result<Socket> {
    let explain = |error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let message = format!("{purpose}: {error}; the process lacks CAP_NET_RAW, grant it");
            io::Error::new(io::ErrorKind::PermissionDenied, message)
        }
        kind => io::Error::new(kind, format!("{purpose}: {error}")),
    };
    let socket = Socket::new(domain, kind, protocol).map_err(explain)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Raises the receive buffer: past the system's limit where CAP_NET_ADMIN allows it, else up to it.
pub(super) fn raise_receive_buffer(socket: &Socket) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &RECEIVE_BUFFER_BYTES)
        .or_else(|_| set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, &RECEIVE_BUFFER_BYTES))
}

/// The address of an interface: to bind to, with the EtherType to receive, or to send to.
pub(super) fn link_address(interface: IfIndex, protocol: libc::c_int) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll is plain data, valid for any bytes, and is the kind of address that its family says.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (protocol as u16).to_be();
    address.sll_ifindex = index(interface);
    // SAFETY: the storage holds an initialised sockaddr_ll, and the length is its.
    unsafe { SockAddr::new(storage, size_of::<libc::sockaddr_ll>() as libc::socklen_t) }
}

/// An interface's index as the kernel's structures carry it. Too large a one is none: the kernel then says so.
pub(super) fn index(interface: IfIndex) -> libc::c_int {
    libc::c_int::try_from(interface.0).unwrap_or(-1)
}

/// `setsockopt` with a plain value.
pub(super) fn set_option<T: Copy>(socket: &Socket, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer and length are those of a live value, which the kernel only reads.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// How many packets a socket had no room for since it was opened (`SO_MEMINFO`); wraps around.
pub(super) fn dropped(socket: &Socket) -> io::Result<u32> {
    const WORDS: usize = 9;
    const DROPS: usize = 8;
    let mut words = [0u32; WORDS];
    let mut length = size_of::<[u32; WORDS]>() as libc::socklen_t;
    let into = words.as_mut_ptr().cast();
    // SAFETY: the kernel writes at most `length` bytes to the array, and integers may hold any bytes.
    let result =
        unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_MEMINFO, into, &raw mut length) };
    if result == 0 { Ok(words[DROPS]) } else { Err(io::Error::last_os_error()) }
}

/// `PACKET_STATISTICS`: counts since the last call.
pub(super) fn packet_statistics(socket: &Socket) -> io::Result<libc::tpacket_stats> {
    // SAFETY: tpacket_stats is two integers; all zeros is a value of it.
    let mut value: libc::tpacket_stats = unsafe { zeroed() };
    let mut length = size_of::<libc::tpacket_stats>() as libc::socklen_t;
    let (level, name) = (libc::SOL_PACKET, libc::PACKET_STATISTICS);
    // SAFETY: the kernel writes at most `length` bytes to the value, and integers may hold any bytes.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, std::ptr::from_mut(&mut value).cast(), &raw mut length)
    };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::super::capture::Capture;
    use super::super::probe::{Prober, output_blocked};
    use super::super::taps::{IpTap, RawTap};
    use super::super::testing::{drop_capabilities, index_of, with_neighbour};
    use super::*;
    use crate::wire::Family;

    #[test]
    fn without_the_capability_every_error_names_it_and_what_is_lost() {
        fn message<T: Debug>(result: io::Result<T>) -> String {
            let error = result.expect_err("no capability");
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            error.to_string()
        }
        with_neighbour(async |_| {
            let near = index_of("near");
            drop_capabilities();
            let messages = [
                (message(Capture::open(near)), "no adverts can be captured"),
                (message(IpTap::open(near)), "ingress filters"),
                (message(RawTap::open(Family::V6)), "this host's firewall drops"),
                (message(Prober::open()), "probes"),
                (message(output_blocked(near, Family::V4)), "lets adverts out"),
            ];
            for (message, lost) in messages {
                assert!(message.contains("CAP_NET_RAW") && message.contains(lost), "{message}");
            }
        });
    }

    #[test]
    fn without_the_network_capability_the_receive_buffer_is_raised_to_the_systems_limit() {
        let socket = Socket::new(Domain::UNIX, Type::DGRAM, None).expect("a socket");
        let before = socket.recv_buffer_size().expect("an option");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                drop_capabilities();
                raise_receive_buffer(&socket).expect("an unprivileged option");
            });
        });
        assert!(socket.recv_buffer_size().expect("an option") >= before);
    }

    #[test]
    fn an_interface_that_is_not_there_is_named() {
        with_neighbour(async |_| {
            let error = Capture::open(IfIndex(4000)).expect_err("no such interface").to_string();
            assert!(error.contains("interface index 4000") && error.contains("captured"), "{error}");
        });
    }
}
