/* SPDX-License-Identifier: Apache-2.0 */
/* The files that sidekey lives on: who else may read or replace them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor_checks.h"

#include "cli/exposure.h"
#include "config/files.h"

enum { PATH_BYTES = 4096 };

#define REMEDY_READ                                                                                \
	"chmod 0400 and let sidekey's user own it (defaultMode: 0400 or fsGroup with 0440 in a "   \
	"pod), and mount it in sidekey's container alone"
#define REMEDY_WRITE                                                                               \
	"let root or sidekey's user own it and the directories on the way to it, and chmod go-w"

void
doctor_config_file(struct findings *f, const char *path, const char *writable)
{
	if (writable == NULL)
		findings_add(f, FINDING_OK, "configuration_writable", NULL,
			     "nobody else may write %s", path);
	else
		findings_add(f, FINDING_WEAK, "configuration_writable", REMEDY_WRITE,
			     "another user owns %s or may write it: whoever does chooses where the "
			     "secrets are sent (sidekey refuses to start so)",
			     writable);
}

/* ---- secrets and TLS material ---- */

static bool
tell_readers(const struct place *p, const char *path, const struct exposure *e)
{
	if (e->others_read || e->foreign)
		findings_add(p->findings, FINDING_WEAK, "secret_file", REMEDY_READ,
			     e->foreign
				     ? "%s is owned by uid %u (mode %04o)"
				     : "%s may be read by every user (uid %u owns it, mode %04o)",
			     path, e->owner, e->mode);
	else if (e->group_read)
		findings_add(p->findings, e->own_group ? FINDING_NOTE : FINDING_WEAK, "secret_file",
			     REMEDY_READ,
			     "%s may be read by group %u, in which sidekey is%s (mode %04o)", path,
			     e->group, e->own_group ? "" : " not", e->mode);
	else
		return false;
	return true;
}

static bool
tell_writers(const struct place *p, const char *path, const struct exposure *e)
{
	bool own_group = e->group_write && e->own_group;
	bool strangers =
		e->others_write || e->dir_write || e->foreign || (e->group_write && !e->own_group);

	if (!own_group && !strangers)
		return false;
	findings_add(
		p->findings, strangers ? FINDING_WEAK : FINDING_NOTE, "file_writable", REMEDY_WRITE,
		e->dir_write ? "a directory on the way to %s may be written by others, who may "
			       "then replace it (uid %u, mode %04o)"
			     : "%s may be written by others (uid %u owns it, mode %04o)",
		path, e->owner, e->mode);
	return true;
}

/* False when all is well with it. */
static bool
tell_file(const struct place *p, const char *path, bool is_secret, bool may_be_absent)
{
	struct exposure e;
	bool told;

	if (exposure_of(path, &e) != 0) {
		if (may_be_absent && errno == ENOENT)
			return false;
		findings_add(p->findings, FINDING_UNKNOWN, "secret_file",
			     "run doctor as sidekey's user, in its container", "%s: %s", path,
			     strerrordesc_np(errno));
		return true;
	}
	told = is_secret && tell_readers(p, path, &e);
	return tell_writers(p, path, &e) || told;
}

struct look {
	const struct place *place;
	bool told;
};

static void
look_at(void *arg, const struct plan_file *f)
{
	char text[PATH_BYTES];
	struct look *l = arg;

	snprintf(text, sizeof(text), "%.*s", (int)f->path.len, f->path.ptr);
	l->told |= tell_file(l->place, text, f->is_secret, f->may_be_absent);
}

void
doctor_files(const struct place *p)
{
	struct look l = {.place = p};

	files_visit(&p->plans->keeper, look_at, &l);
	if (!l.told)
		findings_add(p->findings, FINDING_OK, "secret_file", NULL,
			     "no file with a secret may be read or written by others");
}

/* ---- the program ---- */

static void
tell_program(const struct place *p, const char *path, const struct exposure *e)
{
	bool replaced = e->others_write || e->group_write || e->dir_write || e->foreign;
	bool owned = e->owner == geteuid() && e->owner != 0;
	bool readable = (e->mode & 0444) != 0;
	bool exposed = p->neighbours.same_uid > 0;

	if (replaced)
		findings_add(p->findings, FINDING_WEAK, "program_file",
			     "install it as root, mode 0111, in a directory of root's",
			     "%s may be replaced by another user, who then has every secret", path);
	else if (owned || readable)
		findings_add(
			p->findings, exposed ? FINDING_WEAK : FINDING_NOTE, "program_file",
			"make install, or chown root and chmod 0111: a file that cannot be read "
			"makes processes that cannot be looked into from their first moment",
			"%s is %s (mode %04o)%s", path,
			owned ? "owned by the user that it runs as" : "readable", e->mode,
			exposed ? ", and others run as the same user" : "");
	else
		findings_add(p->findings, FINDING_OK, "program_file", NULL,
			     "%s is root's, mode %04o", path, e->mode);
}

void
doctor_program(const struct place *p)
{
	char path[PATH_BYTES];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	struct exposure e;

	if (n >= 0)
		path[n] = '\0';
	if (n < 0 || exposure_of(path, &e) != 0)
		findings_add(p->findings, FINDING_UNKNOWN, "program_file", "mount /proc",
			     "where the program's own file is cannot be told: %s",
			     strerrordesc_np(errno));
	else
		tell_program(p, path, &e);
}
