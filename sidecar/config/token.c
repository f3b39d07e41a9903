/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/digest.h"
#include "base/num.h"
#include "config/projector.h"

static struct span
digest_of_hex(struct projector *pr, struct span hex)
{
	char *bytes = projector_room(pr, DIGEST_BYTES);

	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		uint64_t byte = 0;
		int bad = num_hex(span_cut(hex, 2 * i, 2 * i + 2), UINT8_MAX, &byte);

		assert(bad == 0); /* form_digest let nothing else through */
		bytes[i] = (char)byte;
	}
	return (struct span){bytes, DIGEST_BYTES};
}

void
token_project(struct projector *pr, struct span configured, struct span name,
	      struct ingress_token *out)
{
	struct span prefix = SPAN("sha256:");

	*out = (struct ingress_token){.slot = PLAN_NONE};
	if (span_starts(configured, prefix))
		out->digest = digest_of_hex(pr, span_cut(configured, prefix.len, configured.len));
	else if (configured.len > 0)
		out->slot = projector_token(pr, configured, name);
}
