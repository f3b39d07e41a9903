/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>

#include "policy/box/boxes.h"

#include "base/rights.h"

enum { FORK = CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD };

static const struct box_call calls[] = {
	WHEN("clone", "a role of the next generation: fork, and no namespace or thread",
	     EQ32(0, FORK)),
	ANY("execveat", "our own file, by its descriptor; files are executed by nothing else"),
	ANY("getppid", "a role asks whether its parent lives"),
	ANY("dup2", "a role's descriptors"),
	ANY("dup3", "a role's descriptors, where the architecture has no dup2"),
	ANY("close_range", "a role gets no other descriptor"),
	WHEN("openat", "a role's /dev/null; Landlock lets nothing else be written",
	     MASKED(2, O_CREAT | O_TRUNC, 0)),
	ANY("read", "signals, the configuration"),
	ANY("newfstatat", "who may write the configuration, and files of secrets"),
	ANY("geteuid", "whether it is ours, where it is not root's"),
	ANY("statfs", "whether a directory of theirs is mounted read-only"),
	ANY("getcwd", "a configuration named by a relative path"),
	ANY("wait4", "a role's end"),
	ANY("kill", "ends a generation"),
	ANY("socketpair", "channels"),
	WHEN("setsockopt", "by which no descriptor passes", EQ32(1, SOL_SOCKET),
	     EQ32(2, SO_PASSRIGHTS)),
	ANY("memfd_create", "projections; the pages of a trunk"),
	ANY("ftruncate", "their size"),
	ANY("pipe2", "the bells of a trunk"),
	ANY("fcntl", "seals, descriptors' places"),
	ANY("unlink", "its Unix sockets, at the end"),
	ANY("unlinkat", "the same, where the architecture has no unlink"),
};

/*
 * A filter outlives exec, so the roles of every later generation live under this one: it has
 * to let through whatever they need. What the parent itself gives up is the difference.
 */
static const struct box *const includes[] = {
	&common_box, &start_box,   &loader_box, &coverage_box, &resolver_box,
	&keeper_box, &ingress_box, &egress_box, NULL,
};

const struct box parent_box = {"parent", BOX_CALLS(calls), includes, .spawns = true};
