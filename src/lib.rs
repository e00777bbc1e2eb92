//! vipwarden knows, proves and says when two nodes hold one virtual IP.
//!
//! The rooms and their floors are drawn in `ARCHITECTURE.md`; each room uses only rooms on lower floors.

pub mod cli;
pub mod config;
pub mod detect;
pub mod engine;
pub mod fence;
pub mod metrics;
pub mod observe;
pub mod sim;
#[allow(unsafe_code)]
pub mod sys;
pub mod time;
pub mod vrrp;
pub mod web;
pub mod wire;
