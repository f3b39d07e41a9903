/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration as the parent runs it: read, checked, and projected for the roles. */
#ifndef PARENT_SETTINGS_H
#define PARENT_SETTINGS_H

#include "config/project.h"

struct settings {
	struct config *config;
	struct plans plans;
};

/*
 * Reads from source, in faults what is wrong with it. NULL then. To be freed with settings_free.
 */
struct settings *settings_read(const struct config_source *source, struct config_faults *faults);

/* The same of a configuration that has been read: c is taken over, and freed where it fails. */
struct settings *settings_of(struct config *c, const struct environment *env,
			     struct config_faults *faults);

/*
 * The same for a running sidekey that opened's listeners are open for: they stay what they are,
 * whatever the configuration says now; plans.ingress.restart_needed tells that it says something
 * else. opened must outlive the result.
 */
struct settings *settings_read_again(const struct config_source *source,
				     const struct settings *opened, struct config_faults *faults);

void settings_free(struct settings *s);

#endif
