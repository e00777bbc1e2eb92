//! Asking as an ordinary client does, through the kernel and across routers: by ICMP echo, or by a TCP connection.

use std::io::ErrorKind;
use std::net::IpAddr;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::tally::Answerer;
use super::{Drill, Questions};
use crate::sys::clock;
use crate::sys::ping::Pinger;
use crate::time::{Duration, Instant};

/// What an answer may take. A SYN that was lost is sent again after a second, and a later question is answered sooner.
const PATIENCE_MAX: Duration = Duration::from_secs(1);
/// Questions under way at once: well below the usual limit on open files.
const UNDER_WAY_MAX: u32 = 500;

/// How it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Routed {
    Icmp,
    /// To that port. That nobody listens there is an answer, too: the host gave it.
    Tcp(u16),
}

/// Asks for all addresses until `end`.
pub(super) async fn ask(how: Routed, interval: Duration, drills: &mut [Drill], end: Instant) -> Result<(), String> {
    let pinger = match how {
        Routed::Icmp => Some(Pinger::open().map_err(|error| error.to_string())?),
        Routed::Tcp(_) => None,
    };
    let patience = (interval * UNDER_WAY_MAX / u32::try_from(drills.len()).unwrap_or(1).max(1)).min(PATIENCE_MAX);
    let mut questions = Questions::at_pace(interval, end);
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            due = questions.are_due() => {
                if !due {
                    return Ok(());
                }
                for (index, drill) in drills.iter_mut().enumerate() {
                    drill.tally.on_sent();
                    let (vip, pinger) = (drill.vip, pinger.as_ref());
                    under_way.push(async move { (index, is_answered(how, pinger, vip, patience).await) });
                }
            }
            Some((index, answered)) = under_way.next(), if !under_way.is_empty() => {
                if answered {
                    drills[index].tally.on_answer(clock::now(), Answerer::Somebody);
                }
            }
        }
    }
}

async fn is_answered(how: Routed, pinger: Option<&Pinger>, vip: IpAddr, patience: Duration) -> bool {
    match (how, pinger) {
        (Routed::Tcp(port), _) => match timeout(patience, TcpStream::connect((vip, port))).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => error.kind() == ErrorKind::ConnectionRefused,
            Err(_) => false,
        },
        (Routed::Icmp, Some(pinger)) => pinger.ping(vip, None, patience).await.is_some(),
        (Routed::Icmp, None) => false,
    }
}
