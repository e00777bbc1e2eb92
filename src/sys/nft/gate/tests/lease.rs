//! The operations for an arbiter: exact, or not at all.

use super::fixture::*;
use crate::sys::nft::gate::{Gate, Router};
use crate::sys::testing::with_neighbour;
use crate::time::Duration;
use crate::wire::Family;

const SHORT: Duration = Duration::from_millis(1);

fn leased() -> Router {
    Router { leased: true, ..router(Family::V4) }
}

/// Waits until what was to live for a moment is gone.
fn wait_for_expiry(gate: &mut Gate) {
    while gate.standing(key(Family::V4)).expect("the kernel answers").lease.is_some() {
        std::thread::yield_now();
    }
}

#[test]
fn with_an_arbiter_adverts_alone_open_nothing_and_a_lease_alone_neither() {
    with_neighbour(async |far| {
        let router = leased();
        let mut gate = gate(&router);
        hold(far, &router.addresses);
        advertise(Family::V4, 100);
        assert!(is_silent(far, V4) && !is_open(&mut gate, Family::V4));
        let permit = gate.permit(key(Family::V4), LONG).expect("root");
        assert!(gate.grant(permit, LONG).expect("root"));
        assert!(answers(far, V4) && is_open(&mut gate, Family::V4));
        advertise(Family::V4, 0);
        assert!(is_silent(far, V4), "a lease without adverts");
        advertise(Family::V4, 100);
        gate.close(key(Family::V4)).expect("root");
        gate.close(key(Family::V4)).expect("closed already");
        advertise(Family::V4, 100);
        assert!(is_silent(far, V4), "what was closed needs a new grant");
    });
}

/// G4: the permit was made before the request, and lives shorter than what may be granted.
#[test]
fn an_expired_permit_opens_nothing_and_one_permit_is_not_another() {
    with_neighbour(async |_| {
        let mut gate = gate(&leased());
        let expired = gate.permit(key(Family::V4), SHORT).expect("root");
        let other = gate.permit(key(Family::V4), LONG).expect("root");
        std::thread::sleep(Duration::from_millis(50));
        assert!(!gate.grant(expired, LONG).expect("root"));
        assert!(gate.standing(key(Family::V4)).expect("the kernel answers").lease.is_none());
        assert!(gate.grant(other, LONG).expect("root"));
        assert!(gate.standing(key(Family::V4)).expect("the kernel answers").lease.is_some());
    });
}

/// G2: a lease that has run out is never brought back by who meant to renew it in time.
#[test]
fn a_lease_that_runs_is_renewed_and_one_that_ran_out_is_not() {
    with_neighbour(async |_| {
        let mut gate = gate(&leased());
        assert!(!gate.renew(key(Family::V4), LONG).expect("root"), "there never was one");
        let permit = gate.permit(key(Family::V4), LONG).expect("root");
        assert!(gate.grant(permit, LONG / 2).expect("root"));
        assert!(gate.renew(key(Family::V4), LONG).expect("root"));
        let left = gate.standing(key(Family::V4)).expect("the kernel answers").lease.expect("it runs");
        assert!(left > LONG / 2, "{left:?}");
        assert!(gate.renew(key(Family::V4), SHORT).expect("root"));
        wait_for_expiry(&mut gate);
        assert!(!gate.renew(key(Family::V4), LONG).expect("root"));
        assert!(gate.standing(key(Family::V4)).expect("the kernel answers").lease.is_none());
    });
}
