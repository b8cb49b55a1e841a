# Packets of an unknown EtherType in one cycle: that cycle's log is kept, with all of them; commands instead of us.
# ci: new
# where: guest host
# timeout: 200

TRAFFIC=$REPO/build/tests/traffic
topo_pair
UNKNOWN=0277000000020277000000aa88b5000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d
unknown() { in_a "$TRAFFIC/nt-send" raw --dev va --hex $UNKNOWN --count "$1" >/dev/null; }
cycles() { [ "$(events "$1" '.type == "cycle"')" -ge "$2" ]; }
logs() { find "$1" -name 'monitor_*.log' 2>/dev/null | wc -l; }

# --- in process: cycle 3 has the drops, and no other ---------------------------------
nt_start_in b own drop_monitor_controller --interface vb --interval 1.5 --log-dir "$WORK/own.logs" --pre 0
wait_for 30 cycles own 2
unknown 100
wait_for 30 cycles own 4
nt_stop own
lost_zero own
KEPT=$(jq -r 'select(.type == "cycle" and .kept).log' own.json)
check_jq "one cycle is kept, the third, with 100 drops" own 'map(select(.type == "cycle" and .kept)) | length == 1 and
    (.[0] | .cycle == 3 and .ifname == "vb" and .counters == {"rx_dropped": 100} and .log_events == 100 and .present)'
check_jq "the others are removed" own 'map(select(.type == "cycle" and (.kept | not))) | length >= 3 and
    all(.counters.rx_dropped == 0 and .log == null)'
check "one file" "$(logs own.logs)" == 1
check "the log has them all" "$(grep -c '"eth_type":"0x88b5"' "$KEPT")" == 100
check_jq "the end line" own '.[-1] | .kept == 1 and .removed == .cycles - 1 and .not_logged == 0'

# --- text; the seconds before; the threshold; a limited number of logs -----------------
lab_spawn text txt nsenter --net=/run/netns/b "$NETTRACE" drop_monitor_controller --interface vb --interval 1 \
    --log-dir "$WORK/text.logs" --counters rx_dropped,tx_dropped --min-drops 10 --keep 2 --pre 60
lab_wait_line text text.txt 'baseline  vb tx_dropped 0'
unknown 5               # below the threshold, but in the next log: the seconds before
sleep 2.2
for i in 1 2 3 4; do unknown 20; sleep 1.1; done
nt_stop text
check "text: a cycle of drops" "$(grep -cE '^cycle [0-9]+  vb rx_dropped [0-9]+ -> [0-9]+ \(\+[1-9][0-9]*\)$' text.txt)" '>=' 3
check "text: only two files stay" "$(logs text.logs)" == 2
check "text: wide lines" "$(awk 'length > 100' text.txt | grep -vc text.logs)" == 0
LAST=$(find text.logs -name '*.log' | sort -V | tail -1)
check "the log begins with what was before, and has a head" "$(grep -c 'type 0x88b5' "$LAST")" '>=' 65
check "its head" "$(sed -n '2p' "$LAST")" == 'interface: vb'

# --- a command: words, not a shell; its group is gone when we end ------------------------
cat >say <<'END'
#!/bin/sh
echo "<$1> <$2>"
sleep 300 &
wait
END
chmod +x say
nt_start_in b command drop_monitor_controller --interface vb --interval 1 --log-dir "$WORK/command.logs" --pre 0.2 \
    --command "$WORK/say 'two words; \$HOME' \"a \\\"b\\\"\"" --stop-command "echo stopping"
wait_for 30 cycles command 1
unknown 7
wait_for 30 eval '[ "$(events command ".type == \"cycle\" and .kept")" -ge 1 ]'
SLEEPERS=$(pgrep -f -x 'sleep 300' | wc -l)
check "the command runs" "$SLEEPERS" '>=' 1
START=${EPOCHREALTIME/./}
nt_stop command TERM
check "it ends soon (us)" $((${EPOCHREALTIME/./} - START)) '<' "$(in_guest && echo 5000000 || echo 1500000)"
check "nothing of the command is left" "$(pgrep -f -x 'sleep 300' | wc -l)" == 0
check_jq "its cycle is kept" command 'map(select(.type == "cycle" and .kept)) | length == 1 and
    .[0].counters.rx_dropped == 7'
check_jq "nothing is attached" command '.[0].hooks == [] and .[0].missing_hooks == []'
LOG=$(find command.logs -name '*.log')
check "the log: words" "$(grep -c '^<two words; \$HOME> <a "b">$' "$LOG")" == 1
check "the log: the stop command" "$(grep -c '^stopping$' "$LOG")" == 1

# --- one of our own tools, named as the script was called -------------------------------------
nt_start_in b tool drop_monitor_controller --interface vb --interval "$(in_guest && echo 12 || echo 4)" --count 1 --log-dir "$WORK/tool.logs" \
    --command "sudo python /opt/tools/eth_drop.py --rate 0 -i vb -n"
wait_for 30 eval 'grep -q "^  hooks" tool.logs/*.log'
unknown 30
nt_wait tool 60
check "events in its log" "$(grep -c 'type 0x88b5' tool.logs/*.log)" == 30
check "its summary too" "$(grep -c 'eth_drop: ended' tool.logs/*.log)" == 1

# --- what is wrong ------------------------------------------------------------------------------
nt_run none 2 drop_monitor_controller
nt_run counter 2 drop_monitor_controller --interface lo --counters nonsense
nt_run quote 2 drop_monitor_controller --interface lo --command "a 'b"
nt_run missing 1 drop_monitor_controller --interface lo --interval 1 --log-dir "$WORK/missing.logs" --command /no/such/program
check "it is said" "$(grep -c 'cannot start the command: /no/such/program: No such file' missing.err)" == 1
nt_run dir 1 drop_monitor_controller --interface lo --log-dir /proc/nothing/here
