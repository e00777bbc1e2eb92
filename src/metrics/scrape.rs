//! One scrape: walks the table, one family after the other.

use prometheus::proto::LabelPair;

use crate::detect::{Role, RouterView};
use crate::engine::Shared;
use crate::sys;

use super::family::{Collected, Facts, ROUTER_LABELS, Read, Samples, label};
use super::table::FAMILIES;
use super::{Family, Format, encode};

/// Everything in [`FAMILIES`], read from the newest snapshot and printed. No more than one family is in memory at a time beside
/// the text: thousands of series would otherwise cost as many megabytes as the whole daemon.
pub fn scrape(shared: &Shared, format: Format) -> String {
    let view = shared.view.load();
    let snapshot = view.believable(sys::clock::now());
    let facts = Facts {
        identity: &shared.identity,
        view: &view,
        snapshot: &snapshot,
        process: sys::process::read().ok(),
        certificate_expires: shared.certificate_expires.load().as_deref().copied(),
    };
    let routers: Vec<_> =
        snapshot.routers.iter().map(|router| (&**router, encode::labels(&router_labels(router)))).collect();
    encode::encode(FAMILIES.iter().map(|family| collect(family, &facts, &routers)), format)
}

fn collect<'a>(family: &'a Family, facts: &Facts<'_>, routers: &'a [(&RouterView, String)]) -> Collected<'a> {
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
        Read::Leased(read) => {
            for (router, labels) in routers {
                if let Some(leased) = router.speaking.as_ref().and_then(|speaking| speaking.arbiter.as_ref()) {
                    samples.of_router(labels);
                    read(leased, facts.snapshot.at, &mut samples);
                }
            }
        }
    }
    family.with(samples)
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
