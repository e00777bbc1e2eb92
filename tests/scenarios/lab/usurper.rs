//! A host that takes another's address by ARP, and answers HTTP there in its name.

use super::{Injector, Node, until};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use vipwarden::wire::{MacAddr, frame};

/// What it answers to a request of that path: all of the bytes, and how long it waits after each of them.
pub type Answer = Box<dyn Fn(&str) -> (Vec<u8>, Duration) + Send>;

/// Has the address until it is dropped.
pub struct Usurper {
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    answer: Arc<Mutex<Answer>>,
    /// How often it was asked since its answer is what it is.
    asked: Arc<AtomicU32>,
}

impl Usurper {
    /// Takes an IPv4 address of `victim`, whose vipwarden listens on `port`.
    pub fn start(node: &Node, victim: &Node, port: u16) -> Self {
        let address: Ipv4Addr = victim.ipv4().parse().expect("an address");
        node.exec(&format!("ip addr add {address}/32 dev eth0")).expect("it has the address");
        let mac: MacAddr = node.mac().parse().expect("a MAC");
        let ends = Arc::new(AtomicBool::new(false));
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(|_| (Vec::new(), Duration::ZERO))));
        let listener = node.inside(|| TcpListener::bind((address, port)));
        let listener = listener.expect("the namespace is there").expect("it listens");
        listener.set_nonblocking(true).expect("a socket");
        let asked = Arc::new(AtomicU32::new(0));
        let mut injector = Injector::open(node);
        let (told, says) = (Arc::clone(&ends), Arc::clone(&answer));
        let claim = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                frame::gratuitous_arp(mac, address).iter().for_each(|frame| injector.send(frame));
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let (told, counts) = (Arc::clone(&ends), Arc::clone(&asked));
        let serve = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                match listener.accept() {
                    // It ends with the connection, or with the test.
                    Ok((stream, _)) => drop(std::thread::spawn({
                        let (says, counts) = (Arc::clone(&says), Arc::clone(&counts));
                        move || respond(stream, &says, &counts)
                    })),
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        Self { ends, threads: vec![claim, serve], answer, asked }
    }

    /// Answers so from now on; waits until it was asked thrice.
    pub fn answer(&self, answer: Answer) {
        *self.answer.lock().expect("nobody panicked with it") = answer;
        self.asked.store(0, Ordering::Relaxed);
        until("it is asked", || self.asked.load(Ordering::Relaxed) >= 3);
    }
}

impl Drop for Usurper {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok(), "it could usurp to its end");
        }
    }
}

/// Whoever asks may go away at any time.
fn respond(mut stream: TcpStream, says: &Mutex<Answer>, asked: &AtomicU32) {
    let mut request = Vec::new();
    let mut byte = [0];
    stream.set_nonblocking(false).expect("a socket");
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split_whitespace().nth(1).unwrap_or_default().to_owned();
    asked.fetch_add(1, Ordering::Relaxed);
    let (bytes, pause) = says.lock().expect("nobody panicked with it")(&path);
    if pause.is_zero() {
        drop(stream.write_all(&bytes));
        return;
    }
    for byte in bytes {
        std::thread::sleep(pause);
        if stream.write_all(&[byte]).is_err() {
            return;
        }
    }
}
