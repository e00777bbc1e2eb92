#!/bin/sh
# Makes the recordings beside it anew, out of the scenarios in tests/scenarios/replay.rs. As root; needs what tests/run.sh installs.
set -eu
cd "$(dirname "$0")/../.."
WRITE_RECORDINGS=1 cargo test --test scenarios replay::
