//! Linux: packet sockets and BPF, netlink, ICMP, capabilities, clocks. The only room with `unsafe`, and none with policy.

pub mod accept;
pub mod address;
mod bpf;
pub mod capability;
pub mod capture;
pub mod clock;
pub mod daemon;
pub mod fifo;
pub mod group;
pub mod interface;
pub mod neighbour;
pub mod neighbour_table;
pub mod netlink;
pub mod netns;
pub mod nft;
mod output_test;
pub mod ping;
pub mod probe;
pub mod process;
mod reader;
mod requests;
pub mod script;
pub mod service;
mod socket;
pub mod speaker;
pub mod state;
pub mod sysctl;
pub mod taps;
#[cfg(test)]
pub(crate) mod testing;
pub mod timer;
pub mod tls;
pub mod track;
pub mod transmit;
pub mod vmac;
