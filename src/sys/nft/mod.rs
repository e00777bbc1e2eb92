//! nf_tables over nfnetlink, as far as the gate needs it: about six kinds of messages in one transaction, no process, and
//! constant keys in dynamic sets, which the `nft` program can't write.
//!
//! [`gate`] is what the rest of the house uses.

mod connection;
mod expression;
pub mod gate;
mod message;
