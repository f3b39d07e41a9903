/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/browser.h"

#include "base/auto.h"

#define SUFFIX ".html"

static bool
write_file(const char *link, char path[static PATH_MAX])
{
	static const char form[] = "<!doctype html><meta charset=\"utf-8\"><title>sidekey</title>"
				   "<meta name=\"referrer\" content=\"no-referrer\">"
				   "<meta http-equiv=\"refresh\" content=\"0;url=%s\">\n";
	const char *folder = getenv("XDG_RUNTIME_DIR");
	char text[512];
	int n = snprintf(text, sizeof(text), form, link);
	auto_close int fd = -1;

	if (folder == NULL || folder[0] != '/' || n < 0 || (size_t)n >= sizeof(text) ||
	    snprintf(path, PATH_MAX, "%s/sidekey-XXXXXX" SUFFIX, folder) >= PATH_MAX)
		return false;
	fd = mkostemps(path, sizeof(SUFFIX) - 1, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return false;
	if (write(fd, text, (size_t)n) == n)
		return true;
	unlink(path);
	return false;
}

/* In a session of its own: Ctrl-C in our terminal is not meant for a browser. */
static bool
start(char *path)
{
	char name[] = "xdg-open";
	char *const argv[] = {name, path, NULL};
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_t files;
	sigset_t none;
	pid_t pid;
	int bad;

	sigemptyset(&none);
	if (posix_spawnattr_init(&attributes) != 0)
		return false;
	if (posix_spawn_file_actions_init(&files) != 0) {
		posix_spawnattr_destroy(&attributes);
		return false;
	}
	bad = posix_spawnattr_setsigmask(&attributes, &none);
	bad |= posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
	for (int fd = 0; fd <= 2; fd++)
		bad |= posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
	bad = bad != 0 ? bad : posix_spawnp(&pid, name, &files, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	return bad == 0;
}

bool
browser_start(const char *link, char path[static PATH_MAX])
{
	bool display = getenv("DISPLAY") != NULL || getenv("WAYLAND_DISPLAY") != NULL;

	if (!display || !write_file(link, path))
		return false;
	if (start(path))
		return true;
	unlink(path);
	return false;
}
