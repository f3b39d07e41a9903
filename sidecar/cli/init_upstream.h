/* SPDX-License-Identifier: Apache-2.0 */
/* The providers that LiteLLM's names of models begin with (reference/llm.md 4.1), as targets. */
#ifndef CLI_INIT_UPSTREAM_H
#define CLI_INIT_UPSTREAM_H

#include "cli/init_draft.h"

struct upstream {
	const char *prefix; /* LiteLLM's word, and the name of the target */
	enum provider provider;
	const char *base; /* where it is; NULL: the source must say */
	const char *key;  /* the variable that LiteLLM takes the key from; NULL: it needs none */
};

/* The upstream of that name, or NULL: one that sidekey does not speak to. */
const struct upstream *upstream_find(struct span prefix);

/*
 * The upstream of a LiteLLM model id, and in *name what is sent to it: PREFIX/NAME, or a name that
 * LiteLLM knows by itself. NULL: none that sidekey speaks to, or none that is clear.
 */
const struct upstream *upstream_of(struct span model, struct span *name);

/* Says once what becomes of calls that a LiteLLM in between has translated so far. */
void upstream_note(struct draft *d, enum provider p, const struct yaml_item *item,
		   const char *path);

#endif
