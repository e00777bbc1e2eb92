//! vipwarden as the VRRP router itself, beside real daemons.

mod groups;
mod interop;
mod life;
mod scale;
mod second;
mod silent;
