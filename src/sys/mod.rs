//! Linux: packet sockets and BPF, netlink, ICMP, capabilities, clocks. The only room with `unsafe`, and none with policy.

pub mod capability;
pub mod capture;
pub mod clock;
pub mod daemon;
pub mod netlink;
pub mod ping;
pub mod probe;
pub mod process;
pub mod state;
pub mod taps;
