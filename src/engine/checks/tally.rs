//! Rise and fall: how many results in a row it takes to believe a change.

/// Results in a row of one check.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    rise: u32,
    fall: u32,
    state: Option<bool>,
    against: u32,
}

impl Tally {
    pub(super) const fn new(rise: u32, fall: u32) -> Self {
        Self { rise, fall, state: None, against: 0 }
    }

    /// Counts one. The state if it changed; the first result is believed at once.
    pub(super) fn count(&mut self, up: bool) -> Option<bool> {
        self.against = if self.state == Some(up) { 0 } else { self.against.saturating_add(1) };
        let needed = match self.state {
            None => 1,
            Some(true) => self.fall,
            Some(false) => self.rise,
        };
        if self.state == Some(up) || self.against < needed {
            return None;
        }
        self.against = 0;
        self.state = Some(up);
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_believed_after_so_many_results_in_a_row_and_the_first_one_at_once() {
        let mut tally = Tally::new(3, 2);
        let results = [true, true, false, true, false, false, false, true, true, false, true, true, true];
        let changes: Vec<_> = results.iter().map(|up| tally.count(*up)).collect();
        let mut expected = [None; 13];
        expected[0] = Some(true);
        expected[5] = Some(false);
        expected[12] = Some(true);
        assert_eq!(changes, expected);
    }

    #[test]
    fn a_check_that_fails_from_the_start_fails_at_once() {
        assert_eq!(Tally::new(3, 5).count(false), Some(false));
    }
}
