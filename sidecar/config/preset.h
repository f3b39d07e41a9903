/* SPDX-License-Identifier: Apache-2.0 */
/* Where a provider wants its key (reference/llm.md 4.2). */
#ifndef CONFIG_PRESET_H
#define CONFIG_PRESET_H

#include "policy/access/operations.h"

struct preset {
	const char *header;
	const char *prefix; /* before the key */
};

const struct preset *preset_of(enum provider p);

/* The pair of headers that Cloudflare Access reads (reference/llm.md 5.1). */
#define PRESET_ACCESS_ID     "CF-Access-Client-Id"
#define PRESET_ACCESS_SECRET "CF-Access-Client-Secret"

#endif
