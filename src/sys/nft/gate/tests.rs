//! The gate in the kernel of this machine.

mod fixture;
mod lease;
mod packets;
mod peers;
