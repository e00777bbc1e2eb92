use super::super::timer::{in_step, master_down, skew};
use super::bench::SECOND;
use crate::time::{Duration, Instant};
use crate::wire::Version;

#[test]
fn rfc9568_6_1_the_skew_of_each_priority_is_exact() {
    for (priority, nanos) in [
        (1, 996_093_750),
        (50, 804_687_500),
        (100, 609_375_000),
        (150, 414_062_500),
        (200, 218_750_000),
        (254, 7_812_500),
        (255, 3_906_250),
    ] {
        assert_eq!(skew(Version::V3, priority, SECOND), Duration::from_nanos(nanos), "{priority}");
        assert_eq!(skew(Version::V2, priority, SECOND), Duration::from_nanos(nanos), "{priority}");
        assert_eq!(master_down(Version::V3, priority, SECOND), 3 * SECOND + Duration::from_nanos(nanos), "{priority}");
    }
}

#[test]
fn rfc9568_6_1_the_skew_is_a_part_of_the_masters_interval() {
    assert_eq!(skew(Version::V3, 254, Duration::from_millis(10)), Duration::from_nanos(78_125));
    assert_eq!(skew(Version::V3, 1, Duration::from_millis(40_950)), Duration::from_nanos(40_790_039_062));
}

#[test]
fn rfc3768_6_1_the_skew_of_version_2_does_not_depend_on_the_interval() {
    assert_eq!(skew(Version::V2, 200, 255 * SECOND), Duration::from_nanos(218_750_000));
    assert_eq!(master_down(Version::V2, 200, 10 * SECOND), Duration::from_nanos(30_218_750_000));
}

#[test]
fn neighbouring_priorities_differ_at_the_shortest_interval() {
    let skews: Vec<Duration> = (1..=255).map(|p| skew(Version::V3, p, Duration::from_millis(10))).collect();
    assert!(skews.windows(2).all(|pair| pair[0] > pair[1]));
}

#[test]
fn an_advert_in_step_is_a_sixteenth_early_at_most_and_the_next_ones_are_an_interval_apart() {
    for interval in [10, 30, 1_000, 40_950].map(Duration::from_millis) {
        for nanos in [0, 1, 77_777_777, 123_456_789_012] {
            let wanted = Instant::from_nanos(nanos) + interval;
            let first = in_step(wanted, interval);
            assert!(first <= wanted && wanted.since(first) < interval / 16, "{interval:?} at {wanted:?}");
            assert_eq!(in_step(first + interval, interval), first + interval);
        }
    }
}

#[test]
fn many_routers_in_step_advertise_at_sixteen_moments_of_an_interval() {
    let moments: std::collections::BTreeSet<Instant> =
        (0..255).map(|n| in_step(Instant::from_nanos(n * 3_921_568), SECOND)).collect();
    assert_eq!(moments.len(), 16);
}
