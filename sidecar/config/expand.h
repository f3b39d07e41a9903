/* SPDX-License-Identifier: Apache-2.0 */
/* `${VAR}` and `${VAR:-default}` in the scalars of a configuration. */
#ifndef CONFIG_EXPAND_H
#define CONFIG_EXPAND_H

#include "base/buf.h"

/* Where variables are looked up; get answers NULL for one that is not set. */
struct environment {
	const char *(*get)(void *arg, const char *name);
	void *arg;
};

enum expand_fault {
	EXPAND_OK,
	EXPAND_UNDEFINED, /* no such variable and no default; *name is it */
	/* no closing brace, not a name, or ${ in a default: *name is what stands there */
	EXPAND_MALFORMED,
	EXPAND_TOO_LONG, /* over out's maximum */
};

/*
 * Appends raw to out with its variables replaced. A default (which ends at the first
 * closing brace) is taken when the variable is unset or empty, as in a shell. `${arn:…}`,
 * `${env:…}` and `${file:…}` are references inside a header's value and stay as
 * they are, and so does every other `$`. Values are not expanded again.
 */
enum expand_fault expand(struct span raw, const struct environment *env, struct buf *out,
			 struct span *name);

/* Whether raw is nothing but one `${NAME}`; *name is then a view of NAME. */
bool expand_is_variable(struct span raw, struct span *name);

/* [A-Za-z_][A-Za-z0-9_]* */
bool expand_is_name(struct span s);

#endif
