/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the path that an agent called to the path below an apiBase (reference/llm.md 4.3). Nothing
 * is decoded and encoded again, except the one segment that names a model. All paths are a
 * grammar_is_path already, as the route table knows them (operations.h).
 */
#ifndef POLICY_ACCESS_PATHS_H
#define POLICY_ACCESS_PATHS_H

#include "base/buf.h"
#include "policy/access/operations.h"

/*
 * Appends base and path. What both have, the end of one being the beginning of the other, comes
 * once: an apiBase may end in the /v1 of Anthropic's paths, or in the /openai of Azure's. 0 or -1.
 */
int paths_join(struct buf *out, struct span base, struct span path);

/*
 * Whether an apiBase of that path is Azure's classic one, where a deployment stands in the path:
 * the resource itself, or its /openai. With /openai/v1, or behind a gateway's own path, the
 * operation follows directly and the model stands in the body.
 */
bool paths_is_classic(enum provider p, struct span base);

/*
 * Appends the classic Azure path of an operation that was called in the openai dialect: below the
 * deployment model where there is such a route, else below /openai. -1: classic Azure has
 * none, or it needs a model and model is empty.
 */
int paths_classic(struct buf *out, struct span method, struct span path, struct span model);

/* The name that a segment stands for, into out with a NUL behind it. -1: it does not fit. */
int paths_decode(struct span segment, char *out, size_t max, size_t *len);

/*
 * Appends path with name, percent-encoded, in place of segment, which is a view into it. -1: what
 * comes out is not a path that means the same to everyone (slashes as for grammar_is_path).
 */
int paths_rename(struct buf *out, struct span path, struct span segment, struct span name,
		 bool slashes);

#endif
