# Finds nothing of it: must pass.
check_fails "the process is gone" pgrep -fx 'sleep 987'
check_fails "the namespace is gone" test -e /run/netns/left
check_fails "the device is gone" test -e /sys/class/net/left0
