/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment of a command that `exec` runs: where sidekey is and the run's token, and none of
 * the secrets that sidekey's own environment holds. Pure.
 */
#ifndef CLI_EXEC_ENV_H
#define CLI_EXEC_ENV_H

#include "base/pool.h"
#include "config/plan.h"

struct exec_env_options {
	const struct plan_text *named; /* variables that references name: they hold secrets */
	size_t nnamed;
	uint32_t dialects;   /* that sidekey's targets speak: bits of enum dialect */
	const char *address; /* where sidekey listens: "127.0.0.1:7717" */
	const char *token;   /* the run's */
	const char *region;  /* of Bedrock */
	bool isolated;       /* no socket of the host is there */
};

/*
 * Of own ("NAME=VALUE" entries, NULL behind them) goes: what references name, and whatever repeats
 * the value of such a variable; AWS_* and SIDEKEY_*; the keys and addresses that clients of the
 * dialects know; isolated, what leads to the host's sockets. Then sidekey's variables are added.
 * The array, with NULL behind it, and its texts are p's, which must be large enough.
 */
char **exec_env_make(char *const *own, const struct exec_env_options *o, struct pool *p);

#endif
