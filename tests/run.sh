#!/bin/sh
# Runs every test of this repository: formatting, lints, and all tests with real VRRP daemons in network namespaces.
# Needs root, a Rust toolchain and Debian 12 (or the programs below). Installs the packages that are missing.
set -eu
cd "$(dirname "$0")/.."

# program:package, one for each thing that a test starts.
needs='
ip:iproute2 nft:nftables keepalived:keepalived /usr/lib/frr/vrrpd:frr prometheus:prometheus promtool:prometheus
tcpdump:tcpdump tshark:tshark chromium:chromium ping:iputils-ping setpriv:util-linux capsh:libcap2-bin cc:build-essential
systemd-analyze:systemd
'
PATH="$PATH:/usr/sbin:/sbin"
export PATH

missing=
for need in $needs; do
    command -v "${need%%:*}" >/dev/null || missing="$missing ${need#*:}"
done

# Installing must not start keepalived, FRR or Prometheus on this host: while it lasts, invoke-rc.d is told to start nothing.
policy=/usr/sbin/policy-rc.d
install_packages() {
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        trap 'exit 130' INT TERM
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing
}

[ "$(id -u)" = 0 ] || { echo "tests/run.sh: network namespaces need root: sudo sh tests/run.sh" >&2; exit 1; }
# In a function's subshell, so that the trap removes the policy before any test runs.
[ -z "$missing" ] || (install_packages)

cargo fmt --check
cargo clippy --all-targets -- -D warnings
# Scenarios wait for timers much more than they compute: more of them at a time than there are cores.
RUST_TEST_THREADS="${RUST_TEST_THREADS:-4}" cargo test
