//! The status page in Chromium. With `PAGE_PICTURES` set to a directory, pictures of it are left there.
#![allow(clippy::disallowed_methods, reason = "a test waits by the clock")]

#[path = "../support/snapshot.rs"]
mod scene;

mod browser;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use base64::Engine as _;
use browser::Browser;
use serde_json::Value;
use vipwarden::detect::{Event, Snapshot};
use vipwarden::engine::{Shared, View};
use vipwarden::sys::clock;
use vipwarden::web;

const DESKTOP: (u32, u32) = (1280, 900);
const PHONE: (u32, u32) = (390, 844);

struct Server {
    address: SocketAddr,
    shared: Shared,
}

impl Server {
    /// Serves on a thread of its own, which ends with the process.
    fn start(snapshot: Snapshot) -> Self {
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
        let keep = server.shared.clone();
        thread::spawn(move || {
            loop {
                let view = keep.view.load_full();
                keep.view.store(Arc::new(View { last_turn: clock::now(), ..(*view).clone() }));
                thread::sleep(std::time::Duration::from_secs(1));
            }
        });
        server
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn become_(&self, snapshot: Snapshot) {
        let view = self.shared.view.load_full();
        self.shared.view.store(Arc::new(View { snapshot, last_turn: clock::now(), ..(*view).clone() }));
    }

    fn happen(&self, event: Event) {
        self.shared.events.push(event, clock::wall());
    }
}

fn change(kind: &'static str, from: &str, to: &str, ago: u64) -> Event {
    let at = clock::now() - std::time::Duration::from_secs(ago);
    let mut event = Event {
        at,
        kind: kind.into(),
        from: Some(from.into()),
        to: Some(to.into()),
        ..scene::event("as the adverts say")
    };
    event.id.as_mut().unwrap().vlan = None;
    event
}

fn keep(browser: &mut Browser, name: &str) {
    if let Some(directory) = std::env::var_os("PAGE_PICTURES") {
        let bytes = base64::prelude::BASE64_STANDARD.decode(browser.picture()).unwrap();
        std::fs::write(std::path::Path::new(&directory).join(format!("{name}.png")), bytes).unwrap();
    }
}

/// No part of the page is wider than the window.
fn fits(browser: &mut Browser) {
    let width = browser.eval("[document.documentElement.scrollWidth, innerWidth]");
    assert!(width[0].as_u64() <= width[1].as_u64(), "{width}");
}

fn blind() -> Snapshot {
    let mut snapshot = scene::rich();
    snapshot.routers.retain(|router| router.verdict == vipwarden::detect::Verdict::Unknown);
    snapshot
}

#[test]
fn each_scene_reads_well_on_a_desk_a_phone_and_in_the_dark() {
    let scenes = [
        ("healthy", scene::with(vec![scene::healthy(), scene::speaking()]), "HEALTHY"),
        ("split", scene::with(vec![scene::healthy(), scene::split_brain(), scene::degraded()]), "SPLIT BRAIN"),
        ("no_master", scene::with(vec![scene::no_master()]), "NO MASTER"),
        ("fenced", scene::with(vec![scene::healthy(), scene::fenced()]), "FENCED"),
        ("blind", blind(), "UNKNOWN"),
    ];
    let mut browser = Browser::start();
    for (name, snapshot, word) in scenes {
        let server = Server::start(snapshot);
        server.happen(change("master", "10.0.0.6", "10.0.0.5", 2400));
        server.happen(change("verdict", "healthy", "split_brain", 1200));
        server.happen(change("verdict", "split_brain", "healthy", 1100));
        server.happen(change("verdict", "healthy", "split_brain", 252));
        for (form, size, dark) in [("desktop", DESKTOP, false), ("phone", PHONE, false), ("dark", DESKTOP, true)] {
            browser.show(&server.url(), size, dark, "document.querySelector('#view time[data-local], #view.none')");
            assert_eq!(browser.eval("document.querySelector('h1').innerText.trim()"), word);
            assert!(browser.eval("document.title").as_str().unwrap().starts_with(word), "{name}");
            fits(&mut browser);
            keep(&mut browser, &format!("{name}-{form}"));
            assert_eq!(browser.eval(CONTRAST), Value::Array(Vec::new()), "{name}-{form}: text that is hard to read");
        }
    }
}

/// Texts whose contrast to what lies behind them is below 4.5 (WCAG 2.1, AA).
const CONTRAST: &str = r"
(() => {
  const parse = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility()) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) poor.push(element.tagName + '.' + element.className + ' ' + ratio.toFixed(2));
  }
  return poor;
})()";

