//! What a speaker needs of the kernel: addresses on and off, and the virtual MAC. One task each, so that the answers come in
//! the order of the questions.

use std::cell::OnceCell;
use std::io;
use std::rc::Rc;

use tokio::sync::{Mutex, mpsc};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;

use crate::observe::IfIndex;
use crate::sys::address::{Addresses, Prefixed};
use crate::sys::nft::gate::Router;
use crate::sys::vmac::{Vmac, Vmacs};
use crate::time::Duration;
use crate::wire::Family;

use super::Id;
use super::gate::Gates;
use crate::engine::hub::Hub;

/// Jobs that wait: a router has one claim and one release under way at most, and renews seldom.
const JOBS_MAX: usize = 8;
/// The wait before what the kernel refused is tried again doubles from the first up to the second.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Connections to the kernel, shared by all speakers.
#[derive(Debug, Default)]
pub(in crate::engine) struct Kernel {
    addresses: OnceCell<Rc<Addresses>>,
    vmacs: OnceCell<Rc<Mutex<Vmacs>>>,
    gates: Rc<Gates>,
}

impl Kernel {
    /// The kernel gates.
    pub(in crate::engine) fn gates(&self) -> Rc<Gates> {
        self.gates.clone()
    }

    fn addresses(&self) -> io::Result<Rc<Addresses>> {
        get_or_open(&self.addresses, Addresses::open)
    }

    fn vmacs(&self) -> io::Result<Rc<Mutex<Vmacs>>> {
        get_or_open(&self.vmacs, || Vmacs::open().map(Mutex::new))
    }
}

fn get_or_open<T>(cell: &OnceCell<Rc<T>>, open: impl FnOnce() -> io::Result<T>) -> io::Result<Rc<T>> {
    if let Some(opened) = cell.get() {
        return Ok(opened.clone());
    }
    let opened = Rc::new(open()?);
    Ok(cell.get_or_init(|| opened).clone())
}

/// Where a speaker works.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub interface: IfIndex,
    pub family: Family,
    pub vrid: u8,
    pub vmac: bool,
    /// What an earlier life may have left behind; none of an owner's.
    pub leftovers: Vec<Prefixed>,
    /// The gate before the addresses; `None` if there is to be none.
    pub gate: Option<Router>,
}

/// What is asked of the kernel.
#[derive(Clone, Debug)]
pub(super) enum Job {
    /// Put them there, for so many seconds if there is an end to it.
    Claim(Vec<Prefixed>, Option<u32>),
    /// Let them live so many seconds from now.
    Renew(Vec<Prefixed>, u32),
    Release(Vec<Prefixed>),
}

/// What it answers.
#[derive(Debug)]
pub(in crate::engine) enum Answer {
    /// Leftovers are gone, and the interface that takes the addresses is there: the router's own, or a macvlan over it.
    Ready(IfIndex),
    /// All addresses are there; or not, and why.
    Claimed(Result<(), String>),
    /// All addresses are gone.
    Released,
    /// It refuses, and is asked again.
    Trouble(String),
}

/// The task of one speaker. It ends, and takes its macvlan with it, when this is dropped and all jobs are done.
#[derive(Debug)]
pub(super) struct Worker {
    jobs: mpsc::Sender<Job>,
    task: JoinHandle<()>,
}

impl Worker {
    /// Begins, when `after` has ended, by removing leftovers and making the macvlan.
    pub fn start(hub: &Rc<Hub>, speaker: Id, site: Site, after: Option<JoinHandle<()>>) -> Self {
        let (jobs, queue) = mpsc::channel(JOBS_MAX);
        let hub = hub.clone();
        let task = spawn_local(async move {
            if let Some(after) = after {
                // A predecessor that panicked has ended the daemon.
                let _ = after.await;
            }
            work(&hub, speaker, &site, queue).await;
        });
        Self { jobs, task }
    }

    /// Hands it a job.
    ///
    /// # Errors
    /// In words, if it has too many: the kernel does not answer.
    pub fn ask(&self, job: Job) -> Result<(), String> {
        self.jobs.try_send(job).map_err(|_| "the kernel does not answer earlier requests".into())
    }

    /// Lets it end after what it was asked.
    pub fn finish(self) -> JoinHandle<()> {
        self.task
    }
}

async fn work(hub: &Rc<Hub>, speaker: Id, site: &Site, mut jobs: mpsc::Receiver<Job>) {
    let Some((addresses, vmac)) = prepare(hub, speaker, site, &jobs).await else { return };
    let holder = vmac.as_ref().map_or(site.interface, |vmac| vmac.interface);
    hub.answer(speaker, Answer::Ready(holder));
    while let Some(job) = jobs.recv().await {
        let answer = match job {
            Job::Claim(wanted, lifetime) => {
                let claimed = addresses.claim(holder, &wanted, lifetime).await;
                Answer::Claimed(claimed.map_err(|error| error.to_string()))
            }
            Job::Renew(held, lifetime) => match addresses.renew(holder, &held, lifetime).await {
                Ok(()) => continue,
                Err(error) => Answer::Trouble(format!("the lifetime of the addresses can't be renewed: {error}")),
            },
            Job::Release(held) => {
                release(hub, speaker, &addresses, holder, &held).await;
                Answer::Released
            }
        };
        hub.answer(speaker, answer);
    }
    if let (Some(vmac), Ok(vmacs)) = (vmac, hub.kernel().vmacs())
        && let Err(error) = vmacs.lock().await.remove(vmac).await
    {
        tracing::error!("{error}");
    }
    if let Some(router) = &site.gate {
        hub.kernel().gates().uninstall(router.key);
    }
}

/// Tries until it works, or until nobody wants it any more.
async fn prepare(
    hub: &Rc<Hub>,
    speaker: Id,
    site: &Site,
    jobs: &mpsc::Receiver<Job>,
) -> Option<(Rc<Addresses>, Option<Vmac>)> {
    let mut wait = FIRST_WAIT;
    while !jobs.is_closed() {
        match prepare_once(hub, site).await {
            Ok(prepared) => return Some(prepared),
            Err(trouble) => hub.answer(speaker, Answer::Trouble(trouble)),
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
    None
}

async fn prepare_once(hub: &Rc<Hub>, site: &Site) -> Result<(Rc<Addresses>, Option<Vmac>), String> {
    if let Some(router) = &site.gate {
        hub.kernel().gates().install(router)?;
    }
    let addresses = hub.kernel().addresses().map_err(|error| format!("no netlink connection: {error}"))?;
    addresses.release(site.interface, &site.leftovers).await.map_err(|error| error.to_string())?;
    if !site.vmac {
        return Ok((addresses, None));
    }
    let vmacs = hub.kernel().vmacs().map_err(|error| format!("no netlink connection: {error}"))?;
    let vmac = vmacs.lock().await.create(site.interface, site.family, site.vrid).await;
    Ok((addresses, Some(vmac.map_err(|error| error.to_string())?)))
}

/// Until it is confirmed: a release that failed must not be taken for one that worked.
async fn release(hub: &Rc<Hub>, speaker: Id, addresses: &Addresses, holder: IfIndex, held: &[Prefixed]) {
    let mut wait = FIRST_WAIT;
    while let Err(error) = addresses.release(holder, held).await {
        hub.answer(speaker, Answer::Trouble(error.to_string()));
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
