/* SPDX-License-Identifier: Apache-2.0 */
/* What a LiteLLM config.yaml has and sidekey has not: it is said, and what to do instead. */
#ifndef CLI_INIT_REMARKS_H
#define CLI_INIT_REMARKS_H

#include "cli/init_source.h"

/* A note about each member of a deployment's litellm_params that is not carried over. */
void remarks_params(const struct source_place *params);

/* About what stands around model_list: the settings, and other sections. */
void remarks_around(struct draft *d, const struct yaml_item *root);

#endif
