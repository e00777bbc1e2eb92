//! One thing that may happen to the holder of an address, or between it and its successor.

use std::fmt;
use std::thread::sleep;
use std::time::Duration;

use vipwarden::sys::clock;

use crate::lab::until;
use crate::oracle::Oracle;
use crate::pair::{Pair, SUCCESSOR};

/// How long what happens lasts, and how long is looked on afterwards, at least; an arbiter's leases need more.
const LASTS: Duration = Duration::from_secs(2);
const LASTS_WITH_ARBITER: Duration = Duration::from_secs(5);
/// The same in advertisement intervals: longer than a takeover takes.
const LASTS_INTERVALS: u32 = 5;
/// Before something happens everything is as it should be.
const CALM: Duration = Duration::from_millis(20);

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Killed,
    Frozen,
    Spinning,
    InputDrop,
    OutputDrop,
    SuccessorDeaf,
    HolderDeaf,
    Partition,
    Cable,
    Deleted,
    Added,
    BetterReturns,
    LeaderKilled,
    Minority,
    Slow,
    Unreachable,
}

const FAULTS: [(Fault, &str); 16] = [
    (Fault::Killed, "killed"),
    (Fault::Frozen, "frozen"),
    (Fault::Spinning, "busy loop"),
    (Fault::InputDrop, "successor drops in INPUT"),
    (Fault::OutputDrop, "holder drops in OUTPUT"),
    (Fault::SuccessorDeaf, "nothing arrives from the holder"),
    (Fault::HolderDeaf, "nothing arrives from the successor"),
    (Fault::Partition, "partition"),
    (Fault::Cable, "cable"),
    (Fault::Deleted, "address deleted"),
    (Fault::Added, "address added by hand"),
    (Fault::BetterReturns, "better peer returns"),
    (Fault::LeaderKilled, "leader of etcd killed"),
    (Fault::Minority, "two of three etcd killed"),
    (Fault::Slow, "etcd takes up to 2 s"),
    (Fault::Unreachable, "holder cut from etcd"),
];

/// The other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    Vipwarden,
    Keepalived,
    /// A vipwarden, and both ask an arbiter.
    Arbiter,
}

impl Beside {
    const ALL: [(Self, &str); 3] =
        [(Self::Vipwarden, "vipwarden"), (Self::Keepalived, "keepalived"), (Self::Arbiter, "arbiter")];
}

impl Fault {
    /// Whether it can happen beside this one, and tells anything there: an arbiter is asked for what else might have two holders.
    fn fits(self, beside: Beside) -> bool {
        let of_arbiter = matches!(self, Self::LeaderKilled | Self::Minority | Self::Slow | Self::Unreachable);
        let of_both = matches!(
            self,
            Self::Killed | Self::Frozen | Self::Spinning | Self::SuccessorDeaf | Self::Partition | Self::BetterReturns
        );
        if beside == Beside::Arbiter { of_arbiter || of_both } else { !of_arbiter }
    }
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub fault: Fault,
    pub interval: Duration,
    pub vmac: bool,
    pub v6: bool,
    pub beside: Beside,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// For how long both answered, while it lasted and afterwards.
    pub overlaps: [Duration; 2],
    /// For how long nobody did.
    pub gap: Duration,
    /// So many of the holder's adverts left it that the next one had not heard when it took over.
    pub missed: u32,
}

impl Case {
    /// All, the fast ones first.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for interval in [Duration::from_millis(100), Duration::from_secs(1)] {
            for (fault, _) in FAULTS {
                for (beside, _) in Beside::ALL.into_iter().filter(|(beside, _)| fault.fits(*beside)) {
                    for (vmac, v6) in [(false, false), (false, true), (true, false), (true, true)] {
                        all.push(Self { fault, interval, vmac, v6, beside });
                    }
                }
            }
        }
        all
    }

    /// What it has in common with the cases of other kinds of MAC and family.
    pub fn row(self) -> String {
        let fault = FAULTS.iter().find(|(fault, _)| *fault == self.fault).map_or("", |(_, name)| name);
        let beside = Beside::ALL.iter().find(|(beside, _)| *beside == self.beside).map_or("", |(_, name)| name);
        format!("{:?}, {fault}, {beside}", self.interval)
    }

    pub fn address(self) -> &'static str {
        if self.v6 { "2001:db8:9::100" } else { crate::lab::VIP }
    }

    pub fn addresses(self) -> Vec<String> {
        let first = self.v6.then(|| "fe80::100/64".to_owned());
        let length = if self.v6 { 64 } else { 24 };
        first.into_iter().chain([format!("{}/{length}", self.address())]).collect()
    }

    /// How often it is measured: what takes long, or much of the machine, less often.
    pub fn runs(self) -> u32 {
        let runs = if self.interval >= Duration::from_secs(1) { 3 } else { 5 };
        if self.beside == Beside::Arbiter || self.fault == Fault::Spinning { runs / 2 } else { runs }
    }

    /// How much of the machine it takes, of [`crate::MACHINE`]: two processes going round leave nothing of it.
    pub fn weight(self) -> usize {
        match (self.fault, self.beside) {
            (Fault::Spinning, _) => *crate::MACHINE,
            (_, Beside::Arbiter) => 2.min(*crate::MACHINE),
            _ => 1,
        }
    }

    /// For how long both answer, and nobody does.
    pub fn measure(self, run: u32) -> Outcome {
        let mut pair = Pair::new(self);
        let oracle = Oracle::start(&pair.c, [&pair.a, &pair.b], self.address().parse().expect("an address"));
        until("the holder answers", || oracle.answers(0) > 0);
        // At another phase of the adverts each time.
        sleep(self.interval * 4 + self.interval * run / self.runs());
        let (before, began) = (oracle.answers(0), clock::now());
        until("it still does", || oracle.answers(0) > before);
        sleep(CALM);
        let struck = clock::now();
        pair.strike();
        sleep(self.lasts());
        let healed = pair.heal();
        sleep(self.lasts());
        let record = oracle.stop();
        Outcome {
            overlaps: [record.overlap(struck..healed), record.overlap(healed..)],
            gap: record.gap(began..),
            missed: record.silence(struck).map_or(0, |silence| self.missed(silence)),
        }
    }

    fn lasts(self) -> Duration {
        let least = if self.beside == Beside::Arbiter { LASTS_WITH_ARBITER } else { LASTS };
        least.max(self.interval * LASTS_INTERVALS)
    }

    /// A successor that hears everything takes over three intervals and its skew time after the last advert (RFC 9568 §6.1).
    fn missed(self, silence: Duration) -> u32 {
        let down = self.interval * 3 + self.interval * (256 - u32::from(SUCCESSOR)) / 256;
        let early = down.saturating_sub(silence).as_secs_f64() / self.interval.as_secs_f64();
        // Whole ones, and not what is a late frame only.
        early.round() as u32
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mac = if self.vmac { "VMAC" } else { "plain" };
        let family = if self.v6 { "IPv6" } else { "IPv4" };
        write!(f, "{}, {mac}, {family}", self.row())
    }
}
