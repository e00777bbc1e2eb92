//! The elements of the gate's sets, and the transactions that are made of them alone.

use std::io;
use std::net::IpAddr;

use super::{Gate, Key, NftError, Permit};
use crate::sys::nft::expression::milliseconds;
use crate::sys::nft::message::{Attributes, Kind, find};
use crate::time::Duration;
use crate::wire::Family;

/// The name of our table.
pub const TABLE: &str = "vipwarden_gate";

/// The gates that adverts keep open.
pub(super) const ALIVE: &str = "alive";
/// The gates that have a lease.
pub(super) const LEASE: &str = "lease";
/// Leave to open once.
pub(super) const PERMIT: &str = "permit";
/// Which peer has shut which gate.
pub(super) const LATCH: &str = "latch";
/// Which gates were challenged a moment ago.
pub(super) const DOUBT: &str = "doubt";

/// A key as the registers hold it: family and VRID in one word, the interface in the next.
pub(super) fn key(key: Key) -> Vec<u8> {
    parts(key).concat()
}

/// The words of a key.
pub(super) fn parts(key: Key) -> Vec<Vec<u8>> {
    let family: u32 = if key.family == Family::V4 { 4 } else { 6 };
    let router = family << 16 | u32::from(key.vrid);
    vec![router.to_ne_bytes().to_vec(), key.interface.0.to_ne_bytes().to_vec()]
}

/// The same with a peer's address behind it; one of IPv4 as IPv6 maps it.
pub(super) fn latch(of: Key, peer: IpAddr) -> Vec<Vec<u8>> {
    let mut parts = parts(of);
    parts.push(match peer {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    });
    parts
}

fn permit(of: Key, nonce: u32) -> Vec<u8> {
    [key(of), nonce.to_ne_bytes().to_vec()].concat()
}

/// The message body that names one element of a set; with a lifetime, for one that is to be added.
pub(super) fn element(set: &str, key: &[u8], lifetime: Option<Duration>) -> Attributes {
    let inner = Attributes::new().nest(1, Attributes::new().bytes(1, key));
    let inner = match lifetime {
        Some(lifetime) => inner.u64(4, milliseconds(lifetime)),
        None => inner,
    };
    let list = Attributes::new().nest(1, inner);
    Attributes::new().text(1, TABLE).text(2, set).nest(3, list)
}

/// True for the refusal that says that what was to be deleted isn't there, or not any more.
fn is_absent(error: &NftError) -> bool {
    error.code() == Some(libc::ENOENT)
}

impl Gate {
    /// Closes at once: no client is answered after this. Nothing but an advert of ours opens again, and where there is a lease, a
    /// new grant.
    ///
    /// # Errors
    /// What the kernel says; one that is closed already is no error.
    pub fn close(&mut self, key: Key) -> Result<(), NftError> {
        for set in [ALIVE, LEASE] {
            self.remove(set, &self::key(key))?;
        }
        Ok(())
    }

