//! Replays the seeds of the fuzz targets, and a bounded number of mutations of each, through the targets' own bodies.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use targets::{TARGETS, Target};

const MUTATIONS_PER_SEED: usize = 2000;
const MAX_CHANGES: usize = 6;

/// Values that sit on the edges of lengths, counts and flags.
const EDGES: [u8; 8] = [0, 1, 2, 7, 0x7f, 0x80, 0xfe, 0xff];

/// Marsaglia's xorshift64: the same mutations in every run.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(MAX_CHANGES) {
            let offset = self.below(bytes.len());
            match (self.below(6), bytes.get_mut(offset)) {
                (0, Some(byte)) => *byte ^= 1 << self.below(8),
                (1, Some(byte)) => *byte = EDGES[self.below(EDGES.len())],
                (2, Some(byte)) => *byte = self.below(256) as u8,
                (3, Some(_)) => bytes.truncate(offset),
                (4, Some(_)) => drop(bytes.remove(offset)),
                _ => bytes.insert(offset, self.below(256) as u8),
            }
        }
    }
}

fn fuzz_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn names_in(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries.map(|entry| entry.expect("an entry").path().file_stem().expect("a name").to_string_lossy().into()).collect()
}

fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = fuzz_directory().join("corpus").join(target);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(&path).expect("a seed"))).collect()
}

#[test]
fn every_fuzz_target_has_a_file_and_seeds() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names_in(&fuzz_directory().join("fuzz_targets")), names);
    assert_eq!(names_in(&fuzz_directory().join("corpus")), names);
    for (name, _) in TARGETS {
        assert!(!seeds(name).is_empty(), "{name} has no seed");
    }
}

#[test]
fn every_seed_passes_through_its_target() {
    for (name, target) in TARGETS {
        for (path, bytes) in seeds(name) {
            assert_survives(target, &bytes, &path);
        }
    }
}

#[test]
fn every_seed_passes_through_its_target_damaged_too() {
    for (name, target) in TARGETS {
        for (path, seed) in seeds(name) {
            let mut random = Xorshift(0x9e37_79b9_7f4a_7c15);
            for _ in 0..MUTATIONS_PER_SEED {
                let mut bytes = seed.clone();
                random.mutate(&mut bytes);
                assert_survives(target, &bytes, &path);
            }
        }
    }
}

/// Says which bytes it was, for a new seed.
fn assert_survives(target: Target, bytes: &[u8], seed: &Path) {
    let outcome = std::panic::catch_unwind(|| target(bytes));
    assert!(outcome.is_ok(), "{}: broken by {bytes:02x?}", seed.display());
}
