//! What the whole daemon costs: the release build of `vipwarden run`, in network namespaces of its own, under loads that are
//! sent over a veth pair.
//!
//! Needs root and iproute2. Without arguments everything is measured, in about ten minutes; with words only the scenarios whose
//! names contain one: `cargo bench --bench daemon -- quiet`.

mod lab;
mod load;
mod readers;
mod tap;

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use vipwarden::sys::clock;
use vipwarden::sys::transmit::Transmitter;
use vipwarden::time::Instant;
use vipwarden::wire::Family;

use lab::{Daemon, Lab, until};
use load::Sender;
use readers::Readers;
use tap::Tap;

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];
/// How long the daemon runs before a steady state is measured.
const WARM: Duration = Duration::from_secs(60);
/// How long a steady state is measured.
const SPAN: Duration = Duration::from_secs(20);
/// How long a flood lasts.
const FLOOD: Duration = Duration::from_secs(15);

const SCENARIOS: [(&str, fn()); 11] = [
    ("observer", observer),
    ("member", member),
    ("healthy-25k", healthy_25k),
    ("flood-25k", flood_25k),
    ("unrelated-200k", unrelated_200k),
    ("latency", latency),
    ("hostile-25k", hostile_25k),
    ("routers-5100", routers_5100),
    ("load-16", || under_load(16, 100)),
    ("load-255", || under_load(255, 1000)),
    ("recording", recording),
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for (name, measure) in SCENARIOS {
        if wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str())) {
            println!("\n{name}");
            measure();
        }
    }
}

/// One line of the table.
fn row(what: &str, target: &str, measured: String) {
    println!("  {what:<46} {target:>10}  {measured}");
}

fn row_of_memory(daemon: &Daemon, target: &str) {
    let (resident, highest) = daemon.memory();
    row("resident memory, now and highest", target, format!("{resident:.1} MiB, {highest:.1} MiB"));
}

fn row_of_drops(daemon: &Daemon, target: &str) {
    let [frames, dropped] = ["frames", "dropped"].map(|what| daemon.metric(&format!("vipwarden_capture_{what}_total")));
    row("frames dropped", target, format!("{dropped} of {frames}"));
}

fn row_of_series(daemon: &Daemon, target: &str) {
    let start = clock::now();
    let text = daemon.get("/metrics");
    let took = clock::now().since(start);
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    row("series, size of a scrape, time it takes", target, format!("{series}, {} KiB, {took:.1?}", text.len() / 1024));
}

/// 255 virtual routers × 2 families, an advert a second each; nothing configured.
fn observer() {
    steady(&Lab::new(), "");
}

/// The same, all configured: their addresses are probed too, and the far end answers for them.
fn member() {
    let of = |family| (1..=255).map(move |vrid| (family, vrid));
    let router = |(family, vrid)| {
        let address = load::vip(family, vrid);
        format!(
            "[[router]]\ninterface = \"near\"\nvrid = {vrid}\naddresses = [\"{address}\"]\nversion = 3\nadvert_interval = \"1s\"\n"
        )
    };
    let lab = Lab::new();
    let _daemon = lab.sockets();
    steady(&lab, &FAMILIES.into_iter().flat_map(of).map(router).collect::<String>());
}

fn steady(lab: &Lab, config: &str) {
    lab.hold(FAMILIES.into_iter().flat_map(|family| {
        (1..=255)
            .map(move |vrid| format!("{}/{}", load::vip(family, vrid), if family == Family::V4 { 32 } else { 128 }))
    }));
    let server = SocketAddr::from((load::NEAR_ADDRESS, 10112));
    let daemon = lab.start_on(&[server], config);
    let sender = Sender::start(lab.transmitter(), load::segment(100), 510);
    thread::sleep(WARM);
    daemon.wait_for_healthy(510);
    row("of a core", "< 1 %", daemon.load_over(SPAN).to_string());
    row_of_memory(&daemon, "< 20 MiB");
    let scraper = Readers::scrape(lab.far(), server, Duration::from_secs(5));
    let load = daemon.load_over(SPAN);
    row("scrapes answered", "0.2/s", scraper.stop());
    row("of a core, scraped every 5 s", "< 1 %", load.to_string());
    row_of_memory(&daemon, "< 20 MiB");
    row_of_series(&daemon, "");
    row_of_drops(&daemon, "0");
    sender.stop();
}

