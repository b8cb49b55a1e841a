# The one that must pass.
check "two" $((1 + 1)) == 2
