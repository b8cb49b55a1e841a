# Another boot, with two CPUs and two network cards: must pass.
# smp: 2
# nics: 2
check "CPUs" "$(nproc)" == 2
need_module virtio_net
check "cards" "$(ls /sys/class/net | grep -c '^e')" == 2
