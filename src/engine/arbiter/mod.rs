//! An arbiter outside: a register that a majority keeps, by which the leases of this node's routers are held.

pub mod etcd;
pub mod register;
