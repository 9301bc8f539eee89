// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * One record for each successful exec, whatever system call asked for it.
 *
 * sched_process_exec fires behind the point of no return, in the context of the new program before its
 * first instruction: its argv has been copied by the kernel onto a stack that nobody else has touched,
 * so there is no page to fault in, no thread to rewrite it, and nothing to carry over from a
 * sys_enter probe (where non-resident pages read as empty, and a non-leader thread's exec changes the
 * thread id that would be the key).
 *
 * Where the verifier knows a pointer's type (it comes from the tracepoint's arguments by members), it is
 * read by plain loads, which cost a tenth of a probe read; fault handling is the kernel's (PROBE_MEM).
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "event.h"
#include "loop.h"

#define PAGE_BYTES 4096
#define TAIL_SPAN 65536		/* a power of two, so that a mask bounds every offset into the tail */
#define MAX_FORKS 4		/* generations searched for the argv of a parent that forked without exec */
#define WAKE_UP_NS 2000000	/* the agent is not woken more often than that */

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct record {
	struct event event;
	char tail[TAIL_SPAN + ARGS_BYTES];
};

#include "walk.h"

/*
 * The head of each process's argv, for its children: a parent's memory cannot be read from a child. One slot
 * for each pid modulo their number: an array costs a fifth of an LRU hash, which every exec would have to
 * write, and a parent whose slot was taken over still lives and can be asked through /proc.
 */
#define ARGS_HEADS 8192

struct args_head {
	u64 start_ns;
	u32 pid;
	u32 busy;		/* a writer is at it */
	u32 bytes;
	u32 reserved;
	char text[PARENT_ARGS_BYTES];
};

/*
 * Where a record is put together. One slot a CPU is enough: the tracepoint runs with preemption off, and
 * BPF does not enter a program that already runs on this CPU. An array of nr_cpus slots, because a slot
 * of a per-CPU array cannot exceed 32 KiB.
 */
struct scratch {
	struct record record;
	struct path_buffer path;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);		/* the agent sets the number of CPUs */
	__type(key, u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

#include "filter.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);	/* the agent sets `core.ring_bytes` */
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LOSS_COUNT);
	__type(key, u32);
	__type(value, u64);
} lost SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ARGS_HEADS);
	__type(key, u32);
	__type(value, struct args_head);
} args_heads SEC(".maps");

u64 woken_ns;			/* when the agent was last woken; a race costs one wake-up */

static __always_inline void count_lost(u32 reason)
{
	u64 *count = bpf_map_lookup_elem(&lost, &reason);

	if (count)
		(*count)++;
}

/* Append `bytes` of kernel memory to the tail as `part`; returns the new end of the tail. */
static __always_inline u32 append(struct record *record, u32 end, u32 part, const void *from, u32 bytes)
{
	bytes &= PATH_BYTES - 1;
	if (bpf_probe_read_kernel(&record->tail[end & (TAIL_SPAN - 1)], bytes, from))
		return end;
	record->event.lengths[part] = bytes;
	return end + bytes;
}

static __always_inline u32 append_string(struct record *record, u32 end, u32 part, const char *from)
{
	long bytes = bpf_probe_read_kernel_str(&record->tail[end & (TAIL_SPAN - 1)], PATH_BYTES, from);

	if (bytes < 1)
		return end;
	record->event.lengths[part] = bytes - 1;
	return end + bytes - 1;
}

static __always_inline u32 append_path(struct scratch *s, u32 end, u32 part, u32 cut_flag)
{
	u32 start = s->path.start & (PATH_BYTES - 1);

	if (s->path.cut)
		s->record.event.flags |= cut_flag;
	return append(&s->record, end, part, &s->path.text[start], PATH_BYTES - start);
}

/* argv, page by page where it cannot be read at once: an unreadable page costs only itself. */
static __always_inline u32 append_args(struct record *record, u32 end, struct mm_struct *mm)
{
	unsigned long from = mm->arg_start;
	u32 bytes = mm->arg_end - from;
	char *to = &record->tail[end & (TAIL_SPAN - 1)];

	record->event.args_bytes = bytes;
	if (bytes > ARGS_BYTES) {
		record->event.flags |= FLAG_ARGS_CUT;
		bytes = ARGS_BYTES;
	}
	record->event.lengths[PART_ARGS] = bytes;
	if (!bpf_probe_read_user(to, bytes, (void *)from))
		return end + bytes;

	record->event.flags |= FLAG_ARGS_UNREADABLE;
	for (u32 at = 0; at < ARGS_BYTES / PAGE_BYTES; at++) {
		if (at * PAGE_BYTES >= bytes)
			break;
		/* Pages are read whole: what lies behind argv is not part of the record. A failed read zeroes. */
		bpf_probe_read_user(to + at * PAGE_BYTES, PAGE_BYTES, (void *)from + at * PAGE_BYTES);
	}
	return end + bytes;
}

