/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sidekey check --resolve`: tries what the configuration says. The four roles are started as for
 * serving, boxed and without a listener; each tells the verb what it found, never a secret.
 */
#ifndef CLI_RESOLVE_H
#define CLI_RESOLVE_H

#include "config/project.h"

/*
 * Asks for every identity, secret and target of plans (project_report), and prints a table, or
 * JSON. Returns the exit status: 0, or 1 when anything failed.
 */
int cli_resolve(struct plans *plans, const struct environment *env, bool json);

#endif
