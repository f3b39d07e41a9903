/* SPDX-License-Identifier: Apache-2.0 */
/* A header's value: text and references (`Bearer ${env:NAME}`); `?` before } says optional. */
#ifndef CONFIG_TEMPLATE_H
#define CONFIG_TEMPLATE_H

#include "base/span.h"

struct template_part {
	bool is_reference;
	bool is_optional;
	struct span text; /* the literal, or the reference without ${ ?} */
};

enum template_next { TEMPLATE_END, TEMPLATE_PART, TEMPLATE_BROKEN };

/* The part that starts at *at, which moves behind it. BROKEN: a `${` without its brace. */
enum template_next template_next(struct span text, size_t *at, struct template_part *out);

#endif
