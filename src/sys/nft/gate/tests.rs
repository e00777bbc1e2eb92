//! The gate in the kernel of this machine.

mod fixture;
mod lease;
mod model;
mod packets;
mod peers;
