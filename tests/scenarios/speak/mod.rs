//! vipwarden as the VRRP router itself, beside real daemons.

mod interop;