static __always_inline struct args_head *args_head_of(u32 pid)
{
	u32 slot = pid & (ARGS_HEADS - 1);

	return bpf_map_lookup_elem(&args_heads, &slot);
}

/* Keep the head of argv, which lies at `from`, for this process's children. */
static __always_inline void remember_args(const struct event *event, const char *from)
{
	struct args_head *head = args_head_of(event->pid);
	u32 bytes = event->lengths[PART_ARGS];

	/* Two processes of one slot on two CPUs: the second is not remembered. */
	if (!head || __sync_val_compare_and_swap(&head->busy, 0, 1))
		return;
	head->pid = event->pid;
	head->start_ns = event->start_ns;
	head->bytes = bytes < PARENT_ARGS_BYTES ? bytes : PARENT_ARGS_BYTES;
	bpf_probe_read_kernel(head->text, sizeof(head->text), from);
	__sync_val_compare_and_swap(&head->busy, 1, 0);
}

/* A fork without exec runs with the argv of whoever forked it: look up the line while the file is the same. */
static __always_inline u32 append_parent_args(struct record *record, u32 end, struct task_struct *parent)
{
	struct inode *file = parent->mm->exe_file->f_inode;

	for (int i = 0; i < MAX_FORKS; i++) {
		u32 pid = parent->tgid;
		struct args_head *head = args_head_of(pid);

		if (head && head->pid == pid && head->start_ns == parent->start_boottime && !head->busy)
			return append(record, end, PART_PARENT_ARGS, head->text, head->bytes);
		parent = parent->real_parent->group_leader;
		if (parent->mm->exe_file->f_inode != file)
			break;
	}
	return end;
}

static __always_inline void read_file(struct event *event, struct file *file)
{
	struct inode *inode = file->f_inode;

	event->file_inode = inode->i_ino;
	event->file_dev = inode->i_sb->s_dev;
	event->file_links = inode->i_nlink;
	event->file_mode = inode->i_mode;
	/* Split by 3aa63a569c64 ("fs: switch timespec64 fields in inode to discrete integers"), 6.11. */
	if (bpf_core_field_exists(inode->i_ctime_sec)) {
		event->file_ctime_s = inode->i_ctime_sec;
		/* Bit 31 says that somebody has asked for it (multigrain timestamps, 6.13). */
		event->file_ctime_ns = inode->i_ctime_nsec & ~(1U << 31);
	} else if (bpf_core_field_exists(((struct inode___6_6 *)inode)->__i_ctime)) {
		event->file_ctime_s = ((struct inode___6_6 *)inode)->__i_ctime.tv_sec;
		event->file_ctime_ns = ((struct inode___6_6 *)inode)->__i_ctime.tv_nsec;
	} else {
		event->file_ctime_s = ((struct inode___4_18 *)inode)->i_ctime.tv_sec;
		event->file_ctime_ns = ((struct inode___4_18 *)inode)->i_ctime.tv_nsec;
	}
	if (!file->f_path.dentry->d_hash.pprev)
		event->flags |= FLAG_EXECUTABLE_UNLINKED;
}

static __always_inline void read_identity(struct event *event, struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);	/* as a number: its offsets are not constant */
	struct tty_struct *tty = task->signal->tty;
	const struct cred *cred = task->cred;
	struct pid_namespace *pid_ns;
	u32 level = BPF_CORE_READ(pid, level);

	event->uid = cred->uid.val;
	event->gid = cred->gid.val;
	event->euid = cred->euid.val;
	event->user_ns = cred->user_ns->ns.inum;
	event->mount_ns = task->nsproxy->mnt_ns->ns.inum;
	/* The namespace a task is in is that of its pid's last number; nsproxy has the one of its children. */
	bpf_probe_read_kernel(&pid_ns, sizeof(pid_ns),
			      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid) + bpf_core_field_offset(struct upid, ns));
	event->pid_ns = BPF_CORE_READ(pid_ns, ns.inum);

	/* CONFIG_AUDIT may be off. */
	event->login_uid = bpf_core_field_exists(task->loginuid) ? task->loginuid.val : -1;
	event->session_id = bpf_core_field_exists(task->sessionid) ? task->sessionid : -1;

	event->tty_major = 0;
	event->tty_minor = 0;
	if (tty) {
		event->tty_major = tty->driver->major;
		event->tty_minor = tty->driver->minor_start + tty->index;
	}
}

