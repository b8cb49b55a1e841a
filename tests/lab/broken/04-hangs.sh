# Ends by its limit.
# timeout: 4
trap '' TERM
while :; do sleep 1; done
