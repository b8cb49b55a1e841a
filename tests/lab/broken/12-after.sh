# Has a boot of its own after the panic: must pass.
check_ok "the kernel is up" test -e /proc/uptime
