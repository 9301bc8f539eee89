/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The rules' filter: which execs the agent has to see at all.
 *
 * The agent compiles all of its rules into one automaton over bytes (agent/detect/prefilter.py) and puts it
 * here. It reads the executable's path, a NUL, and the arguments as they lie in memory, and accepts
 * whatever some rule could match. Accepting too much costs time; accepting too little would be a missed
 * attack, so everything that the automaton cannot judge passes: no automaton, arguments that are cut or
 * unreadable, and files that the agent has not looked at yet (a renamed tool is known by its contents).
 */
#ifndef HULLWATCH_FILTER_H
#define HULLWATCH_FILTER_H

/* Made new for each set of rules and swapped whole: a program sees the old one or the new one. */
struct automaton_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct automaton));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, u32);
	__array(values, struct automaton_map);
} automata SEC(".maps");

/* Files that the agent has looked at: of type enum verdict. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct file_key);
	__type(value, u32);
} files SEC(".maps");

/* Execs that the agent did not have to see. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} filtered SEC(".maps");

struct scan {
	const struct automaton *automaton;
	const char *tail;
	u32 at;			/* offsets into the tail */
	u32 end;
	u32 state;
};

#define SCAN_STEP 16		/* bytes a call: the call itself costs as much as some bytes */

static __always_inline u32 next_state(const struct automaton *automaton, u32 state, u8 byte)
{
	u32 index = state << (automaton->shift & 15) | automaton->class_of[byte];

	barrier_var(index);	/* or clang masks first and joins then, and 6.1's verifier loses the bounds */
	return automaton->next[index & (MAX_TRANSITIONS - 1)];
}

/* Read some bytes on. Returns 1 at the end, or when the rest cannot matter. */
static long scan_bytes(u32 index, struct scan *scan)
{
	const struct automaton *automaton = scan->automaton;
	u32 state = scan->state, at = scan->at, end = scan->end;

	for (int i = 0; i < SCAN_STEP; i++, at++) {
		if (at >= end) {
			scan->state = state;
			scan->at = at;
			return 1;	/* a constant: older verifiers would follow the loop from here as well */
		}
		state = next_state(automaton, state, scan->tail[at & (TAIL_SPAN - 1)]);
	}
	scan->state = state;
	scan->at = at;
	return state == STATE_ACCEPT;
}

/* Is this a file that name and arguments alone tell about? */
static __always_inline bool is_plain_file(const struct event *event)
{
	struct file_key key = {
		.inode = event->file_inode,
		.ctime_s = event->file_ctime_s,
		.ctime_ns = event->file_ctime_ns,
		.dev = event->file_dev,
	};
	u32 *verdict = bpf_map_lookup_elem(&files, &key);

	return verdict && *verdict == VERDICT_PLAIN;
}

static __always_inline const struct automaton *current_automaton(void)
{
	u32 zero = 0;
	void *map = bpf_map_lookup_elem(&automata, &zero);

	return map ? bpf_map_lookup_elem(map, &zero) : NULL;
}

static __always_inline void count_filtered(void)
{
	u32 zero = 0;
	u64 *count = bpf_map_lookup_elem(&filtered, &zero);

	if (count)
		(*count)++;
}

/*
 * Run the automaton over a part of this CPU's tail, from a state on. Returns the state that it ends in, or
 * STATE_ACCEPT where it could not get that far. Not static: such a function is verified by itself, for any
 * arguments, and not again for each state its caller can be in.
 */
__noinline int scan_tail(u32 cpu, u32 state, u32 at, u32 end)
{
	const struct scratch *s = bpf_map_lookup_elem(&scratch, &cpu);
	struct scan scan = { .automaton = current_automaton(), .state = state, .at = at, .end = end };

	if (!scan.automaton || !s)
		return STATE_ACCEPT;
	scan.tail = s->record.tail;
	repeat(MAX_SCANNED / SCAN_STEP + 1, scan_bytes, &scan);
	return scan.at < scan.end ? STATE_ACCEPT : scan.state;
}

/*
 * Does any rule care for the path that lies at the start of this CPU's tail and the arguments behind it?
 * Without an automaton all is of interest.
 */
static __always_inline bool is_of_interest(u32 cpu, const struct event *event)
{
	const struct automaton *automaton = current_automaton();
	u32 path_bytes = event->lengths[PART_EXECUTABLE];
	u32 state;

	if (!automaton)
		return true;
	state = scan_tail(cpu, STATE_START, 0, path_bytes);
	if (state == STATE_ACCEPT)
		return true;
	state = next_state(automaton, state, 0);
	return scan_tail(cpu, state, path_bytes, path_bytes + event->lengths[PART_ARGS]) == STATE_ACCEPT;
}

#endif
