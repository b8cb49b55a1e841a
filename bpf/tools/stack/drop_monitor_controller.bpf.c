// SPDX-License-Identifier: GPL-2.0
/* The programs of eth_drop: the controller only decides which of their events are kept. */
#include "tools/stack/eth_drop.bpf.c"
