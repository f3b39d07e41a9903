/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets that are written out where other text may stand too. */
#ifndef CONFIG_LITERAL_H
#define CONFIG_LITERAL_H

#include "base/span.h"

/* Whether text begins as the keys and tokens of well-known makers do. */
bool literal_begins_like_key(struct span text);

/* Whether a word in text begins so, and is as long as keys are. */
bool literal_has_key(struct span text);

/* What a message may show of a map's key: {apiKey:sk-…}, without a blank, is one whole key. */
struct span literal_key_shown(struct span key);

#endif
