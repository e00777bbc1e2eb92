//! The status page in Chromium. With `PAGE_PICTURES` set to a directory, pictures of it are left there.
#![allow(clippy::disallowed_methods, reason = "a test waits by the clock")]

#[path = "../support/snapshot.rs"]
mod scene;

mod browser;
mod server;

use base64::Engine as _;
use browser::Browser;
use serde_json::{Value, json};
use server::Server;
use vipwarden::detect::{Event, Snapshot, Verdict};
use vipwarden::observe::{Report, Reported, State};
use vipwarden::sys::clock;
use vipwarden::wire::Family;

const DESKTOP: (u32, u32) = (1280, 900);
const PHONE: (u32, u32) = (390, 844);

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

/// This node is fenced, and its peer serves.
fn fenced() -> Snapshot {
    let mut snapshot = scene::with(vec![scene::healthy(), scene::fenced()]);
    let held: Vec<_> = snapshot.routers[1].vip.into_iter().collect();
    let served = Reported { state: State::Master, held: held.clone(), ..Reported::backup(Family::V4, 56, held) };
    let report = Report::new("lb02".into(), "fedcba98".into(), true, clock::now()).with_routers(vec![served]);
    snapshot.peers[0].report = Some(std::sync::Arc::new(report));
    snapshot
}

#[test]
fn each_scene_reads_well_on_a_desk_a_phone_and_in_the_dark() {
    let scenes = [
        ("healthy", scene::with(vec![scene::healthy(), scene::speaking()]), "HEALTHY"),
        ("split", scene::with(vec![scene::healthy(), scene::split_brain(), scene::degraded()]), "SPLIT BRAIN"),
        ("no_master", scene::with(vec![scene::no_master()]), "NO MASTER"),
        ("fenced", fenced(), "FENCED"),
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
            assert_eq!(browser.eval(PEERS_LINES_MAX), 1, "{name}-{form}: what a peer says of a router is one line");
            assert_eq!(browser.eval(CONTRAST), Value::Array(Vec::new()), "{name}-{form}: text that is hard to read");
        }
    }
}

/// On how many lines is what a peer says of a router, at most.
const PEERS_LINES_MAX: &str = r"
Math.max(1, ...[...document.querySelectorAll('#routers td[data-head=lb02]')].map((cell) => {
  const text = document.createRange();
  text.selectNodeContents(cell);
  return new Set([...text.getClientRects()].map((line) => Math.round(line.top))).size;
}))";

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
    browser.call("Network.enable", json!({}));
    let off = json!({ "offline": true, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0 });
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

/// Tells which rows of the table are touched from now on.
const TOUCHED: &str = r"
window.rows = [...document.querySelectorAll('#routers > tr')];
window.touched = new Set();
new MutationObserver((records) => {
  for (const { target, addedNodes, removedNodes } of records) {
    const nodes = target.id === 'routers' ? [...addedNodes, ...removedNodes] : [target];
    nodes.forEach((node) => touched.add((node.nodeType === 1 ? node : node.parentElement).closest('tr').dataset.key));
  }
}).observe(document.getElementById('routers'), { subtree: true, childList: true, attributes: true, characterData: true });";

