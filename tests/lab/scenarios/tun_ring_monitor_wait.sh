# The wait in the ring until vhost takes a packet, and devices that come and go.
# ci: 6.1
# timeout: 240

need_module tun vhost_net
TRAFFIC=$REPO/build/tests/traffic
modprobe -a tun vhost_net

# vhost NAME DELAY FRAMES: each frame waits DELAY us until the guest has a buffer.
vhost() {
    rm -f go end
    bg "$1" "$TRAFFIC/nt-vhost" --name vtap0 --rx "$3" --tx 0 --no-kvm --delay-us "$2" --wait-file go --hold-file end
    wait_for 30 grep -q ready "$1.out"
}
finish() {
    touch end
    wait_for 10 eval "! lab_alive $(pid_of "$1")"
    bg_stop "$1"
}

# The device does not exist yet; the glob finds it, and again when it is a new one.
nt_start glob tun_ring_monitor -d 'vta*' --all
vhost first 100000 25
nt_start wait tun_ring_monitor -d vtap0 --wait
nt_start_text text tun_ring_monitor -d vtap0 --wait
sleep 1
touch go
wait_for 60 grep -q rx_got first.out
nt_stop wait
nt_stop text
lost_zero wait
finish first

check_jq "packets" wait '.[-1] | .packets == 25 and .drops == 0 and .vhost_reader_seen'
check_jq "waits" wait '.[-1].wait | .unit == "us" and .count == 25'
p50=$(tail -n 1 wait.json | jq .wait.p50)
check "median wait of 100 ms, us" "$p50" '>=' 90000
check "median wait of 100 ms, us" "$p50" '<=' 110000
check_ok "histogram in the text" grep -q '^wait of packets' text.txt

# A restarted machine: the same name, another index.
vhost second 1000 30
sleep 1.5
touch go
wait_for 60 grep -q rx_got second.out
nt_stop glob
finish second
lost_zero glob
check_jq "both devices of the name" glob 'map(select(.type == "event")) |
    (map(.ifindex) | unique | length) == 2 and all(.ifname == "vtap0") and length == 55'

# Nobody reads.
rm -f go end
bg tap "$TRAFFIC/nt-tap" --name tap0 --qlen 64 --frames 10 --drain --wait-file go --hold-file end
wait_for 20 grep -q ready tap.out
nt_start_text unread tun_ring_monitor -d tap0 --wait
touch go
wait_for 30 grep -q tx_dropped tap.out
nt_stop unread
check_ok "no reader" grep -q '^no vhost reader seen' unread.txt
finish tap
