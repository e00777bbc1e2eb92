//! What `docs/causes.md` says of each cause beyond the table: for somebody who has been woken by it.

use super::Cause;

/// What stands above all causes.
pub const HEAD: &str = "# Causes

A verdict comes with its causes, and each cause with the node to mend and the one thing to do there (`vipwarden explain ROUTER`). This page says
for each of them what you see, why it happens, and how to mend it. It is written from the table in `src/detect/rules.rs`. What to do when an
*alert* fires stands in `docs/runbooks`; which faults are tried, on which node each is named, and how fast, in [faults.md](faults.md).

`proven`: seen at first hand, or admitted by the node that it concerns. `likely`: the only thing that explains what is seen from here. `possible`: one of
several that look alike from here; the vipwarden on the other node knows better, and tells it over the [second channel](second-channel.md).
";

/// What stands above the short form.
pub const RUNBOOK_HEAD: &str = "# Causes, and what to do about each

`vipwarden explain VIP`, the page, and `findings` in the JSON name a cause, the node to mend and both sides' values. Here is what to do about each;
`docs/causes.md` says more. After each: `vipwarden status VIP` must exit with 0.
";

/// What stands above the whole table.
pub const ORDER: &str = "## The order

The rows are tried in this order, and the first that matches wins.";

/// What is said of one cause.
#[derive(Clone, Copy, Debug)]
pub struct Chapter {
    /// In a sentence.
    pub means: &'static str,
    /// What the operator sees.
    pub sees: &'static str,
    /// Why it happens.
    pub why: &'static str,
    /// What to do, in order.
    pub mend: &'static str,
}

/// The chapter on a cause.
pub const fn chapter(cause: Cause) -> Chapter {
    match cause {
        Cause::FirewallDrop | Cause::OneWayPath | Cause::Partition | Cause::TtlInvalid => of_the_way(cause),
        Cause::VersionMismatch
        | Cause::AuthMismatch
        | Cause::IntervalMismatch
        | Cause::AddressesMismatch
        | Cause::ChecksumMismatch
        | Cause::VridCollision
        | Cause::VridMismatch
        | Cause::PriorityTie => of_the_configuration(cause),
        _ => of_an_address(cause),
    }
}

/// Adverts leave, and don't arrive as they should.
const fn of_the_way(cause: Cause) -> Chapter {
    match cause {
        Cause::FirewallDrop => Chapter {
            means: "Adverts reach this host's wire, and its own firewall keeps them from the VRRP daemon; or keeps the daemon's own from leaving.",
            sees: "Both nodes hold the address, and each daemon's log says MASTER. `tcpdump` shows the other's adverts all the same, for it looks before the firewall does. \
                   The finding says how many came on the wire, past ingress, and to the daemon.",
            why: "A firewall was switched on or reloaded without a rule for IP protocol 112 (firewalld and ufw have none by default), `rp_filter` is strict on a host with two ways, or \
                  a netdev or tc filter drops it earlier.",
            mend: "On the node that the finding names, accept protocol 112 from the peers, in the rules that survive a reboot too: firewalld `firewall-cmd --permanent --add-protocol=vrrp`, \
                   ufw a rule in `before.rules`, nft the remedy's rule. The split heals by itself within one master down interval.",
        },
        Cause::OneWayPath => Chapter {
            means: "One side hears the other, and not the reverse.",
            sees: "Both hold the address. One node hears two masters, the other believes that it is alone. Only both sides together can tell: this needs `urls` for the peer.",
            why: "A switch that snoops IGMP or MLD without a querier, a hypervisor or cloud that filters by source, an ACL in one direction, or a peer that is missing from one `unicast_peer` list.",
            mend: "By unicast, compare the two lists first. Else follow the adverts from the side that is not heard: `vipwarden sniff` on each hop's mirror port.",
        },
        Cause::Partition => Chapter {
            means: "Neither hears the other, and a second channel says that both hold.",
            sees: "Each node alone looks healthy; only the second channel shows the other's address. Clients are split by where they are.",
            why: "The switch, VLAN or link between the two is down, while both still reach some clients.",
            mend: "Mend the link. Until then stop the VRRP daemon on the side that clients don't reach; vipwarden as the speaker drops the lower one itself.",
        },
        _ => Chapter {
            means: "Adverts arrive with a TTL below 255, and every receiver must refuse them (RFC 9568 §5.1.1.3).",
            sees: "Both hold the address; the adverts are on the wire and look right but for their TTL.",
            why: "A router, a tunnel or a NAT stands between the two, or something rewrites TTLs.",
            mend: "VRRP works on one segment only: take the router or the rewrite out, or use unicast with `unicast_ttl` where the daemon knows it.",
        },
    }
}

