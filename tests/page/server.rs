//! The page's server around a scene that can change.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use vipwarden::detect::{Event, RouterView, Snapshot};
use vipwarden::engine::{Shared, View};
use vipwarden::sys::clock;
use vipwarden::web;

use crate::scene;

/// Serves on a thread of its own, which ends with the process.
#[derive(Clone)]
pub struct Server {
    address: SocketAddr,
    shared: Shared,
}

impl Server {
    pub fn start(snapshot: Snapshot) -> Self {
        let shared = scene::shared(snapshot);
        let (tell, told) = mpsc::channel();
        let served = shared.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                web::serve(listener, web::app(served), web::Guard::load(None).unwrap()).await;
            });
        });
        let server = Self { address: told.recv().unwrap(), shared };
        // The scenes' loop doesn't turn: it is said to have turned just now.
        let kept = server.clone();
        thread::spawn(move || {
            loop {
                kept.alter(|_| {});
                thread::sleep(Duration::from_secs(1));
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn become_(&self, snapshot: Snapshot) {
        self.alter(|now| *now = snapshot.clone());
    }

    /// Lets the scene be this much older.
    pub fn pass(&self, time: Duration) {
        self.alter(|snapshot| snapshot.at += time);
    }

    /// Changes one router of the scene.
    pub fn change(&self, index: usize, how: impl Fn(&mut RouterView)) {
        self.alter(|snapshot| how(Arc::make_mut(&mut snapshot.routers[index])));
    }

    pub fn happen(&self, event: Event) {
        self.shared.events.push(event, clock::wall());
    }

    fn alter(&self, how: impl Fn(&mut Snapshot)) {
        self.shared.view.rcu(|view| {
            let mut view = View { last_turn: clock::now(), ..(**view).clone() };
            how(&mut view.snapshot);
            view
        });
    }
}
