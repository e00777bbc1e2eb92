//! The second channel, from the side that asks: every peer's vipwarden is asked what it holds, hears and sends, over each of its
//! URLs, twice a second, and more often while something is wrong or a master is silent. Each way has a task of its own on the edge
//! thread: one that hangs, lies or answers slowly costs nothing but its own evidence.

pub mod document;
pub mod seal;

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::join_all;
use hyper::Uri;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use self::document::Question;
use self::seal::Seal;
use super::http::{Client, Error};
use super::{Identity, Order};
use crate::config::{Config, TlsFiles, Unreachable};
use crate::observe::{Fact, Mute, Report};
use crate::sys::clock;
use crate::sys::tls::{self, ClientFiles};
use crate::time::Duration;

/// How much the peers' words are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Want {
    /// All is well.
    Little,
    /// Something is wrong, or a master has fallen silent.
    Much,
    /// It is open whether two hold.
    AtOnce,
}

/// Between two questions while all is well, and while something is wrong.
const ASK_EVERY: Duration = Duration::from_millis(500);
const ASK_OFTEN: Duration = Duration::from_millis(150);
/// However much happens, and however slowly a peer answers, it is left in peace for so long between two.
const ASK_NEXT: Duration = Duration::from_millis(50);
/// An answer without an end after so long is none.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// Nobody has so many routers that a report on them is larger.
const ANSWER_MAX_BYTES: usize = 4 << 20;

/// Asks all peers, for as long as there is a configuration.
pub(super) async fn ask(
    orders: mpsc::Sender<Order>,
    mut config: watch::Receiver<Arc<Config>>,
    identity: Arc<Identity>,
    wants: watch::Receiver<Want>,
) {
    loop {
        let taken = config.borrow_and_update().clone();
        let ways = ways(&taken, &identity);
        tokio::select! {
            // A peer is an index into the configuration: no answer may outlive the one that it belongs to.
            biased;
            changed = config.changed() => if changed.is_err() { return },
            _ = join_all(ways.iter().map(|way| way.keep_asking(&orders, wants.clone()))) => {
                // There is nobody to ask.
                if config.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}

/// One way to one peer.
struct Way {
    peer: usize,
    url: usize,
    base: Uri,
    address: IpAddr,
    client: Result<Client, String>,
    seal: Option<Seal>,
    own_boot_id: String,
    /// The time between two questions while all is well.
    every: Duration,
}

fn ways(config: &Config, identity: &Identity) -> Vec<Way> {
    let seal = config.cluster_key.as_ref().map(Seal::new);
    // Who holds by its peers' promises has less than half a lease's time to hear of them.
    let is_council = config.arbiter.as_ref().is_some_and(|arbiter| arbiter.unreachable == Unreachable::HoldIfUnanimous);
    let every = if is_council { ASK_OFTEN } else { ASK_EVERY };
    let of_peer = |(peer, section): (usize, &crate::config::Peer)| {
        let ways = section.urls.iter().enumerate().map(|(url, base)| Way {
            peer,
            url,
            base: base.clone(),
            address: section.address,
            client: client(base, &section.tls),
            seal: seal.clone(),
            own_boot_id: identity.boot_id.clone(),
            every,
        });
        ways.collect::<Vec<_>>()
    };
    config.peers.iter().enumerate().flat_map(of_peer).collect()
}

fn client(base: &Uri, files: &TlsFiles) -> Result<Client, String> {
    let client = Client::new(ANSWER_TIMEOUT, ANSWER_MAX_BYTES);
    if base.scheme_str() != Some("https") {
        return Ok(client);
    }
    let TlsFiles { ca, cert, key } = files.clone();
    let tls = tls::Client::load(ClientFiles { ca, cert, key }).map_err(|error| error.to_string())?;
    Ok(client.with_tls(tls))
}

/// Waits for the time of the next question, where the last one took so long and was `wanted` so much. Once it is wanted more the peer is
/// asked anew: the answer to the last one is from before.
async fn pause(took: Duration, wanted: Want, every: Duration, wants: &mut watch::Receiver<Want>) {
    sleep(ASK_NEXT).await;
    let every = match wanted {
        Want::Little => every,
        Want::Much => ASK_OFTEN,
        Want::AtOnce => ASK_NEXT,
    };
    // If the core has ended, so does the daemon.
    let _ = timeout(every.saturating_sub(took + ASK_NEXT), wants.wait_for(|want| *want > wanted)).await;
}

impl Way {
    async fn keep_asking(&self, orders: &mpsc::Sender<Order>, mut wants: watch::Receiver<Want>) {
        loop {
            let (asked, wanted) = (clock::now(), *wants.borrow_and_update());
            let said = self.ask().await.map(Arc::new);
            let fact = Fact::PeerReport { peer: self.peer, url: self.url, said };
            // A core that is behind has better things to do than old reports.
            let _ = orders.try_send(Order::Feed(fact));
            pause(clock::now().since(asked), wanted, self.every, &mut wants).await;
        }
    }

    async fn ask(&self) -> Result<Report, Mute> {
        let silent = |why: String| Mute::Silent(why);
        let client = self.client.as_ref().map_err(|why| silent(why.clone()))?;
        let nonce = seal::nonce().ok_or_else(|| silent("the kernel has no randomness for a nonce".into()))?;
        let url = format!("{}/api/v1/peer?nonce={nonce}", self.base.to_string().trim_end_matches('/'));
        let url: Uri = url.parse().map_err(|error| silent(format!("{}: {error}", self.base)))?;
        let asked = clock::now();
        let answer = client.get(&url).await.map_err(|error: Error| silent(error.to_string()))?;
        if answer.status != 200 {
            return Err(silent(format!("{} answers with status {}", self.base, answer.status)));
        }
        let question = Question {
            nonce: &nonce,
            asked,
            own_boot_id: &self.own_boot_id,
            peer: self.address,
            seal: self.seal.as_ref(),
        };
        question.read(&answer.body)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// Longer than any test.
    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_peer_is_asked_anew_when_a_master_falls_silent_or_another_begins_and_not_before_its_time_faults_2_and_20()
    {
        let (want, mut wants) = watch::channel(Want::AtOnce);
        for wanted in [Want::Little, Want::Much, Want::AtOnce] {
            let pause = pause(Duration::ZERO, wanted, HOUR, &mut wants);
            assert!(pause.now_or_never().is_none(), "it has just been asked");
        }
        for (before, after) in [(Want::Little, Want::Much), (Want::Little, Want::AtOnce), (Want::Much, Want::AtOnce)] {
            want.send_replace(before);
            let grows = async { want.send_replace(after) };
            let asked = pause(Duration::ZERO, before, HOUR, &mut wants);
            let (asked, _) = tokio::join!(timeout(Duration::from_secs(10), asked), grows);
            asked.expect("it is asked");
        }
        let again = pause(Duration::ZERO, Want::AtOnce, HOUR, &mut wants);
        timeout(Duration::from_secs(10), again).await.expect("it is asked while that is open");
    }
}
