//! The classic BPF programs that the packet sockets carry, and the few lines of assembler that they are written in.
//!
//! What a filter refuses costs the kernel some nanoseconds and this process nothing, so everything that doesn't concern
//! virtual IPs is refused there.

use socket2::SockFilter;

/// Bytes kept of a frame: the longest advert there can be (IPv6, 255 addresses: 4080 bytes), with room for two VLAN tags,
/// the longest IPv4 header, an authentication header and an HMAC trailer.
pub(super) const SNAP: usize = 4352;

const ETH_IPV4: u32 = 0x0800;
const ETH_ARP: u32 = 0x0806;
const ETH_VLAN: u32 = 0x8100;
const ETH_IPV6: u32 = 0x86dd;
const ETH_SERVICE_VLAN: u32 = 0x88a8;

const ICMP: u32 = 1;
const UDP: u32 = 17;
const AH: u32 = 51;
const ICMPV6: u32 = 58;
const VRRP: u32 = 112;

/// HSRP, HSRP over IPv6, GLBP: destination ports.
const OTHER_PROTOCOL_PORTS: [u32; 3] = [1985, 2029, 3222];
/// Echo reply, neighbour solicitation, neighbour advertisement.
const ICMPV6_TYPES: [u32; 3] = [129, 135, 136];
const ICMP_ECHO_REPLY: u32 = 0;
/// More-fragments flag and fragment offset.
const FRAGMENT: u32 = 0x3fff;

/// Passes Ethernet frames that concern virtual IPs, plain or behind one VLAN tag: protocol 112 and AH, ARP, neighbour
/// discovery, echo replies, HSRP and GLBP.
///
/// IPv6 extension headers before the payload are not followed: nothing here is sent with any.
pub(super) fn virtual_ips() -> Vec<SockFilter> {
    let mut program = Program::new();
    let tagged = program.label();
    program.load_half(12);
    program.jump_if_any(&[ETH_VLAN, ETH_SERVICE_VLAN], tagged);
    network_layer(&mut program, 14);
    program.place(tagged);
    program.load_half(16);
    network_layer(&mut program, 18);
    program.assemble()
}

/// Passes IPv4 and IPv6 packets of protocol 112, where the socket's bytes begin with the IP header (`SOCK_DGRAM`).
pub(super) fn adverts() -> Vec<SockFilter> {
    let mut program = Program::new();
    let v6 = program.label();
    program.load_byte(0);
    // The bit that tells version 6 from version 4.
    program.jump_if_bits(0x20, v6);
    program.load_byte(9);
    program.accept_only(&[VRRP]);
    program.place(v6);
    program.load_byte(6);
    program.accept_only(&[VRRP]);
    program.assemble()
}

/// Passes nothing.
pub(super) fn nothing() -> Vec<SockFilter> {
    let mut program = Program::new();
    program.drop();
    program.assemble()
}

/// Decides on what begins at `base`; the accumulator holds its EtherType.
fn network_layer(program: &mut Program, base: u32) {
    let (v4, v6) = (program.label(), program.label());
    program.jump_if_any(&[ETH_ARP], ACCEPT);
    program.jump_if_any(&[ETH_IPV4], v4);
    program.jump_if_any(&[ETH_IPV6], v6);
    program.drop();
    program.place(v4);
    ipv4(program, base);
    program.place(v6);
    ipv6(program, base);
}

fn ipv4(program: &mut Program, base: u32) {
    let (icmp, udp) = (program.label(), program.label());
    program.load_byte(base + 9);
    program.jump_if_any(&[VRRP, AH], ACCEPT);
    program.jump_if_any(&[ICMP], icmp);
    program.jump_if_any(&[UDP], udp);
    program.drop();

    program.place(icmp);
    program.load_half(base + 6);
    program.jump_if_bits(FRAGMENT, DROP);
    program.index_ipv4_header_length(base);
    program.load_byte_indexed(base);
    program.accept_only(&[ICMP_ECHO_REPLY]);

    program.place(udp);
    program.load_half(base + 6);
    program.jump_if_bits(FRAGMENT, DROP);
    program.index_ipv4_header_length(base);
    program.load_half_indexed(base + 2);
    program.accept_only(&OTHER_PROTOCOL_PORTS);
}

fn ipv6(program: &mut Program, base: u32) {
    let (icmp, udp) = (program.label(), program.label());
    program.load_byte(base + 6);
    program.jump_if_any(&[VRRP, AH], ACCEPT);
    program.jump_if_any(&[ICMPV6], icmp);
    program.jump_if_any(&[UDP], udp);
    program.drop();

    program.place(icmp);
    program.load_byte(base + 40);
    program.accept_only(&ICMPV6_TYPES);

    program.place(udp);
    program.load_half(base + 42);
    program.accept_only(&OTHER_PROTOCOL_PORTS);
}

