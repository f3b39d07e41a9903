/* SPDX-License-Identifier: Apache-2.0 */
/* What the query of a call may not say (design section 5). */
#ifndef POLICY_ACCESS_QUERY_H
#define POLICY_ACCESS_QUERY_H

#include "base/span.h"

enum { QUERY_NAME_MAX = 192 }; /* several times the longest that any of the APIs has */

enum query_fault {
	QUERY_OK,
	QUERY_LONG_NAME, /* more than QUERY_NAME_MAX bytes */
	QUERY_DENIED,    /* it would steer the upstream or choose another model */
};

/*
 * Holds the names of a query's members, unescaped and folded, against those that a body may not
 * have, and against "model", which belongs into the body or the path: LiteLLM takes it from the
 * query before either. query is a grammar_is_query; extra: deniedFields. name: of the member that
 * is denied, with a NUL.
 */
enum query_fault query_check(struct span query, const struct span *extra, size_t nextra,
			     char name[static QUERY_NAME_MAX + 1]);

/* Where the member at from ends: ';' parts members too, to servers of an older kind. */
size_t query_member_end(struct span query, size_t from);

#endif
