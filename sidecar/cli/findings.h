/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `doctor` found: rows of a name, a weight, a sentence and what to do; as a table for people,
 * or as JSON.
 */
#ifndef CLI_FINDINGS_H
#define CLI_FINDINGS_H

#include <stdio.h>

#include "base/buf.h"

enum finding_weight {
	FINDING_OK,
	FINDING_NOTE,    /* worth knowing: it opens nothing by itself */
	FINDING_UNKNOWN, /* could not be tried: the sentence says why */
	FINDING_WEAK,    /* it lets the agent reach a secret, or is about to stop the calls */
	FINDING_WEIGHTS,
};

struct findings;

struct findings *findings_new(void);
void findings_free(struct findings *f);

/*
 * Adds a row. name: stable, for programs, and not copied; remedy: copied, or NULL when there is
 * nothing to do. The sentence may hold what a stranger chose (the name of a process): what is not
 * printable ASCII becomes a question mark. No secret may be in it.
 */
void findings_add(struct findings *f, enum finding_weight weight, const char *name,
		  const char *remedy, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* How many rows of that weight there are. */
size_t findings_count(const struct findings *f, enum finding_weight weight);

/* Whether there is a row of that name which is not FINDING_OK. */
bool findings_has(const struct findings *f, const char *name);

/* Prints all of them, the weightiest first, else in the order in which they came. 0 or -1. */
int findings_print(const struct findings *f, FILE *out);
int findings_print_json(const struct findings *f, bool as_agent, FILE *out);

#endif