/// 510 virtual routers that advertise every 20 ms: all is well, only much of it.
fn healthy_25k() {
    let lab = Lab::new();
    let daemon = lab.start("");
    let sender = Sender::start(lab.transmitter(), load::segment(2), 25_500);
    daemon.wait_for_healthy(505);
    busy(&daemon, sender, "< 10 %");
}

/// One host that floods the adverts of two virtual routers.
fn flood_25k() {
    let lab = Lab::new();
    let daemon = lab.start("");
    let frames = FAMILIES.map(|family| load::emit(&load::advert(family, 51, 100))).to_vec();
    let sender = Sender::start(lab.transmitter(), frames, 25_000);
    daemon.wait_for_healthy(2);
    busy(&daemon, sender, "< 10 %");
}

fn busy(daemon: &Daemon, sender: Sender, target: &str) {
    let load = daemon.load_over(SPAN);
    let healthy = daemon.routers("?verdict=healthy").len();
    let sent = sender.stop();
    row("of a core", target, format!("{load} at {:.0} adverts/s", sent.per_second));
    row_of_drops(daemon, "0");
    row("healthy at the end", "", healthy.to_string());
    row_of_memory(daemon, "");
}

/// Traffic that is none of the daemon's business. The kernel's filters run on the sender's time, as they run on that of the
/// interrupt elsewhere.
fn unrelated_200k() {
    let lab = Lab::new();
    let start = || Sender::start(lab.transmitter(), vec![load::dns_query()], 200_000);
    let sender = start();
    thread::sleep(FLOOD);
    let alone = sender.stop();
    let daemon = lab.start("");
    let quiet = daemon.load_over(FLOOD);
    let sender = start();
    let load = daemon.load_over(FLOOD);
    let watched = sender.stop();
    row("of a core", "< 1 %", format!("{load} at {:.0} packets/s; {quiet} at none", watched.per_second));
    let each = |sent: &load::Sent| sent.processor_time_each.as_nanos();
    let more = format!("{} ns, {} ns without the daemon", each(&watched), each(&alone));
    row("kernel and sender, for each packet", "", more);
    row_of_drops(&daemon, "0");
}

/// From a second master's first frame to the event that names it, and to a status document that shows it. One sample a virtual
/// router, all of which advertise every second meanwhile.
fn latency() {
    let lab = Lab::new();
    let daemon = lab.start("");
    let sender = Sender::start(lab.transmitter(), load::segment(100), 510);
    daemon.wait_for_healthy(510);
    let mut rivals = Rivals::new(&lab, &daemon, Family::V4);
    let (mut to_event, mut to_status) = (Vec::new(), Vec::new());
    for vrid in 1..=255 {
        let (sent, told) = rivals.appear(vrid);
        to_event.push(told.since(sent));
        let (name, query) = (rivals.name(vrid), format!("?vip={}", load::vip(Family::V4, vrid)));
        let shows = || daemon.routers(&query).iter().any(|router| router["verdict"] != "healthy");
        while !shows() {
            assert!(
                clock::now().since(sent) < Duration::from_secs(5),
                "{name} is not healthy, and the status says it is"
            );
        }
        to_status.push(clock::now().since(sent));
    }
    row("frame to event at a stream's reader", "p99 50 ms", percentiles(to_event));
    row("frame to status document at its reader", "p99 50 ms", percentiles(to_status));
    sender.stop();
}

/// Second masters, and who hears of them.
struct Rivals {
    family: Family,
    transmitter: Transmitter,
    hear: mpsc::Receiver<(Instant, Value)>,
}

impl Rivals {
    fn new(lab: &Lab, daemon: &Daemon, family: Family) -> Self {
        let (told, hear) = mpsc::channel();
        let events = daemon.events();
        thread::spawn(move || events.for_each(|event| drop(told.send((clock::now(), event)))));
        Self { family, transmitter: lab.transmitter(), hear }
    }

    /// What the daemon calls a router that nobody has named.
    fn name(&self, vrid: u8) -> String {
        format!("{}/{vrid}", load::vip(self.family, vrid))
    }

