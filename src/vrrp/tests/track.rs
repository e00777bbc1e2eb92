use super::super::track::{Found, Tracked, effective};

const fn thing(weight: i16, up: bool) -> Tracked {
    Tracked { weight, reverse: false, found: Found::Up(up) }
}

const fn number(weight: i16, number: i16) -> Tracked {
    Tracked { weight, reverse: false, found: Found::Number(number) }
}

#[test]
fn nothing_tracked_leaves_the_priority() {
    assert_eq!(effective(100, &[]), Some(100));
}

#[test]
fn a_negative_weight_lowers_while_down_and_a_positive_one_raises_while_up() {
    assert_eq!(effective(100, &[thing(-20, true)]), Some(100));
    assert_eq!(effective(100, &[thing(-20, false)]), Some(80));
    assert_eq!(effective(100, &[thing(20, true)]), Some(120));
    assert_eq!(effective(100, &[thing(20, false)]), Some(100));
    assert_eq!(effective(100, &[thing(-20, false), thing(-30, false), thing(5, true)]), Some(55));
}

#[test]
fn weight_zero_is_a_fault_while_down_whatever_the_others_say() {
    assert_eq!(effective(100, &[thing(0, true)]), Some(100));
    assert_eq!(effective(100, &[thing(50, true), thing(0, false)]), None);
    assert_eq!(effective(255, &[thing(0, false)]), None);
}

#[test]
fn reverse_turns_up_and_down_around() {
    let reversed = |weight, up| Tracked { reverse: true, ..thing(weight, up) };
    assert_eq!(effective(100, &[reversed(0, true)]), None);
    assert_eq!(effective(100, &[reversed(0, false)]), Some(100));
    assert_eq!(effective(100, &[reversed(-20, true)]), Some(80));
    assert_eq!(effective(100, &[reversed(20, false)]), Some(120));
}

#[test]
fn a_number_is_multiplied_with_its_weight_and_added() {
    for (tracked, priority) in [
        (number(1, 20), 120),
        (number(1, -20), 80),
        (number(-2, 15), 70),
        (number(253, 254), 254),
        (number(1, 0), 100),
        (Tracked { reverse: true, ..number(1, 20) }, 80),
        (Tracked { reverse: true, ..number(-1, 20) }, 120),
    ] {
        assert_eq!(effective(100, &[tracked]), Some(priority), "{tracked:?}");
    }
    assert_eq!(effective(100, &[number(1, -20), thing(-30, false), number(2, 5)]), Some(60));
}

#[test]
fn a_number_that_takes_254_is_a_fault_and_so_is_any_but_0_with_weight_0() {
    assert_eq!(effective(254, &[number(1, -253)]), Some(1));
    assert_eq!(effective(254, &[number(1, -254)]), None);
    assert_eq!(effective(254, &[number(-2, 127), number(1, 200)]), None);
    assert_eq!(effective(255, &[number(1, -254)]), None);
    for (value, reverse, priority) in
        [(0, false, Some(100)), (1, false, None), (-1, false, None), (0, true, None), (1, true, Some(100))]
    {
        assert_eq!(effective(100, &[Tracked { reverse, ..number(0, value) }]), priority, "{value} {reverse}");
    }
}

#[test]
fn rfc9568_5_2_4_the_sum_stays_between_1_and_254() {
    assert_eq!(effective(100, &[thing(-253, false), thing(-253, false)]), Some(1));
    assert_eq!(effective(100, &[thing(253, true), thing(i16::MAX, true)]), Some(254));
}

#[test]
fn an_owner_stays_255_short_of_a_fault() {
    assert_eq!(effective(255, &[thing(-100, false), thing(100, true)]), Some(255));
}
