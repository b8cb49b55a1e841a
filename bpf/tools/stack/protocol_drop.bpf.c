// SPDX-License-Identifier: GPL-2.0
/* The programs of the path engine; the protocol is a load-time constant. */
#include "lib/path.bpf.h"

NT_LICENSE;

NT_PATH_PROGRAMS
