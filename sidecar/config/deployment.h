/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Targets whose calls are spread over several places. Each deployment becomes a target of its own,
 * "NAME.DEPLOYMENT", with its own address, key and lane and all else as its target says; that one
 * keeps their list, and is what callers, rules and metrics know.
 */
#ifndef CONFIG_DEPLOYMENT_H
#define CONFIG_DEPLOYMENT_H

#include "config/projector.h"
#include "config/reader.h"

/* Gives a name to each that has none: its region, or d1, d2 and so on. */
void deployment_name_all(struct config *c);

/* t as its deployment d is: with its place and its key, where it has one. */
struct config_target deployment_of(const struct config_target *t,
				   const struct config_deployment *d);

/* Appends the deployments to the targets of a configuration that is sound. */
void deployment_expand(struct config *c);

/* Tells egress and ingress of their targets, which have been compiled, what is whose deployment. */
void deployment_project_all(struct projector *pr);

/*
 * What the deployments of t, which stands at item, must be to one another: of different names and
 * places, and all of one kind. (deployment_rules.c)
 */
void deployment_rules_check(struct reader *r, const struct yaml_item *item, const struct path *path,
			    const struct config_target *t);

#endif
