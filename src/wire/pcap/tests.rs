//! Capture files that are made up, cut, and damaged.

use proptest::prelude::*;

use super::*;

const FRAME: &[u8] = b"\x01\x00\x5e\x00\x00\x12 not looked into here";

/// Little- or big-endian bytes.
fn u32_bytes(value: u32, big_endian: bool) -> [u8; 4] {
    if big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
}

fn u16_bytes(value: u16, big_endian: bool) -> [u8; 2] {
    if big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
}

/// A pcap file with one record for each of `times`: seconds and fractions.
fn pcap(magic: u32, big_endian: bool, link: u32, times: &[(u32, u32)], frame: &[u8]) -> Vec<u8> {
    let number = |value| u32_bytes(value, big_endian);
    let mut file = number(magic).to_vec();
    file.extend([u16_bytes(2, big_endian), u16_bytes(4, big_endian)].concat());
    file.extend([number(0), number(0), number(65535), number(link)].concat());
    for (seconds, fraction) in times {
        let length = number(frame.len() as u32);
        file.extend([number(*seconds), number(*fraction), length, length].concat());
        file.extend(frame);
    }
    file
}

/// A pcapng block around `body`.
fn block(kind: u32, body: &[u8], big_endian: bool) -> Vec<u8> {
    let length = u32_bytes(body.len() as u32 + 12, big_endian);
    [&u32_bytes(kind, big_endian)[..], &length, body, &length].concat()
}

fn option(code: u16, value: &[u8], big_endian: bool) -> Vec<u8> {
    let mut option = [u16_bytes(code, big_endian), u16_bytes(value.len() as u16, big_endian)].concat();
    option.extend(value);
    option.resize(option.len().next_multiple_of(4), 0);
    option
}

fn section(big_endian: bool) -> Vec<u8> {
    let version = [u16_bytes(1, big_endian), u16_bytes(0, big_endian)].concat();
    block(SHB_MAGIC, &[&u32_bytes(0x1a2b_3c4d, big_endian)[..], &version, &[0xff; 8]].concat(), big_endian)
}

fn interface(link: u16, options: &[Vec<u8>], big_endian: bool) -> Vec<u8> {
    let fixed = [u16_bytes(link, big_endian), [0; 2], [0; 2], [0; 2]].concat();
    block(IDB_MAGIC, &[fixed, options.concat()].concat(), big_endian)
}

fn enhanced(interface: u32, ticks: u64, frame: &[u8], options: &[Vec<u8>], big_endian: bool) -> Vec<u8> {
    let number = |value| u32_bytes(value, big_endian);
    let length = number(frame.len() as u32);
    let fixed = [number(interface), number((ticks >> 32) as u32), number(ticks as u32), length, length].concat();
    let mut body = [&fixed[..], frame].concat();
    body.resize(body.len().next_multiple_of(4), 0);
    body.extend(options.concat());
    block(EPB_MAGIC, &body, big_endian)
}

/// Everything that can be read, as (time, interface, name, packet type), and the error that ends it.
#[allow(clippy::type_complexity)]
fn read(file: &[u8]) -> (Vec<(i64, u32, Option<String>, Option<u8>)>, Option<String>) {
    let mut packets = Vec::new();
    let mut reader = match Reader::new(file) {
        Ok(reader) => reader,
        Err(error) => return (packets, Some(error.to_string())),
    };
    loop {
        match reader.next_packet() {
            Ok(Some(p)) => {
                packets.push((p.unix_nanos, p.interface, p.interface_name.map(str::to_owned), p.packet_type));
            }
            Ok(None) => return (packets, None),
            Err(error) => return (packets, Some(error.to_string())),
        }
    }
}

#[test]
fn pcap_in_both_byte_orders_and_both_resolutions_has_the_same_times() {
    for (magic, fraction) in [(0xa1b2_c3d4, 250_000), (0xa1b2_3c4d, 250_000_000)] {
        for big_endian in [false, true] {
            let file = pcap(magic, big_endian, 1, &[(1_700_000_000, fraction), (1_700_000_001, 0)], FRAME);
            let mut reader = Reader::new(&file[..]).unwrap();
            let packet = reader.next_packet().unwrap().unwrap();
            assert_eq!((packet.link, packet.bytes), (LinkLayer::Ethernet, FRAME));
            let times: Vec<i64> = read(&file).0.iter().map(|p| p.0).collect();
            assert_eq!(times, [1_700_000_000_250_000_000, 1_700_000_001_000_000_000], "{magic:x} {big_endian}");
        }
    }
}