/// A place to jump to, known before it is placed.
#[derive(Clone, Copy)]
struct Label(usize);

/// Where every program ends: with the frame passed, or dropped.
const ACCEPT: Label = Label(0);
const DROP: Label = Label(1);

/// An instruction whose jump, if it is one, names a label instead of a distance. If the condition fails, the next one follows.
struct Instruction {
    code: u32,
    operand: u32,
    if_true: Option<Label>,
}

/// A program in the making.
struct Program {
    instructions: Vec<Instruction>,
    /// The instruction that each label stands before.
    labels: Vec<usize>,
}

impl Program {
    fn new() -> Self {
        Self { instructions: Vec::new(), labels: vec![0; 2] }
    }

    fn label(&mut self) -> Label {
        self.labels.push(0);
        Label(self.labels.len() - 1)
    }

    fn place(&mut self, label: Label) {
        self.labels[label.0] = self.instructions.len();
    }

    fn push(&mut self, code: u32, operand: u32) {
        self.instructions.push(Instruction { code, operand, if_true: None });
    }

    fn load_byte(&mut self, at: u32) {
        self.push(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, at);
    }

    fn load_half(&mut self, at: u32) {
        self.push(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, at);
    }

    /// Sets the index to the length of the IPv4 header at `at`.
    fn index_ipv4_header_length(&mut self, at: u32) {
        self.push(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, at);
    }

    fn load_byte_indexed(&mut self, at: u32) {
        self.push(libc::BPF_LD | libc::BPF_B | libc::BPF_IND, at);
    }

    fn load_half_indexed(&mut self, at: u32) {
        self.push(libc::BPF_LD | libc::BPF_H | libc::BPF_IND, at);
    }

    fn jump_if_any(&mut self, values: &[u32], label: Label) {
        for &value in values {
            self.jump(libc::BPF_JEQ, value, label);
        }
    }

    fn jump_if_bits(&mut self, bits: u32, label: Label) {
        self.jump(libc::BPF_JSET, bits, label);
    }

    fn jump(&mut self, condition: u32, operand: u32, label: Label) {
        let code = libc::BPF_JMP | condition | libc::BPF_K;
        self.instructions.push(Instruction { code, operand, if_true: Some(label) });
    }

    /// Ends the program: the frame passes if the accumulator is one of `values`.
    fn accept_only(&mut self, values: &[u32]) {
        self.jump_if_any(values, ACCEPT);
        self.drop();
    }

    fn drop(&mut self) {
        self.push(libc::BPF_RET | libc::BPF_K, 0);
    }

