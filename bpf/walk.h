/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Names that the kernel keeps as trees, written out as paths.
 *
 * A path is built from its end: each component goes in front of what is already there, so that the
 * result lies in order at the end of the buffer.
 */
#ifndef HULLWATCH_WALK_H
#define HULLWATCH_WALK_H

#define MAX_CGROUP_COMPONENTS 16
#define NAME_BYTES 256

struct path_buffer {
	char text[PATH_BYTES + NAME_BYTES];	/* the rest takes what the verifier cannot rule out */
	u32 start;				/* of the path; it ends at PATH_BYTES */
	u32 cut;
};

/* Put "/name" in front; false when the buffer is full. `bytes` does not count the NUL. */
static __always_inline bool prepend(struct path_buffer *buffer, const void *name, u32 bytes)
{
	u32 start = buffer->start;

	bytes &= NAME_BYTES - 1;
	if (start < bytes + 1 || start > PATH_BYTES)
		return false;
	start -= bytes + 1;
	buffer->text[start & (PATH_BYTES - 1)] = '/';
	bpf_probe_read_kernel(&buffer->text[(start + 1) & (PATH_BYTES - 1)], bytes, name);
	buffer->start = start;
	return true;
}

/* One walk on its way up. Kernel pointers are kept as numbers: they are only ever given to probe reads. */
struct walk {
	struct path_buffer *buffer;
	u64 mount;		/* struct vfsmount *; unused in a cgroup walk */
	u64 node;		/* struct dentry *, struct kernfs_node * */
	u64 root_mount;
	u64 root;
	u64 done;
};

/* One component up, or one mount. Returns 1 to stop. */
static long step_dentry(u32 index, struct walk *walk)
{
	struct vfsmount *vfsmount = (void *)walk->mount;
	struct dentry *dentry = (void *)walk->node, *parent;
	struct qstr name;

	if (walk->node == walk->root && walk->mount == walk->root_mount)
		goto done;
	parent = BPF_CORE_READ(dentry, d_parent);
	name = BPF_CORE_READ(dentry, d_name);
	if (dentry == parent || dentry == BPF_CORE_READ(vfsmount, mnt_root)) {
		struct mount *mount = container_of(vfsmount, struct mount, mnt);
		struct mount *above = BPF_CORE_READ(mount, mnt_parent);

		if (above != mount) {
			walk->node = (u64)BPF_CORE_READ(mount, mnt_mountpoint);
			walk->mount = (u64)&above->mnt;
			return 0;
		}
		/* An anonymous mount (memfd) has its only name at its root. */
		if (walk->buffer->start == PATH_BYTES && name.len > 1)
			prepend(walk->buffer, name.name, name.len);
		goto done;
	}
	if (!prepend(walk->buffer, name.name, name.len))
		return 1;
	walk->node = (u64)parent;
	return 0;
done:
	walk->done = 1;
	return 1;
}

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *node)
{
	/* Renamed by 633488947ef6 ("kernfs: Use RCU to access kernfs_node::parent."), 6.15. */
	if (bpf_core_field_exists(node->__parent))
		return BPF_CORE_READ(node, __parent);
	return BPF_CORE_READ((struct kernfs_node___5_5 *)node, parent);
}

static long step_kernfs(u32 index, struct walk *walk)
{
	struct kernfs_node *node = (void *)walk->node, *parent = kernfs_parent(node);
	char *name = &walk->buffer->text[PATH_BYTES];	/* the spare end of the buffer */
	long bytes;

	if (!parent) {
		walk->done = 1;
		return 1;
	}
	bytes = bpf_probe_read_kernel_str(name, NAME_BYTES, BPF_CORE_READ(node, name));
	if (bytes < 1 || !prepend(walk->buffer, name, bytes - 1))
		return 1;
	walk->node = (u64)parent;
	return 0;
}

static __always_inline void end_walk(struct walk *walk)
{
	walk->buffer->cut = !walk->done;
	if (walk->buffer->start == PATH_BYTES)
		prepend(walk->buffer, "", 0);
}

/*
 * The path of (mnt, dentry) as a process sees it whose root is that of `fs`: mounts are crossed upwards.
 * What lies outside that root is named from the root of the mount tree, as d_path() does.
 */
static __always_inline void walk_path(struct path_buffer *buffer, struct path *path, struct fs_struct *fs)
{
	struct walk walk = {
		.buffer = buffer,
		.mount = (u64)BPF_CORE_READ(path, mnt),
		.node = (u64)BPF_CORE_READ(path, dentry),
		.root_mount = (u64)BPF_CORE_READ(fs, root.mnt),
		.root = (u64)BPF_CORE_READ(fs, root.dentry),
	};

	buffer->start = PATH_BYTES;
	repeat(MAX_COMPONENTS, step_dentry, &walk);
	end_walk(&walk);
}

/* A cgroup's path below the root of its hierarchy. */
static __always_inline void walk_cgroup(struct path_buffer *buffer, struct kernfs_node *node)
{
	struct walk walk = { .buffer = buffer, .node = (u64)node };

	buffer->start = PATH_BYTES;
	repeat(MAX_CGROUP_COMPONENTS, step_kernfs, &walk);
	end_walk(&walk);
}

#endif
