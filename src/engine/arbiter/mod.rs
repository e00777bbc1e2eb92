//! An arbiter outside: a register that a majority keeps, by which the leases of this node's routers are held.

mod clerk;
pub mod etcd;
pub mod register;

pub(super) use clerk::{Answer, Clerk, Said};
