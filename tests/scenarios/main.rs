//! Faults and healthy life with real VRRP daemons in network namespaces. Needs root and the packages that `tests/run.sh` installs.
//!
//! The numbers in names are the rows of the faults that this project tells apart; see `README.md`.
#![allow(missing_docs)]

mod alerting;
mod boards;
mod demo;
mod doctor;
mod drill;
#[path = "../support/etcd.rs"]
mod etcd;
mod firewall;
mod floods;
mod forged;
mod frr;
mod hostile;
mod icmp;
mod import;
mod imported;
mod lab;
mod liars;
mod lifecycle;
mod matrix;
mod mismatch;
mod monitoring;
#[path = "../support/oracle.rs"]
mod oracle;
mod quiet;
mod replay;
mod silence;
mod speak;
mod stale;
mod takeover;
mod usurped;
mod walk;