#[test]
fn of_five_hundred_routers_the_one_that_changes_has_its_row_changed_and_no_other() {
    let server = Server::start(scene::with((0..500).map(scene::observed).collect()));
    let mut browser = Browser::start();
    browser.show(
        &server.url(),
        DESKTOP,
        false,
        "document.querySelectorAll('#routers time[data-local]').length === 500",
    );
    keep(&mut browser, "many-desktop");
    browser.wait(LAID_OUT);
    browser.eval(TOUCHED);
    browser.eval("rows[300].querySelector('a').focus()");
    let first = "document.querySelector('#routers > tr').dataset";
    for (verdict, top) in [(Verdict::SplitBrain, "10.9.1.44/7"), (Verdict::Healthy, "10.9.0.0/7")] {
        server.change(300, |router| router.verdict = verdict);
        server.happen(change("verdict", "healthy", verdict.as_str(), 0));
        browser.wait(&format!("{first}.key.startsWith('{top}@') && {first}.verdict === '{}'", verdict.as_str()));
        assert_eq!(browser.eval("[...touched].map((key) => key.split('@')[0]).join()"), "10.9.1.44/7");
        assert_eq!(browser.eval("rows.filter((row) => !row.isConnected).length"), 1);
        assert_eq!(browser.eval("document.activeElement.textContent"), "10.9.1.44", "it keeps the focus");
    }
    let order = "((all) => [...all].map((row) => row.dataset.key).join())";
    let fresh =
        "fetch('/').then((page) => page.text()).then((text) => new DOMParser().parseFromString(text, 'text/html'))";
    let same = format!(
        "{fresh}.then((page) => {order}(page.querySelectorAll('#routers > tr')) === {order}(document.querySelectorAll('#routers > tr')))"
    );
    assert_eq!(browser.eval(&same), true, "the server's order");
    browser.wait(LAID_OUT);
    browser.eval("touched.clear()");
    browser.eval("refresh()");
    assert_eq!(browser.eval("touched.size"), 0, "no news touches nothing");
}

/// Nothing is left to be laid out.
const LAID_OUT: &str = "!document.querySelector('.card:not([data-laid]), .many tbody tr:not([data-laid])')";

/// One of many cards.
const CARD: &str = "document.querySelectorAll('article')[20]";

#[test]
fn of_fifty_ill_routers_the_one_that_changes_has_its_card_changed_and_no_other_and_time_changes_only_ages() {
    let ill = |number| vipwarden::detect::RouterView { verdict: Verdict::SplitBrain, ..scene::observed(number) };
    let server = Server::start(scene::with((0..50).map(ill).collect()));
    let mut browser = Browser::start();
    browser.show(&server.url(), DESKTOP, false, "document.querySelectorAll('article time[data-local]').length >= 50");
    browser.eval(
        r"
        window.cards = [...document.querySelectorAll('article')];
        window.parts = [...document.querySelectorAll('article > *')];
        window.bars = parts.map((part) => part.querySelector('svg[viewBox$=\' 20\']')).filter(Boolean).map((bar) => [bar, bar.getAttribute('viewBox')]);",
    );
    // What the server sends is what is new: of all the others, that they are the same.
    let sent = browser.eval("fetch(address()).then((page) => page.text()).then((text) => text.match(/<[^>]*data-mark[^>]*>/g).filter((tag) => !tag.includes('data-same')).length)");
    assert!(sent.as_u64().unwrap() <= 2, "{sent} parts are sent again");
    server.change(20, |router| {
        router.holders.pop();
        router.speakers[0].last_advert = clock::now() - std::time::Duration::from_secs(77);
    });
    server.change(21, |router| router.speakers[0].last_advert = clock::now() - std::time::Duration::from_secs(90));
    server.happen(change("verdict", "healthy", "split_brain", 0));
    browser.wait(&format!("{CARD}.textContent.includes('nobody')"));
    let fresh = "parts.filter((part) => !part.isConnected).map((part) => part.dataset.key).join()";
    assert_eq!(browser.eval(fresh), "facts 10.9.0.20/7@eth0/21/ipv4/7");
    assert_eq!(browser.eval("cards.every((card, i) => card === document.querySelectorAll('article')[i])"), true);
    // The peer's report would be too old after five.
    server.pass(std::time::Duration::from_secs(3));
    browser.wait("/last 1 min 3. s ago/.test(cards[21].textContent)");
    browser.wait("bars.every(([bar, view]) => bar.isConnected && bar.getAttribute('viewBox') !== view)");
}

