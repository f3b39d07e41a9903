/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "ingress/standing.h"

/* Two targets: "needed" with slots 0 and 1, which is required, and "other" with slot 2. */
static const struct row {
	enum slot_state slots[3];
	struct target_view targets[2];
	bool ready, settled;
	const char *why;
} rows[] = {
	{{SLOT_FRESH, SLOT_FRESH, SLOT_FRESH},
	 {{true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""},
	  {true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""}},
	 true,
	 true,
	 "all is well"},
	{{SLOT_STALE, SLOT_FRESH, SLOT_STALE},
	 {{true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""},
	  {true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""}},
	 true,
	 true,
	 "a stale secret is used"},
	{{SLOT_WAITING, SLOT_WAITING, SLOT_WAITING},
	 {{false, false, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""},
	  {false, false, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""}},
	 false,
	 false,
	 "nobody has said anything"},
	{{SLOT_FRESH, SLOT_WAITING, SLOT_FRESH},
	 {{true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""},
	  {true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""}},
	 false,
	 false,
	 "one is still fetched"},
	{{SLOT_FRESH, SLOT_MISSING, SLOT_FRESH},
	 {{false, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""},
	  {true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""}},
	 false,
	 false,
	 "a store that is away may come back"},
	{{SLOT_FRESH, SLOT_REFUSED, SLOT_FRESH},
	 {{false, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""},
	  {true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""}},
	 false,
	 true,
	 "a no is a no"},
	{{SLOT_MISSING, SLOT_REFUSED, SLOT_FRESH},
	 {{false, false, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""},
	  {true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""}},
	 false,
	 true,
	 "whatever the others become"},
	{{SLOT_FRESH, SLOT_FRESH, SLOT_REFUSED},
	 {{true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""},
	  {false, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""}},
	 true,
	 true,
	 "a target that is not required"},
	{{SLOT_FRESH, SLOT_FRESH, SLOT_WAITING},
	 {{true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""},
	  {false, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""}},
	 true,
	 false,
	 "its calls are calls, too"},
	{{SLOT_FRESH, SLOT_FRESH, SLOT_FRESH},
	 {{true, false, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""},
	  {true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""}},
	 true,
	 false,
	 "a name without an address yet"},
	{{SLOT_FRESH, SLOT_FRESH, SLOT_FRESH},
	 {{false, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""},
	  {true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""}},
	 false,
	 false,
	 "TLS material has not come"},
	{{SLOT_FRESH, SLOT_FRESH, SLOT_FRESH},
	 {{false, true, SIGNING_AWAITED, 0, 0, TLS_FAULT_NONE, ""},
	  {true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""}},
	 false,
	 false,
	 "an identity may still come"},
	{{SLOT_FRESH, SLOT_FRESH, SLOT_FRESH},
	 {{false, true, SIGNING_REFUSED, 0, 0, TLS_FAULT_NONE, ""},
	  {true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""}},
	 false,
	 true,
	 "there is none to sign with"},
	{{SLOT_FRESH, SLOT_FRESH, SLOT_FRESH},
	 {{false, true, SIGNING_GOOD, 0, 0, TLS_FAULT_CA, ""},
	  {true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""}},
	 false,
	 true,
	 "TLS material that is no good"},
	{{SLOT_FRESH, SLOT_FRESH, SLOT_FRESH},
	 {{true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_PAIR, ""},
	  {true, true, SIGNING_GOOD, 0, 0, TLS_FAULT_NONE, ""}},
	 true,
	 true,
	 "a new pair that is no good, and the old one in use"},
};

static void
standing(void **state)
{
	struct plan_number needed[] = {{0}, {1}}, other[] = {{2}};
	struct ingress_target targets[] = {
		{.name = SPAN("needed"), .required = true, .slots = needed, .nslots = 2},
		{.name = SPAN("other"), .slots = other, .nslots = 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slot_view slots[3] = {0};
		struct target_view views[2] = {rows[i].targets[0], rows[i].targets[1]};
		struct ingress in = {.slots = slots, .targets = views};
		struct msg_standing got;

		in.plan.targets = targets;
		in.plan.ntargets = COUNT(targets);
		for (size_t s = 0; s < COUNT(slots); s++)
			slots[s].state = rows[i].slots[s];
		got = standing_of(&in);
		if (got.ready != rows[i].ready || got.settled != rows[i].settled)
			fail_msg("%s: ready %d, settled %d", rows[i].why, got.ready, got.settled);
	}
}

/* A required target with two deployments, each with a slot of its own. */
static void
test_deployments(void **state)
{
	static const struct {
		enum slot_state slots[2];
		bool usable[2], resolved[2];
		bool ready, settled;
		const char *why;
	} cases[] = {
		{{SLOT_FRESH, SLOT_FRESH}, {true, true}, {true, true}, true, true, "both"},
		{{SLOT_WAITING, SLOT_FRESH}, {false, true}, {true, true}, true, true, "one"},
		{{SLOT_FRESH, SLOT_FRESH}, {true, true}, {false, true}, true, true, "a dead name"},
		{{SLOT_WAITING, SLOT_FRESH}, {true, false}, {true, true}, false, false, "halves"},
		{{SLOT_REFUSED, SLOT_FRESH}, {false, true}, {true, true}, true, true, "one, a no"},
		{{SLOT_REFUSED, SLOT_REFUSED}, {false, false}, {true, true}, false, true, "noes"},
		{{SLOT_REFUSED, SLOT_MISSING}, {false, false}, {true, true}, false, false, "wait"},
	};
	struct plan_number first[] = {{0}}, second[] = {{1}}, both[] = {{1}, {2}};
	struct ingress_target targets[] = {
		{.name = SPAN("a"), .required = true, .deployments = both, .ndeployments = 2},
		{.name = SPAN("a.d1"), .is_deployment = true, .slots = first, .nslots = 1},
		{.name = SPAN("a.d2"), .is_deployment = true, .slots = second, .nslots = 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slot_view slots[2] = {{.state = cases[i].slots[0]},
					     {.state = cases[i].slots[1]}};
		struct target_view views[3] = {0};
		struct ingress in = {.slots = slots, .targets = views};
		struct msg_standing got;

		in.plan.targets = targets;
		in.plan.ntargets = COUNT(targets);
		for (size_t d = 0; d < 2; d++) {
			views[1 + d].usable = cases[i].usable[d];
			views[1 + d].resolved = cases[i].resolved[d];
		}
		got = standing_of(&in);
		if (got.ready != cases[i].ready || got.settled != cases[i].settled)
			fail_msg("%s: ready %d, settled %d", cases[i].why, got.ready, got.settled);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(standing),
		cmocka_unit_test(test_deployments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