static __always_inline void read_ancestors(struct event *event, struct task_struct *task)
{
	u32 count = 0;

	for (int i = 0; i < MAX_ANCESTORS; i++) {
		struct ancestor *ancestor = &event->ancestors[i];
		struct task_struct *parent = task->real_parent->group_leader;

		if (!parent || parent == task)
			break;
		ancestor->pid = parent->tgid;
		if (!ancestor->pid)
			break;
		ancestor->start_ns = parent->start_boottime;
		ancestor->reserved = 0;
		bpf_probe_read_kernel(ancestor->comm, sizeof(ancestor->comm), parent->comm);
		task = parent;
		count++;
	}
	event->ancestor_count = count;
}

/*
 * The deepest cgroup that a container runtime may have made: of v2, or of one of the v1 hierarchies that
 * every runtime joins. On a v1 or hybrid node the v2 path is the root's and says nothing.
 */
static __always_inline struct kernfs_node *deepest_cgroup(struct css_set *set)
{
	struct cgroup *deepest = BPF_CORE_READ(set, dfl_cgrp), *cgroup;
	int level = BPF_CORE_READ(deepest, level);

#define TRY_V1(controller)                                                                                \
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, controller)) {                              \
		cgroup = BPF_CORE_READ(set, subsys[bpf_core_enum_value(enum cgroup_subsys_id, controller)], cgroup); \
		if (BPF_CORE_READ(cgroup, level) > level) {                                               \
			deepest = cgroup;                                                                 \
			level = BPF_CORE_READ(cgroup, level);                                             \
		}                                                                                         \
	}
	TRY_V1(devices_cgrp_id)
	TRY_V1(memory_cgrp_id)
	TRY_V1(pids_cgrp_id)
	return BPF_CORE_READ(deepest, kn);
}

/*
 * A wake-up costs the exec 12 us, more than all the rest. So the agent is woken at once when it was
 * not lately, and otherwise looks by itself some milliseconds after each record (agent/sensors/core.py).
 */
static __always_inline u64 wake_up_flag(u64 now_ns)
{
	if (now_ns - woken_ns < WAKE_UP_NS)
		return BPF_RB_NO_WAKEUP;
	woken_ns = now_ns;
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct scratch *s = bpf_map_lookup_elem(&scratch, &cpu);
	struct task_struct *parent;
	struct event *event;
	struct fs_struct *fs;
	struct file *file;
	const char *args;
	u32 end = 0;

	if (!s) {
		count_lost(LOST_NO_SCRATCH);
		return 0;
	}
	event = &s->record.event;
	__builtin_memset(event->lengths, 0, sizeof(event->lengths));
	event->flags = 0;

	/* What: path, arguments, file. */
	fs = task->fs;
	file = task->mm->exe_file;
	event->pid = task->tgid;
	event->start_ns = task->start_boottime;
	read_file(event, file);
	walk_path(&s->path, &file->f_path, fs);
	end = append_path(s, end, PART_EXECUTABLE, FLAG_EXECUTABLE_CUT);
	args = &s->record.tail[end & (TAIL_SPAN - 1)];
	end = append_args(&s->record, end, task->mm);
	remember_args(event, args);

	/* Does any rule care? */
	if (!event->flags && is_plain_file(event) && !is_of_interest(cpu, event)) {
		count_filtered();
		return 0;
	}

	/* How: what was asked for, and where. */
	end = append_string(&s->record, end, PART_FILENAME, bprm->filename);
	end = append_string(&s->record, end, PART_INTERPRETER, bprm->interp);
	walk_path(&s->path, &fs->pwd, fs);
	end = append_path(s, end, PART_WORKING_DIRECTORY, FLAG_WORKING_DIRECTORY_CUT);
	walk_cgroup(&s->path, deepest_cgroup(task->cgroups));
	end = append_path(s, end, PART_CGROUP, FLAG_CGROUP_CUT);

	/* Who. */
	parent = task->real_parent->group_leader;
	event->type = EVENT_EXEC;
	event->boot_ns = bpf_ktime_get_boot_ns();
	event->parent_start_ns = parent->start_boottime;
	event->cgroup_id = bpf_get_current_cgroup_id();
	event->thread_id = old_pid;
	event->parent_pid = parent->tgid;
	event->args_count = bprm->argc;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	bpf_probe_read_kernel(event->parent_comm, sizeof(event->parent_comm), parent->comm);
	read_identity(event, task);
	read_ancestors(event, task);

	/* From whom. */
	file = parent->mm->exe_file;
	if (file) {
		walk_path(&s->path, &file->f_path, parent->fs);
		end = append_path(s, end, PART_PARENT_EXECUTABLE, FLAG_PARENT_EXECUTABLE_CUT);
		end = append_parent_args(&s->record, end, parent);
	}

	if (end > TAIL_SPAN ||
	    bpf_ringbuf_output(&records, &s->record, sizeof(*event) + end, wake_up_flag(event->boot_ns)))
		count_lost(LOST_RING_FULL);
	return 0;
}
