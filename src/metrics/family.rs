//! What a metric family is, and how its samples are written down.

use prometheus::proto::{self, LabelPair, Metric, MetricFamily, MetricType};

use crate::detect::{Histogram, Leased, RouterView, Snapshot, Speaking};
use crate::engine::{Identity, View};
use crate::sys::process::ProcessStats;
use crate::time::{Instant, WallClock};

/// The labels of a virtual router, before a family's own.
pub(super) const ROUTER_LABELS: [&str; 6] = ["router", "vip", "interface", "vlan", "family", "vrid"];

/// One row of the table: everything there is to know of a metric.
#[derive(Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Its `# HELP`.
    pub help: &'static str,
    /// Its `# TYPE`.
    pub kind: Kind,
    /// Its own labels; those of a virtual router come before them.
    pub labels: &'static [&'static str],
    /// Where its samples come from.
    pub(super) read: Read,
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets.
    Histogram,
}

impl From<Kind> for MetricType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Counter => Self::COUNTER,
            Kind::Gauge => Self::GAUGE,
            Kind::Histogram => Self::HISTOGRAM,
        }
    }
}

/// Where the samples of a family come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Read {
    /// Of each virtual router that is seen.
    Everywhere(fn(&RouterView, WallClock, &mut Samples<'_>)),
    /// Of each virtual router of which this node is a member.
    Members(fn(&RouterView, WallClock, &mut Samples<'_>)),
    /// Of each virtual router as whose speaker this daemon acts; that makes this node a member.
    Speaker(fn(&Speaking, &mut Samples<'_>)),
    /// The same, of what an arbiter says at the snapshot's time.
    Leased(fn(&Leased, Instant, &mut Samples<'_>)),
    /// Of this node.
    Node(fn(&Facts<'_>, &mut Samples<'_>)),
}

/// What a scrape reads.
pub(super) struct Facts<'a> {
    pub identity: &'a Identity,
    pub view: &'a View,
    /// As far as it can be believed: see [`View::believable`].
    pub snapshot: &'a Snapshot,
    pub process: Option<ProcessStats>,
    /// When the certificate that is served expires, in Unix seconds.
    pub certificate_expires: Option<i64>,
}

impl Family {
    /// True if each virtual router has its own samples.
    pub fn is_per_router(&self) -> bool {
        !matches!(self.read, Read::Node(_))
    }

    /// True if only members of a virtual router export it.
    pub fn is_for_members(&self) -> bool {
        matches!(self.read, Read::Members(_) | Read::Speaker(_) | Read::Leased(_))
    }

    /// The family with these samples.
    pub(super) fn with<'a>(&self, samples: Samples<'a>) -> Collected<'a> {
        let mut family = MetricFamily::default();
        family.set_name(self.name.into());
        family.set_help(self.help.into());
        family.set_field_type(self.kind.into());
        family.set_metric(samples.metrics);
        Collected { family, common: samples.commons }
    }
}

/// A family with its samples, and for each of these the labels of its router as they are printed: thousands of samples share a few
/// texts, and copying the labels themselves took most of a scrape.
pub(super) struct Collected<'a> {
    pub family: MetricFamily,
    pub common: Vec<&'a str>,
}

/// The samples of one family, while they are gathered.
pub(super) struct Samples<'a> {
    family: &'a Family,
    common: &'a str,
    commons: Vec<&'a str>,
    metrics: Vec<Metric>,
}

impl<'a> Samples<'a> {
    pub fn new(family: &'a Family) -> Self {
        Self { family, common: "", commons: Vec::new(), metrics: Vec::new() }
    }

    /// What follows belongs to the router with these labels, as they are printed.
    pub fn of_router(&mut self, common: &'a str) {
        self.common = common;
    }

    fn push(&mut self, metric: Metric) {
        self.metrics.push(metric);
        self.commons.push(self.common);
    }

    /// One sample of a counter or gauge; `labels` are the values of the family's own, in order.
    pub fn put(&mut self, labels: &[&str], value: f64) {
        let mut metric = self.metric(labels);
        match self.family.kind {
            Kind::Counter => {
                let mut counter = proto::Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
            Kind::Gauge | Kind::Histogram => {
                let mut gauge = proto::Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
        }
        self.push(metric);
    }

    /// A 0/1 sample.
    pub fn flag(&mut self, labels: &[&str], value: bool) {
        self.put(labels, f64::from(u8::from(value)));
    }

    /// A histogram.
    pub fn histogram<const N: usize>(&mut self, labels: &[&str], bounds: &[f64; N], counts: &Histogram<N>) {
        let mut cumulative = 0;
        let buckets = bounds.iter().zip(counts.counts).map(|(bound, count)| {
            cumulative += count;
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(cumulative);
            bucket
        });
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(counts.count());
        histogram.set_sample_sum(counts.sum);
        let mut metric = self.metric(labels);
        metric.set_histogram(histogram);
        self.push(metric);
    }

    fn metric(&self, labels: &[&str]) -> Metric {
        debug_assert_eq!(labels.len(), self.family.labels.len(), "{}", self.family.name);
        let own = self.family.labels.iter().zip(labels).map(|(name, value)| label(name, value));
        Metric::from_label(own.collect())
    }
}

/// One label. Control characters are replaced: a NUL would end the scrape for the reader, and none of the others means anything.
pub(super) fn label(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.into());
    pair.set_value(value.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect());
    pair
}
