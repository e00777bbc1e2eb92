//! The collector: walks the table once for each scrape.

use prometheus::Registry;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{LabelPair, MetricFamily};

use crate::detect::{Role, RouterView};
use crate::engine::Shared;
use crate::sys;

use super::Family;
use super::family::{Facts, ROUTER_LABELS, Read, Samples, label};
use super::table::FAMILIES;

/// Everything in [`FAMILIES`], read from the newest snapshot.
#[derive(Debug)]
pub struct SnapshotCollector {
    shared: Shared,
    descriptions: Vec<Desc>,
}

/// A registry with nothing but the [`SnapshotCollector`] in it.
///
/// # Errors
/// The table is wrong: two families of one name, or a name that Prometheus refuses.
pub fn registry(shared: Shared) -> prometheus::Result<Registry> {
    let registry = Registry::new();
    registry.register(Box::new(SnapshotCollector::new(shared)?))?;
    Ok(registry)
}

impl SnapshotCollector {
    /// A collector over `shared`.
    ///
    /// # Errors
    /// A name or label of the table that Prometheus refuses.
    pub fn new(shared: Shared) -> prometheus::Result<Self> {
        let describe = |family: &Family| {
            let labels = family.all_labels().into_iter().map(String::from).collect();
            Desc::new(family.name.into(), family.help.into(), labels, Default::default())
        };
        let descriptions = FAMILIES.iter().map(describe).collect::<Result<_, _>>()?;
        Ok(Self { shared, descriptions })
    }
}

impl Collector for SnapshotCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let view = self.shared.view.load();
        let snapshot = view.believable(sys::clock::now());
        let facts = Facts {
            identity: &self.shared.identity,
            view: &view,
            snapshot: &snapshot,
            process: sys::process::read().ok(),
        };
        let routers: Vec<_> = snapshot.routers.iter().map(|router| (&**router, router_labels(router))).collect();
        FAMILIES.iter().map(|family| collect(family, &facts, &routers)).collect()
    }
}

fn collect(family: &Family, facts: &Facts<'_>, routers: &[(&RouterView, [LabelPair; 6])]) -> MetricFamily {
    let mut samples = Samples::new(family);
    match family.read {
        Read::Node(read) => read(facts, &mut samples),
        Read::Everywhere(read) | Read::Members(read) => {
            for (router, labels) in routers {
                if router.role == Role::Member || !family.is_for_members() {
                    samples.of_router(labels);
                    read(router, facts.snapshot.clock, &mut samples);
                }
            }
        }
        Read::Speaker(read) => {
            for (router, labels) in routers {
                if let Some(speaking) = &router.speaking {
                    samples.of_router(labels);
                    read(speaking, &mut samples);
                }
            }
        }
    }
    family.with(samples.finish())
}

fn router_labels(router: &RouterView) -> [LabelPair; 6] {
    let values: [&str; 6] = [
        &router.name,
        &router.vip.map_or_else(String::new, |vip| vip.to_string()),
        &router.interface,
        &router.vlan.map_or_else(String::new, |vlan| vlan.to_string()),
        router.family.as_str(),
        &router.vrid.to_string(),
    ];
    std::array::from_fn(|i| label(ROUTER_LABELS[i], values[i]))
}
