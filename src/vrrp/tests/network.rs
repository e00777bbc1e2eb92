//! A segment of a few nodes in virtual time: adverts take a moment, so does the kernel, and both may be cut off.

use std::net::{IpAddr, Ipv4Addr};

use super::super::group::{Exclusive, Synced, exclusive_priorities, sync_allows};
use super::super::*;
use crate::wire::Advert;

/// From one node to the others.
const LATENCY: Duration = Duration::from_micros(5);
/// What the kernel needs for a claim or a release.
const KERNEL: Duration = Duration::from_micros(10);

/// How the routers of each node belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    None,
    Sync,
    Exclusive,
}

pub struct Node {
    settings: Vec<Settings>,
    /// Empty while the node is dead.
    pub routers: Vec<Router>,
    /// What the group last said to each router.
    fed: Vec<Event<'static>>,
    /// Counts starts: what an earlier life began is void.
    life: u32,
}

enum Parcel {
    Advert { router: usize, advert: Advert },
    Answer { router: usize, life: u32, claimed: bool },
}

pub struct Network {
    pub now: Instant,
    pub nodes: Vec<Node>,
    group: Group,
    /// Adverts and answers on their way, with the node they go to.
    parcels: Vec<(Instant, usize, Parcel)>,
    /// Whether an advert from one node to another for a router is lost.
    pub loses: Box<dyn FnMut(usize, usize, usize) -> bool>,
    /// Every change of state: when, node, router, to what.
    pub log: Vec<(Instant, usize, usize, State)>,
}

impl Network {
    /// `settings[node][router]`; all nodes are dead.
    pub fn new(group: Group, settings: Vec<Vec<Settings>>) -> Self {
        let dead = |settings| Node { settings, routers: Vec::new(), fed: Vec::new(), life: 0 };
        Self {
            now: Instant::ZERO,
            nodes: settings.into_iter().map(dead).collect(),
            group,
            parcels: Vec::new(),
            loses: Box::new(|_, _, _| false),
            log: Vec::new(),
        }
    }

    pub fn address(node: usize) -> IpAddr {
        Ipv4Addr::new(10, 9, 9, u8::try_from(node).unwrap() + 1).into()
    }

    pub fn start(&mut self, node: usize) {
        let now = self.now;
        let state = &mut self.nodes[node];
        state.life += 1;
        state.routers = state.settings.iter().map(|settings| Router::new(now, settings.clone())).collect();
        state.fed = vec![Event::Allow; state.routers.len()];
        self.settle(node);
        for router in 0..self.nodes[node].routers.len() {
            self.tell(node, router, Event::Interface(Some(Self::address(node))));
        }
    }

    pub fn crash(&mut self, node: usize) {
        self.nodes[node].routers.clear();
    }

    pub fn tell(&mut self, node: usize, router: usize, event: Event<'_>) {
        self.nodes[node].routers[router].handle(self.now, event);
        self.settle(node);
    }

