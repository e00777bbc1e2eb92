//! What the local keepalived was told: its configuration is read at start and whenever one of its files changes. Edge thread.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Order;
use crate::config::Config;
use crate::config::keepalived::{self, Conf, Instance};
use crate::observe::{Fact, Told};
use crate::sys::tls::Stamp;
use crate::time::Duration;

/// Between two looks at whether a file changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Follows the file that the configuration names, for as long as there is a configuration.
pub(super) async fn follow(orders: mpsc::Sender<Order>, mut config: watch::Receiver<Arc<Config>>) {
    loop {
        let path = config.borrow_and_update().watch.keepalived_conf.clone();
        tokio::select! {
            changed = config.changed() => if changed.is_err() { return },
            () = keep_reading(&orders, path) => {}
        }
    }
}

async fn keep_reading(orders: &mpsc::Sender<Order>, path: Option<PathBuf>) {
    let Some(path) = path else {
        let _ = orders.send(Order::Feed(Fact::Told(Arc::default()))).await;
        return std::future::pending().await;
    };
    let mut files = BTreeSet::from([path.clone()]);
    let mut read = None;
    loop {
        let stamp = Stamp::of(files.iter().map(PathBuf::as_path));
        if read.as_ref() != Some(&stamp) {
            let (told, named) = read_anew(path.clone()).await;
            files.extend(named);
            read = Some(Stamp::of(files.iter().map(PathBuf::as_path)));
            // A core that ended ends the daemon.
            let _ = orders.send(Order::Feed(Fact::Told(told))).await;
        }
        sleep(LOOK_EVERY).await;
    }
}

/// What the file says, and in which files that stands. Where it can't be read, nothing is known of what the daemon was told.
async fn read_anew(path: PathBuf) -> (Arc<[Told]>, Vec<PathBuf>) {
    let read = spawn_blocking(move || keepalived::load(&path)).await;
    match read.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(conf) => {
            let places = conf.instances.iter().map(|instance| PathBuf::from(&*instance.name.place.file));
            let files = places.filter(|file| file.as_path() != Path::new("")).collect();
            (told(&conf).collect(), files)
        }
        Err(why) => {
            tracing::warn!("[watch] keepalived_conf: {why}; what the local daemon was told is not known");
            (Arc::default(), Vec::new())
        }
    }
}

fn told(conf: &Conf) -> impl Iterator<Item = Told> {
    conf.instances.iter().filter_map(|instance| of_instance(conf, instance))
}

/// `None` for one without a VRID or addresses: keepalived refuses it.
fn of_instance(conf: &Conf, instance: &Instance) -> Option<Told> {
    Some(Told {
        interface: instance.interface.as_ref().map(|at| at.value.clone()),
        family: instance.family()?,
        vrid: instance.vrid.as_ref()?.value,
        addresses: instance.advertised().map(|at| at.value.address).collect(),
        version: conf.version(instance),
        interval: conf.advert_interval(instance),
        auth: conf.auth(instance),
        unicast: !instance.unicast_peers.is_empty(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Auth, Version};

    #[test]
    fn what_keepalived_advertises_is_told_by_its_configuration() {
        let text = "global_defs {\n vrrp_version 3\n}\nvrrp_instance a {\n interface eth0\n virtual_router_id 51\n advert_int 0.5\n \
                    virtual_ipaddress {\n 10.0.0.100/24\n 2001:db8::1/64\n }\n}\nvrrp_instance b {\n interface eth1\n version 2\n \
                    virtual_router_id 52\n authentication {\n auth_type PASS\n auth_pass hunter2\n }\n virtual_ipaddress {\n 10.0.1.100\n }\n}\n";
        let conf = keepalived::parse("keepalived.conf", text, "lb01", &mut keepalived::Alone);
        let told: Vec<Told> = told(&conf).collect();
        assert_eq!((told[0].vrid, told[0].version, told[0].interval), (51, Version::V3, Duration::from_millis(500)));
        assert_eq!(told[0].addresses, ["10.0.0.100".parse::<std::net::IpAddr>().unwrap()]);
        assert_eq!((told[1].vrid, told[1].version, told[1].interval), (52, Version::V2, Duration::from_secs(1)));
        assert!(matches!(told[1].auth, Auth::Password(_)));
        assert!(!format!("{told:?}").contains("hunter2"));
    }
}
