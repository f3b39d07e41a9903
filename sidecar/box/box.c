/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "box/box.h"

#include "base/auto.h"
#include "base/secret.h"
#include "box/probe.h"

static int
drop_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0
		       ? 0
		       : -1;
}

static int
drop_core(void)
{
	struct rlimit none = {0, 0}, got;

	if (setrlimit(RLIMIT_CORE, &none) != 0 || getrlimit(RLIMIT_CORE, &got) != 0)
		return -1;
	return got.rlim_cur == 0 && got.rlim_max == 0 ? 0 : -1;
}

static int
drop_new_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
			       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1
		       ? 0
		       : -1;
}

/* The kernel's word that it took the rules is not enough: try what must now fail. The root's
 * listing is no role's, and Landlock refuses a port before anything is bound. */
static int
check_landlock(const struct box *box, const struct box_level *level)
{
	auto_close int sock = -1, dir = -1;
	struct sockaddr_in any = {.sin_family = AF_INET};

	if (level->landlock_abi == 0)
		return 0;
	dir = open(box->spawns ? "/dev/full" : "/",
		   box->spawns ? O_WRONLY | O_CLOEXEC : O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0)
		return -1;
	if (!level->landlock_net)
		return 0;
	sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return errno == EAFNOSUPPORT ? 0 : -1;
	return bind(sock, (const struct sockaddr *)&any, sizeof(any)) != 0 && errno == EACCES ? 0
											      : -1;
}

static const char no_secret_pages[] =
	"sandbox.require names secretPages, and memfd_secret gives none: it takes a kernel of 6.5 "
	"or later (or secretmem.enable=1), and 64 KiB of RLIMIT_MEMLOCK";

int
box_enter(const struct box *box, const struct box_options *o, struct box_level *level,
	  const char **why)
{
	struct box_level got = {0};

	tzset(); /* libc would read /etc/localtime at the first date, be it in UTC */
	if (caps_drop() != 0)
		return *why = "capabilities could not be dropped", -1;
	if (drop_dumpable() != 0)
		return *why = "the process could not be made non-dumpable", -1;
	if (drop_core() != 0)
		return *why = "core files could not be turned off", -1;
	if (drop_new_privileges() != 0)
		return *why = "no_new_privs could not be set", -1;
	if (landlock_enter(box, o, &got) != 0)
		return *why = "Landlock refused the rules", -1;
	if (check_landlock(box, &got) != 0)
		return *why = "Landlock does not hold what it promised", -1;
	if (o->require_landlock && got.landlock_abi == 0)
		return *why = "sandbox.require names landlock, and this kernel has none", -1;
	if (o->require_landlock_net && !got.landlock_net)
		return *why = "sandbox.require names landlockNet, and this kernel has none", -1;
	if (o->require_secret_pages && secret_level() != SECRET_PAGES_MEMFD)
		return *why = no_secret_pages, -1;
	if (filter_load(box, &got.seccomp_calls) != 0)
		return *why = "the seccomp filter could not be loaded", -1;
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != SECCOMP_MODE_FILTER)
		return *why = "the seccomp filter is not in force", -1;
	*level = got;
	probe_run();
	return 0;
}
