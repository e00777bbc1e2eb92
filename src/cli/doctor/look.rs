//! A short look at the wire: the daemon's own sensors and detector for a few seconds, as one that only watches.

use std::fs;
use std::io;
use std::path::PathBuf;

use tokio::time::sleep;

use crate::config::Config;
use crate::detect::Snapshot;
use crate::engine::{Engine, Origin};
use crate::observe::DaemonState;
use crate::sys::interface;
use crate::sys::neighbour_table::refusals;
use crate::sys::probe::output_blocked;
use crate::time::Duration;
use crate::wire::Family;

/// Adverts that are waited for, where their interval is known.
const ADVERTS: u32 = 4;
const LOOK: std::ops::RangeInclusive<Duration> = Duration::from_millis(2500)..=Duration::from_secs(4);

/// What was seen.
pub(super) struct Look {
    pub snapshot: Snapshot,
    /// Whether the firewall lets adverts out, by interface and family; empty where nothing may be sent.
    pub output: Vec<(String, Family, io::Result<bool>)>,
    /// How many neighbours of each family the kernel had no room for meanwhile.
    pub crowded: io::Result<[u64; 2]>,
}

impl Look {
    /// How the daemons of a family are.
    pub fn daemon(&self, family: Family) -> Option<DaemonState> {
        self.snapshot.daemons.iter().find(|(known, _)| *known == family).map(|(_, state)| *state)
    }

    /// The interfaces that were listened to.
    pub fn interfaces(&self) -> Vec<String> {
        self.snapshot.captures.iter().map(|capture| capture.interface.clone()).collect()
    }
}

/// Looks.
///
/// # Errors
/// No packet socket, or nowhere to keep a learned router for as long.
pub(super) fn look(config: &Config) -> Result<Look, String> {
    let scratch = Scratch::make().map_err(|error| format!("no directory for the look: {error}"))?;
    let mut config = config.clone();
    let length = length(&config);
    let silent = config.watch.passive;
    // What a daemon does beyond watching is not done here, beside one that may well run.
    config.node.state_dir = scratch.0.clone();
    config.routers.iter_mut().for_each(|router| router.speak = None);
    config.checks.clear();
    config.arbiter = None;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let engine = Engine::start(Origin::default(), config, None).map_err(|error| error.to_string())?;
        let shared = engine.shared();
        let mut seen = None;
        engine
            .attend(async {
                let crowded = turned_away_within(length).await;
                shared.refresh().await;
                let snapshot = shared.view.load().snapshot.clone();
                // Now, while the engine has joined the groups: so nothing is sent for it.
                let output = if silent { Vec::new() } else { try_output(&snapshot) };
                seen = Some(Look { snapshot, output, crowded });
            })
            .await;
        seen.ok_or_else(|| "the detector ended by itself, which is a bug: please report it".to_owned())
    })
}

/// Waits for so long. How many neighbours of each family found no room meanwhile.
async fn turned_away_within(length: Duration) -> io::Result<[u64; 2]> {
    let before = refusals().await;
    sleep(length).await;
    let (before, after) = (before?, refusals().await?);
    Ok([after[0].saturating_sub(before[0]), after[1].saturating_sub(before[1])])
}

fn length(config: &Config) -> Duration {
    let longest = config.routers.iter().map(|router| router.advert_interval).collect::<Option<Vec<_>>>();
    let longest = longest.and_then(|intervals| intervals.into_iter().max());
    longest.map_or(*LOOK.end(), |interval| interval * ADVERTS).clamp(*LOOK.start(), *LOOK.end())
}

fn try_output(snapshot: &Snapshot) -> Vec<(String, Family, io::Result<bool>)> {
    let names = snapshot.captures.iter().map(|capture| &capture.interface);
    let both = names.flat_map(|name| [Family::V4, Family::V6].map(|family| (name.clone(), family)));
    both.map(|(name, family)| {
        let blocked = interface::index(&name).and_then(|index| output_blocked(index, family));
        (name, family, blocked)
    })
    .collect()
}

/// A directory that is gone with this value.
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("vipwarden-doctor-{}", std::process::id()));
        // One that is there already may be somebody's trap.
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is a few bytes in the place for such.
        let _ = fs::remove_dir_all(&self.0);
    }
}
