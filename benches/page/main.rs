//! The status page with 500 routers in Chromium, with an update every 100 ms: how soon it is painted, and for how long it ever keeps
//! whoever scrolls, types and chooses waiting.
#![allow(clippy::disallowed_methods, reason = "a bench waits by the clock")]

#[path = "../../tests/support/snapshot.rs"]
mod scene;

#[path = "../../tests/page/browser.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod browser;
#[path = "../../tests/page/server.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use browser::Browser;
use serde_json::{Value, json};
use server::Server;
use vipwarden::detect::{RouterView, Verdict};

const ROUTERS: u16 = 500;
const WINDOW: (u32, u32) = (1280, 900);
const LOADS: usize = 9;

/// Between two updates, each of another router.
const UPDATE: Duration = Duration::from_millis(100);

/// How long each thing is done.
const STEPS: u32 = 50;
const STEP: Duration = Duration::from_millis(100);

/// `watch()` watches until the function that it gives is called: tasks over 50 ms, time between frames, time from an input to the
/// next picture (over 16 ms).
const WATCH: &str = r"
window.long = [];
new PerformanceObserver((list) => list.getEntries().forEach((entry) => long.push(entry.duration))).observe({ type: 'longtask', buffered: true });
window.watch = () => {
  const seen = { tasks: [], frames: [], inputs: [] };
  const collect = (type, into) => {
    const observer = new PerformanceObserver((list) => list.getEntries().forEach((entry) => into.push(entry.duration)));
    observer.observe({ type, durationThreshold: 16 });
    return () => { observer.takeRecords().forEach((entry) => into.push(entry.duration)); observer.disconnect(); };
  };
  const ends = [collect('longtask', seen.tasks), collect('event', seen.inputs)];
  let last = performance.now(), isOver = false;
  const frame = (now) => {
    seen.frames.push(now - last);
    last = now;
    if (!isOver) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  return () => { isOver = true; ends.forEach((end) => end()); return seen; };
};";

fn main() {
    for ill in [1, 50] {
        measure(ill);
    }
}

fn measure(ill: u16) {
    let one = |number| RouterView { verdict: verdict(number < ill), ..scene::observed(number) };
    let server = Server::start(scene::with((0..ROUTERS).map(one).collect()));
    let mut browser = Browser::start();
    browser.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": WATCH }));
    println!("{ROUTERS} routers, {ill} of them ill");
    loads(&mut browser, &server);
    let updates = Updates::start(server);
    for (name, act) in ACTS {
        browser.eval("window.over = watch(); null");
        for step in 0..STEPS {
            act(&mut browser, step);
            thread::sleep(STEP);
        }
        report(name, &browser.eval("over()"));
    }
    println!("  {} updates meanwhile", updates.stop());
}

fn verdict(is_ill: bool) -> Verdict {
    if is_ill { Verdict::SplitBrain } else { Verdict::Healthy }
}

fn loads(browser: &mut Browser, server: &Server) {
    let (mut paints, mut tasks) = (Vec::new(), Vec::new());
    for _ in 0..LOADS {
        browser.call("Page.navigate", json!({ "url": "about:blank" }));
        browser.show(
            &server.url(),
            WINDOW,
            false,
            &format!("performance.getEntriesByName('first-contentful-paint').length && document.querySelectorAll('#routers time[data-local]').length === {ROUTERS}"),
        );
        paints.extend(browser.eval("performance.getEntriesByName('first-contentful-paint')[0].startTime").as_f64());
        tasks.extend(numbers(&browser.eval("long")));
    }
    let cold = paints[0];
    println!(
        "  first paint: {cold:.0} ms in a new browser, then {}; longest task {}",
        spread(paints.split_off(1)),
        worst(tasks)
    );
}

type Act = fn(&mut Browser, u32);

/// What is done, once a step.
const ACTS: [(&str, Act); 4] = [
    ("updates alone", |_, _| {}),
    ("scrolling", |browser, step| {
        // Down and up again, three screens at a time and ten wheels each.
        let delta = if step < STEPS / 2 { 270 } else { -270 };
        for _ in 0..10 {
            let wheel = json!({ "type": "mouseWheel", "x": 600, "y": 500, "deltaX": 0, "deltaY": delta });
            browser.call("Input.dispatchMouseEvent", wheel);
        }
    }),
    ("typing", |browser, step| {
        browser.eval("document.querySelector('#filter input').focus()");
        // 10.9.1.7 is typed and taken away again.
        let mut keys =
            "10.9.1.7".chars().map(|c| json!({ "text": c.to_string(), "key": c.to_string() })).collect::<Vec<_>>();
        keys.resize(16, json!({ "key": "Backspace", "code": "Backspace", "windowsVirtualKeyCode": 8 }));
        let mut key = keys[step as usize % 16].clone();
        key["type"] = "keyDown".into();
        browser.call("Input.dispatchKeyEvent", key);
    }),
    ("choosing", |browser, step| {
        let verdict = ["split_brain", "", "healthy", ""][step as usize % 4];
        browser.eval(&format!("(() => {{ const form = document.getElementById('filter'); form.elements.q.value = ''; form.elements.verdict.value = '{verdict}'; form.elements.verdict.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()"));
    }),
];

fn report(name: &str, seen: &Value) {
    let frames = numbers(&seen["frames"]);
    let (count, median) = (frames.len(), quantile(&frames, 0.5));
    println!(
        "  {name}: {count} frames, median {median:.0} ms, 99 % {:.0} ms, worst {:.0} ms; tasks over 50 ms: {}; slowest answer to an input {}",
        quantile(&frames, 0.99),
        quantile(&frames, 1.0),
        worst(numbers(&seen["tasks"])),
        worst(numbers(&seen["inputs"])),
    );
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(((sorted.len() as f64 - 1.0) * share).round() as usize).copied().unwrap_or(f64::NAN)
}

fn spread(values: Vec<f64>) -> String {
    let [median, least, most] = [0.5, 0.0, 1.0].map(|share| quantile(&values, share));
    format!("{median:.0} ms ({least:.0} to {most:.0})")
}

fn worst(values: Vec<f64>) -> String {
    if values.is_empty() { "none".into() } else { format!("{} up to {:.0} ms", values.len(), quantile(&values, 1.0)) }
}

/// One router after the other falls ill and is well again.
struct Updates {
    is_over: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
}

impl Updates {
    fn start(server: Server) -> Self {
        let updates = Self { is_over: Arc::default(), count: Arc::default() };
        let (is_over, count) = (updates.is_over.clone(), updates.count.clone());
        thread::spawn(move || {
            for number in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let at = 100 + number / 2 * 7 % 400;
                server.change(at, |router| router.verdict = verdict(number % 2 == 0));
                server.happen(scene::event("an update"));
                count.fetch_add(1, Ordering::Relaxed);
                thread::sleep(UPDATE);
            }
        });
        updates
    }

    fn stop(self) -> usize {
        self.is_over.store(true, Ordering::Relaxed);
        self.count.load(Ordering::Relaxed)
    }
}