    /// When a second master sent its first frame, and when the event that names its router came.
    fn appear(&mut self, vrid: u8) -> (Instant, Instant) {
        // At another phase of the adverts and of the daemon's own beat each time.
        thread::sleep(Duration::from_micros(20_000 + u64::from(vrid) * 7_919 % 30_000));
        let (name, sent) = (self.name(vrid), clock::now());
        self.transmitter.send(load::FAR, &load::rival(self.family, vrid)).expect("the cable is up");
        let is_it = |event: &Value| event["kind"] == "verdict" && event["router"] == name && event["from"] == "healthy";
        let heard =
            std::iter::from_fn(|| self.hear.recv_timeout(Duration::from_secs(5)).ok()).find(|(_, event)| is_it(event));
        let (told, _) = heard.expect("a second master makes an event");
        (sent, told)
    }
}

/// A daemon that speaks `count` virtual routers over IPv4 and watches 255 over IPv6, without and with too many readers.
fn under_load(count: u8, milliseconds: u64) {
    let lab = Lab::new();
    let server = SocketAddr::from((load::NEAR_ADDRESS, 10112));
    let daemon = lab.start_on(&[server], &speaking(count, milliseconds));
    let sender = Sender::start(lab.transmitter(), load::segment_of(Family::V6, 100).collect(), 255);
    daemon.wait_for_healthy(255 + usize::from(count));
    row_of_series(&daemon, "");
    let mut rivals = Rivals::new(&lab, &daemon, Family::V6);
    let mut measure = |readers: &str, vrids: RangeInclusive<u8>| {
        let tap = Tap::start(lab.far(), load::NEAR_ADDRESS.into());
        let end = clock::now() + SPAN;
        let told = vrids.map(|vrid| rivals.appear(vrid)).map(|(sent, told)| told.since(sent)).collect();
        row(&format!("frame to event, {readers}"), "p99 50 ms", percentiles(told));
        row(&format!("of a core, {readers}"), "", daemon.load_over(end.since(clock::now())).to_string());
        row_of_adverts(tap, readers, count, milliseconds);
    };
    measure("quiet", 1..=100);
    let readers = Readers::start(lab.far(), server, 1000, 500);
    measure("under load", 101..=200);
    row("scrapes answered", "1000/s", readers.stop());
    row_of_memory(&daemon, "bounded");
    sender.stop();
}

/// The configuration of `count` virtual routers over IPv4 that the daemon speaks.
fn speaking(count: u8, milliseconds: u64) -> String {
    let router = |vrid| {
        format!(
            "[[router]]\nmode = \"speak\"\ninterface = \"near\"\nvrid = {vrid}\naddresses = [\"{}/32\"]\nversion = 3\n\
             advert_interval = \"{milliseconds}ms\"\npriority = 200\n",
            load::vip(Family::V4, vrid)
        )
    };
    (1..=count).map(router).collect()
}

fn row_of_adverts(tap: Tap, when: &str, count: u8, milliseconds: u64) {
    let (deviations, routers) = tap.stop().deviations(Duration::from_millis(milliseconds));
    row(&format!("adverts off their interval, {when}"), "", percentiles(deviations));
    row("routers advertised", &count.to_string(), routers.to_string());
}

/// What `--record` adds: beside an advert a second of 510 routers, beside 25 000 adverts a second, and beside adverts of its own.
fn recording() {
    for is_recorded in [false, true] {
        let when = if is_recorded { "recorded" } else { "not recorded" };
        for per_second in [510, 25_500] {
            let lab = Lab::new();
            let file = is_recorded.then(|| lab.path("recording"));
            let daemon = lab.start_with(&[], "", file.as_deref());
            let sender =
                Sender::start(lab.transmitter(), load::segment(if per_second == 510 { 100 } else { 2 }), per_second);
            daemon.wait_for_healthy(505);
            let [all, core] = daemon.loads_over(SPAN);
            let sent = sender.stop();
            row(&format!("of a core, {when}"), "", format!("{all} at {:.0} adverts/s", sent.per_second));
            row(&format!("of a core, the core thread alone, {when}"), "", core.to_string());
            row_of_drops(&daemon, "0");
            row_of_memory(&daemon, "");
            row_of_recording(&lab);
        }
        let lab = Lab::new();
        let file = is_recorded.then(|| lab.path("recording"));
        let daemon = lab.start_with(&[], &speaking(16, 100), file.as_deref());
        let sender = Sender::start(lab.transmitter(), load::segment_of(Family::V6, 100).collect(), 255);
        daemon.wait_for_healthy(255 + 16);
        let tap = Tap::start(lab.far(), load::NEAR_ADDRESS.into());
        let [all, core] = daemon.loads_over(SPAN);
        row(&format!("of a core, speaking, {when}"), "", format!("{all}, the core thread {core}"));
        row_of_adverts(tap, when, 16, 100);
        row_of_recording(&lab);
        sender.stop();
    }
}

