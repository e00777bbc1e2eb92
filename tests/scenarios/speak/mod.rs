//! vipwarden as the VRRP router itself, beside real daemons.

mod arbiter;
mod behind;
mod conform;
mod fenced;
mod gate;
mod groups;
mod interop;
mod life;
mod order;
mod policy;
mod quiet;
mod scale;
mod second;
mod service;
mod silent;
mod sound;
