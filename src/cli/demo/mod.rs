//! `vipwarden demo`: a laboratory on this host, told step by step.

pub mod daemon;
pub mod keepalived;
pub mod lab;
pub mod process;
