/* SPDX-License-Identifier: Apache-2.0 */
/* Which model goes where: the first rule that matches decides (design section 3, models). */
#ifndef POLICY_ACCESS_MODELS_H
#define POLICY_ACCESS_MODELS_H

#include <stdint.h>

#include "base/span.h"

struct model_rule {
	struct span match; /* exact name, or a prefix with one trailing '*' (model_is_plain) */
	uint16_t target;
	struct span strip_prefix; /* may be empty */
	struct span send_as;      /* may be empty */
};

/* The index of the first rule that matches model, or -1. */
long model_pick(const struct model_rule *rules, size_t n, struct span model);

/* The first rule before i that matches all that rule i does, so that i is never used; or -1. */
long model_shadowed(const struct model_rule *rules, size_t i);

/*
 * Whether a '*' may stand for name from that index on: ASCII letters, digits and "-._:/@+~",
 * without a segment "", "." or ".." of a path.
 */
bool model_is_plain(struct span name, size_t from);

/* Whether one of n names, or prefixes with one trailing '*', is model's. */
bool model_is_listed(const struct span *list, size_t n, struct span model);

/*
 * What to send instead of model under rule: sendAs, or model without stripPrefix, or model. A
 * view.
 */
struct span model_sent(const struct model_rule *rule, struct span model);

/*
 * Whether the folded name of a top-level body member steers the upstream or picks another model
 * (design section 5). extra: deniedFields.
 */
bool model_field_denied(struct span folded_name, const struct span *extra, size_t nextra);
/* The same of InvokeModel, whose bodies are each model's own. */
bool model_own_field_denied(struct span folded_name, const struct span *extra, size_t nextra);

#endif
