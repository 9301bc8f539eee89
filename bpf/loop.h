/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * repeat(count, step, context): call step(index, context) up to `count` times, until it returns 1.
 *
 * bpf_loop() (5.17) is verified once, however often it turns. Before it, a loop is verified turn by turn,
 * so the object for those kernels (exec.bounded.bpf.c) has shorter loops. A path that does not fit is flagged,
 * arguments that the filter cannot read to their end pass it.
 */
#ifndef HULLWATCH_LOOP_H
#define HULLWATCH_LOOP_H

#ifdef BOUNDED_LOOPS
#define repeat(count, step, context)                                                              \
	for (u32 turn = 0; turn < (count); turn++)                                                \
		if (step(turn, context))                                                          \
			break;
#define MAX_COMPONENTS 32
#define MAX_SCANNED 2048
#else
#define repeat(count, step, context) bpf_loop(count, step, context, 0)
#define MAX_COMPONENTS 256
#define MAX_SCANNED ARGS_BYTES
#endif

#endif
