/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/capability.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor_checks.h"

#include "base/auto.h"
#include "cli/procfs.h"

/* Those with which a process gets at others, their files and traffic, or at the kernel. */
static const struct {
	unsigned number;
	const char *name;
} strong[] = {
	{CAP_CHOWN, "CHOWN"},
	{CAP_DAC_OVERRIDE, "DAC_OVERRIDE"},
	{CAP_DAC_READ_SEARCH, "DAC_READ_SEARCH"},
	{CAP_FOWNER, "FOWNER"},
	{CAP_SETGID, "SETGID"},
	{CAP_SETUID, "SETUID"},
	{CAP_NET_ADMIN, "NET_ADMIN"},
	{CAP_NET_RAW, "NET_RAW"},
	{CAP_SYS_MODULE, "SYS_MODULE"},
	{CAP_SYS_RAWIO, "SYS_RAWIO"},
	{CAP_SYS_PTRACE, "SYS_PTRACE"},
	{CAP_SYS_ADMIN, "SYS_ADMIN"},
	{CAP_PERFMON, "PERFMON"},
	{CAP_BPF, "BPF"},
};

/* Whether root here is root of the machine: the first line of uid_map maps 0 to 0. */
static bool
is_real_root(void)
{
	auto_buf struct buf text = {0};
	struct span map;

	buf_init(&text, 4096);
	if (procfs_read("/proc/self/uid_map", &text) != 0)
		return true;
	map = span_trim(buf_span(&text));
	if (!span_starts(map, SPAN("0 ")))
		return false;
	return span_starts(span_trim(span_cut(map, 1, map.len)), SPAN("0 "));
}

static void
tell_user(const struct place *p)
{
	const char *remedy =
		p->as_agent
			? "give the agent's container a user of its own (runAsUser, user:)"
			: "run sidekey as a user of its own, such as 65532, that nothing else has";

	if (geteuid() != 0)
		findings_add(p->findings, FINDING_OK, "root", NULL, "this is uid %u, not root",
			     (unsigned)geteuid());
	else
		findings_add(p->findings,
			     p->as_agent || !is_real_root() ? FINDING_NOTE : FINDING_WEAK, "root",
			     remedy, "this is root%s",
			     is_real_root() ? "" : " of a user namespace");
}

static void
tell_capabilities(const struct place *p, uint64_t caps)
{
	const char *remedy =
		p->as_agent ? "drop them in the agent's container (capabilities: drop: [ALL])"
			    : "start sidekey without capabilities: its processes drop what "
			      "they get, but the moment before is theirs";
	auto_buf struct buf names = {0};

	buf_init(&names, 512);
	for (size_t i = 0; i < sizeof(strong) / sizeof(strong[0]); i++)
		if ((caps >> strong[i].number & 1) != 0)
			(void)buf_addf(&names, "%s%s", names.len > 0 ? ", " : "", strong[i].name);
	if (names.len > 0)
		findings_add(p->findings, p->as_agent ? FINDING_WEAK : FINDING_NOTE, "capabilities",
			     remedy, "this place has capabilities that get past other guards: %.*s",
			     (int)names.len, names.ptr);
	else if (caps != 0)
		findings_add(
			p->findings, FINDING_NOTE, "capabilities", remedy,
			"this place has capabilities, none of which leads to a secret by itself");
	else
		findings_add(p->findings, FINDING_OK, "capabilities", NULL,
			     "this place has no capability");
}

void
doctor_privileges(const struct place *p)
{
	struct process self;

	tell_user(p);
	if (!process_read(0, &self)) {
		findings_add(p->findings, FINDING_UNKNOWN, "capabilities", "mount /proc",
			     "/proc/self/status cannot be read");
		return;
	}
	tell_capabilities(p, self.caps);
	findings_add(p->findings, self.no_new_privs ? FINDING_OK : FINDING_NOTE, "no_new_privs",
		     self.no_new_privs ? NULL
				       : "allowPrivilegeEscalation: false, --security-opt "
					 "no-new-privileges, or NoNewPrivileges=yes",
		     self.no_new_privs
			     ? "no program here can gain rights by being started"
			     : "programs that are set-uid gain rights when started here%s",
		     p->as_agent ? "" : "; sidekey's own processes give that up at their start");
}
