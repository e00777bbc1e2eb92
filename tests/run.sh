#!/bin/sh
# Runs every test of this repository: formatting, lints, and all tests with real VRRP daemons in network namespaces.
# Needs root, a Rust toolchain and Debian 12 (or the programs below). Installs the packages that are missing.
set -eu
cd "$(dirname "$0")/.."

# program:package, one for each thing that a test starts.
needs='
ip:iproute2 nft:nftables keepalived:keepalived /usr/lib/frr/vrrpd:frr prometheus:prometheus promtool:prometheus
prometheus-alertmanager:prometheus-alertmanager amtool:prometheus-alertmanager
ping:iputils-ping arping:iputils-arping setpriv:util-linux /bin/kill:procps systemd-analyze:systemd tshark:tshark tcpdump:tcpdump chromium:chromium cc:gcc
etcd:etcd-server etcdctl:etcd-client tmux:tmux zsh:zsh fish:fish man:man-db
'

# Installing must not start keepalived, FRR or Prometheus on this host: while it lasts, invoke-rc.d is told to start nothing.
install_packages() {
    policy=/usr/sbin/policy-rc.d
    saved=$(mktemp -d)
    if [ -e "$policy" ]; then mv "$policy" "$saved/"; fi
    trap 'rm -f "$policy"; if [ -e "$saved/policy-rc.d" ]; then mv "$saved/policy-rc.d" "$policy"; fi; rmdir "$saved"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@"
}

if [ "$(id -u)" != 0 ]; then
    echo "tests/run.sh: network namespaces need root: sudo sh tests/run.sh" >&2
    exit 1
fi
PATH="$PATH:/usr/sbin:/sbin"
export PATH

set --
for need in $needs; do
    command -v "${need%%:*}" >/dev/null || set -- "$@" "${need#*:}"
done
if [ $# -gt 0 ]; then
    # In a subshell: its trap undoes the policy before any test runs.
    (install_packages "$@")
fi

cargo fmt --check
cargo clippy --all-targets -- -D warnings
# Scenarios wait for timers much more than they compute: more of them at a time than there are cores. All of them run, whatever
# the first ones say.
RUST_TEST_THREADS="${RUST_TEST_THREADS:-4}" cargo test --no-fail-fast
