# A kernel warning during a scenario which is otherwise good.
echo "WARNING: CPU: 0 PID: 1 at net/core/dev.c:1 made_up" >/dev/kmsg
