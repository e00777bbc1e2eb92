//! Hosts for tests: threads in network namespaces of their own, joined by veth pairs. They vanish with their threads, so a
//! test that fails leaves nothing behind.

use std::net::Ipv6Addr;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::transmit::Transmitter;
use crate::observe::IfIndex;

/// The far host's hardware address, and the near one's.
pub const FAR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
pub const NEAR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

type Job = Box<dyn FnOnce() + Send>;

/// A second host: it runs what it is told in its own namespace.
pub struct Host {
    jobs: mpsc::Sender<Job>,
    thread_id: String,
}

/// Runs `test` in a fresh namespace with interface `near`, cabled to interface `far` of another host.
/// IPv4 10.9.9.1/24 and 10.9.9.2/24, IPv6 fe80::1/64 and fe80::2/64.
pub fn with_neighbour(test: impl AsyncFnOnce(&Host) + Send) {
    thread::scope(|scope| {
        let test = scope.spawn(|| {
            enter_namespace();
            let host = Host::new();
            host.wire();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(test(&host));
        });
        if let Err(panic) = test.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

impl Host {
    fn new() -> Self {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (say_id, hear_id) = mpsc::channel();
        thread::spawn(move || {
            enter_namespace();
            let link = std::fs::read_link("/proc/thread-self").expect("procfs");
            say_id.send(link.file_name().expect("a thread id").to_string_lossy().into_owned()).expect("a listener");
            for job in inbox {
                job();
            }
        });
        Self { jobs, thread_id: hear_id.recv().expect("a namespace") }
    }

    /// Cables `near`, on the calling thread's side, to `far` on this host.
    fn wire(&self) {
        let (near, far) = ("address 02:00:00:00:00:01", "address 02:00:00:00:00:02");
        ip(&format!("link add near {near} type veth peer name far {far} netns {}", self.thread_id));
        set_up("near", "10.9.9.1/24", "fe80::1/64");
        self.run(|| set_up("far", "10.9.9.2/24", "fe80::2/64"));
        self.wait_for_carrier();
    }

    /// Waits until both ends of the cable are up: what is sent before is lost.
    pub fn wait_for_carrier(&self) {
        wait_for_carrier("near");
        self.run(|| wait_for_carrier("far"));
    }

    /// Deletes the cable and lays another.
    pub fn rewire(&self) {
        ip("link delete near");
        self.wire();
    }

    /// Cables `near2` to `far2` beside the first cable: 10.9.8.1/24 and 10.9.8.2/24.
    pub fn second_cable(&self) {
        let (near, far) = ("address 02:00:00:00:00:03", "address 02:00:00:00:00:04");
        ip(&format!("link add near2 {near} type veth peer name far2 {far} netns {}", self.thread_id));
        set_up("near2", "10.9.8.1/24", "fe80::3/64");
        self.run(|| set_up("far2", "10.9.8.2/24", "fe80::4/64"));
        wait_for_carrier("near2");
        self.run(|| wait_for_carrier("far2"));
    }

    /// Runs a job in this host's namespace and waits for its result.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (say, hear) = mpsc::channel();
        let job = move || {
            let _ = say.send(job());
        };
        self.jobs.send(Box::new(job)).expect("the host's thread lives");
        hear.recv().expect("the job did not panic")
    }

    /// Sends frames out of `far`, in this order.
    pub fn send(&self, frames: Vec<Vec<u8>>) {
        self.run(move || {
            let transmitter = Transmitter::open("a test").expect("root");
            for frame in frames {
                transmitter.send(index_of("far"), &frame).expect("far is up");
            }
        });
    }
}

/// Runs `ip` in the namespace of this thread, and returns what it prints.
pub fn ip(arguments: &str) -> String {
    run(Command::new("ip").args(arguments.split(' ')))
}

/// Adds rules to a hook of the firewall in the namespace of this thread, such as `inet` and `input`.
pub fn firewall(family: &str, hook: &str, rules: &[&str]) {
    let chain = format!("chain c {{\ntype filter hook {hook} priority 0\n{}\n}}", rules.join("\n"));
    run(Command::new("nft").arg(format!("table {family} t {{\n{chain}\n}}")));
}

/// The index of an interface in the namespace of this thread.
pub fn index_of(name: &str) -> IfIndex {
    let name = std::ffi::CString::new(name).expect("a name without zeros");
    // SAFETY: a zero-terminated string that outlives the call.
    IfIndex(unsafe { libc::if_nametoindex(name.as_ptr()) })
}

/// What comes of a future, within far more time than anything here takes.
pub async fn within_deadline<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("what was waited for did not come")
}

/// A v3 advertisement of priority 200 for one address; its checksum is not right.
pub fn advert(vrid: u8) -> Vec<u8> {
    vec![0x31, vrid, 200, 1, 0, 100, 0, 0, 10, 9, 9, 100]
}

/// An advert of `source` to the IPv4 group, as a frame of the far host.
pub fn advert_v4(vrid: u8, source: [u8; 4]) -> Vec<u8> {
    ethernet([0x01, 0x00, 0x5e, 0, 0, 0x12], 0x0800, &ipv4(112, source, [224, 0, 0, 18], &advert(vrid)))
}

/// An advert of `source` to the IPv6 group, as a frame of the far host.
pub fn advert_v6(vrid: u8, source: Ipv6Addr) -> Vec<u8> {
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
    ethernet([0x33, 0x33, 0, 0, 0, 0x12], 0x86dd, &ipv6(112, source, group, &advert(vrid)))
}

/// An Ethernet frame around `payload`.
pub fn ethernet(destination: [u8; 6], protocol: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = destination.to_vec();
    frame.extend(FAR_MAC);
    frame.extend(protocol.to_be_bytes());
    frame.extend(payload);
    frame
}

/// An IPv4 packet without options: TTL 255, its checksum right.
pub fn ipv4(protocol: u8, source: [u8; 4], destination: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let length = (20 + payload.len()) as u16;
    let mut header = vec![0x45, 0xc0, 0, 0, 0, 1, 0, 0, 255, protocol, 0, 0];
    header[2..4].copy_from_slice(&length.to_be_bytes());
    header.extend(source);
    header.extend(destination);
    let sum: u32 = header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = !(((sum & 0xffff) + (sum >> 16)) as u16);
    header[10..12].copy_from_slice(&folded.to_be_bytes());
    header.extend(payload);
    header
}

/// An IPv6 packet without extension headers: hop limit 255.
pub fn ipv6(next_header: u8, source: Ipv6Addr, destination: Ipv6Addr, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, payload.len() as u8, next_header, 255];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(payload);
    packet
}