/// What was written, if anything was, and what of it was lost.
fn row_of_recording(lab: &Lab) {
    let Ok(file) = File::open(lab.path("recording")) else { return };
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let (mut records, mut lost) = (0_u64, 0);
    for line in BufReader::new(file).lines().map_while(Result::ok) {
        let record: Value = serde_json::from_str(&line).unwrap_or_default();
        records += 1;
        lost += record["do"]["lost"].as_u64().unwrap_or(0);
    }
    row("records, lost ones, size", "", format!("{records}, {lost}, {} MiB", size >> 20));
}

fn percentiles(mut delays: Vec<Duration>) -> String {
    delays.sort();
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share).ceil() as usize];
    format!("p50 {:.1?}, p99 {:.1?}, max {:.1?}, {} samples", at(0.5), at(0.99), at(1.0), delays.len())
}

/// A stranger who means harm, beside a configured virtual router whose master does its work.
fn hostile_25k() {
    let lab = Lab::new();
    let daemon = lab.start(
        "[[router]]\nname = \"ours\"\ninterface = \"near\"\nvrid = 51\naddresses = [\"10.9.9.51\"]\nversion = 3\nadvert_interval = \"1s\"\n",
    );
    lab.hold(std::iter::once("10.9.9.51/32".into()));
    let master = Sender::start(lab.transmitter(), vec![load::emit(&load::advert(Family::V4, 51, 100))], 1);
    let verdict = || daemon.routers("?router=ours")[0]["verdict"].as_str().unwrap_or("none").to_owned();
    until("our router is healthy", || verdict() == "healthy");
    row_of_memory(&daemon, "");
    let stranger = Sender::start(lab.transmitter(), load::harm(50_000), 25_000);
    for half in ["first", "second"] {
        let load = daemon.load_over(FLOOD);
        row(&format!("of a core, {half} half of the flood"), "", format!("{load}, our router {}", verdict()));
        row_of_memory(&daemon, "bounded");
    }
    let sent = stranger.stop();
    let over = clock::now();
    row("frames sent", "", format!("{}, {:.0}/s", sent.frames, sent.per_second));
    row_of_drops(&daemon, "");
    row_of_series(&daemon, "< 100 000");
    until("our router is healthy again", || verdict() == "healthy");
    row("our router healthy after the flood", "", format!("after {:.1} s", clock::now().since(over).as_secs_f64()));
    row("routers known", "", daemon.routers("").len().to_string());
    master.stop();
}

/// As many routers as a mirror port of a whole site would show: ten VLANs of 510.
fn routers_5100() {
    let lab = Lab::new();
    let daemon = lab.start("[watch]\nmax_routers = 6000\n");
    let frames = load::segment(100);
    let frames: Vec<_> = (1..=10).flat_map(|vlan| load::tagged(&frames, vlan)).collect();
    let sender = Sender::start(lab.transmitter(), frames, 5_100);
    daemon.wait_for_healthy(5_090);
    row_of_series(&daemon, "< 100 000");
    let load = daemon.load_over(SPAN);
    row("of a core, an advert a second each", "", load.to_string());
    row_of_memory(&daemon, "");
    sender.stop();
    let frames = load::segment(20);
    let frames: Vec<_> = (1..=10).flat_map(|vlan| load::tagged(&frames, vlan)).collect();
    let sender = Sender::start(lab.transmitter(), frames, 25_500);
    daemon.wait_for_healthy(5_090);
    busy(&daemon, sender, "< 10 %");
}