#[test]
fn pcapng_in_both_byte_orders_has_names_resolutions_offsets_and_directions() {
    for big_endian in [false, true] {
        let offset = if big_endian { 1_000_i64.to_be_bytes() } else { 1_000_i64.to_le_bytes() };
        let file = [
            section(big_endian),
            interface(1, &[option(2, b"eth0", big_endian)], big_endian),
            interface(1, &[option(9, &[9], big_endian), option(14, &offset, big_endian)], big_endian),
            interface(101, &[option(9, &[0x80 | 10], big_endian)], big_endian),
            block(5, &[0; 12], big_endian),
            enhanced(0, 1_500_000, FRAME, &[option(2, &u32_bytes(2, big_endian), big_endian)], big_endian),
            enhanced(1, 1_500_000_000, FRAME, &[option(2, &u32_bytes(0b01001, big_endian), big_endian)], big_endian),
            enhanced(2, 1536, FRAME, &[], big_endian),
        ];
        let (packets, error) = read(&file.concat());
        assert_eq!(error, None);
        let expected = [
            (1_500_000_000, 0, Some("eth0".to_owned()), Some(4)),
            (1_001_500_000_000, 1, None, Some(2)),
            (1_500_000_000, 2, None, None),
        ];
        assert_eq!(packets, expected, "big endian: {big_endian}");
    }
}

#[test]
fn a_second_section_forgets_the_interfaces_and_byte_order_of_the_first() {
    let second = [section(true), interface(113, &[option(2, b"any", true)], true), enhanced(0, 7, FRAME, &[], true)];
    let first = [section(false), interface(1, &[], false), interface(1, &[], false), enhanced(1, 5, FRAME, &[], false)];
    let (packets, error) = read(&[first.concat(), second.concat()].concat());
    assert_eq!(error, None);
    // The cooked header's own packet type, out of the frame's first two bytes, is 0x0100: more than Linux has.
    assert_eq!(packets, [(5000, 1, None, None), (7000, 0, Some("any".to_owned()), None)]);

    let (_, error) = read(&[first.concat(), section(false), enhanced(0, 5, FRAME, &[], false)].concat());
    assert!(error.unwrap().contains("interface number 0"));
}

#[test]
fn a_simple_packet_takes_the_time_of_the_packet_before_it_and_loses_its_padding() {
    let simple = block(SPB_MAGIC, &[&u32_bytes(5, false)[..], b"hello\0\0\0"].concat(), false);
    let file = [section(false), interface(1, &[], false), enhanced(0, 9, FRAME, &[], false), simple].concat();
    let mut reader = Reader::new(&file[..]).unwrap();
    reader.next_packet().unwrap().unwrap();
    let packet = reader.next_packet().unwrap().unwrap();
    assert_eq!((packet.unix_nanos, packet.bytes), (9000, &b"hello"[..]));
}

#[test]
fn cooked_captures_tell_packet_type_and_interface_themselves() {
    let sll = [&[0, 4, 0, 1, 0, 6][..], &[0; 10]].concat();
    assert_eq!(read(&pcap(0xa1b2_c3d4, false, 113, &[(1, 0)], &sll)).0, [(1_000_000_000, 0, None, Some(4))]);
    let sll2 = [&[0x08, 0, 0, 0, 0, 0, 0, 7, 0, 1, 2, 6][..], &[0; 8]].concat();
    assert_eq!(read(&pcap(0xa1b2_c3d4, false, 276, &[(1, 0)], &sll2)).0, [(1_000_000_000, 7, None, Some(2))]);
}

#[test]
fn a_file_cut_at_any_byte_yields_the_frames_before_and_then_the_offset_of_the_cut_record() {
    let whole = pcap(0xa1b2_c3d4, false, 1, &[(1, 0), (2, 0), (3, 0)], FRAME);
    let record = 16 + FRAME.len();
    for length in 4..whole.len() {
        let (packets, error) = read(&whole[..length]);
        let complete = length.saturating_sub(24) / record;
        assert_eq!(packets.len(), complete, "cut at {length}");
        let start = if length < 24 { 0 } else { 24 + complete * record };
        let at_a_boundary = length >= 24 && length == start;
        let expected = format!("the file is cut short: the record at byte {start} is not complete");
        assert_eq!(error, (!at_a_boundary).then_some(expected), "cut at {length}");
    }
}

