//! Interfaces by name and by index.

use std::ffi::{CStr, CString};
use std::io;

use crate::observe::IfIndex;

/// The name that an interface has now.
///
/// # Errors
/// What the kernel says: ENXIO if there is no such interface.
pub(super) fn name(interface: IfIndex) -> io::Result<String> {
    let mut buffer = [0; libc::IF_NAMESIZE];
    // SAFETY: the buffer has room for the longest name there is, with its zero.
    let name = unsafe { libc::if_indextoname(interface.0, buffer.as_mut_ptr()) };
    if name.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: on success the kernel's name stands in the buffer, with a zero behind it.
    Ok(unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned())
}

/// The index of the interface that has a name now.
///
/// # Errors
/// What the kernel says: ENODEV if there is no such interface.
pub fn index(name: &str) -> io::Result<IfIndex> {
    let name = CString::new(name).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: a string with its zero, which lives until the call returns.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(IfIndex(index)),
    }
}

/// The name for people: of an interface that is gone, its index.
pub(super) fn display(interface: IfIndex) -> String {
    name(interface).unwrap_or_else(|_| format!("interface index {}", interface.0))
}
