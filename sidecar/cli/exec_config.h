/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run of `exec` changes in a configuration, in memory: where it listens, and for whom; and
 * that whom sidekey trusts is read once, as the configuration is.
 */
#ifndef CLI_EXEC_CONFIG_H
#define CLI_EXEC_CONFIG_H

#include "config/config.h"

struct exec_config {
	uint16_t port, admin_port; /* on 127.0.0.1 */
	const char *caller;        /* whose rules hold; NULL: nobody's */
	const char *digest;        /* of the run's token, hexadecimal */
	bool quiet;                /* warnings alone are logged, as text */
};

/*
 * The run's token is the only one that is taken: under the name "exec" without rules of its own, or
 * with the rules of one of `callers`. 0, or -1 when there is no such caller; c is then unchanged.
 */
int exec_config_apply(struct config *c, const struct exec_config *run);

#endif
