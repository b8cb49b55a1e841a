// SPDX-License-Identifier: GPL-2.0
#include "lib/timeline_host.bpf.h"

NT_LICENSE;
