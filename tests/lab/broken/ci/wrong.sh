# Fails at every try.
check "wrong" 1 == 2
