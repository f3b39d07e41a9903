/* SPDX-License-Identifier: Apache-2.0 */
/* The formats that `sidekey init --from` reads. Each: whether root is one, and its draft. */
#ifndef CLI_INIT_FORMATS_H
#define CLI_INIT_FORMATS_H

#include "cli/init_draft.h"

/* LiteLLM's config.yaml: model_list and what stands around it (reference/llm.md 3.1). */
bool litellm_is(const struct yaml_item *root);
void litellm_read(struct draft *d, const struct yaml_item *root);

/*
 * AgentCore's harness.json, as its CLI writes it and as the API speaks of it (reference/aws.md
 * 2.5): a model with its provider and credential provider.
 */
bool harness_is(const struct yaml_item *root);
void harness_read(struct draft *d, const struct yaml_item *root);

/* An agent blueprint of the Python package agent-core: model with model_id, base_url, … */
bool blueprint_is(const struct yaml_item *root);
void blueprint_read(struct draft *d, const struct yaml_item *root);

/* Without a source: what the keys in the environment are for; else an example to fill in. */
void environment_read(struct draft *d);

#endif