#[test]
fn what_happens_shows_without_a_reload_and_leaves_alone_what_it_does_not_concern() {
    let calm: Vec<_> = (0..20).map(scene::observed).collect();
    let with = |last| scene::with(calm.iter().cloned().chain([last]).collect());
    let server = Server::start(with(scene::healthy()));
    let mut browser = Browser::start();
    browser.show(&server.url(), DESKTOP, false, "document.querySelectorAll('#routers > tr').length === 21");
    browser.eval("(() => { window.row = document.querySelector('#routers > tr'); const f = document.querySelector('#filter input'); f.focus(); f.value = '10.9.0.1'; f.dispatchEvent(new Event('input', { bubbles: true })); })()");
    assert_eq!(browser.eval("document.getElementById('shown').textContent"), "11 of 21 are shown");
    server.become_(with(scene::split_brain()));
    server.happen(change("verdict", "healthy", "split_brain", 0));
    browser.wait("document.title.startsWith('SPLIT BRAIN')");
    assert_eq!(
        browser.eval("window.row.isConnected && document.activeElement.name + document.activeElement.value"),
        "q10.9.0.1"
    );
    assert_eq!(browser.eval("document.getElementById('shown').textContent"), "11 of 21 are shown");
    assert_eq!(browser.eval("document.getElementById('news').textContent === document.title"), true);
    assert!(browser.eval("document.querySelector('link[rel=icon]').href").as_str().unwrap().contains("cf222e"));
    // The stream is the first to notice when the server is gone; here it is told that every request fails.
    browser.call("Network.enable", serde_json::json!({}));
    let off = serde_json::json!({ "offline": true, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0 });
    browser.call("Network.emulateNetworkConditions", off);
    server.happen(change("verdict", "split_brain", "healthy", 0));
    browser.wait("document.title.startsWith('STALE ') && !document.getElementById('stale').hidden");
}

#[test]
fn hostile_names_stay_text_in_the_browser_too() {
    let evil = "\"><img src=x onerror=\"window.owned=1\"><script>window.owned=1</script>'&\u{202e}";
    let server = Server::start(scene::hostile(evil));
    server.happen(Event { router: evil.into(), ..scene::event(evil) });
    let mut browser = Browser::start();
    browser.show(&server.url(), DESKTOP, false, "document.querySelector('#view time[data-local]')");
    assert_eq!(
        browser.eval("[typeof window.owned, document.images.length, document.scripts.length].join()"),
        "undefined,0,1"
    );
    assert!(browser.eval("document.querySelector('.remedy').textContent").as_str().unwrap().starts_with("\"><img"));
    let link = browser.eval("document.querySelector('#routers a').href");
    browser.show(link.as_str().unwrap(), DESKTOP, false, "document.querySelectorAll('article').length === 2");
    assert_eq!(browser.eval("typeof window.owned"), "undefined");
}

/// Prints how long it takes; nothing here fails for being slow.
#[test]
fn five_hundred_routers_are_shown_found_and_scrolled_and_it_is_told_how_fast() {
    let server = Server::start(scene::with((0..499).map(scene::observed).chain([scene::split_brain()]).collect()));
    let mut browser = Browser::start();
    let observe = "window.long = []; new PerformanceObserver((l) => l.getEntries().forEach((e) => window.long.push(Math.round(e.duration)))).observe({ type: 'longtask', buffered: true });";
    browser.call("Page.addScriptToEvaluateOnNewDocument", serde_json::json!({ "source": observe }));
    browser.show(&server.url(), DESKTOP, false, "performance.getEntriesByName('first-contentful-paint').length > 0 && document.querySelectorAll('#routers > tr').length === 500");
    let paint = browser.eval("performance.getEntriesByName('first-contentful-paint')[0].startTime");
    let filtered = browser.eval("(() => { const f = document.querySelector('#filter input'); const t = performance.now(); for (const text of ['1', '10', '10.9', '10.9.1', '']) { f.value = text; f.dispatchEvent(new Event('input', { bubbles: true })); document.body.offsetHeight; } return (performance.now() - t) / 5; })()");
    let scrolled = browser.eval("new Promise((done) => { const gaps = []; let last = performance.now(), n = 0; const step = (now) => { gaps.push(now - last); last = now; scrollBy(0, 200); if (++n < 60) requestAnimationFrame(step); else { gaps.shift(); gaps.sort((a, b) => a - b); done([gaps[29], gaps[58]]); } }; requestAnimationFrame(step); })");
    let refreshed =
        browser.eval("(async () => { const t = performance.now(); await refresh(); return performance.now() - t; })()");
    let long = browser.eval("window.long");
    println!(
        "500 routers: first paint {paint} ms; filter {filtered} ms a key; frames median and worst {scrolled} ms; refresh {refreshed} ms; tasks over 50 ms {long}"
    );
    keep(&mut browser, "many-desktop");
    assert_eq!(browser.eval("document.querySelectorAll('#routers > tr').length"), 500);
}
