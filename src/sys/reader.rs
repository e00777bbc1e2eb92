//! Reads datagrams in batches, with what the kernel knows about each: when, where, to whom, behind which VLAN tag.

use std::cell::RefCell;
use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsRawFd;

use futures_util::FutureExt;
use socket2::Socket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{clock, socket};
use crate::observe::{IfIndex, PacketKind};
use crate::time::Instant;

/// An error wakes too: an interface that went down leaves nothing to read but that.
const INTEREST: Interest = Interest::READABLE.add(Interest::ERROR);
/// Datagrams read by one system call.
const BATCH: usize = 64;
/// Room for the control messages of one datagram: a timestamp (32 bytes) and auxiliary data or packet info (40).
const CONTROL_BYTES: usize = 128;

/// One datagram. What a socket's kind doesn't tell is `None`, or `Unknown`.
pub(super) struct Packet<'a> {
    pub at: Instant,
    pub interface: Option<IfIndex>,
    pub kind: PacketKind,
    /// The VLAN that the kernel stripped; never 0.
    pub vlan: Option<u16>,
    /// Source address, of a raw IPv6 socket.
    pub source: Option<IpAddr>,
    pub bytes: &'a [u8],
}

/// A socket, registered with the runtime, and buffers for a batch of datagrams.
#[derive(Debug)]
pub(super) struct Reader {
    socket: AsyncFd<Socket>,
    room: RefCell<Room>,
    snap: usize,
}

/// In a cell, so that one task can drain the socket while another waits for it.
#[derive(Debug)]
struct Room {
    buffers: Box<[u8]>,
    beside: Box<[Beside; BATCH]>,
    /// When the socket was last known to be empty. What is read later arrived later, whatever a stepped wall clock makes
    /// of its timestamp.
    empty_at: Instant,
    /// How many datagrams found no room so far.
    dropped: u32,
}

impl Reader {
    /// Takes a socket that doesn't block, and asks for timestamps. Datagrams are cut to `snap` bytes.
    pub fn new(socket: Socket, snap: usize) -> io::Result<Self> {
        socket::set_option(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1)?;
        // SAFETY: the socket owns its descriptor, and keeps the same one for as long as it lives.
        let socket = unsafe { AsyncFd::register_with_interest(socket, INTEREST) }?;
        let buffers = vec![0; BATCH * snap].into_boxed_slice();
        // SAFETY: plain C data, for which zeros are a value.
        let beside = Box::new(unsafe { zeroed() });
        Ok(Self { socket, room: RefCell::new(Room { buffers, beside, empty_at: clock::now(), dropped: 0 }), snap })
    }

    pub fn socket(&self) -> &Socket {
        self.socket.get_ref()
    }

    pub async fn readable(&self) -> io::Result<()> {
        self.socket.ready(INTEREST).await.map(drop)
    }

    /// True if datagrams found no room since the last call.
    pub fn has_dropped(&self) -> io::Result<bool> {
        let dropped = socket::dropped(self.socket())?;
        Ok(std::mem::replace(&mut self.room.borrow_mut().dropped, dropped) != dropped)
    }

