/* SPDX-License-Identifier: Apache-2.0 */
/* sidekey's files and sockets, and those that command containers, tried as the agent. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/doctor_checks.h"

#include "base/auto.h"
#include "cli/ask.h"
#include "cli/procfs.h"

enum { PATH_BYTES = 512, DEPTH = 4, ENTRIES_MAX = 512, SOCKETS_MAX = 4 };

#define CONFIG_DIR "/etc/sidekey"
#define RUN_DIR    "/run/sidekey"

static const char *const engines[] = {
	"/var/run/docker.sock",
	"/run/docker.sock",
	"/run/containerd/containerd.sock",
	"/run/k3s/containerd/containerd.sock",
	"/run/crio/crio.sock",
	"/run/podman/podman.sock",
};

struct tour {
	const struct place *place;
	unsigned entries, sockets;
	bool told;
};

static void
weak(struct tour *t, const char *name, const char *remedy, const char *what, const char *path)
{
	findings_add(t->place->findings, FINDING_WEAK, name, remedy, "the agent can %s %s", what,
		     path);
	t->told = true;
}

static bool
is_connectable(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || strlen(path) >= sizeof(un.sun_path))
		return false;
	memcpy(un.sun_path, path, strlen(path));
	return connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0;
}

/* The admin socket is the one that tells its status; the agent's refuses that path. */
static bool
tells_status(const char *path)
{
	struct config_listener l = {.is_unix = true, .path = span_of(path)};
	const struct config_listeners only = {&l, 1};
	struct span body;
	auto_buf struct buf answer = {0};

	buf_init(&answer, ASK_ANSWER_MAX);
	return ask_secured(&only, "/status", NULL, &answer, &body) == 200;
}

/* A certificate and the configuration hold no secret. */
static bool
is_public(const char *path)
{
	static const char *const ends[] = {".yaml", ".yml", ".json", ".crt", ".cert", ".cer"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (span_ends(span_of(path), span_of(ends[i])))
			return true;
	return false;
}

/* A caller's token is for the agent to read. */
static bool
is_token(const char *path)
{
	auto_buf struct buf text = {0};

	buf_init(&text, sizeof("sk-sidekey-") - 1);
	return procfs_read(path, &text) == 0 && span_is(buf_span(&text), "sk-sidekey-");
}

static void
try_entry(struct tour *t, const char *path, const struct stat *st)
{
	if (S_ISSOCK(st->st_mode)) {
		/* One that does not answer costs seconds. */
		if (t->sockets++ < SOCKETS_MAX && is_connectable(path) && tells_status(path))
			weak(t, "admin_socket",
			     "leave the admin socket at mode 0600, in a directory that the agent "
			     "does not have",
			     "read /status at", path);
		return;
	}
	if (access(path, W_OK) == 0)
		weak(t, "configuration_writable",
		     "let root own it, chmod go-w, and do not mount it in the agent's container",
		     "write", path);
	if (S_ISREG(st->st_mode) && access(path, R_OK) == 0 && !is_public(path) && !is_token(path))
		weak(t, "sidekey_files",
		     "chmod 0400, let sidekey's user own it, and do not mount it in the agent's "
		     "container",
		     "read", path);
}

static void
walk(struct tour *t, const char *path, unsigned depth)
{
	DIR *dir = depth == 0 ? NULL : opendir(path);
	const struct dirent *entry;

	while (dir != NULL && t->entries < ENTRIES_MAX && (entry = readdir(dir)) != NULL) {
		char inner[PATH_BYTES];
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name) >=
			    (int)sizeof(inner) ||
		    stat(inner, &st) != 0)
			continue;
		t->entries++;
		try_entry(t, inner, &st);
		if (S_ISDIR(st.st_mode))
			walk(t, inner, depth - 1);
	}
	if (dir != NULL)
		closedir(dir);
}

void
doctor_sidekey_files(const struct place *p)
{
	static const char *const tops[] = {CONFIG_DIR, RUN_DIR};
	struct tour own = {.place = p}, engine = {.place = p};

	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		struct stat st;

		if (stat(tops[i], &st) == 0) {
			try_entry(&own, tops[i], &st);
			walk(&own, tops[i], DEPTH);
		}
	}
	if (!own.told)
		findings_add(p->findings, FINDING_OK, "sidekey_files", NULL,
			     "nothing secret under " CONFIG_DIR " and " RUN_DIR
			     " can be read or written");
	for (size_t i = 0; !engine.told && i < sizeof(engines) / sizeof(engines[0]); i++)
		if (is_connectable(engines[i]))
			weak(&engine, "container_engine",
			     "take that socket from the agent: with it, it starts what it likes, "
			     "as root of the machine",
			     "command containers at", engines[i]);
	if (!engine.told)
		findings_add(p->findings, FINDING_OK, "container_engine", NULL,
			     "no socket that commands containers is reached");
}
