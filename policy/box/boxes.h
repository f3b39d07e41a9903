/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each process of ours may ask of the kernel, once it is at work: a row a system
 * call, with the reason. What is not here kills the process. See policy/README.md.
 */
#ifndef POLICY_BOX_BOXES_H
#define POLICY_BOX_BOXES_H

#include "box/box.h"

/* The roles. */
extern const struct box parent_box, resolver_box, keeper_box, ingress_box, egress_box;

/* Lists that roles include. */
extern const struct box common_box;    /* every role: the loop, the channels, memory, the end */
extern const struct box client_box;    /* who dials with libcurl: keeper and egress */
extern const struct box patient_box;   /* between whom calls pass: how they are scheduled */
extern const struct box start_box;     /* what a role does between its exec and its own box */
extern const struct box loader_box;    /* the start of a dynamic build; empty in the static one */
extern const struct box sanitizer_box; /* a sanitizer's run-time; empty in any other build */
extern const struct box coverage_box;  /* `make coverage` alone; empty in any other build */

/* What a command of `exec` may not ask for, whatever else it may; and what not when isolated. */
extern const struct box command_box, isolated_box;

/* Rows: any arguments; or argument i equal to value; or (argument i & mask) == value. */
#define ANY(name, why)                                                                             \
	{                                                                                          \
		name, why, 0, {{0}}, 0                                                             \
	}
#define WHEN(name, why, ...)                                                                       \
	{                                                                                          \
		name, why, BOX_COUNT(__VA_ARGS__), {__VA_ARGS__}, 0                                \
	}
/* Not let through, and no reason to end the process: a library asks, and can do without. */
#define FAILS(name, why, errno_value, ...)                                                         \
	{                                                                                          \
		name, why, BOX_COUNT(__VA_ARGS__), {__VA_ARGS__}, errno_value                      \
	}
#define EQ(i, value)                                                                               \
	{                                                                                          \
		i, UINT64_MAX, (uint64_t)(value)                                                   \
	}
#define EQ32(i, value)                                                                             \
	{                                                                                          \
		i, UINT32_MAX, (uint32_t)(value)                                                   \
	}
#define MASKED(i, mask, value)                                                                     \
	{                                                                                          \
		i, (uint64_t)(mask), (uint64_t)(value)                                             \
	}
#define BOX_MATCH_LIST(...)                                                                        \
	(const struct box_match[])                                                                 \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define BOX_COUNT(...)   (sizeof(BOX_MATCH_LIST(__VA_ARGS__)) / sizeof(struct box_match))
#define BOX_CALLS(table) (table), sizeof(table) / sizeof((table)[0])

#endif
