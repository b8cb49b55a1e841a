// SPDX-License-Identifier: GPL-2.0
/* Echo requests and their replies on a host's path: the stages of timeline_host.bpf.h, in two legs. */
#define NT_TL_LEGS 1

#include "lib/timeline_host.bpf.h"

NT_LICENSE;
