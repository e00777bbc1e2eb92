//! Holds `docs/conformance.md` to the source: each test that it names is there, and each test that is named after a section
//! of the RFCs of VRRP stands in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// How the names of tests begin that hold a sentence of these RFCs.
const SECTIONS: [&str; 6] = ["rfc9568_", "rfc_9568_", "rfc3768_", "rfc_3768_", "rfc2338_", "erratum_"];

/// The last column of each table, or how it begins.
const STATES: [&str; 3] = ["held", "departs: ", "not applicable: "];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document() -> String {
    fs::read_to_string(root().join("docs/conformance.md")).expect("the document is there")
}

/// The names of all tests below a directory.
fn tests_in(directory: &Path, found: &mut BTreeSet<String>) {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    for path in entries.collect::<Vec<PathBuf>>() {
        if path.is_dir() {
            tests_in(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.extend(tests_of(&fs::read_to_string(&path).expect("a source file")));
        }
    }
}

/// The functions that an attribute makes tests.
fn tests_of(text: &str) -> Vec<String> {
    let (mut names, mut is_test) = (Vec::new(), false);
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(name) = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ") {
            if is_test {
                names.extend(name.split(['(', '<']).next().map(str::to_owned));
            }
            is_test = false;
        }
    }
    names
}

fn all_tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for directory in ["src", "tests"] {
        tests_in(&root().join(directory), &mut found);
    }
    assert!(found.len() > 500, "the tests are not where they were: {}", found.len());
    found
}

/// The rows of all tables that have three columns: sentence, tests, state.
fn rows(document: &str) -> Vec<[&str; 3]> {
    let tables = document.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    let rows = tables.filter_map(|line| line.split('|').map(str::trim).collect::<Vec<_>>().try_into().ok());
    rows.filter(|row: &[&str; 3]| row[2] != "State" && row[2] != "---").collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_test_that_the_conformance_list_names_is_there() {
    let (document, tests) = (document(), all_tests());
    let rows = rows(&document);
    assert!(rows.len() > 100, "the tables are not what they were: {}", rows.len());
    for row in &rows {
        let [sentence, names, _] = row;
        for name in quoted(names) {
            assert!(tests.contains(name), "{sentence}\nnames `{name}`, and there is no such test");
        }
    }
}

#[test]
fn every_sentence_is_held_by_a_test_or_says_why_not() {
    for [sentence, names, state] in rows(&document()) {
        assert!(STATES.iter().any(|known| state.starts_with(known)), "{sentence}\nis in no known state: {state}");
        assert!(state != "held" || quoted(names).next().is_some(), "{sentence}\nis held by no test");
    }
}

#[test]
fn every_test_named_after_a_section_stands_in_the_list() {
    let document = document();
    let named: BTreeSet<&str> = rows(&document).iter().flat_map(|[_, names, _]| quoted(names)).collect();
    for test in all_tests().iter().filter(|test| SECTIONS.iter().any(|section| test.starts_with(section))) {
        assert!(named.contains(test.as_str()), "`{test}` holds a sentence that docs/conformance.md does not list");
    }
}