#[test]
fn what_is_being_selected_stays_and_is_made_new_when_the_selection_is_given_up() {
    let server = Server::start(scene::with((0..30).map(scene::observed).chain([scene::split_brain()]).collect()));
    let mut browser = Browser::start();
    browser.show(&server.url(), DESKTOP, false, "document.querySelector('article time[data-local]')");
    browser.eval("getSelection().selectAllChildren(document.querySelector('article .facts'))");
    server.change(30, |router| router.findings[0].remedy = "pull the plug".into());
    server.change(7, |router| router.verdict = Verdict::NoMaster);
    server.happen(change("verdict", "healthy", "no_master", 0));
    browser.wait("document.querySelectorAll('article').length === 2");
    assert_eq!(browser.eval("getSelection().toString().includes('nft insert rule')"), true);
    for expected in [false, true] {
        browser.eval("refresh()");
        assert_eq!(browser.eval("document.body.textContent.includes('pull the plug')"), expected);
        browser.eval("getSelection().removeAllRanges()");
    }
}

#[test]
fn who_has_lost_a_part_or_has_it_from_another_life_of_the_daemon_is_sent_the_whole_page() {
    let mut browser = Browser::start();
    let server = Server::start(scene::with((0..30).map(scene::observed).collect()));
    browser.show(&server.url(), DESKTOP, false, "document.querySelectorAll('#routers time[data-local]').length === 30");
    let complete = "document.querySelectorAll('#routers > tr[data-text]').length === 30";
    for loss in ["document.querySelector('#routers > tr').remove()", "view().dataset.version = 'another.1'"] {
        browser.eval(loss);
        server.happen(change("verdict", "healthy", "no_master", 0));
        browser.wait(&format!("{complete} && /^[0-9a-f]+[.][0-9]+$/.test(view().dataset.version)"));
    }
}

#[test]
fn who_listens_to_the_table_of_routers_hears_a_table_on_a_desk_and_on_a_phone() {
    let server = Server::start(scene::with((0..60).map(scene::observed).collect()));
    let mut browser = Browser::start();
    browser.call("Accessibility.enable", json!({}));
    for (size, headers) in [(DESKTOP, 9), (PHONE, 0)] {
        browser.show(
            &server.url(),
            size,
            false,
            "document.querySelectorAll('#routers time[data-local]').length === 60",
        );
        let heard = ["table", "row", "columnheader", "cell"].map(|role| hear(&mut browser, ".routers", role));
        assert_eq!(heard, [1, 60 + usize::from(headers > 0), headers, 60 * 9], "{size:?}");
    }
}

/// How many of a role a screen reader finds in an element.
fn hear(browser: &mut Browser, selector: &str, role: &str) -> usize {
    let element =
        browser.call("Runtime.evaluate", json!({ "expression": format!("document.querySelector('{selector}')") }));
    let asked = json!({ "objectId": element["result"]["objectId"], "role": role });
    let nodes = browser.call("Accessibility.queryAXTree", asked)["nodes"].take();
    nodes.as_array().unwrap().iter().filter(|node| node["ignored"] == false).count()
}

#[test]
fn who_listens_to_hundreds_of_routers_hears_those_too_that_are_out_of_sight() {
    let one = |number| vipwarden::detect::RouterView {
        verdict: if number < 20 { Verdict::SplitBrain } else { Verdict::Healthy },
        ..scene::observed(number)
    };
    let server = Server::start(scene::with((0..500).map(one).collect()));
    let mut browser = Browser::start();
    browser.call("Accessibility.enable", json!({}));
    browser.show(
        &server.url(),
        DESKTOP,
        false,
        "document.querySelectorAll('#routers time[data-local]').length === 500",
    );
    keep(&mut browser, "many-ill");
    browser.wait(LAID_OUT);
    let heard =
        [("article", "heading"), ("#view", "article"), (".routers", "row"), (".routers", "cell"), (".routers", "link")]
            .map(|(selector, role)| hear(&mut browser, selector, role));
    assert_eq!(heard, [1, 20, 501, 500 * 9, 500]);
    let last = "article:nth-last-of-type(1)";
    assert_eq!(["heading", "rowheader"].map(|role| hear(&mut browser, last, role)), [1, 5]);
}