    /// Turns labels into distances. Panics on a jump beyond 255 instructions: the programs above are far shorter.
    fn assemble(mut self) -> Vec<SockFilter> {
        self.place(ACCEPT);
        self.push(libc::BPF_RET | libc::BPF_K, SNAP as u32);
        self.place(DROP);
        self.drop();
        let distance = |from: usize, to: Label| u8::try_from(self.labels[to.0] - from - 1).expect("a short jump ahead");
        self.instructions
            .iter()
            .enumerate()
            .map(|(at, instruction)| {
                let if_true = instruction.if_true.map_or(0, |label| distance(at, label));
                SockFilter::new(instruction.code as u16, if_true, 0, instruction.operand)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::Ipv6Addr;
    use std::os::unix::net::UnixDatagram;

    use socket2::SockRef;

    use super::super::testing::{advert, advert_v4, advert_v6, ethernet, ipv4, ipv6};
    use super::*;

    /// What the kernel itself makes of `frame`: a datagram socket takes the same filters.
    fn passes(filter: &[SockFilter], frame: &[u8]) -> bool {
        let (near, far) = UnixDatagram::pair().expect("sockets");
        SockRef::from(&near).attach_filter(filter).expect("a valid filter");
        near.set_nonblocking(true).expect("a socket");
        far.send(frame).expect("a socket");
        let mut buffer = vec![0; 8192];
        match near.recv(&mut buffer) {
            Ok(length) => {
                assert_eq!(length, frame.len().min(SNAP));
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                false
            }
        }
    }

    /// The verdict on a frame, which has to be the same behind one tag of either kind.
    fn verdict(frame: &[u8]) -> bool {
        let filter = virtual_ips();
        let plain = passes(&filter, frame);
        for tag in [[0x81, 0x00, 0xa0, 100], [0x88, 0xa8, 0, 1]] {
            let mut tagged = frame.to_vec();
            tagged.splice(12..12, tag);
            assert_eq!(passes(&filter, &tagged), plain, "behind tag {tag:02x?}");
        }
        plain
    }

    fn frame_v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
        ethernet([255; 6], 0x0800, &ipv4(protocol, [10, 9, 9, 2], [10, 9, 9, 1], payload))
    }

    fn frame_v6(next_header: u8, payload: &[u8]) -> Vec<u8> {
        ethernet([255; 6], 0x86dd, &ipv6(next_header, Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST, payload))
    }

    fn udp(source: u16, destination: u16) -> Vec<u8> {
        [source.to_be_bytes(), destination.to_be_bytes(), [0, 8], [0, 0]].concat()
    }

    #[test]
    fn adverts_pass_with_and_without_an_authentication_header() {
        assert!(verdict(&advert_v4(51, [10, 9, 9, 2])));
        assert!(verdict(&advert_v6(51, Ipv6Addr::LOCALHOST)));
        for protocol in [51, 112] {
            assert!(verdict(&frame_v4(protocol, &advert(51))) && verdict(&frame_v6(protocol, &advert(51))));
        }
    }

    #[test]
    fn arp_and_neighbour_discovery_pass_and_router_discovery_does_not() {
        assert!(verdict(&ethernet([255; 6], 0x0806, &[0; 28])));
        let passed: Vec<u8> = (0..=255).filter(|kind| verdict(&frame_v6(58, &[*kind, 0, 0, 0, 0, 0, 0, 0]))).collect();
        assert_eq!(passed, [129, 135, 136], "echo reply, neighbour solicitation and advertisement");
    }

    #[test]
    fn of_icmp_only_unfragmented_echo_replies_pass() {
        let passed: Vec<u8> = (0..=255).filter(|kind| verdict(&frame_v4(1, &[*kind, 0, 0, 0, 0, 0, 0, 0]))).collect();
        assert_eq!(passed, [0]);
        for (flags, offset) in [(0x20, 0), (0, 1), (0x20, 9)] {
            let mut fragment = frame_v4(1, &[0; 8]);
            (fragment[20], fragment[21]) = (flags, offset);
            assert!(!verdict(&fragment), "flags {flags:#x}, offset {offset}");
        }
        let mut unfragmentable = frame_v4(1, &[0; 8]);
        unfragmentable[20] = 0x40;
        assert!(verdict(&unfragmentable));
    }

    #[test]
    fn ports_are_found_behind_an_ipv4_header_with_options() {
        let mut frame = frame_v4(17, &[[0; 4].as_slice(), &udp(1985, 1985)].concat());
        assert!(!verdict(&frame));
        frame[14] = 0x46;
        assert!(verdict(&frame));
    }

    #[test]
    fn of_udp_only_hsrp_and_glbp_pass_told_by_the_destination_port() {
        for port in [1985, 2029, 3222] {
            assert!(verdict(&frame_v4(17, &udp(40000, port))) && verdict(&frame_v6(17, &udp(40000, port))));
            assert!(!verdict(&frame_v4(17, &udp(port, 53))) && !verdict(&frame_v6(17, &udp(port, 53))));
        }
        assert!(!verdict(&frame_v4(6, &udp(1985, 1985))) && !verdict(&frame_v6(6, &udp(1985, 1985))), "TCP");
    }

    #[test]
    fn other_protocols_and_frames_cut_short_are_dropped() {
        assert!(!verdict(&ethernet([255; 6], 0x88cc, &[0; 60])), "LLDP");
        let whole = advert_v4(51, [10, 9, 9, 2]);
        assert!((1..24).all(|length| !passes(&virtual_ips(), &whole[..length])), "the protocol is the 24th byte");
    }

    #[test]
    fn the_longest_advert_is_kept_whole_and_anything_longer_is_cut() {
        let longest = frame_v6(112, &[0; 8 + 255 * 16 + 28]);
        assert!(longest.len() < SNAP && verdict(&longest));
        assert!(passes(&virtual_ips(), &frame_v6(112, &[0; 5000])));
    }

    #[test]
    fn the_ip_taps_filter_passes_protocol_112_only() {
        let passed = |protocol| {
            let payload = advert(51);
            let v4 = ipv4(protocol, [10, 9, 9, 2], [224, 0, 0, 18], &payload);
            let v6 = ipv6(protocol, Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST, &payload);
            (passes(&adverts(), &v4), passes(&adverts(), &v6))
        };
        for protocol in 0..=255 {
            assert_eq!(passed(protocol), (protocol == 112, protocol == 112), "protocol {protocol}");
        }
    }
}
