//! One scrape of a node at a mirror port: a thousand virtual routers, more than ten thousand series.
#![allow(missing_docs, reason = "criterion's macros make public items")]

#[path = "../tests/support/snapshot.rs"]
mod scene;

use criterion::{Criterion, criterion_group, criterion_main};
use vipwarden::metrics::{self, Format};

fn scrape(criterion: &mut Criterion) {
    let routers = (0..1000).map(scene::observed).collect();
    let shared = scene::shared(scene::with(routers));
    let series = metrics::scrape(&shared, Format::Text).lines().filter(|l| !l.starts_with('#')).count();
    assert!(series >= 10_000, "{series} series");
    criterion.bench_function(&format!("scrape of {series} series"), |bencher| {
        bencher.iter(|| metrics::scrape(&shared, Format::Text));
    });
}

criterion_group!(benches, scrape);
criterion_main!(benches);
