//! Linux: packet sockets and BPF, netlink, ICMP, capabilities, clocks. The only room with `unsafe`, and none with policy.

mod bpf;
pub mod capability;
pub mod capture;
pub mod clock;
pub mod daemon;
pub mod netlink;
pub mod netns;
mod output_test;
pub mod ping;
pub mod probe;
pub mod process;
mod reader;
mod socket;
pub mod state;
pub mod taps;
#[cfg(test)]
mod testing;
