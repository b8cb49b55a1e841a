# A delay measured by a clock of instructions: exact, however busy this machine is.
# ci: 6.1
# clock: instructions
# timeout: 90

topo_pair
without=$(ping_ms a 10.77.0.2 50)
check "median round trip without delay, ms" "$without" '<' 0.1
netem va a delay 20ms
ping_ms a 10.77.0.2 0 2 >/dev/null
with=$(ping_ms a 10.77.0.2 50 50 0.03)
check "median round trip with 20 ms delay, ms" "$with" '>=' 20
check "median round trip with 20 ms delay, ms" "$with" '<' 20.2
