//! Whether the kernel had no room for a neighbour: then what goes out over IP to one that it does not know is dropped, VRRP's groups
//! among them, and a raw socket is told nothing of it. All network namespaces of a host share the table of a family.

use std::io;

use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::neighbour_table::{NeighbourTableAttribute, NeighbourTableMessage};

use super::requests::{Requests, in_words};
use crate::wire::Family;

/// How many neighbours the kernel has turned away for want of room since it started, of IPv4 and of IPv6.
///
/// # Errors
/// If the kernel can't be asked.
pub async fn refusals() -> io::Result<[u64; 2]> {
    let requests = Requests::open()?;
    let tables = requests.dump(RouteNetlinkMessage::GetNeighbourTable(NeighbourTableMessage::default())).await;
    let mut refusals = [0; 2];
    for message in tables.map_err(in_words)? {
        let RouteNetlinkMessage::NewNeighbourTable(table) = message else { continue };
        let Some(family) = family(&table) else { continue };
        refusals[family as usize] += table.attributes.iter().filter_map(refused).sum::<u64>();
    }
    Ok(refusals)
}

fn family(table: &NeighbourTableMessage) -> Option<Family> {
    table.attributes.iter().find_map(|attribute| match attribute {
        NeighbourTableAttribute::Name(name) if name == "arp_cache" => Some(Family::V4),
        NeighbourTableAttribute::Name(name) if name == "ndisc_cache" => Some(Family::V6),
        _ => None,
    })
}

fn refused(attribute: &NeighbourTableAttribute) -> Option<u64> {
    match attribute {
        NeighbourTableAttribute::Stats(stats) => Some(stats.table_fulls),
        _ => None,
    }
}
