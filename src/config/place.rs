//! Where the configuration names interfaces: whether they are there, only the host can tell, and only later.

use super::source::Sources;
use super::{Diagnostic, raw};

/// Every interface that the files name, with the place of its first mention.
pub(super) fn interfaces(file: &raw::File, sources: &Sources) -> Vec<(String, Diagnostic)> {
    let watched = file.watch.interfaces.iter().flat_map(|list| list.get_ref()).map(|one| (one, "interfaces"));
    let routers = file.router.iter().filter_map(|r| r.get_ref().interface.as_ref()).map(|one| (one, "interface"));
    let mut named: Vec<(String, Diagnostic)> = Vec::new();
    for (one, key) in watched.chain(routers) {
        let name = &one.get_ref().0.0;
        if !named.iter().any(|(known, _)| known == name) {
            let says = format!("`{key}`: there is no interface {name} on this host");
            named.push((name.clone(), sources.diagnostic(one.span(), says)));
        }
    }
    named
}
