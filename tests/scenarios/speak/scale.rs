//! As many routers as one interface and family can have.

use crate::lab::{Daemon, Flavour, Node, Stage, Watch, until, vipwarden};

const COUNT: usize = 255;

fn all(node: &Node, priority: u8) -> Watch {
    let routers = (1..=COUNT).map(|i| {
        format!(
            "[[router]]\nname = \"r{i}\"\nmode = \"speak\"\ninterface = \"eth0\"\nvrid = {i}\nversion = 3\n\
             advert_interval = \"100ms\"\npriority = {priority}\naddresses = [\"10.9.10.{i}\"]\n"
        )
    });
    Watch(Daemon::start(node, vipwarden(), &routers.collect::<String>()).expect("vipwarden starts"))
}

fn held(node: &Node) -> usize {
    node.exec("ip -o -4 addr show up").expect("ip lists addresses").matches(" 10.9.10.").count()
}

#[test]
fn all_routers_of_an_interface_move_to_the_better_node_and_back_at_its_end() {
    let stage = Stage::new(Flavour::V3);
    let b = all(&stage.b, 100);
    until("b holds all", || held(&stage.b) == COUNT);
    let mut a = all(&stage.a, 200);
    until("a holds all", || (held(&stage.a), held(&stage.b)) == (COUNT, 0));
    a.process().stop().expect("it ends");
    until("b holds all again", || (held(&stage.a), held(&stage.b)) == (0, COUNT));
    b.expect("it is master", |router| router["state"] == "master");
}
