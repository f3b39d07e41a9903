/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a streamed chat completion asks for its usage (`includeUsage`): OpenAI and those that
 * follow it report it in a stream only when stream_options.include_usage says so.
 */
#ifndef INGRESS_INCLUDE_USAGE_H
#define INGRESS_INCLUDE_USAGE_H

#include "ingress/scan.h"

/*
 * What to change in body, of which scan_json made s: the bytes at *at (a view, perhaps empty) give
 * way to *text. False when there is nothing to do: it is not streamed, or the agent has said
 * itself whether it wants usage, or in a way that the upstream should judge.
 */
bool include_usage(struct span body, const struct scan *s, struct span *at, struct span *text);

/*
 * Whether a stream of s may tell its usage: it was asked for, plainly ("include_usage": true), or
 * include_usage has where to ask for it, and no upstream reads the options another way.
 */
bool include_usage_is_open(const struct scan *s);

#endif
