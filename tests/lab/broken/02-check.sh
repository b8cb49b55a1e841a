# A failed assertion; the scenario goes on to its end.
check "one is two" 1 == 2
ok "still running"
