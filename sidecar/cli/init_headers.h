/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of a source of another format: which of their values are secrets, and whose they are. */
#ifndef CLI_INIT_HEADERS_H
#define CLI_INIT_HEADERS_H

#include "cli/init_source.h"

/*
 * Carries the members of the map at key over into t: names and values, the secrets among the
 * values as references. A header that holds the provider's key becomes apiKey where t has none.
 */
void headers_values(const struct source_place *in, const char *key, struct draft_target *t);

/* The same of a map of names and variables; a header whose variable is not set is left out. */
void headers_variables(const struct source_place *in, const char *key, struct draft_target *t);

/* Cloudflare Access's pair among t's headers becomes its own section. */
void headers_access(struct draft_target *t);

#endif
