#!/bin/sh
# Makes the captures beside it anew, out of two real keepalived in network namespaces. As root; needs keepalived, iproute2,
# nftables, tcpdump and dumpcap. Sends nothing on the host's own interfaces. Usage: make.sh [NAME]...
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
a=cap-a-$$ b=cap-b-$$ switch=cap-s-$$
pids=
# Adverts, ARP, and neighbour advertisements.
wanted='proto 112 or ip6 proto 112 or arp or (icmp6 and ip6[40] = 136)'

cleanup() {
    for pid in $pids $(cat "$work"/*.pid 2>/dev/null || true); do kill -9 "$pid" 2>/dev/null || true; done
    for ns in $a $b $switch; do ip netns del "$ns" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT
trap "exit 1" INT TERM

in_ns() { ns=$1; shift; ip netns exec "$ns" "$@"; }

lan() { # two hosts, 10.9.9.1 and 10.9.9.2, on one bridge
    for ns in $switch $a $b; do ip netns add "$ns"; in_ns "$ns" ip link set lo up; done
    in_ns $switch ip link add br0 type bridge mcast_snooping 0
    in_ns $switch ip link set br0 up
    for host in "$a 1" "$b 2"; do
        set -- $host
        ip link add eth0 netns "$1" address "02:00:00:00:00:0$2" type veth peer name "port$2" netns $switch
        in_ns $switch ip link set "port$2" master br0 up
        in_ns "$1" ip addr add "10.9.9.$2/24" dev eth0
        in_ns "$1" ip link set eth0 up
    done
    sleep 3 # duplicate address detection of the link-local addresses
}

no_lan() { for ns in $a $b $switch; do ip netns del "$ns"; done; }

config() { # config HOST PRIORITY VERSION INTERVAL ADDRESS [LINE]
    cat > "$work/$1.conf" <<CONF
global_defs {
    router_id $1
    vrrp_version $3
}
vrrp_instance web {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority $2
    advert_int $4
    garp_master_delay 1
    garp_master_repeat 1
    ${6-}
    virtual_ipaddress {
        $5
    }
}
CONF
}

start() { # start HOST
    in_ns "$1" keepalived --dont-fork --vrrp --use-file "$work/$1.conf" --pid "$work/$1.pid" \
        --vrrp_pid "$work/$1-vrrp.pid" > "$work/$1.log" 2>&1 &
    pids="$pids $!"
}

# keepalived's parent restarts a child that is killed: kill both, the parent first.
crash() { kill -9 "$(cat "$work/$1.pid")" "$(cat "$work/$1-vrrp.pid")"; rm -f "$work/$1"*.pid; }
stop() { kill -TERM "$(cat "$work/$1.pid")"; while [ -e "$work/$1.pid" ]; do sleep 0.1; done; }
stop_all() { for host in $a $b; do [ ! -e "$work/$host.pid" ] || stop $host; done; }

capture() { # capture NAMESPACE FILE COMMAND...
    ns=$1 file=$2; shift 2
    in_ns "$ns" "$@" "$wanted" -w "$work/$file" > "$work/capture.log" 2>&1 &
    capture=$!
    pids="$pids $capture"
    sleep 1
}

keep() { # keep FILE
    sleep 1
    kill -TERM $capture # a background job of a script ignores SIGINT
    wait $capture || true
    install -m 644 "$work/$1" "$here/$1"
}

tap() { # tap NAMESPACE FILE INTERFACE [LINKTYPE]
    capture "$1" "$2" tcpdump -U -i "$3" ${4+-y "$4"}
}

failover() { # a starts, b follows, a leaves with priority 0, a comes back
    start $a; sleep 5; start $b; sleep 5; stop $a; sleep 4; start $a; sleep 6
}

scenario() {
    lan
    case $1 in
    failover-v2.pcap)
        config $a 150 2 1 10.9.9.100; config $b 100 2 1 10.9.9.100
        tap $switch "$1" br0; failover ;;
    failover-password.pcapng)
        pass='authentication { auth_type PASS
            auth_pass secret12 }'
        config $a 150 2 1 10.9.9.100 "$pass"; config $b 100 2 1 10.9.9.100 "$pass"
        capture $switch "$1" dumpcap -q -i br0 -f; failover ;;
    failover-sll.pcap)
        config $a 150 2 1 10.9.9.100; config $b 100 2 1 10.9.9.100
        tap $b "$1" any LINUX_SLL; failover ;;
    failover-sll2.pcap)
        config $a 150 2 1 10.9.9.100; config $b 100 2 1 10.9.9.100
        tap $b "$1" any LINUX_SLL2; failover ;;
    crash-v3-100ms.pcap)
        config $a 150 3 0.1 10.9.9.100; config $b 100 3 0.1 10.9.9.100
        tap $switch "$1" br0
        start $a; sleep 2; start $b; sleep 2; crash $a; sleep 3 ;;
    failover-ipv6.pcap)
        both='fe80::100
        2001:db8::100'
        config $a 150 3 1 "$both"; config $b 100 3 1 "$both"
        tap $switch "$1" br0; failover ;;
    split-firewall.pcap) # b's firewall drops what a advertises, for ten seconds
        config $a 150 2 1 10.9.9.100; config $b 100 2 1 10.9.9.100
        tap $switch "$1" br0
        start $a; sleep 5; start $b; sleep 4
        in_ns $b nft 'add table inet t; add chain inet t in { type filter hook input priority 0; }; add rule inet t in meta l4proto 112 drop'
        sleep 14
        in_ns $b nft delete table inet t
        sleep 6 ;;
    split-versions.pcap) # one speaks VRRPv2, the other VRRPv3, to the end
        config $a 150 2 1 10.9.9.100; config $b 100 3 1 10.9.9.100
        tap $switch "$1" br0
        start $a; sleep 5; start $b; sleep 12 ;;
    *) echo "no such capture: $1" >&2; exit 64 ;;
    esac
    keep "$1"
    stop_all
    no_lan
}

[ $# -gt 0 ] || set -- failover-v2.pcap failover-password.pcapng failover-sll.pcap failover-sll2.pcap crash-v3-100ms.pcap \
    failover-ipv6.pcap split-firewall.pcap split-versions.pcap
for name; do scenario "$name"; done
