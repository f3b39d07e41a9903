/* SPDX-License-Identifier: Apache-2.0 */
/* What all the formats say of Bedrock: a region, and who signs. */
#ifndef CLI_INIT_BEDROCK_H
#define CLI_INIT_BEDROCK_H

#include "cli/init_source.h"

/* Region and identity of a Bedrock target, from LiteLLM's aws_* members of the map. */
void bedrock_identity(const struct source_place *in, struct draft_target *t);

/*
 * t's region: that of apiBase's host, where it names one, is enough; else what was read; else that
 * of the variable when sidekey starts, or us-east-1.
 */
void bedrock_region(struct draft *d, const struct yaml_item *at, const char *variable,
		    struct draft_target *t);

#endif