    /// Reads what is there, at most `max` datagrams. True if the socket was drained. `each` must not drain it in turn.
    pub fn drain(&self, max: usize, mut each: impl FnMut(Packet<'_>)) -> io::Result<bool> {
        let Room { buffers, beside, empty_at, .. } = &mut *self.room.borrow_mut();
        // Taken before reading: clearing it forgets only the readiness of datagrams that the reading then finds.
        let ready = self.socket.ready(INTEREST).now_or_never();
        let mut left = max;
        while left > 0 {
            let slots = buffers.chunks_exact_mut(self.snap).take(left);
            match receive(self.socket.get_ref(), slots, beside, *empty_at, &mut each) {
                Ok(received) => left -= received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if let Some(Ok(mut ready)) = ready {
                        ready.clear_ready();
                    }
                    *empty_at = clock::now();
                    return Ok(true);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

/// Room for what the kernel says beside the bytes. Control messages want the alignment of a `usize`.
#[derive(Debug)]
struct Beside {
    control: [usize; CONTROL_BYTES / size_of::<usize>()],
    name: libc::sockaddr_storage,
}

/// One `recvmmsg` into `slots`. Returns how many datagrams there were: at least one, or an error.
fn receive<'a>(
    socket: &Socket,
    slots: impl Iterator<Item = &'a mut [u8]>,
    beside: &mut [Beside; BATCH],
    not_before: Instant,
    each: &mut impl FnMut(Packet<'_>),
) -> io::Result<usize> {
    // SAFETY: both are plain C data, for which zeros are a value: null pointers and lengths of zero.
    let (mut vectors, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) = unsafe { (zeroed(), zeroed()) };
    let mut wanted = 0;
    for (((slot, beside), vector), header) in slots.zip(beside).zip(&mut vectors).zip(&mut headers) {
        *vector = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot.len() };
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
        header.msg_hdr.msg_name = std::ptr::from_mut(&mut beside.name).cast();
        header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        header.msg_hdr.msg_control = beside.control.as_mut_ptr().cast();
        header.msg_hdr.msg_controllen = CONTROL_BYTES as _;
        wanted += 1;
    }
    // SAFETY: the first `wanted` headers point to buffers of the lengths that they state, all of which outlive this function.
    let received = unsafe {
        libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), wanted, libc::MSG_DONTWAIT, std::ptr::null_mut())
    };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    let clocks = clock::Reading::take();
    for header in &headers[..received] {
        // SAFETY: the kernel has filled this header and the buffers behind it.
        let mut packet = unsafe { packet(header, clocks) };
        packet.at = packet.at.max(not_before);
        each(packet);
    }
    Ok(received)
}

/// Reads one header.
///
/// # Safety
/// `recvmmsg` has filled it, and the buffers that it points to are alive for `'a` and not written to.
unsafe fn packet<'a>(header: &'a libc::mmsghdr, clocks: clock::Reading) -> Packet<'a> {
    let message = &header.msg_hdr;
    // SAFETY: the vector points to a slot; the kernel wrote `msg_len` bytes of it, and never more than the slot has.
    let bytes =
        unsafe { std::slice::from_raw_parts((*message.msg_iov).iov_base.cast::<u8>(), header.msg_len as usize) };
    let mut packet =
        Packet { at: clocks.now, interface: None, kind: PacketKind::Unknown, vlan: None, source: None, bytes };
    // SAFETY: the name points to an initialised sockaddr_storage, into which the kernel wrote.
    unsafe { read_name(message.msg_name, &mut packet) };
    // SAFETY: the header is as the kernel left it, so the macros walk only what it wrote.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !next.is_null() {
        // SAFETY: not null, so a control message; its data is of the type that level and type say.
        unsafe { read_control(next, clocks, &mut packet) };
        // SAFETY: as for the first.
        next = unsafe { libc::CMSG_NXTHDR(message, next) };
    }
    packet
}

/// # Safety
/// `name` points to an initialised sockaddr_storage.
unsafe fn read_name(name: *const libc::c_void, packet: &mut Packet<'_>) {
    // SAFETY: every address begins with its family.
    match libc::c_int::from(unsafe { *name.cast::<libc::sa_family_t>() }) {
        libc::AF_PACKET => {
            // SAFETY: the family says so.
            let link = unsafe { &*name.cast::<libc::sockaddr_ll>() };
            packet.interface = interface(link.sll_ifindex);
            packet.kind = PacketKind::from_linux(link.sll_pkttype);
        }
        libc::AF_INET6 => {
            // SAFETY: the family says so.
            let internet = unsafe { &*name.cast::<libc::sockaddr_in6>() };
            packet.source = Some(Ipv6Addr::from(internet.sin6_addr.s6_addr).into());
        }
        _ => {}
    }
}

/// # Safety
/// `control` points to a control message that the kernel wrote.
unsafe fn read_control(control: *const libc::cmsghdr, clocks: clock::Reading, packet: &mut Packet<'_>) {
    // SAFETY: by contract.
    let (level, kind, data) = unsafe { ((*control).cmsg_level, (*control).cmsg_type, libc::CMSG_DATA(control)) };
    match (level, kind) {
        (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
            // SAFETY: the kernel's data for this type; possibly not aligned.
            let ts = unsafe { data.cast::<libc::timespec>().read_unaligned() };
            packet.at = clocks.from_realtime(ts.tv_sec.saturating_mul(1_000_000_000).saturating_add(ts.tv_nsec));
        }
        (libc::SOL_PACKET, libc::PACKET_AUXDATA) => {
            // SAFETY: as above.
            let auxiliary = unsafe { data.cast::<libc::tpacket_auxdata>().read_unaligned() };
            let tagged = auxiliary.tp_status & libc::TP_STATUS_VLAN_VALID != 0;
            packet.vlan = Some(auxiliary.tp_vlan_tci & 0x0fff).filter(|vlan| tagged && *vlan != 0);
        }
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
            // SAFETY: as above.
            let info = unsafe { data.cast::<libc::in_pktinfo>().read_unaligned() };
            packet.interface = interface(info.ipi_ifindex);
        }
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
            // SAFETY: as above.
            let info = unsafe { data.cast::<libc::in6_pktinfo>().read_unaligned() };
            packet.interface = Some(IfIndex(info.ipi6_ifindex));
        }
        _ => {}
    }
}

fn interface(index: libc::c_int) -> Option<IfIndex> {
    u32::try_from(index).ok().map(IfIndex)
}
