# Leaves a process and a namespace behind: must pass, the runner cleans up.
setsid sleep 987 &
sleep 0.5
check_ok "the process runs" pgrep -fx 'sleep 987'
ip netns add left
ip link add left0 type veth peer name left1
