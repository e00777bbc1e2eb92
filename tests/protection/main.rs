//! The web-config file: what it takes, by the word of promtool; and what it keeps out, over real connections.

#[path = "../support/snapshot.rs"]
mod scene;

mod format;
mod pki;
mod serving;
