/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/isolate_place.h"

#include "base/auto.h"
#include "cli/isolate.h"
#include "cli/isolate_devices.h"
#include "parent/listeners.h"

enum { TEXT_MAX = 1024, DIRECTORY_MODE = 0755 };

/* ---- who, and what answers ---- */

static int
write_file(const char *path, const char *text)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* An ordinary user may map itself alone, and only once it has given up setting groups. */
static int
map_user(uint32_t uid, uint32_t gid)
{
	char uids[64], gids[64];

	snprintf(uids, sizeof(uids), "%" PRIu32 " %" PRIu32 " 1", uid, uid);
	snprintf(gids, sizeof(gids), "%" PRIu32 " %" PRIu32 " 1", gid, gid);
	if (write_file("/proc/self/setgroups", "deny") != 0 ||
	    write_file("/proc/self/uid_map", uids) != 0)
		return -1;
	return write_file("/proc/self/gid_map", gids);
}

static int
raise_loopback(void)
{
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = {.ifr_name = "lo"};

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &lo) != 0)
		return -1;
	lo.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &lo);
}

int
place_enter(uint32_t uid, uint32_t gid, enum isolate_step *step)
{
	*step = STEP_USER;
	if (map_user(uid, gid) != 0)
		return -1;
	*step = STEP_NETWORK;
	return raise_loopback();
}

int
place_listen(enum isolate_step *step)
{
	struct plan_listener loopback = {
		.host = SPAN("127.0.0.1"), .name = SPAN("127.0.0.1"), .port = ISOLATE_PORT};
	const struct plans plans = {.listeners = &loopback, .nlisteners = 1};
	struct buf why;
	int fd = -1, bad;

	*step = STEP_LISTEN;
	buf_init(&why, TEXT_MAX);
	bad = listeners_open(&plans, &fd, &why);
	buf_free(&why);
	return bad == 0 ? fd : -1;
}

/* ---- what is to be seen ---- */

static bool
is_absent(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EACCES || error == ELOOP;
}

/* A directory that is not there, or is below one that is empty now, hides nothing. */
static int
cover_directory(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return is_absent(errno) ? 0 : -1;
	if (!S_ISDIR(st.st_mode))
		return 0;
	return mount("sidekey", path, "tmpfs", MS_NOSUID | MS_NODEV,
		     strcmp(path, "/tmp") == 0 ? "mode=1777" : "mode=0755");
}

static int
cover_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return is_absent(errno) ? 0 : -1;
	return S_ISDIR(st.st_mode) ? 0 : mount("/dev/null", path, NULL, MS_BIND, NULL);
}

static int
cover_all(struct span list, int (*cover)(const char *path))
{
	for (const char *at = list.ptr, *end = at + list.len; at < end; at += strlen(at) + 1)
		if (cover(at) != 0)
			return -1;
	return 0;
}

/* A kernel before Linux 5.12, which lacks the call, leaves it to be written. */
static int
cover_with_itself(const char *path)
{
	struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
	struct stat st;

	if (stat(path, &st) != 0)
		return is_absent(errno) ? 0 : -1;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (mount(path, path, NULL, MS_BIND, NULL) != 0)
		return -1;
	return mount_setattr(AT_FDCWD, path, 0, &readonly, sizeof(readonly)) == 0 || errno == ENOSYS
		       ? 0
		       : -1;
}

/* As it was before /tmp became empty: by the descriptor that still leads there. */
static int
bind_back(const char *work, int fd)
{
	char path[PATH_MAX], from[64];

	if (snprintf(path, sizeof(path), "%s", work) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (char *at = strchr(path + strlen("/tmp/"), '/');; at = strchr(at + 1, '/')) {
		if (at != NULL)
			*at = '\0';
		if (mkdir(path, DIRECTORY_MODE) != 0 && errno != EEXIST)
			return -1;
		if (at == NULL)
			break;
		*at = '/';
	}
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	return mount(from, path, NULL, MS_BIND | MS_REC, NULL);
}

/* Below the working directory, what was hidden can be seen again. */
static int
cover_again(struct span list, const char *work)
{
	for (const char *at = list.ptr, *end = at + list.len; at < end; at += strlen(at) + 1) {
		auto_free char *real = realpath(at, NULL);

		if (real != NULL && !hidden_is_within(work, real) && cover_directory(real) != 0)
			return -1;
	}
	return 0;
}

static int
restore(const char *work, int here, struct span directories)
{
	if (strncmp(work, "/tmp/", strlen("/tmp/")) != 0)
		return 0;
	return bind_back(work, here) != 0 ? -1 : cover_again(directories, work);
}

int
place_hide(struct span directories, struct span files, enum isolate_step *step)
{
	auto_close int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_free char *work = getcwd(NULL, 0);

	*step = STEP_PLACE;
	if (here < 0 || work == NULL)
		return -1;
	*step = STEP_MOUNTS;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return -1;
	*step = STEP_PROC;
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
		return -1;
	*step = STEP_DEVICES;
	if (devices_make() != 0)
		return -1;
	*step = STEP_HIDE;
	if (cover_all(directories, cover_directory) != 0)
		return -1;
	*step = STEP_PLACE;
	if (restore(work, here, directories) != 0)
		return -1;
	*step = STEP_HIDE;
	if (cover_all(files, cover_file) != 0)
		return -1;
	*step = STEP_PLACE;
	return chdir(work);
}

int
place_keep(struct span files, enum isolate_step *step)
{
	*step = STEP_HIDE;
	return cover_all(files, cover_with_itself);
}
