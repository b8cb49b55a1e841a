# A program that the verifier refuses costs what it is for, and nothing else.
# ci: 5.10 new
# where: guest host
# timeout: 400

has_typed || skip "no typed programs to refuse"
allow_verifier_rejection
need_cmd bpftool
TRAFFIC=$REPO/build/tests/traffic
topo_pair
FILTER='udp port 9'
# Ids of the programs of these tools (names are cut to 15 characters).
programs() { bpftool prog show | sed -nE 's/^([0-9]+): .* name (kfree_skb__|start_xmit__|receive__|free_irq__).*/\1/p' | sort; }
programs >before
via() { head -n 1 "$1.json" | jq -r '.hooks[].via'; }

nt_start_in b raw eth_drop -i vb --refuse kfree_skb__tp_btf "$FILTER"
nt_start_in b drops kernel_drop_stack_stats_summary -n vb -i 100 --refuse kfree_skb__tp_btf "$FILTER"
nt_start_in b deferred eth_drop -i vb --deferred --refuse free_irq__fentry,free_irq__kprobe "$FILTER"
nt_start_in b without eth_drop -i vb --deferred --without free_irq "$FILTER"
lab_spawn text txt nsenter --net=/run/netns/b "$NETTRACE" eth_drop -i vb --deferred --without free_irq "$FILTER"
lab_wait_line text text.txt '^eth_drop on'
nt_start_in b xmit iface_netstat -n vb --refuse receive__tp_btf "$FILTER"
in_a "$TRAFFIC/nt-send" udp --to 10.77.0.2 --port 9 --count 30
sleep 0.3
for name in raw drops deferred without text xmit; do nt_stop $name; done
for name in raw deferred without; do
    lost_zero $name
    check "$name: events" "$(events $name '.type == "event"')" == 30
done
check "the raw tracepoint stands in" "$(via raw)" == raw_tp
check "it says that something was refused" "$(grep -c 'verifier refused kfree_skb__tp_btf' raw.err)" == 1
check_jq "drops by the raw tracepoint" drops '.[0].hooks[0].via == "raw_tp" and .[-1].drops == 30'
check_jq "receive by the raw tracepoint, transmit typed" xmit '(.[0].hooks | map(.via)) == ["tp_btf", "raw_tp"] and
    (.[-1].rx | map(.packets) | add) == 30 and (.[-1].tx | map(.packets) | add) == 0'
for name in deferred without; do
    check_jq "$name: the hook is missing, and what that costs" $name '.[0].missing_hooks | length == 1 and
        (.[0] | tostring | test("dev_kfree_skb_irq") and test("who dropped packets that were freed later by softirq"))'
done
check_ok "text names the loss" grep -q 'who dropped packets that were freed later by softirq' text.txt text.err

# Nothing left to attach to: exit 3, one line that names the hook.
nt_run none 3 eth_drop --refuse kfree_skb__tp_btf,kfree_skb__raw_tp
check "one line" "$(grep -vc 'verifier refused' none.err)" == 1
check_ok "it names the hook" grep -q 'skb:kfree_skb' none.err
nt_run nonejson 3 eth_drop --refuse kfree_skb__tp_btf,kfree_skb__raw_tp --json
check "error in JSON" "$(jq -r .type nonejson.out)" == error
nt_run noreq 3 kernel_drop_stack_stats_summary --without kfree_skb
# Other tracers of a shared machine come and go.
! in_guest || check "nothing is left" "$(comm -13 before <(programs) | tr '\n' ' ')" == ""
