//! What `/proc` says of VRRP daemons on this host: who has a raw protocol-112 socket, and whether it is read.

mod owners;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::observe::DaemonState;
use crate::wire::Family;

pub use owners::{Owner, owners};

/// VRRP's groups (RFC 9568 §5.1.1.2, §5.1.2.2).
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// Raw sockets show their protocol as the port.
const PROTOCOL: &str = "0070";

/// A socket counts as unread from this much suspicion on: one reading at which its queue had grown, or two at which it
/// stood. A daemon that is alive is caught with an advert in its queue now and then; hardly ever twice in this way.
const UNREAD: u8 = 2;

/// Watches `/proc/thread-self/net/raw` and `raw6`. Needs no capability.
///
/// The state is what the sockets prove, and no more:
/// - *Absent*: no socket. A daemon may still run that has none of this family.
/// - *Frozen*: adverts pile up unread in a socket. Where a daemon has sockets bound to the group, only these are judged:
///   FRR never reads its sending socket, so a stranger's unicast packet stays in it for ever.
/// - *Alive*: a socket, and nothing piles up. A stopped daemon that receives nothing looks the same, so a frozen master
///   whose peers are silent stays *Alive* here; its silence must be seen on the wire.
///
/// Another watcher on this host has such a socket too and counts as a daemon.
#[derive(Debug)]
pub struct DaemonWatch {
    own: Vec<u64>,
    v4: Queues,
    v6: Queues,
}

/// Receive queues by inode.
type Queues = BTreeMap<u64, Queue>;

/// What is known of one socket's receive queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Queue {
    bytes: u64,
    drops: u64,
    suspicion: u8,
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Socket {
    inode: u64,
    bytes: u64,
    drops: u64,
    group: bool,
}

impl DaemonWatch {
    /// `own` are the inodes of this process's own protocol-112 sockets.
    pub fn new(own: Vec<u64>) -> Self {
        Self { own, v4: Queues::new(), v6: Queues::new() }
    }

    /// Reads once. Between two calls, from whose difference frozen is told, one that is alive must have had the time to read its queue: a
    /// second, or where that matters a quarter of one.
    pub fn read(&mut self, family: Family) -> DaemonState {
        match table(family) {
            Ok(text) => self.judge(family, &text),
            Err(_) => DaemonState::Unknown,
        }
    }

    /// Looks between two readings whether there is one. Whether it is frozen stays what the last one told.
    pub fn look(&self, family: Family) -> DaemonState {
        match table(family).ok().and_then(|text| sockets(family, &text)) {
            Some(sockets) if sockets.iter().all(|s| self.own.contains(&s.inode)) => DaemonState::Absent,
            Some(_) if self.queues(family).values().any(Queue::is_unread) => DaemonState::Frozen,
            Some(_) => DaemonState::Alive,
            None => DaemonState::Unknown,
        }
    }

    fn judge(&mut self, family: Family, text: &str) -> DaemonState {
        let Some(mut sockets) = sockets(family, text) else { return DaemonState::Unknown };
        sockets.retain(|s| !self.own.contains(&s.inode));
        if sockets.iter().any(|s| s.group) {
            sockets.retain(|s| s.group);
        }
        let known = self.queues(family);
        let queues: Queues = sockets.iter().map(|s| (s.inode, s.queue(known.get(&s.inode)))).collect();
        let state = if queues.is_empty() {
            DaemonState::Absent
        } else if queues.values().any(Queue::is_unread) {
            DaemonState::Frozen
        } else {
            DaemonState::Alive
        };
        match family {
            Family::V4 => self.v4 = queues,
            Family::V6 => self.v6 = queues,
        }
        state
    }

    const fn queues(&self, family: Family) -> &Queues {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }
}

impl Queue {
    const fn is_unread(&self) -> bool {
        self.suspicion >= UNREAD
    }
}

impl Socket {
    fn queue(&self, before: Option<&Queue>) -> Queue {
        let suspicion = match before {
            Some(b) if b.bytes == 0 || self.bytes < b.bytes => 0,
            Some(b) if self.bytes > b.bytes || self.drops > b.drops => UNREAD,
            Some(b) => b.suspicion.saturating_add(1),
            None => 0,
        };
        Queue { bytes: self.bytes, drops: self.drops, suspicion }
    }
}

/// The kernel's table of raw sockets in this thread's network namespace.
fn table(family: Family) -> io::Result<String> {
    match family {
        Family::V4 => fs::read_to_string("/proc/thread-self/net/raw"),
        Family::V6 => fs::read_to_string("/proc/thread-self/net/raw6").or_else(|error| match error.kind() {
            // A kernel without IPv6 has no such file, and no such sockets: the IPv4 header stands for an empty table.
            io::ErrorKind::NotFound => table(Family::V4).map(|text| text.lines().take(1).collect()),
            _ => Err(error),
        }),
    }
}

/// The protocol-112 sockets of a table; `None` if it is not such a table.
fn sockets(family: Family, text: &str) -> Option<Vec<Socket>> {
    let mut lines = text.lines();
    lines.next().filter(|header| header.trim_start().starts_with("sl "))?;
    let group = group(family);
    let mut found = Vec::new();
    for line in lines {
        // sl local:port remote:port st tx:rx tr:when retrnsmt uid timeout inode ref pointer drops
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let &[_, local, _, _, queues, _, _, _, _, inode, _, _, drops, ..] = columns.as_slice() else { return None };
        let (address, protocol) = local.split_once(':')?;
        if protocol == PROTOCOL {
            found.push(Socket {
                inode: inode.parse().ok()?,
                bytes: u64::from_str_radix(queues.split_once(':')?.1, 16).ok()?,
                drops: drops.parse().ok()?,
                group: address == group,
            });
        }
    }
    Some(found)
}

