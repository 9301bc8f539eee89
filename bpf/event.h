/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * THE wire format between the BPF programs and the agent.
 *
 * A record is one `struct event` and behind it a tail: the texts, one after another in the order of
 * `enum part`, `lengths[part]` bytes each, without terminators. Fixed-width members, widest first, so
 * that no compiler adds padding; host byte order. agent/sensors/wire.py mirrors this file, and
 * tests/test_wire.py holds the mirror against the compiler's own layout.
 */
#ifndef HULLWATCH_EVENT_H
#define HULLWATCH_EVENT_H

#define COMM_BYTES 16
#define MAX_ANCESTORS 8
#define PATH_BYTES 4096
#define ARGS_BYTES 32768
#define PARENT_ARGS_BYTES 256

enum event_type {
	EVENT_EXEC = 1,
};

/* The texts of the tail, in their order. */
enum part {
	PART_EXECUTABLE,	/* dentry walk from mm->exe_file to the task's root */
	PART_ARGS,		/* argv as it lies in memory, each argument ended by NUL */
	PART_FILENAME,		/* bprm->filename: what was asked for */
	PART_INTERPRETER,	/* bprm->interp: what the kernel ran for it */
	PART_WORKING_DIRECTORY,
	PART_CGROUP,		/* path of the deepest cgroup, v2 or v1 */
	PART_PARENT_EXECUTABLE,
	PART_PARENT_ARGS,	/* the head of the parent's own argv */
	PART_COUNT,
};

enum flag {
	FLAG_EXECUTABLE_CUT = 1 << 0,		/* more components than the walk takes, or more bytes */
	FLAG_WORKING_DIRECTORY_CUT = 1 << 1,
	FLAG_PARENT_EXECUTABLE_CUT = 1 << 2,
	FLAG_CGROUP_CUT = 1 << 3,
	FLAG_ARGS_CUT = 1 << 4,			/* argv is longer than ARGS_BYTES */
	FLAG_ARGS_UNREADABLE = 1 << 5,		/* a page of argv could not be read */
	FLAG_EXECUTABLE_UNLINKED = 1 << 6,	/* the dentry has no name any more: deleted, memfd */
};

/* Why a record did not reach the agent; index of the per-CPU `lost` map. */
enum loss {
	LOST_RING_FULL,
	LOST_NO_SCRATCH,	/* more CPUs than slots */
	LOSS_COUNT,
};

struct ancestor {
	unsigned long long start_ns;
	unsigned int pid;
	unsigned int reserved;
	char comm[COMM_BYTES];
};

struct event {
	unsigned long long boot_ns;		/* CLOCK_BOOTTIME */
	unsigned long long start_ns;		/* of the process, CLOCK_BOOTTIME */
	unsigned long long parent_start_ns;
	unsigned long long cgroup_id;		/* v2 */
	unsigned long long file_inode;
	unsigned long long file_ctime_s;
	unsigned int file_ctime_ns;
	unsigned int file_dev;			/* the kernel's dev_t: 12 bits major, 20 bits minor */
	unsigned int file_links;
	unsigned int file_mode;
	unsigned int type;			/* enum event_type */
	unsigned int flags;			/* enum flag */
	unsigned int pid;			/* thread group id, initial pid namespace */
	unsigned int thread_id;			/* of the thread that called exec, before it became the leader */
	unsigned int parent_pid;
	unsigned int uid;
	unsigned int gid;
	unsigned int euid;
	unsigned int login_uid;			/* 2^32-1: never logged in */
	unsigned int session_id;		/* of audit; 2^32-1: none */
	unsigned int tty_major;			/* 0: no terminal */
	unsigned int tty_minor;
	unsigned int mount_ns;
	unsigned int pid_ns;
	unsigned int user_ns;
	unsigned int args_count;
	unsigned int args_bytes;		/* all of argv, however much of it is in the tail */
	unsigned int ancestor_count;
	unsigned int lengths[PART_COUNT];
	char comm[COMM_BYTES];
	char parent_comm[COMM_BYTES];
	struct ancestor ancestors[MAX_ANCESTORS];	/* parent first */
};

/*
 * From the agent to the programs: the rules' filter (bpf/filter.h). An automaton over bytes starts in state
 * 0 and goes to next[state << shift | class_of[byte]]; state 1 accepts and is never left.
 */
#define MAX_TRANSITIONS (1 << 18)
#define STATE_START 0
#define STATE_ACCEPT 1

struct automaton {
	unsigned int shift;		/* log2 of the row width: classes, rounded up to a power of two */
	unsigned char class_of[256];
	unsigned short next[MAX_TRANSITIONS];
};

/* A file that the agent has looked at; whoever changes it gives it another change time. */
struct file_key {
	unsigned long long inode;
	unsigned long long ctime_s;
	unsigned int ctime_ns;
	unsigned int dev;		/* as event.file_dev */
};

enum verdict {
	VERDICT_PLAIN = 1,		/* its name and arguments tell all */
	VERDICT_TOOL,			/* one of the tools, whatever it is called: always of interest */
};

#endif
