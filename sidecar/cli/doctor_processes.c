/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent would try at other processes: look into them, and take them over. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/doctor_checks.h"

#include "base/auto.h"
#include "cli/isolate_init.h"
#include "cli/procfs.h"

enum { PATH_BYTES = 64, NAMES_MAX = 400 };

/*
 * What opens a process; that an opening succeeds is the finding, nothing is read. (Not fd, which
 * opens to root without a power too, and then leads to no descriptor.)
 */
static const char *const doors[] = {"environ", "mem", "maps", "root"};

struct search {
	const struct place *place;
	struct buf seen, opened;
	unsigned others;  /* processes of other users that can be looked into */
	bool is_isolated; /* by `exec --isolate` */
};

/*
 * Process 1 of an isolated command, which was made before there was a secret and holds none. It
 * says so by its name, and the kernel the rest: it descends from nobody in here, is of the user
 * that asks and has no power, as whoever serves this user's pod is not. Another that calls itself
 * so is no sidekey, or it can be looked into, which is tried all the same.
 */
static bool
is_isolating(const struct process *p)
{
	return p->pid == 1 && p->parent == 0 && p->uid == geteuid() && p->caps == 0 &&
	       p->no_new_privs && strcmp(p->name, INIT_NAME) == 0;
}

static bool
opens(pid_t pid, const char *door)
{
	auto_close int fd = -1;
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, door);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0;
}

/* Tried by a child: when it ends, the kernel lets go of what it holds, which has not stopped. */
static bool
can_trace(pid_t pid)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0 ? 0 : 1);
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void
try_sidekey(struct search *s, const struct process *p)
{
	const char *first = NULL;

	if (is_isolating(p))
		s->is_isolated = true;
	else
		(void)buf_addf(&s->seen, "%s%d", s->seen.len > 0 ? ", " : "", (int)p->pid);
	for (size_t i = 0; first == NULL && i < sizeof(doors) / sizeof(doors[0]); i++)
		if (opens(p->pid, doors[i]))
			first = doors[i];
	if (first == NULL && can_trace(p->pid))
		first = "ptrace";
	if (first != NULL)
		(void)buf_addf(&s->opened, "%s%d (%s)", s->opened.len > 0 ? ", " : "", (int)p->pid,
			       first);
}

static void
try_process(void *arg, const struct process *p)
{
	struct search *s = arg;

	if (p->is_sidekey)
		try_sidekey(s, p);
	else if (p->uid != geteuid() && opens(p->pid, "environ"))
		s->others++;
}

static void
tell_seen(const struct search *s)
{
	struct findings *f = s->place->findings;

	if (s->seen.len == 0)
		findings_add(f, FINDING_OK, "shared_pid_namespace", NULL,
			     "sidekey's processes are not to be seen%s",
			     s->is_isolated ? ": process 1 is that of `exec --isolate`, and holds "
					      "no secret"
					    : "");
	else
		findings_add(f, FINDING_WEAK, "shared_pid_namespace",
			     "shareProcessNamespace: false in the pod, no pidMode in the task, no "
			     "--pid in docker; without containers, hidepid=2",
			     "the agent sees sidekey's processes: %.*s", (int)s->seen.len,
			     s->seen.ptr);
}

static void
tell_opened(const struct search *s)
{
	struct findings *f = s->place->findings;

	if (s->opened.len > 0)
		findings_add(f, FINDING_WEAK, "process_memory",
			     "run the agent as another user than sidekey, without SYS_PTRACE, and "
			     "install the program mode 0111",
			     "the agent can look into sidekey's processes: %.*s",
			     (int)s->opened.len, s->opened.ptr);
	else if (s->others > 0)
		findings_add(f, FINDING_WEAK, "process_memory",
			     "take SYS_PTRACE from the agent, and root of the machine",
			     "the agent can read the environment of %u processes of other users",
			     s->others);
	else
		findings_add(f, FINDING_OK, "process_memory", NULL,
			     "no process of sidekey or of another user can be looked into");
}

void
doctor_processes(const struct place *p)
{
	struct search s = {.place = p};

	buf_init(&s.seen, NAMES_MAX);
	buf_init(&s.opened, NAMES_MAX);
	if (processes_visit(try_process, &s) != 0) {
		findings_add(p->findings, FINDING_UNKNOWN, "process_memory", "mount /proc",
			     "/proc cannot be read");
	} else {
		tell_seen(&s);
		tell_opened(&s);
	}
	buf_free(&s.seen);
	buf_free(&s.opened);
}
