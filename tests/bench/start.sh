# SPDX-License-Identifier: GPL-2.0
# Time from exec to the start line and memory of each tool; tests/bench/run reads them.
# where: guest host
# timeout: 600
#
# Writes WORK/start.tsv: tool, ns, VmRSS, resident pages of maps, VmHWM (kB), a line a run.
BENCH=${NT_BENCH:-$REPO/build/tests/bench/nt-bench}
RUNS=${BENCH_RUNS:-5}
in_guest || RUNS=${BENCH_RUNS:-9}

cp "$BENCH" "$WORK/nt-bench"
in_guest && { modprobe tun || true; }
ip link add bench0 type veth peer name bench1

options() {
    case $1 in
        iface_netstat) echo "--interface bench0" ;;
        drop_monitor_controller) echo "--interface bench0 --log-dir $WORK/logs" ;;	# eth_drop's programs
        phy_net_drop_detector) echo "--interface bench0 --mode receiver" ;;
        tcp_connection_analyzer) echo "--interval 1000" ;;	# else it ends at once
        kernel_icmp_rtt) in_guest || echo none ;;
    esac
}

for tool in $("$NETTRACE" list | awk '/^[a-z]/ { print $1 }'); do
    # shellcheck disable=SC2046
    if ! "$NETTRACE" "$tool" $(options "$tool") --dry-run >/dev/null 2>&1; then
        note "$tool cannot run here"
        continue
    fi
    for ((i = 0; i <= RUNS; i++)); do
        # shellcheck disable=SC2046
        line=$("$WORK/nt-bench" start "$NETTRACE" "$tool" $(options "$tool") --json) || break
        # The first run also reads the program from the disk.
        [ "$i" = 0 ] || printf '%s\t%s\n' "$tool" "${line// /$'\t'}" | tee -a "$WORK/start.tsv"
    done
done
rm "$WORK/nt-bench"
