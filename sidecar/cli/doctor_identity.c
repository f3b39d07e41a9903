/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/doctor_checks.h"

#include "config/plan_identity.h"

void
doctor_identity(const struct place *p)
{
	const struct keeper_plan *k = &p->plans->keeper;
	bool told = false;

	for (size_t i = 0; i < k->nidentities; i++) {
		const struct plan_identity *id = &k->identities[i];
		bool in_file = id->source == IDENTITY_FROM_KEYS;

		if (id->source != IDENTITY_FROM_ENVIRONMENT && !in_file)
			continue;
		findings_add(p->findings, FINDING_NOTE, "static_keys",
			     "use an identity that is renewed: a pod's, a task's, a sign-in's; and "
			     "see that the agent is not started with the same environment",
			     "%.*s has keys that stand in %s, and nothing renews them",
			     (int)id->name.len, id->name.ptr,
			     in_file ? "a profile" : "the environment");
		told = true;
	}
	if (!told)
		findings_add(p->findings, FINDING_OK, "static_keys", NULL,
			     "no AWS keys without an end are in use");
}
