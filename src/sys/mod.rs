//! Linux: packet sockets and BPF, netlink, ICMP, capabilities, clocks. The only room with `unsafe`, and none with policy.

pub mod capture;
pub mod clock;
pub mod daemon;
pub mod netlink;
pub mod netns;
pub mod ping;
pub mod probe;
pub mod taps;
