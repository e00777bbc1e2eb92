//! A second network, over which vipwardens ask each other.

use super::Node;
use std::os::unix::fs::PermissionsExt;

/// The cluster's key in these tests.
const KEY: &str = "6f2d1c3b4a5968778695a4b3c2d1e0f0";

/// The configuration of a node that asks its peer over both networks, signed.
pub fn asks(node: &Node, peer: &Node) -> String {
    let key = node.scratch().expect("a scratch directory").join("cluster.key");
    std::fs::write(&key, KEY).expect("the key is written");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("nobody else may read it");
    format!("[cluster]\nkey_file = \"{}\"\n{}", key.display(), asks_unsigned(node, peer))
}

/// The same without a key.
pub fn asks_unsigned(_: &Node, peer: &Node) -> String {
    format!(
        "[[peer]]\nname = \"{}\"\naddress = \"{}\"\nvrrp_addresses = [\"{}\"]\n\
         urls = [\"http://{}:10112\", \"http://{}:10112\"]\n",
        peer.name(),
        peer.ipv4(),
        peer.link_local(),
        peer.ipv4(),
        management(peer),
    )
}

/// A node's address on the second network.
fn management(node: &Node) -> String {
    node.ipv4().replace("10.9.9.", "192.168.99.")
}

/// Joins two nodes by a cable of their own.
pub fn join(a: &Node, b: &Node) {
    let cable = format!("ip link add mgmt0 type veth peer name mgmt0 netns {}", b.namespace());
    a.exec(&cable).expect("the cable is made");
    for node in [a, b] {
        node.exec(&format!("ip addr add {}/24 dev mgmt0", management(node))).expect("it has an address");
        node.exec("ip link set mgmt0 up").expect("it comes up");
    }
}