    pub fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some((at, turn)) = self.next().filter(|(at, _)| *at <= end) {
            assert!(at >= self.now);
            self.now = at;
            match turn {
                Some((node, router)) => {
                    self.nodes[node].routers[router].handle_timeout(Turn { now: at, drained: true });
                    self.settle(node);
                }
                None => self.deliver(),
            }
        }
        self.now = end;
    }

    /// What comes next: a parcel, or the timer of a node's router. At the same instant parcels go first.
    fn next(&self) -> Option<(Instant, Option<(usize, usize)>)> {
        let parcels = self.parcels.iter().map(|(at, _, _)| (*at, None));
        let timers = self.nodes.iter().enumerate().flat_map(|(n, node)| {
            let timer = move |(r, router): (usize, &Router)| Some((router.poll_timeout()?, Some((n, r))));
            node.routers.iter().enumerate().filter_map(timer)
        });
        parcels.chain(timers).min()
    }

    fn deliver(&mut self) {
        let first = (0..self.parcels.len()).min_by_key(|i| self.parcels[*i].0).unwrap();
        let (_, node, parcel) = self.parcels.remove(first);
        match parcel {
            Parcel::Advert { router, advert } if !self.nodes[node].routers.is_empty() => {
                self.tell(node, router, Event::Advert(&advert));
            }
            Parcel::Answer { router, life, claimed } if life == self.nodes[node].life && self.is_alive(node) => {
                self.tell(node, router, if claimed { Event::Claimed } else { Event::Released });
            }
            _ => {}
        }
    }

    fn is_alive(&self, node: usize) -> bool {
        !self.nodes[node].routers.is_empty()
    }

    /// Carries out what a node's routers want, and tells them what their group makes of it, until nothing is left.
    fn settle(&mut self, node: usize) {
        for _ in 0..10 {
            self.act(node);
            let wanted = self.group_says(node);
            let now = self.now;
            let node = &mut self.nodes[node];
            if wanted == node.fed {
                return;
            }
            for (i, event) in wanted.into_iter().enumerate() {
                if event != node.fed[i] {
                    node.routers[i].handle(now, event.clone());
                    node.fed[i] = event;
                }
            }
        }
        panic!("a group does not come to rest");
    }

    fn group_says(&self, node: usize) -> Vec<Event<'static>> {
        let routers = &self.nodes[node].routers;
        match self.group {
            Group::None => self.nodes[node].fed.clone(),
            Group::Sync => {
                let members: Vec<Synced> =
                    routers.iter().map(|r| Synced { state: r.state(), ready: r.is_ready() }).collect();
                let forbid = || Event::Forbid("not all members can be master".into());
                vec![if sync_allows(&members) { Event::Allow } else { forbid() }; members.len()]
            }
            Group::Exclusive => {
                let member = |r: &Router| Exclusive { state: r.state(), priority: Some(r.settings().priority) };
                let members: Vec<Exclusive> = routers.iter().map(member).collect();
                exclusive_priorities(&members).into_iter().map(Event::Priority).collect()
            }
        }
    }

    fn act(&mut self, node: usize) {
        let (now, life) = (self.now, self.nodes[node].life);
        for router in 0..self.nodes[node].routers.len() {
            while let Some(action) = self.nodes[node].routers[router].poll_action() {
                let mut answer = |claimed| {
                    self.parcels.push((now + KERNEL, node, Parcel::Answer { router, life, claimed }));
                };
                match action {
                    Action::Claim => answer(true),
                    Action::Release => answer(false),
                    Action::Advertise { priority } => self.send(node, router, priority),
                    Action::Entered { to, .. } => self.log.push((now, node, router, to)),
                    Action::Announce | Action::Ask { .. } | Action::Alarm(_) => {}
                }
            }
        }
    }

    fn send(&mut self, node: usize, router: usize, priority: u8) {
        let advert = advert(&self.nodes[node].settings[router], priority, Self::address(node));
        for to in (0..self.nodes.len()).filter(|to| *to != node) {
            if !(self.loses)(node, to, router) {
                self.parcels.push((self.now + LATENCY, to, Parcel::Advert { router, advert: advert.clone() }));
            }
        }
    }

    /// The nodes that hold a router's addresses.
    pub fn holders(&self, router: usize) -> Vec<usize> {
        let holds = |node: &Node| node.routers.get(router).is_some_and(Router::holds);
        (0..self.nodes.len()).filter(|node| holds(&self.nodes[*node])).collect()
    }

    /// Who became master of any router since `start`, in this order.
    pub fn masters_since(&self, start: Instant) -> Vec<usize> {
        let recent = self.log.iter().filter(|(at, _, _, to)| *at >= start && *to == State::Master);
        recent.map(|(_, node, _, _)| *node).collect()
    }

    /// Runs on, and checks that nothing changes.
    pub fn assert_rest(&mut self, duration: Duration) {
        let before = self.log.len();
        self.run(duration);
        assert_eq!(self.log[before..], [], "it does not come to rest");
    }
}
