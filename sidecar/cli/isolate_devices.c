/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/isolate_devices.h"

#include "base/auto.h"

enum { DIRECTORY_MODE = 0755, FILE_MODE = 0666 };

static const char *const devices[] = {"/dev/null",   "/dev/zero",    "/dev/full",
				      "/dev/random", "/dev/urandom", "/dev/tty"};

enum { DEVICES = sizeof(devices) / sizeof(devices[0]) };

static const struct {
	const char *to, *at;
} links[] = {
	{"pts/ptmx", "/dev/ptmx"},          {"/proc/self/fd", "/dev/fd"},
	{"/proc/self/fd/0", "/dev/stdin"},  {"/proc/self/fd/1", "/dev/stdout"},
	{"/proc/self/fd/2", "/dev/stderr"},
};

/* The device that was there, by the descriptor that still leads to it. */
static int
put_back(const char *path, int device)
{
	auto_close int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, FILE_MODE);
	char from[64];

	if (file < 0)
		return -1;
	snprintf(from, sizeof(from), "/proc/self/fd/%d", device);
	return mount(from, path, NULL, MS_BIND, NULL);
}

static int
fill(const int *kept)
{
	for (size_t i = 0; i < DEVICES; i++)
		if (kept[i] >= 0 && put_back(devices[i], kept[i]) != 0)
			return -1;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i].to, links[i].at) != 0)
			return -1;
	if (mkdir("/dev/pts", DIRECTORY_MODE) != 0 || mkdir("/dev/shm", DIRECTORY_MODE) != 0)
		return -1;
	if (mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		  "newinstance,ptmxmode=0666,mode=0620") != 0)
		return -1;
	return mount("sidekey", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
}

int
devices_make(void)
{
	int kept[DEVICES], bad;

	for (size_t i = 0; i < DEVICES; i++)
		kept[i] = open(devices[i], O_PATH | O_CLOEXEC); /* -1: this machine has none */
	bad = mount("sidekey", "/dev", "tmpfs", MS_NOSUID, "mode=0755");
	if (bad == 0)
		bad = fill(kept);
	for (size_t i = 0; i < DEVICES; i++)
		if (kept[i] >= 0)
			close(kept[i]);
	return bad;
}
