//! Which processes on this host have a raw protocol-112 socket.

use std::fs;

use super::{sockets, table};
use crate::wire::Family;

/// A process that speaks or listens to VRRP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its id.
    pub pid: u32,
    /// Its short name.
    pub name: String,
    /// Whether a signal or a debugger has stopped it.
    pub stopped: bool,
    /// Whether one of its sockets is bound to VRRP's multicast group.
    pub group: bool,
}

/// The owners of the family's sockets in this thread's network namespace, as far as their file descriptors can be looked at: those
/// of other users take CAP_SYS_PTRACE or root.
pub fn owners(family: Family) -> Vec<Owner> {
    let listed = table(family).ok().and_then(|text| sockets(family, &text)).unwrap_or_default();
    if listed.is_empty() {
        return Vec::new();
    }
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut owners: Vec<Owner> = pids
        .filter_map(|pid| {
            let open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
            let links: Vec<_> = open.flatten().filter_map(|fd| fs::read_link(fd.path()).ok()).collect();
            let has = |inode: u64| links.iter().any(|link| link.as_os_str() == format!("socket:[{inode}]").as_str());
            let own: Vec<_> = listed.iter().filter(|socket| has(socket.inode)).collect();
            let (name, state) = name_and_state(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
            let group = own.iter().any(|socket| socket.group);
            (!own.is_empty()).then_some(Owner { pid, name, stopped: matches!(state, 'T' | 't'), group })
        })
        .collect();
    owners.sort_by_key(|owner| owner.pid);
    owners
}

/// Of `PID (NAME) STATE …`. A name may have brackets and spaces in it.
fn name_and_state(stat: &str) -> Option<(String, char)> {
    let (before, after) = stat.rsplit_once(')')?;
    Some((before.split_once('(')?.1.to_owned(), after.trim_start().chars().next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_have_brackets_in_its_name() {
        assert_eq!(name_and_state("7 (a) T (b) S 1 7"), Some(("a) T (b".into(), 'S')));
        assert_eq!(name_and_state("8 (keepalived) T 1 8"), Some(("keepalived".into(), 'T')));
        assert_eq!(name_and_state("nothing"), None);
    }
}