    /// For [`super::Hooks::IngressOnly`]: an advert with a priority above 0 has just left. Not to be called by anyone else: it
    /// opens.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn feed(&mut self, key: Key) -> Result<(), NftError> {
        let Some(router) = self.routers.get(&key) else { return Ok(()) };
        let (timeout, key) = (router.timeout, self::key(key));
        let anew: &[(&str, &[u8], Duration)] = &[(ALIVE, &key, timeout)];
        match self.transact(&[(ALIVE, &key)], anew, "the gate") {
            Err(error) if is_absent(&error) => self.transact(&[], anew, "the gate"),
            done => done,
        }
    }

    /// Leave to open `key` once within `lifetime`, for [`Self::grant`] or [`Self::reopen`]. It is to be made *before* what
    /// justifies the opening is found out: a process that is frozen in between finds it expired. A permit serves nobody but who
    /// holds it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn permit(&mut self, key: Key, lifetime: Duration) -> Result<Permit, NftError> {
        self.permits = self.permits.wrapping_add(1);
        let nonce = self.permits;
        self.transact(&[], &[(PERMIT, &permit(key, nonce), lifetime)], "the permit")?;
        Ok(Permit { key, nonce })
    }

    /// Grants a lease for `slice`: `{delete permit; add lease}`, one transaction. False, and nothing changes, if the permit has
    /// expired.
    ///
    /// # Errors
    /// What else the kernel says.
    pub fn grant(&mut self, permit: Permit, slice: Duration) -> Result<bool, NftError> {
        let key = key(permit.key);
        // One that runs is replaced.
        self.remove(LEASE, &key)?;
        let used = self::permit(permit.key, permit.nonce);
        granted(self.transact(&[(PERMIT, &used)], &[(LEASE, &key, slice)], "the lease"))
    }

    /// Has a lease that still runs begin anew: `{delete lease; add lease}`, one transaction. False, and nothing changes, if it has
    /// expired.
    ///
    /// # Errors
    /// What else the kernel says.
    pub fn renew(&mut self, key: Key, slice: Duration) -> Result<bool, NftError> {
        let key = self::key(key);
        granted(self.transact(&[(LEASE, &key)], &[(LEASE, &key, slice)], "the lease"))
    }

    /// Opens a gate that the kernel has closed on an advert which does not count after all, for `lifetime`: what is left of the time for
    /// which our last advert had it open. `{delete permit; delete latches; add alive}`, one transaction. False, and nothing changes,
    /// if the permit has expired, or something else just now.
    ///
    /// # Errors
    /// What else the kernel says.
    pub fn reopen(&mut self, permit: Permit, lifetime: Duration) -> Result<bool, NftError> {
        let Some(router) = self.routers.get(&permit.key) else { return Ok(false) };
        let peers = router.peers.clone();
        let key = key(permit.key);
        let mut gone = vec![(PERMIT, self::permit(permit.key, permit.nonce)), (ALIVE, key.clone())];
        gone.extend(peers.iter().map(|peer| (LATCH, latch(permit.key, *peer).concat())));
        let mut there = Vec::new();
        for (set, key) in &gone {
            // The permit has to be there; of the others those that are.
            if *set == PERMIT || self.remaining(set, key).is_ok_and(|left| left.is_some()) {
                there.push((*set, key.as_slice()));
            }
        }
        granted(self.transact(&there, &[(ALIVE, &key, lifetime)], "the gate"))
    }

    /// How long an element lives yet.
    pub(super) fn remaining(&mut self, set: &str, key: &[u8]) -> io::Result<Option<Duration>> {
        match self.connection.ask(Kind::GetElement, &element(set, key, None)) {
            Ok(object) => Ok(find(&object, 3)
                .and_then(|list| find(list, 1))
                .and_then(|found| find(found, 5))
                .map(|left| Duration::from_millis(left.try_into().map_or(0, u64::from_be_bytes)))),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Looks first: the kernel takes some milliseconds (a grace period of RCU) to undo a transaction that fails, and whoever closes a gate
    /// waits for that.
    fn remove(&mut self, set: &str, key: &[u8]) -> Result<(), NftError> {
        if matches!(self.remaining(set, key), Ok(None)) {
            return Ok(());
        }
        match self.transact(&[(set, key)], &[], "the element") {
            Err(error) if is_absent(&error) => Ok(()),
            done => done,
        }
    }

    /// Deletes and adds, all or nothing.
    fn transact(
        &mut self,
        delete: &[(&str, &[u8])],
        add: &[(&str, &[u8], Duration)],
        what: &str,
    ) -> Result<(), NftError> {
        let mut batch = self.connection.batch();
        for (set, key) in delete {
            batch.add(Kind::DeleteElement, &element(set, key, None), what);
        }
        for (set, key, lifetime) in add {
            batch.add(Kind::NewElement, &element(set, key, Some(*lifetime)), what);
        }
        self.connection.commit(batch)
    }
}

fn granted(result: Result<(), NftError>) -> Result<bool, NftError> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
