//! What a wrong key was probably meant to be.

/// keepalived's words, and what to write here in their place.
const KEEPALIVED: &[(&str, &str)] = &[
    ("virtual_router_id", "write `vrid`"),
    ("advert_int", "write `advert_interval`"),
    ("nopreempt", "write `preempt = false`"),
    ("virtual_ipaddress", "write `addresses`"),
    ("virtual_ipaddress_excluded", "write `excluded_addresses`"),
    ("unicast_peer", "write `unicast_peers`"),
    ("unicast_src_ip", "write `source`"),
    ("mcast_src_ip", "write `source`"),
    ("authentication", "write `auth_pass` or `auth_pass_file` into the [[router]] itself"),
    ("auth_type", "leave it out: a password is always the simple one of VRRPv2"),
    ("state", "leave it out: the priority decides who is master"),
    ("track_script", "write `track`"),
    ("track_interface", "write `track`"),
    ("track_process", "write `track`"),
    ("track_file", "write `track`, with `number`"),
    ("vrrp_instance", "write a [[router]]"),
    ("vrrp_script", "write a [[check]]"),
    ("vrrp_sync_group", "write `sync_group` into each [[router]]"),
    ("global_defs", "write [node]"),
    ("router_id", "write `name` under [node]"),
    ("garp_master_delay", "write `garp = { delay = \"5s\" }`"),
    ("garp_master_repeat", "write `garp = { repeat = 5 }`"),
    ("garp_master_refresh", "write `garp = { refresh = \"60s\" }`"),
    ("use_vmac", "write `vmac`"),
    ("script", "write `command`, a list of the program and its arguments"),
    ("script_user", "write `user` into each [[check]]"),
    ("weight", "write it into the [[router]]: track = [{ check = \"…\", weight = -20 }]"),
    ("no_accept", "write `accept = false`"),
    ("notify_fifo", "write `notify = { fifo = \"…\" }`"),
    ("vrrp_version", "write `version`"),
    ("vrrp_startup_delay", "write `startup_delay`"),
    ("notify_master", "write `notify = { master = [] }`"),
    ("notify_backup", "write `notify = { backup = [] }`"),
    ("notify_fault", "write `notify = { fault = [] }`"),
    ("notify_stop", "write `notify = { stop = [] }`"),
];

/// What to write in place of a word of keepalived's.
pub(super) fn from_keepalived(word: &str) -> Option<&'static str> {
    KEEPALIVED.iter().find(|(theirs, _)| *theirs == word).map(|(_, ours)| *ours)
}

/// The candidate that `word` is most likely a misspelling of.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    // The distance takes time in the length, and no key is that long.
    if length > 64 {
        return None;
    }
    let near = (length / 3).max(1);
    candidates
        .into_iter()
        // It takes at least as many changes as one of the two is longer: most are told apart by that.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= near)
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= near)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_key_finds_its_neighbour_and_a_stranger_none() {
        let keys = ["name", "vrid", "addresses", "advert_interval"];
        assert_eq!(nearest("vird", keys), Some("vrid"));
        assert_eq!(nearest("adresses", keys), Some("addresses"));
        assert_eq!(nearest("advert_intervall", keys), Some("advert_interval"));
        assert_eq!(nearest("colour", keys), None);
        assert_eq!(nearest(&"n".repeat(10_000), keys), None);
    }
}
