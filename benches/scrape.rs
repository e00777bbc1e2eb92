//! One scrape: of a member of 255 virtual routers with three speakers each; and of a node at a mirror port, with a thousand virtual
//! routers and more than ten thousand series.
#![allow(missing_docs, reason = "criterion's macros make public items")]

#[path = "../tests/support/snapshot.rs"]
mod scene;

use criterion::{Criterion, criterion_group, criterion_main};
use vipwarden::metrics::{self, Format};

fn member(criterion: &mut Criterion) {
    let router = |number: u16| {
        let mut router = scene::healthy();
        router.name = format!("router {number}");
        router.vip = Some(scene::ip(&format!("10.9.0.{number}")));
        router.addresses[0].address = scene::ip(&format!("10.9.0.{number}"));
        router.speakers.push(scene::speaker("10.0.0.7", false, false, 90));
        router
    };
    let shared = scene::shared(scene::with((1..=255).map(router).collect()));
    let series = metrics::scrape(&shared, Format::Text).lines().filter(|l| !l.starts_with('#')).count();
    criterion.bench_function(&format!("scrape of 255 routers with 3 speakers, {series} series"), |bencher| {
        bencher.iter(|| metrics::scrape(&shared, Format::Text));
    });
}

fn scrape(criterion: &mut Criterion) {
    let routers = (0..1000).map(scene::observed).collect();
    let shared = scene::shared(scene::with(routers));
    let series = metrics::scrape(&shared, Format::Text).lines().filter(|l| !l.starts_with('#')).count();
    assert!(series >= 10_000, "{series} series");
    criterion.bench_function(&format!("scrape of {series} series"), |bencher| {
        bencher.iter(|| metrics::scrape(&shared, Format::Text));
    });
}

criterion_group!(benches, member, scrape);
criterion_main!(benches);
