/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `doctor` looks at, a function an idea. Each adds its rows, one at least, and changes
 * nothing; all that asks the network has an end within seconds.
 */
#ifndef CLI_DOCTOR_CHECKS_H
#define CLI_DOCTOR_CHECKS_H

#include "cli/findings.h"
#include "config/project.h"

/* Who else runs where sidekey runs. */
struct neighbours {
	unsigned same_uid; /* not sidekey, and of this uid */
	unsigned others;   /* not sidekey, and of another */
};

struct place {
	struct findings *findings;
	const struct environment *env;
	bool as_agent;
	const struct config *config; /* in sidekey's place alone, as are plans */
	const struct plans *plans;
	struct neighbours neighbours;
};

/* A variable of the environment; empty where it is not set. */
const char *doctor_variable(const struct place *p, const char *name);

/* ---- both places ---- */

/* uid 0, capabilities, no_new_privs. */
void doctor_privileges(const struct place *p);
/* The metadata services of the clouds. */
void doctor_metadata(const struct place *p);
/* The endpoints that give a container its identity: ECS's and Pod Identity's. */
void doctor_containers(const struct place *p);

/* ---- sidekey's place ---- */

/* Others who may write the configuration at path, or a directory above it, are a row. */
void doctor_config_file(struct findings *f, const char *path, const char *writable);
/* unsafeListen, ports that somebody else has, modes of sockets. */
void doctor_listeners(const struct place *p);
/* The files that references, TLS and the identity name: who else may read or write them. */
void doctor_files(const struct place *p);
/* The client certificates that lie in files. */
void doctor_certificates(const struct place *p);
/* Keys without an end. */
void doctor_identity(const struct place *p);
/* Fills in p->neighbours; rows for those of our uid, and for a PID namespace that is shared. */
void doctor_neighbours(struct place *p);
/* The program's own file. After doctor_neighbours, as is the next. */
void doctor_program(const struct place *p);
/* seccomp, Landlock, secret pages, swap, core files, ptrace. */
void doctor_kernel(const struct place *p);

/* ---- the agent's place ---- */

/* Variables that look like a secret, by their names. */
void doctor_variables(const struct place *p, char *const *environ);
/* Whether a variable of that name and value looks like a secret. Pure. */
bool doctor_is_secret(struct span name, struct span value);
/* Tokens and the files of the AWS tools. */
void doctor_tokens(const struct place *p);
/* /proc of sidekey and of other users' processes, and ptrace. */
void doctor_processes(const struct place *p);
/* sidekey's own files and sockets, and those that command containers. */
void doctor_sidekey_files(const struct place *p);
/* Whether text is HOST:PORT, or [IPV6]:PORT. */
bool doctor_reach_is_good(const char *target);
/* Whether TCP connections to such targets can be made past sidekey. */
void doctor_reach(const struct place *p, const char *const *targets, size_t n);

#endif
