/* SPDX-License-Identifier: Apache-2.0 */
/* Who else runs where sidekey runs. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor_checks.h"

#include "base/auto.h"
#include "cli/procfs.h"

enum { NAMES_MAX = 512, NAMED = 8 };

struct census {
	struct neighbours found;
	struct buf same, others; /* "12 (python), 13 (sh), ..." */
};

/* Programs that are process 1 of a container in order to wait for its others. */
static bool
is_init(const struct process *p)
{
	static const char *const names[] = {"docker-init", "tini", "dumb-init", "catatonit"};

	for (size_t i = 0; p->pid == 1 && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(p->name, names[i]) == 0)
			return true;
	return false;
}

/* nth: how many were there before it; the first ones are named. */
static void
name(struct buf *names, unsigned nth, const struct process *p)
{
	if (nth < NAMED)
		(void)buf_addf(names, "%s%d (%s)", nth > 0 ? ", " : "", (int)p->pid, p->name);
	else if (nth == NAMED)
		(void)buf_add_str(names, ", ...");
}

static void
count(void *arg, const struct process *p)
{
	struct census *c = arg;

	if (p->is_sidekey || is_init(p))
		return;
	if (p->uid == geteuid())
		name(&c->same, c->found.same_uid++, p);
	else
		name(&c->others, c->found.others++, p);
}

/* The machine's first PID namespace has a fixed number (PROC_PID_INIT_INO in the kernel). */
static bool
is_machine(void)
{
	char link[64];
	ssize_t n = readlink("/proc/self/ns/pid", link, sizeof(link));

	return n > 0 && span_eq((struct span){link, (size_t)n}, SPAN("pid:[4026531836]"));
}

static void
tell_same_uid(const struct place *p, const struct census *c)
{
	if (c->found.same_uid == 0)
		findings_add(p->findings, FINDING_OK, "same_uid", NULL,
			     "nothing but sidekey runs as uid %u here", (unsigned)geteuid());
	else
		findings_add(
			p->findings, FINDING_WEAK, "same_uid",
			"run the agent as another user than sidekey: it may end sidekey, and read "
			"and replace its files",
			"%u other processes run as sidekey's uid %u: %.*s", c->found.same_uid,
			(unsigned)geteuid(), (int)c->same.len, c->same.ptr);
}

static void
tell_namespace(const struct place *p, const struct census *c)
{
	if (c->found.others + c->found.same_uid == 0)
		findings_add(p->findings, FINDING_OK, "shared_pid_namespace", NULL,
			     "no other process is to be seen");
	else if (is_machine())
		findings_add(p->findings, FINDING_NOTE, "shared_pid_namespace",
			     "keep the agent in a container, or hide processes from it (hidepid=2, "
			     "ProtectProc=invisible)",
			     "this is the machine's own PID namespace: whoever runs on it sees "
			     "sidekey's processes, though not into them");
	else
		findings_add(p->findings, FINDING_WEAK, "shared_pid_namespace",
			     "shareProcessNamespace: false in the pod, no pidMode in the task, no "
			     "--pid in docker: an agent must not see sidekey's processes",
			     "this container's PID namespace has processes of others: %.*s%s%.*s",
			     (int)c->same.len, c->same.ptr,
			     c->same.len > 0 && c->others.len > 0 ? ", " : "", (int)c->others.len,
			     c->others.ptr);
}

void
doctor_neighbours(struct place *p)
{
	struct census c = {0};

	buf_init(&c.same, NAMES_MAX);
	buf_init(&c.others, NAMES_MAX);
	if (processes_visit(count, &c) != 0) {
		findings_add(p->findings, FINDING_UNKNOWN, "shared_pid_namespace", "mount /proc",
			     "/proc cannot be read: who else runs here is not known");
	} else {
		tell_same_uid(p, &c);
		tell_namespace(p, &c);
	}
	p->neighbours = c.found;
	buf_free(&c.same);
	buf_free(&c.others);
}
