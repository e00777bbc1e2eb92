//! A page and an API to read from, on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use vipwarden::detect::Snapshot;
use vipwarden::engine::{Shared, View};
use vipwarden::sys::clock;
use vipwarden::web;

use super::scene;

/// Served on a thread of its own until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    shared: Shared,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Serves `snapshot`, under the rules of a web-config file if there is one.
    pub fn start(snapshot: Snapshot, rules: Option<&Path>) -> Self {
        let shared = scene::shared(snapshot);
        let guard = web::Guard::load(rules).unwrap();
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let served = shared.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    () = web::serve(listener, web::app(served), guard) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address: told.recv().unwrap(), shared, stop: Some(stop), thread: Some(thread) }
    }

    pub fn become_(&self, snapshot: Snapshot) {
        let view = self.shared.view.load_full();
        self.shared.view.store(Arc::new(View { snapshot, last_turn: clock::now(), ..(*view).clone() }));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its own panic has been printed.
            let _ = thread.join();
        }
    }
}
