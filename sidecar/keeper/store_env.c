/* SPDX-License-Identifier: Apache-2.0 */
/* env: the start-up environment, which does not change: what is not there will not come. */
#include <stdio.h>

#include "keeper/store.h"

void
store_take_env(struct store_context *c, struct span name, struct span value)
{
	for (size_t i = 0; i < c->ndocuments; i++) {
		struct document *d = &c->documents[i];

		if (d->store == &store_env && span_eq(d->slots[0]->reference.name, name))
			store_fetched_text(d, &(struct slot_version){0}, value);
	}
}

/* The value was taken when it came. A variable that was refused stays refused for the reason. */
static void
start(struct document *d)
{
	const struct slot *s = d->slots[0];
	bool is_set = s->error_type[0] != '\0';
	char type[sizeof(s->error_type)];

	if (slot_value(s).ptr != NULL) {
		store_unchanged(d);
		return;
	}
	snprintf(type, sizeof(type), "%s", is_set ? s->error_type : "VariableNotSet");
	store_failed(d, &(struct store_failure){
				.kind = SLOT_DENIED,
				.type = type,
				.why = is_set ? "what the variable held at the start is no value"
					      : "the variable was not set when sidekey started"});
}

const struct store store_env = {.start = start};
