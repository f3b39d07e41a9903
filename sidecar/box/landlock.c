/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box/box.h"

#include "base/auto.h"

/*
 * The kernel's ABI in our own words: the build machine's <linux/landlock.h> may be older
 * than the kernel that we run on (Documentation/userspace-api/landlock.rst).
 */
enum { LL_CREATE_VERSION = 1, LL_RULE_PATH = 1, LL_RULE_PORT = 2 };

struct ll_ruleset {
	uint64_t fs, net, scoped;
};

struct ll_path {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

struct ll_port {
	uint64_t allowed, port;
};

enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_BLOCK = 1 << 11,
	FS_FIRST_ABI = (1 << 13) - 1, /* up to MAKE_SYM */
	FS_REFER = 1 << 13,
	FS_TRUNCATE = 1 << 14,
	FS_IOCTL_DEV = 1 << 15,
	FS_OF_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV,
	NET_BIND = 1 << 0,
	NET_CONNECT = 1 << 1,
	SCOPE_ABSTRACT_UNIX = 1 << 0,
	SCOPE_SIGNAL = 1 << 1,
};

static const struct {
	unsigned abi;
	struct ll_ruleset adds;
} abi_table[] = {
	{1, {.fs = FS_FIRST_ABI}}, {2, {.fs = FS_REFER}},
	{3, {.fs = FS_TRUNCATE}},  {4, {.net = NET_BIND | NET_CONNECT}},
	{5, {.fs = FS_IOCTL_DEV}}, {6, {.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL}},
};

static struct ll_ruleset
handled_at(unsigned abi)
{
	struct ll_ruleset all = {0, 0, 0};

	for (size_t i = 0; i < sizeof(abi_table) / sizeof(abi_table[0]); i++) {
		if (abi_table[i].abi > abi)
			break;
		all.fs |= abi_table[i].adds.fs;
		all.net |= abi_table[i].adds.net;
		all.scoped |= abi_table[i].adds.scoped;
	}
	return all;
}

static int
allow_path(int ruleset, const char *path, uint64_t rights)
{
	auto_close int fd = open(path, O_PATH | O_CLOEXEC);
	struct ll_path rule = {rights, fd};
	struct stat st;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -1;
	if (fstat(fd, &st) != 0)
		return -1;
	if (!S_ISDIR(st.st_mode))
		rule.allowed &= FS_OF_FILES; /* the kernel refuses a directory's right on a file */
	return (int)syscall(SYS_landlock_add_rule, ruleset, LL_RULE_PATH, &rule, 0);
}

/* What the parent keeps open: reading and executing for the roles to come, and /dev/null,
 * which spawn_role gives them. */
static int
allow_spawning(int ruleset)
{
	if (allow_path(ruleset, "/", FS_READ_FILE | FS_READ_DIR | FS_EXECUTE) != 0)
		return -1;
	return allow_path(ruleset, "/dev/null", FS_READ_FILE | FS_WRITE_FILE);
}

static int
allow_files(int ruleset, const struct box *box, const struct box_options *o)
{
	uint64_t rights = FS_READ_FILE | FS_READ_DIR | (box->spawns ? FS_REMOVE_FILE : 0);

	if (box->spawns && allow_spawning(ruleset) != 0)
		return -1;
	for (size_t i = 0; (box->files || box->spawns) && i < o->nread_dirs; i++) {
		if (allow_path(ruleset, o->read_dirs[i], rights) != 0)
			return -1;
	}
	return 0;
}

static int
allow_ports(int ruleset, const struct box *box, const struct box_options *o)
{
	for (size_t i = 0; box->dials && i < o->nports; i++) {
		struct ll_port rule = {NET_CONNECT, o->ports[i]};

		if (syscall(SYS_landlock_add_rule, ruleset, LL_RULE_PORT, &rule, 0) != 0)
			return -1;
	}
	return 0;
}

/* By this kernel, by its command line, or by the filter of a container. */
static bool
is_none(int error)
{
	return error == ENOSYS || error == EOPNOTSUPP || error == EPERM;
}

int
landlock_enter(const struct box *box, const struct box_options *o, struct box_level *level)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LL_CREATE_VERSION);
	auto_close int ruleset = -1;
	struct ll_ruleset handled;

	if (abi < 0 && !is_none(errno))
		return -1;
	if (abi <= 0)
		return 0; /* the level says so, and sandbox.require decides */
	handled = handled_at((unsigned)abi);
	if (box->spawns) {
		handled.net &= ~(uint64_t)NET_CONNECT;     /* each role has its own ports */
		handled.scoped &= ~(uint64_t)SCOPE_SIGNAL; /* it signals roles born before this */
	}
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	if (ruleset < 0 || allow_files(ruleset, box, o) != 0)
		return -1;
	if (handled.net != 0 && allow_ports(ruleset, box, o) != 0)
		return -1;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		return -1;
	level->landlock_abi = (unsigned)abi;
	level->landlock_net = handled.net != 0;
	level->landlock_scope = handled.scoped != 0;
	return 0;
}

/*
 * Every domain keeps what is outside from being traced and read. Before scopes a domain had to
 * handle some right over files: making block devices is one that needs CAP_MKNOD anyway. It then
 * denies linking and renaming between directories too, which is granted back, if the kernel can.
 */
int
landlock_scope(struct box_level *level)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LL_CREATE_VERSION);
	struct ll_ruleset handled = {0, 0, 0};
	auto_close int ruleset = -1;

	if (abi < 2)
		return 0;
	handled.scoped = handled_at((unsigned)abi).scoped;
	if (handled.scoped == 0)
		handled.fs = FS_MAKE_BLOCK | FS_REFER;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	if (ruleset < 0 || (handled.fs != 0 && allow_path(ruleset, "/", FS_REFER) != 0))
		return -1;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		return -1;
	level->landlock_abi = (unsigned)abi;
	level->landlock_scope = handled.scoped != 0;
	return 0;
}
