/* SPDX-License-Identifier: Apache-2.0 */
/* Tools that the upstream itself runs, on a model of their own. */
#ifndef INGRESS_TOOL_H
#define INGRESS_TOOL_H

#include "base/span.h"

/*
 * Whether a tool, an object that scan_json has found good, runs on a model even if it names none:
 * OpenAI's image_generation takes gpt-image-1 then. Anthropic's advisor has to name one.
 */
bool tool_has_default_model(struct span tool);

#endif
