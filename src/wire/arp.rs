//! ARP for IPv4 over Ethernet (RFC 826), read and written.
//!
//! Panics: never. Anything that isn't a request or a reply of that kind is `None`.

use pnet::packet::arp::{ArpHardwareTypes, ArpOperations, ArpPacket, MutableArpPacket};
use pnet::packet::ethernet::EtherTypes;

use super::link::Link;
use super::{Arp, ArpOperation};

const LENGTH: usize = 28;
const MAC_LENGTH: u8 = 6;
const IPV4_LENGTH: u8 = 4;

/// Reads an ARP packet; what follows its 28 bytes is padding.
pub fn parse(link: &Link<'_>) -> Option<Arp> {
    let packet = ArpPacket::new(link.payload)?;
    let fits = packet.get_hardware_type() == ArpHardwareTypes::Ethernet
        && packet.get_protocol_type() == EtherTypes::Ipv4
        && packet.get_hw_addr_len() == MAC_LENGTH
        && packet.get_proto_addr_len() == IPV4_LENGTH;
    let operation = match packet.get_operation() {
        ArpOperations::Request => ArpOperation::Request,
        ArpOperations::Reply => ArpOperation::Reply,
        _ => return None,
    };
    fits.then(|| Arp {
        frame_source: link.source_or_zero(),
        frame_destination: link.destination.unwrap_or_default(),
        operation,
        sender_mac: packet.get_sender_hw_addr(),
        sender_ip: packet.get_sender_proto_addr(),
        target_mac: packet.get_target_hw_addr(),
        target_ip: packet.get_target_proto_addr(),
    })
}

/// The ARP packet, without the frame around it.
pub fn emit(arp: &Arp) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    if let Some(mut packet) = MutableArpPacket::new(&mut bytes) {
        packet.set_hardware_type(ArpHardwareTypes::Ethernet);
        packet.set_protocol_type(EtherTypes::Ipv4);
        packet.set_hw_addr_len(MAC_LENGTH);
        packet.set_proto_addr_len(IPV4_LENGTH);
        packet.set_operation(match arp.operation {
            ArpOperation::Request => ArpOperations::Request,
            ArpOperation::Reply => ArpOperations::Reply,
        });
        packet.set_sender_hw_addr(arp.sender_mac);
        packet.set_sender_proto_addr(arp.sender_ip);
        packet.set_target_hw_addr(arp.target_mac);
        packet.set_target_proto_addr(arp.target_ip);
    }
    bytes
}
