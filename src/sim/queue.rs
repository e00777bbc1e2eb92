//! What is to happen when: the earliest first, and of two at a time the one that was put in first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::Instant;

/// A queue of things to come.
#[derive(Debug)]
pub(super) struct Queue<T> {
    heap: BinaryHeap<Reverse<Slot<T>>>,
    count: u64,
}

#[derive(Debug)]
struct Slot<T> {
    at: Instant,
    number: u64,
    what: T,
}

impl<T> Queue<T> {
    pub const fn new() -> Self {
        Self { heap: BinaryHeap::new(), count: 0 }
    }

    pub fn push(&mut self, at: Instant, what: T) {
        self.count += 1;
        self.heap.push(Reverse(Slot { at, number: self.count, what }));
    }

    pub fn pop(&mut self) -> Option<(Instant, T)> {
        self.heap.pop().map(|Reverse(slot)| (slot.at, slot.what))
    }
}

impl<T> PartialEq for Slot<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl<T> Eq for Slot<T> {}

impl<T> PartialOrd for Slot<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Slot<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}
