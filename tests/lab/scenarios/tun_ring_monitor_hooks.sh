# The same counts by every way to attach, and filters of every kind.
# ci: 5.10 new
# timeout: 240

need_module tun
TRAFFIC=$REPO/build/tests/traffic
modprobe tun

# sends NAME ARGS...: nt-tap with 64 slots and 100 frames of two flows while the
# tools run that were started since "ready".
ready() {
    bg tap "$TRAFFIC/nt-tap" --name tap0 --qlen 64 --frames 100 --two-flows --wait-file go --hold-file end "$@"
    wait_for 20 grep -q ready tap.out
}
send() {
    touch go
    wait_for 30 grep -q tx_dropped tap.out
}
gone() {
    touch end
    wait_for 10 eval '! lab_alive "$(pid_of tap)"'
    bg_stop tap
    rm -f go end
}
counts() { check_jq "$1: 64 and 36" "$1" '.[-1] | .packets == 100 and .drops == 36 and .events == 36'; }
via() { check_jq "$1: attached by $2" "$1" "[.[0].hooks[] | .name + \" \" + .via] == [$2]"; }
# Programs by trampoline need the module's BTF, too.
typed() { have_fentry && [ -e /sys/kernel/btf/tun ]; }

ready
nt_start kprobe tun_ring_monitor --attach kprobe -d tap0
if typed; then
    nt_start fentry tun_ring_monitor --attach fentry -d tap0
else
    nt_run fentry 3 tun_ring_monitor --attach fentry -d tap0 --without dev_xmit
fi
nt_start perf tun_ring_monitor --perf-buffer -d tap0
nt_start any tun_ring_monitor -d tap0 --match any --src-ip 10.9.9.9 --dst-port 5001
nt_start anydev tun_ring_monitor -d 'nothing*' --match any --dst-port 5001 --all
nt_start expr tun_ring_monitor -d tap0 udp dst port 5000 and src host 192.0.2.1
nt_start limited tun_ring_monitor --rate 1 -d tap0
send
for name in kprobe perf any anydev expr limited; do nt_stop $name; done
via kprobe '"tun_net_xmit kprobe", "tun_net_xmit kretprobe", "kfree_skb raw_tp"'
counts kprobe
lost_zero kprobe
if typed; then
    nt_stop fentry
    via fentry '"tun_net_xmit fentry", "tun_net_xmit fexit", "kfree_skb tp_btf"'
    counts fentry
    lost_zero fentry
fi
counts perf
lost_zero perf
check_jq "any of two conditions" any '.[-1] | .packets == 50 and .drops == 18'
check_jq "the device must match always" anydev '.[-1] | .packets == 0 and .events == 0'
check_jq "expression" expr '.[-1].packets == 50 and (map(select(.type == "event").dst_port) | unique) == [5000]'
check_jq "rate limit: all is counted" limited '.[-1] | .drops == 36 and .events >= 1 and
    .events <= 3 and .events + .rate_limited == 36'
gone

# Without the function hooks: the device tracepoints, which frames that bypass
# the queueing discipline do not pass.
ready --no-bypass
# csv has no start line: the others start after it, one by one
bg csv "$NETTRACE" tun_ring_monitor -d tap0 --format csv --count 5
nt_start tp tun_ring_monitor --without xmit -d tap0
nt_start both tun_ring_monitor -d tap0
nt_start verbose tun_ring_monitor -d tap0 --verbose
send
nt_stop tp
nt_stop both
nt_stop verbose
lab_wait_exit csv 10
check_jq "attached to tracepoints" tp '[.[0].hooks[].name] == ["net_dev_start_xmit", "net_dev_xmit", "kfree_skb"]'
counts tp
counts both
lost_zero tp
check_jq "the two agree" tp '[.[-1].queues[0] | .packets, .bytes, .drops, .drops_by_reason] ==
    [100, 14200, 36, '"$(tail -n 1 both.json | jq -c '.queues[0].drops_by_reason')"']'
check_jq "verbose" verbose 'map(select(.type == "event")) | length == 36 and all(.skb | test("^0xffff"))'
check "lines of csv" "$(wc -l <csv.out)" == 6
gone

# --- a TUN device: packets without Ethernet header ----------------------------
cat >tun.py <<'PY'
import fcntl, os, struct, time
fd = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH", b"tun7", 0x1001))
os.system("echo 1 >/proc/sys/net/ipv6/conf/tun7/disable_ipv6; "
          "ip link set tun7 up; ip address add 10.7.7.1/24 dev tun7")
print("ready", flush=True)
while True:
    os.read(fd, 2000)
PY
bg tundev python3 tun.py
wait_for 20 grep -q ready tundev.out
nt_start tun tun_ring_monitor -d tun7 --all --dst-ip 10.7.7.2
ping -n -q -c 5 -i 0.05 -W 1 10.7.7.2 >/dev/null || true
nt_stop tun
bg_stop tundev
check_jq "packets of a TUN device" tun 'map(select(.type == "event")) | length == 5 and
    all(.protocol == "icmp" and .dst_ip == "10.7.7.2" and .len_bytes == 84 and .verdict == "ok")'
