// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* exec.bpf.c for kernels without bpf_loop(): 5.8 to 5.16. */
#define BOUNDED_LOOPS
#include "exec.bpf.c"