fn set_up(interface: &str, v4: &str, v6: &str) {
    // Without this the link-local address is tentative for a second.
    std::fs::write(format!("/proc/sys/net/ipv6/conf/{interface}/accept_dad"), "0").expect("sysctl");
    ip("link set lo up");
    ip(&format!("address add {v4} dev {interface}"));
    ip(&format!("address add {v6} dev {interface} nodad"));
    ip(&format!("link set {interface} up"));
}

/// Waits until the kernel has noticed the carrier, of which the multicast route is the sign, and listens to solicitations for
/// its addresses (ff02::1:ff00:0/104). It does both behind our backs.
fn wait_for_carrier(interface: &str) {
    let command = format!("-6 route show table all type multicast dev {interface}");
    for _ in 0..5000 {
        let route = ip(&command);
        let groups = std::fs::read_to_string("/proc/thread-self/net/igmp6").expect("procfs");
        let joined = |line: &str| line.contains(interface) && line.contains("ff0200000000000000000001ff0000");
        if route.contains("ff00::/8") && !route.contains("linkdown") && groups.lines().any(joined) {
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
    panic!("{interface} has no carrier");
}

/// Takes all capabilities from this thread.
pub fn drop_capabilities() {
    super::capability::drop_all().expect("whoever has them may drop them");
}

fn enter_namespace() {
    // SAFETY: takes no pointer; it changes only the calling thread.
    let result = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    assert_eq!(result, 0, "these tests need root: {}", std::io::Error::last_os_error());
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("the program is installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
