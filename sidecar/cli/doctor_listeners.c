/* SPDX-License-Identifier: Apache-2.0 */
/* Who answers where sidekey listens, and who may come in. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor_checks.h"

#include "base/auto.h"
#include "cli/exposure.h"
#include "cli/knock.h"
#include "cli/listening.h"
#include "cli/procfs.h"

enum { ASK_MS = 2000, PATH_BYTES = 128 };

static const char taken_remedy[] =
	"end the other program (ss -ltnp), and start sidekey before the agent: a native sidecar "
	"with a startupProbe, dependsOn HEALTHY";

/* ---- TCP ---- */

/* Whether who answers at host and port says what a sidekey would; *heard tells whether anybody. */
static bool
answers_as_sidekey(const char *host, const struct plan_listener *l, bool *heard)
{
	const char *path = l->is_admin ? "/healthz" : "/health/liveliness";
	struct span body = SPAN("");
	struct knock k;
	unsigned status;
	bool good;

	knock_init(&k, host, l->port);
	knock_ask(&k, "GET", path, "");
	knock_all(&k, 1, ASK_MS);
	status = knock_status(&k, &body);
	*heard = k.connected;
	good = l->is_admin ? status == 200 || status == 503
			   : status == 200 && span_starts(body, SPAN("\"I'm alive!\""));
	knock_free(&k);
	return good;
}

/* The user whose socket listens there; false when the kernel does not say. */
static bool
find_listener(const struct plan_listener *l, uint32_t *uid)
{
	static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
	bool found = false;

	for (size_t i = 0; !found && i < sizeof(tables) / sizeof(tables[0]); i++) {
		auto_buf struct buf text = {0};

		buf_init(&text, 4 * PROCFS_MAX);
		(void)procfs_read(tables[i], &text);
		found = listening_uid(buf_span(&text), l->port, uid);
	}
	return found;
}

static void
tell_port(const struct place *p, const struct plan_listener *l)
{
	const char *host = l->host.ptr;
	bool heard = false, good;
	uint32_t uid = 0;

	if (strcmp(host, "0.0.0.0") == 0)
		host = "127.0.0.1";
	else if (strcmp(host, "::") == 0)
		host = "::1";
	good = answers_as_sidekey(host, l, &heard);
	if (!heard)
		findings_add(p->findings, FINDING_OK, "port_taken", NULL,
			     "nobody listens on %.*s, and sidekey may", (int)l->name.len,
			     l->name.ptr);
	/* Its answer is easily copied; whose socket it is, is the kernel's word. */
	else if (geteuid() != 0 && find_listener(l, &uid) && uid != geteuid())
		findings_add(p->findings, FINDING_WEAK, "port_taken", taken_remedy,
			     "another user, uid %u, listens on %.*s and gets the agent's calls",
			     uid, (int)l->name.len, l->name.ptr);
	else if (!good)
		findings_add(p->findings, FINDING_WEAK, "port_taken", taken_remedy,
			     "what listens on %.*s does not answer as sidekey does",
			     (int)l->name.len, l->name.ptr);
	else
		findings_add(p->findings, FINDING_OK, "port_taken", NULL, "sidekey listens on %.*s",
			     (int)l->name.len, l->name.ptr);
}

/* ---- Unix sockets ---- */

static void
tell_socket(const struct place *p, const struct plan_listener *l)
{
	char path[PATH_BYTES];
	struct exposure e;
	struct stat st;

	snprintf(path, sizeof(path), "%.*s", (int)l->path.len, l->path.ptr);
	if (lstat(path, &st) != 0 && errno == ENOENT)
		findings_add(p->findings, FINDING_OK, "socket_mode", NULL,
			     "%s is not there: sidekey does not run", path);
	else if (exposure_of(path, &e) != 0)
		findings_add(p->findings, FINDING_UNKNOWN, "socket_mode",
			     "run doctor as sidekey's user", "%s: %s", path,
			     strerrordesc_np(errno));
	else if (e.foreign || e.dir_write)
		findings_add(p->findings, FINDING_WEAK, "socket_mode",
			     "let sidekey's user own the directory, and chmod go-w",
			     "%s may be replaced by another user, who then gets the agent's calls",
			     path);
	else if ((e.mode & ~l->mode & 0777) != 0)
		findings_add(p->findings, FINDING_WEAK, "socket_mode",
			     "restart sidekey, which makes it anew, and find who changed it",
			     "%s has mode %04o, wider than the configured %04o", path, e.mode,
			     l->mode);
	else if (l->is_admin && (e.mode & 0007) != 0)
		findings_add(p->findings, FINDING_NOTE, "socket_mode",
			     "leave it at mode 0600, or give a group",
			     "%s lets everybody see /status", path);
	else
		findings_add(p->findings, FINDING_OK, "socket_mode", NULL, "%s has mode %04o", path,
			     e.mode);
}

/* ---- beyond loopback ---- */

static void
tell_exposure(const struct place *p)
{
	bool beyond = false, tokens = p->config->callers.n > 0;

	for (size_t i = 0; i < p->config->listen.n; i++)
		beyond = beyond || (!p->config->listen.items[i].is_unix &&
				    !p->config->listen.items[i].is_loopback);
	for (size_t i = 0; i < p->config->callers.n; i++)
		tokens = tokens && p->config->callers.items[i].token.len > 0;
	if (!beyond)
		findings_add(p->findings, FINDING_OK, "unsafe_listen", NULL,
			     "calls come from this machine alone");
	else
		findings_add(
			p->findings, tokens ? FINDING_NOTE : FINDING_WEAK, "unsafe_listen",
			tokens ? "keep the port to the agent by network policy"
			       : "listen on loopback or a Unix socket, or name callers with "
				 "tokens",
			tokens ? "the agent's port is open to the network, and tokens travel in "
				 "clear"
			       : "whoever reaches the agent's port over the network may spend the "
				 "keys");
}

void
doctor_listeners(const struct place *p)
{
	for (size_t i = 0; i < p->plans->nlisteners; i++)
		(p->plans->listeners[i].is_unix ? tell_socket : tell_port)(p,
									   &p->plans->listeners[i]);
	tell_exposure(p);
}