/// The two were told different things.
const fn of_the_configuration(cause: Cause) -> Chapter {
    match cause {
        Cause::VersionMismatch => Chapter {
            means: "The two speak different versions of VRRP.",
            sees: "Both hold the address and refuse each other's adverts.",
            why: "One node was upgraded or configured anew: keepalived speaks version 2 unless told otherwise, FRR version 3.",
            mend: "Set the same version on both (`vrrp_version 3`, `vrrp 51 version 3`) and reload both.",
        },
        Cause::AuthMismatch => Chapter {
            means: "The two authenticate differently.",
            sees: "Both hold the address. No output of vipwarden shows a password: only the kind, or that the two are not the same.",
            why: "The password was changed on one node, or one has none. keepalived uses its first eight characters.",
            mend: "Set the same `auth_type` and `auth_pass` on both. Version 3 has no authentication.",
        },
        Cause::IntervalMismatch => Chapter {
            means: "The two advertise at different intervals, and version 2 refuses that.",
            sees: "Both hold the address; the one with the longer interval may fall silent for good, for keepalived starts its timer anew with each advert that it refuses.",
            why: "`advert_int` was changed on one node. With version 3 a backup learns the master's interval, and nothing happens.",
            mend: "Set the same `advert_int` on both and reload both.",
        },
        Cause::AddressesMismatch => Chapter {
            means: "The two advertise different lists of addresses.",
            sees: "Both hold the address (keepalived up to 2.3.2 refuses such adverts); the finding names both lists.",
            why: "An address was added on one node only, or more than twenty are configured and the lists were cut differently.",
            mend: "Give both nodes the same `virtual_ipaddress` list; move what need not be advertised to `virtual_ipaddress_excluded`, on both.",
        },
        Cause::ChecksumMismatch => Chapter {
            means: "The two compute the checksum of VRRPv3 over IPv4 differently.",
            sees: "Both hold the address, and each counts checksum errors.",
            why: "RFC 5798 could be read both ways; some routers leave the pseudo-header out.",
            mend: "Set the one that can be set: FRR `vrrp 51 checksum-with-ipv4-pseudoheader`, vipwarden `checksum`.",
        },
        Cause::VridCollision => Chapter {
            means: "Two unrelated clusters use one VRID on one segment.",
            sees: "Masters with nothing in common, and log lines about foreign adverts; or the weaker cluster has no master at all, for its backups obey the stronger one's.",
            why: "VRID 51 is in every tutorial.",
            mend: "Give one of the clusters another VRID (`virtual_router_id`), on all its nodes, one after the other, the backup first. There is a short outage of that cluster.",
        },
        Cause::VridMismatch => Chapter {
            means: "One address is advertised under two VRIDs.",
            sees: "Two virtual routers, each healthy by itself, with the same address: both nodes hold it.",
            why: "A typo in `virtual_router_id`, or a VRID that was changed on one node.",
            mend: "Set the same VRID on both nodes, the backup first.",
        },
        _ => Chapter {
            means: "Equal priority and equal source address: the election can't settle it.",
            sees: "Adverts of one source from two MACs, and both nodes hold the address.",
            why: "A cloned machine kept the other's address. Two nodes of equal priority and different addresses always settle it.",
            mend: "Give the two different addresses; then look for what else was cloned (machine id, SSH keys).",
        },
    }
}

