/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a call's metadata would steer: LiteLLM chooses its deployment by metadata.tags as it does by
 * a top-level "tags" (policy/access/models.c). All else in there is the agent's own.
 */
#ifndef INGRESS_METADATA_H
#define INGRESS_METADATA_H

#include "ingress/scan.h"

/*
 * Whether the metadata in s, which scan_json made, has tags that are not a text (OpenAI's values
 * all are one, of which LiteLLM would look for each letter), or cannot be seen into: it is a text
 * itself, which LiteLLM reads, or there are two.
 */
bool metadata_steers(const struct scan *s);

#endif
