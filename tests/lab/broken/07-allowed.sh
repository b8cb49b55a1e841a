# Both again, declared: must pass.
allow_verifier_rejection
allow_dmesg 'made_up'
echo "libbpf: -- BEGIN PROG LOAD LOG --" >"$WORK/tool.err"
echo "WARNING: CPU: 0 PID: 1 at net/core/dev.c:1 made_up" >/dev/kmsg