#[test]
fn a_cut_pcapng_file_says_where() {
    let head = [section(false), interface(1, &[], false), enhanced(0, 1, FRAME, &[], false)].concat();
    let whole = [head.clone(), enhanced(0, 2, FRAME, &[], false)].concat();
    for length in head.len() + 1..whole.len() {
        let (packets, error) = read(&whole[..length]);
        assert_eq!(packets.len(), 1);
        assert_eq!(error, Some(format!("the file is cut short: the record at byte {} is not complete", head.len())));
    }
}

#[test]
fn foreign_files_are_called_foreign() {
    for file in [&b""[..], b"abc", b"hello, this is a letter", b"\x0a\x0d\x0d\x0a but no byte order magic"] {
        assert_eq!(read(file).1.as_deref(), Some("not a pcap or pcapng file"), "{file:?}");
    }
}

#[test]
fn an_unsupported_link_type_is_named_with_those_that_are_supported() {
    let error = read(&pcap(0xa1b2_c3d4, false, 105, &[], FRAME)).1.unwrap();
    assert!(error.contains("link type 105 is not supported; supported are Ethernet (1)"), "{error}");
    let file = [section(false), interface(239, &[], false), enhanced(0, 1, FRAME, &[], false)].concat();
    assert!(read(&file).1.unwrap().contains("link type 239"));
}

#[test]
fn a_frame_check_sequence_in_the_header_does_not_hide_the_link_type() {
    assert_eq!(read(&pcap(0xa1b2_c3d4, false, 1 | 0x4400_0000, &[(1, 0)], FRAME)).1, None);
}

#[test]
fn a_record_that_claims_to_be_enormous_is_refused_before_it_is_read() {
    let mut file = pcap(0xa1b2_c3d4, false, 1, &[(1, 0)], FRAME);
    file[32..36].copy_from_slice(&(MAX_BLOCK + 1).to_le_bytes());
    assert!(read(&file).1.unwrap().contains("byte 24 claims 16777217 bytes"));
    let mut file = section(false);
    file[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(read(&file).1.unwrap().contains("byte 0 claims 4294967295 bytes"));
}

#[test]
fn no_section_describes_more_interfaces_than_are_kept() {
    let file = [section(false), interface(1, &[], false).repeat(MAX_INTERFACES + 1)].concat();
    assert!(read(&file).1.unwrap().contains("interface number 4096"));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, start in 0_usize..4) {
        let starts = [vec![], section(false), section(true), pcap(0xa1b2_3c4d, true, 1, &[], FRAME)];
        read(&[&starts[start][..], &bytes].concat());
    }

    #[test]
    fn no_damage_to_a_capture_makes_the_reader_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        big_endian: bool,
        ng: bool,
    ) {
        let ng_file = || [
            section(big_endian),
            interface(1, &[option(2, b"eth0", big_endian), option(9, &[9], big_endian)], big_endian),
            enhanced(0, 1 << 60, FRAME, &[option(2, &[1, 0, 0, 0], big_endian)], big_endian),
            block(SPB_MAGIC, &[&u32_bytes(5, big_endian)[..], b"hello\0\0\0"].concat(), big_endian),
        ].concat();
        let mut file = if ng { ng_file() } else { pcap(0xa1b2_c3d4, big_endian, 276, &[(1, 0), (2, 0)], FRAME) };
        for (index, value) in damage {
            let index = index.index(file.len());
            file[index] = value;
        }
        read(&file);
    }

    #[test]
    fn times_stay_on_the_line_whatever_resolution_and_offset_say(
        ticks: u64,
        resolution: u8,
        offset_seconds: i64,
    ) {
        let interface = Interface { link_type: 1, name: None, resolution, offset_seconds };
        let with_offset = interface.unix_nanos(ticks);
        let without = Interface { offset_seconds: 0, ..interface }.unix_nanos(ticks);
        prop_assert!(without >= 0);
        prop_assert!(offset_seconds >= 0 || with_offset <= without);
    }
}

#[test]
fn what_is_written_reads_back_frame_by_frame_to_the_nanosecond() {
    let frames = [(1_700_000_000_123_456_789, FRAME), (1_700_000_001_000_000_000, &FRAME[..7])];
    let file = write::file(frames.into_iter());
    let mut reader = Reader::new(file.as_slice()).unwrap();
    for (unix_nanos, bytes) in frames {
        let packet = reader.next_packet().unwrap().unwrap();
        let read = (packet.unix_nanos, packet.link, packet.bytes);
        assert_eq!(read, (i64::try_from(unix_nanos).unwrap(), LinkLayer::Ethernet, bytes));
    }
    assert!(reader.next_packet().unwrap().is_none());
}