/// The group as the table spells it: 32-bit words in this machine's byte order.
fn group(family: Family) -> String {
    let octets = match family {
        Family::V4 => GROUP_V4.octets().to_vec(),
        Family::V6 => GROUP_V6.octets().to_vec(),
    };
    octets.chunks_exact(4).map(|w| format!("{:08X}", u32::from_ne_bytes([w[0], w[1], w[2], w[3]]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER_V4: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops";

    /// keepalived 2.2.7: the first socket sends, the second receives.
    fn keepalived(received_hex: &str, drops: u64) -> String {
        format!(
            "{HEADER_V4}\n \
             121: 00000000:0070 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 47254 2 00000000503cd24f 0\n \
             121: 120000E0:0070 00000000:0000 07 00000000:{received_hex} 00:00000000 00000000     0        0 47253 2 00000000b56e939a {drops}\n"
        )
    }

    /// FRR 8.4.4: the first socket sends and is never read, the second receives.
    fn frr(sender_hex: &str, received_hex: &str) -> String {
        format!(
            "{HEADER_V4}\n  \
             20: 0100090A:0070 00000000:0000 07 00000000:{sender_hex} 00:00000000 00000000   105        0 48619 2 00000000343fe5fc 0\n  \
             20: 120000E0:0070 00000000:0000 07 00000000:{received_hex} 00:00000000 00000000   105        0 48618 2 000000001008485b 0\n"
        )
    }

    /// keepalived 2.2.7 over IPv6, stopped, and an ICMPv6 socket of FRR's.
    const RAW6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  121: 00000000000000000000000000000000:0070 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 47256 2 0000000042e36b3c 0
  121: 000002FF000000000000000012000000:0070 00000000000000000000000000000000:0000 07 00000000:00000680 00:00000000 00000000     0        0 47255 2 000000004c5b0303 0
  116: 00000000000000000000000000000000:003A 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000   105        0 48001 2 000000004c5b0304 0
";

    fn watch() -> DaemonWatch {
        DaemonWatch::new(Vec::new())
    }

    #[test]
    fn an_empty_table_means_absent_and_a_foreign_text_unknown() {
        assert_eq!(watch().judge(Family::V4, &format!("{HEADER_V4}\n")), DaemonState::Absent);
        for text in ["", "no such table", &format!("{HEADER_V4}\n 121: 00000000:0070 garbage\n")] {
            assert_eq!(watch().judge(Family::V4, text), DaemonState::Unknown, "{text:?}");
        }
    }

    #[test]
    fn ipv6_sockets_are_read_and_other_protocols_left_out() {
        let found = sockets(Family::V6, RAW6).unwrap();
        let expected = [
            Socket { inode: 47256, bytes: 0, drops: 0, group: false },
            Socket { inode: 47255, bytes: 0x680, drops: 0, group: true },
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn empty_queues_are_alive() {
        let mut watch = watch();
        for _ in 0..4 {
            assert_eq!(watch.judge(Family::V4, &keepalived("00000000", 0)), DaemonState::Alive);
        }
    }

    #[test]
    fn a_queue_that_grows_between_two_readings_is_frozen_until_it_is_read_again_fault_15() {
        let mut watch = watch();
        assert_eq!(watch.judge(Family::V4, &keepalived("00000680", 0)), DaemonState::Alive);
        assert_eq!(watch.judge(Family::V4, &keepalived("00000D00", 0)), DaemonState::Frozen);
        assert_eq!(watch.judge(Family::V4, &keepalived("00000D00", 0)), DaemonState::Frozen);
        assert_eq!(watch.judge(Family::V4, &keepalived("00000000", 0)), DaemonState::Alive);
    }

    #[test]
    fn a_full_queue_that_drops_is_frozen() {
        let mut watch = watch();
        watch.judge(Family::V4, &keepalived("00033E80", 7));
        assert_eq!(watch.judge(Family::V4, &keepalived("00033E80", 8)), DaemonState::Frozen);
    }

    #[test]
    fn a_queue_that_stands_is_frozen_at_the_third_reading() {
        let mut watch = watch();
        assert_eq!(watch.judge(Family::V4, &keepalived("00000340", 0)), DaemonState::Alive);
        assert_eq!(watch.judge(Family::V4, &keepalived("00000340", 0)), DaemonState::Alive);
        assert_eq!(watch.judge(Family::V4, &keepalived("00000340", 0)), DaemonState::Frozen);
    }

    #[test]
    fn a_queue_that_shrinks_is_being_read() {
        let mut watch = watch();
        watch.judge(Family::V4, &keepalived("00000D00", 0));
        assert_eq!(watch.judge(Family::V4, &keepalived("00000340", 0)), DaemonState::Alive);
    }

    #[test]
    fn a_sending_socket_that_nobody_reads_does_not_make_frr_frozen() {
        let mut watch = watch();
        for sender in ["00000340", "00000680", "00000680", "00000680"] {
            assert_eq!(watch.judge(Family::V4, &frr(sender, "00000000")), DaemonState::Alive);
        }
        watch.judge(Family::V4, &frr("00000680", "00000340"));
        assert_eq!(watch.judge(Family::V4, &frr("00000680", "00000680")), DaemonState::Frozen);
    }

    #[test]
    fn own_sockets_are_no_daemon() {
        let mut watch = DaemonWatch::new(vec![47253, 47254]);
        assert_eq!(watch.judge(Family::V4, &keepalived("00000680", 0)), DaemonState::Absent);
    }
}
