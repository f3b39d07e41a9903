/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a plan has the keeper read. */
#ifndef CONFIG_FILES_H
#define CONFIG_FILES_H

#include "config/plan_identity.h"
#include "config/warning.h"

struct plan_file {
	struct span name; /* of the slot or the identity that it is for */
	struct span path;
	bool is_secret;
	bool may_be_absent;
};

typedef void files_fn(void *arg, const struct plan_file *file);

void files_visit(const struct keeper_plan *k, files_fn *fn, void *arg);

/*
 * Tells of those that are there and that others may write, or put another one in the place of.
 * Such a configuration is refused, but not these: an emptyDir is mode 0777, and so is all that a
 * machine shares with a container or WSL that has other permissions.
 */
void files_warn(const struct keeper_plan *k, warning_fn *tell, void *arg);

#endif
