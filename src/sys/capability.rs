//! Which capabilities this thread has, to say beforehand what will not work.

use std::{fs, io};

/// `_LINUX_CAPABILITY_VERSION_3`: sets of 64 bits.
const VERSION_3: u32 = 0x2008_0522;

/// The capabilities that matter here, as far as they are effective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// CAP_NET_RAW: capture, probes, the raw tap.
    pub net_raw: bool,
    /// CAP_NET_ADMIN: addresses, links, large socket buffers. Watching needs it for nothing.
    pub net_admin: bool,
}

impl Capabilities {
    const NET_ADMIN_BIT: u32 = 12;
    const NET_RAW_BIT: u32 = 13;

    /// Those of the calling thread.
    ///
    /// # Errors
    /// If `/proc/thread-self/status` can't be read or has no `CapEff` line.
    pub fn effective() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/thread-self/status")?;
        Self::parse(&status).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "/proc/thread-self/status: no CapEff line with a hexadecimal mask",
            )
        })
    }

    fn parse(status: &str) -> Option<Self> {
        let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
        let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
        let has = |bit: u32| mask & (1 << bit) != 0;
        Some(Self { net_raw: has(Self::NET_RAW_BIT), net_admin: has(Self::NET_ADMIN_BIT) })
    }
}

/// Takes all capabilities from the calling thread: with the permitted and inheritable ones the ambient ones go too. Allocates
/// nothing, so it may be called between fork and exec.
pub(super) fn drop_all() -> io::Result<()> {
    let (header, none) = ([VERSION_3, 0], [0_u32; 6]);
    // SAFETY: the kernel reads a header of two and data of six 32-bit words, and changes only the calling thread.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_mask_counts_and_no_other() {
        let status =
            "Name:\tvipwarden\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000002000\nCapBnd:\t000001ffffffffff\n";
        assert_eq!(Capabilities::parse(status), Some(Capabilities { net_raw: true, net_admin: false }));
        let status = "CapEff:\t0000000000001000\n";
        assert_eq!(Capabilities::parse(status), Some(Capabilities { net_raw: false, net_admin: true }));
    }

    #[test]
    fn a_status_without_a_readable_mask_is_none() {
        assert_eq!(Capabilities::parse("CapPrm:\t0000000000002000\n"), None);
        assert_eq!(Capabilities::parse("CapEff:\tnone\n"), None);
    }

    #[test]
    fn the_kernel_tells_ours() {
        assert!(Capabilities::effective().is_ok());
    }
}