/// An address is where it should not be, or not where it should be.
const fn of_an_address(cause: Cause) -> Chapter {
    match cause {
        Cause::StaleAddress => Chapter {
            means: "A node has and answers for the address while its daemon is dead or frozen.",
            sees: "One node advertises, two answer ARP. On the stale node `ip addr` shows the address.",
            why: "The daemon was killed (OOM, SIGKILL) or the machine stood still (a snapshot, a stalled disk): nobody removes the address then.",
            mend: "On that node delete the address with the remedy's command, then start the daemon. Find out who killed it: `journalctl -k`, `dmesg`.",
        },
        Cause::StrayAddress => Chapter {
            means: "A node holds the address while it is a backup.",
            sees: "The daemon's log says BACKUP, and `ip addr` shows the address.",
            why: "It was added by hand, by a script, by NetworkManager or networkd, or left behind by an earlier life.",
            mend: "Delete it with the remedy's command, and take it out of the network configuration.",
        },
        Cause::MutedMaster => Chapter {
            means: "A node holds the address, its daemon runs, and it sends no adverts.",
            sees: "One node advertises, two hold. Beside it stands the mismatch that is the reason, where it is known.",
            why: "keepalived starts its advert timer anew with each advert that it refuses: one of two that refuse each other falls silent for ever. Or the kernel has no room: its neighbour table (1024 entries by default, for all network namespaces together) is full of hosts that asked, and what is sent to VRRP's group needs a place in it, too.",
            mend: "Mend the mismatch; without one, read the daemon's log for what it refuses. If the neighbour table is full, find who asks in many names and raise `gc_thresh3`.",
        },
        Cause::ForeignClaim => Chapter {
            means: "A host that speaks no VRRP answers for the address.",
            sees: "Two MACs answer ARP for the address, one of them nobody's you know. Clients reach the one or the other.",
            why: "The address was given to another machine, by hand or by DHCP; or somebody is spoofing: whoever answers for this host's own address, too, answers for everything.",
            mend: "Find the port of the MAC in the switch's table, and take the address away there. Exclude the address from DHCP. A host that answers for everything is cut off at its port.",
        },
        Cause::HollowMaster => Chapter {
            means: "A node advertises and does not hold the address: nobody serves.",
            sees: "Adverts as ever, no answer to ARP, clients time out. On the master `ip addr` does not show the address.",
            why: "Something took the address away and the daemon has not noticed: a network manager, a script, a container's end.",
            mend: "Restart the daemon there, then find out who deletes addresses: NetworkManager and networkd must leave the interface alone.",
        },
        Cause::Misdirected => Chapter {
            means: "One node holds, and clients' caches point elsewhere.",
            sees: "All looks well on both nodes, and some clients reach nobody, sometimes for hours.",
            why: "A node was master for a moment, announced itself and stepped back, and the real master did not announce again.",
            mend: "Announce from the real master with the remedy's command. Let the daemon announce from time to time (`garp_master_refresh`).",
        },
        Cause::Transient => Chapter {
            means: "Both were masters for a moment, and the election settled it: a takeover, not a split.",
            sees: "Two masters in the log within one master down interval.",
            why: "A backup took over, and the former master came back or was only late.",
            mend: "Nothing. If it happens again and again, look for what delays the master's adverts: CPU, storage, a saturated link.",
        },
        _ => Chapter {
            means: "A split is proven, its cause is not.",
            sees: "Two hold, and nothing that is seen from here tells why.",
            why: "Mostly because only one node has a vipwarden, or the two can't ask each other.",
            mend: "Run vipwarden on both nodes with `urls` for each other. Until then look on each node whether the other's adverts arrive: `vipwarden sniff`.",
        },
    }
}
