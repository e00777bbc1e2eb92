//! A capture file of Ethernet frames, written.

/// Nanoseconds, and in the order of the host that wrote it: little-endian here.
const MAGIC: u32 = 0xa1b2_3c4d;
const VERSION: (u16, u16) = (2, 4);
const SNAP_LENGTH: u32 = 65_535;
const ETHERNET: u32 = 1;
const BILLION: u64 = 1_000_000_000;

/// A whole pcap file: each frame with its Unix time in nanoseconds. Frames beyond 65535 bytes are cut.
pub fn file<'a>(frames: impl Iterator<Item = (u64, &'a [u8])>) -> Vec<u8> {
    let mut bytes = MAGIC.to_le_bytes().to_vec();
    bytes.extend([VERSION.0.to_le_bytes(), VERSION.1.to_le_bytes()].concat());
    bytes.extend([0, 0, SNAP_LENGTH, ETHERNET].map(u32::to_le_bytes).concat());
    for (unix_nanos, frame) in frames {
        let kept = &frame[..frame.len().min(SNAP_LENGTH as usize)];
        let seconds = u32::try_from(unix_nanos / BILLION).unwrap_or(u32::MAX);
        let nanos = (unix_nanos % BILLION) as u32;
        bytes.extend([seconds, nanos, kept.len() as u32, frame.len() as u32].map(u32::to_le_bytes).concat());
        bytes.extend(kept);
    }
    bytes
}
