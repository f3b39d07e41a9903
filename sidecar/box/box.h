/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entering the sandbox: what a role may do, as data, with a reason a line; one
 * function that gives up everything else, and verifies that it is gone.
 */
#ifndef BOX_BOX_H
#define BOX_BOX_H

#include <stdint.h>

#include "base/span.h"

enum { BOX_MATCHES = 3 };

/* A condition on one argument: (argument & mask) == value. */
struct box_match {
	uint8_t arg;
	uint64_t mask;
	uint64_t value;
};

/*
 * One allowed system call; with matches, all of them must hold. Two rows of one name: either
 * will do.
 */
struct box_call {
	const char *name; /* libseccomp's, resolved per architecture; unknown there: left out */
	const char *reason;
	size_t nmatches;
	struct box_match matches[BOX_MATCHES];
	int error; /* 0; else the call is not made, and fails with this errno in place of a kill */
};

struct box {
	const char *role;
	const struct box_call *calls;
	size_t ncalls;
	const struct box *const *includes; /* whose calls are allowed as well; ends with NULL */
	bool files;  /* may open the read-only directories given at run time */
	bool dials;  /* may connect to the TCP ports given at run time */
	bool spawns; /* starts other roles, which live under its limits: reading, executing and
			dialling stay open in Landlock, and in read_dirs files may be removed */
};

/* What only the running program knows. */
struct box_options {
	const char *const *read_dirs; /* directories (or files); missing ones are skipped */
	size_t nread_dirs;
	const uint16_t *ports;
	size_t nports;
	bool require_landlock, require_landlock_net, require_secret_pages; /* sandbox.require */
};

/* What was reached, for the log and /readyz. */
struct box_level {
	unsigned landlock_abi; /* 0: none */
	bool landlock_net;
	bool landlock_scope;
	unsigned seccomp_calls; /* rules in the filter */
};

/*
 * Gives up, in this order: capabilities (all sets, ambient and bounding where it may),
 * dumpable, core files, new privileges, Landlock, and by seccomp every system call but
 * the box's, with kill as the default; then checks each. Returns 0, or -1 with *why a
 * static sentence; the caller must end the process then. No thread may exist yet.
 * Signals stay as they are.
 */
int box_enter(const struct box *box, const struct box_options *options, struct box_level *level,
	      const char **why);

/* ---- the parts, for box_enter ---- */

/*
 * Empties every capability set. 0, or -1 when one is left. The bounding set goes as far as
 * CAP_SETPCAP allows.
 */
int caps_drop(void);

/* Enters a Landlock domain for box, at the kernel's ABI. 0 with *level's landlock_*, or -1. */
int landlock_enter(const struct box *box, const struct box_options *options,
		   struct box_level *level);

/*
 * A domain for a program that is not ours, and that keeps its rights over files and network: it
 * reaches no process outside, by a signal, an abstract Unix socket, ptrace or /proc/PID. 0 with
 * *level's landlock_*, or -1. Needs no_new_privs.
 */
int landlock_scope(struct box_level *level);

/* What becomes of calls by another architecture that the processor runs: i386, x32, 32-bit ARM. */
enum box_foreign {
	FOREIGN_FAILS, /* none is there: ENOSYS */
	FOREIGN_HELD,  /* as native ones: for rows that are a call of its own in each of them */
};

/*
 * Loads a filter that lets everything through but the box's own rows, each of which fails with its
 * error. Outlives exec. 0 or -1.
 */
int filter_deny(const struct box *box, enum box_foreign foreign);

/* Loads the filter; *rules is their number. 0 or -1. */
int filter_load(const struct box *box, unsigned *rules);

#endif
