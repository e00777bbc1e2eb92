//! A client of the virtual address: it asks every millisecond, and knows afterwards for how long nobody answered.

use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use vipwarden::cli::demo::lab::Node;
use vipwarden::sys::clock;
use vipwarden::time::Instant;

const EVERY: Duration = Duration::from_millis(1);
/// What is sent when the client stops may still be on its way.
const LAST_ANSWERS: Duration = Duration::from_millis(20);
const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;
const HEADER: usize = 8;
const IDENTIFIER: [u8; 2] = *b"vw";

/// A client at work.
pub struct Client {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Question>>,
}

/// One question.
struct Question {
    sent: Instant,
    answered: bool,
}

impl Client {
    /// Begins to ask for `address` from a node.
    pub fn start(node: &Node, address: Ipv4Addr) -> Self {
        let socket = node.inside(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)));
        let socket = socket.expect("the namespace is there").expect("root");
        socket.set_nonblocking(true).expect("a socket");
        let stop = Arc::new(AtomicBool::new(false));
        let until = stop.clone();
        Self { stop, thread: thread::spawn(move || ask(&socket, address, &until)) }
    }

    /// The longest time between two questions in a row that were answered.
    pub fn stop(self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        let questions = self.thread.join().expect("the client works");
        let answered: Vec<Instant> = questions.iter().filter(|q| q.answered).map(|q| q.sent).collect();
        answered.windows(2).map(|pair| pair[1].since(pair[0])).max().expect("somebody answered before and after")
    }
}

fn ask(socket: &Socket, address: Ipv4Addr, stop: &AtomicBool) -> Vec<Question> {
    let to = SockAddr::from(std::net::SocketAddrV4::new(address, 0));
    let mut questions = Vec::new();
    let mut next = clock::now();
    while !stop.load(Ordering::Relaxed) {
        let number = u32::try_from(questions.len()).expect("a few minutes at most");
        questions.push(Question { sent: clock::now(), answered: false });
        // While nobody has the address the kernel may say so; such a question has no answer.
        let _ = socket.send_to(&request(number), &to);
        next += EVERY;
        thread::sleep(next.since(clock::now()));
        hear(socket, address, &mut questions);
    }
    thread::sleep(LAST_ANSWERS);
    hear(socket, address, &mut questions);
    questions
}

fn request(number: u32) -> Vec<u8> {
    let mut message = vec![ECHO_REQUEST, 0, 0, 0, IDENTIFIER[0], IDENTIFIER[1], 0, 0];
    message.extend(number.to_be_bytes());
    let words = message.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).expect("folded");
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

/// Takes in all answers that are there.
fn hear(mut socket: &Socket, address: Ipv4Addr, questions: &mut [Question]) {
    let mut buffer = [0; 128];
    loop {
        let length = match socket.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            // An ICMP error about one of the questions.
            Err(_) => continue,
        };
        let number = answer(&buffer[..length], address);
        if let Some(question) = number.and_then(|number| questions.get_mut(number as usize)) {
            question.answered = true;
        }
    }
}

/// The number of the question that an IPv4 packet answers.
fn answer(packet: &[u8], address: Ipv4Addr) -> Option<u32> {
    let message = packet.get(usize::from(packet.first()? & 0x0f) * 4..)?;
    let number = message.get(HEADER..HEADER + 4)?;
    let is_ours = packet.get(12..16)? == address.octets() && message[0] == ECHO_REPLY && message[4..6] == IDENTIFIER;
    is_ours.then(|| u32::from_be_bytes([number[0], number[1], number[2], number[3]]))
}
