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
	 {{true, true, SIGNING_GOOD, 0, 0}, {true, true, SIGNING_GOOD, 0, 0}},
	 true,
	 true,
	 "all is well"},
	{{SLOT_STALE, SLOT_FRESH, SLOT_STALE},
	 {{true, true, SIGNING_GOOD, 0, 0}, {true, true, SIGNING_GOOD, 0, 0}},
	 true,
	 true,
	 "a stale secret is used"},
	{{SLOT_WAITING, SLOT_WAITING, SLOT_WAITING},
	 {{false, false, SIGNING_GOOD, 0, 0}, {false, false, SIGNING_GOOD, 0, 0}},
	 false,
	 false,
	 "nobody has said anything"},
	{{SLOT_FRESH, SLOT_WAITING, SLOT_FRESH},
	 {{true, true, SIGNING_GOOD, 0, 0}, {true, true, SIGNING_GOOD, 0, 0}},
	 false,
	 false,
	 "one is still fetched"},
	{{SLOT_FRESH, SLOT_MISSING, SLOT_FRESH},
	 {{false, true, SIGNING_GOOD, 0, 0}, {true, true, SIGNING_GOOD, 0, 0}},
	 false,
	 false,
	 "a store that is away may come back"},
	{{SLOT_FRESH, SLOT_REFUSED, SLOT_FRESH},
	 {{false, true, SIGNING_GOOD, 0, 0}, {true, true, SIGNING_GOOD, 0, 0}},
	 false,
	 true,
	 "a no is a no"},
	{{SLOT_MISSING, SLOT_REFUSED, SLOT_FRESH},
	 {{false, false, SIGNING_GOOD, 0, 0}, {true, true, SIGNING_GOOD, 0, 0}},
	 false,
	 true,
	 "whatever the others become"},
	{{SLOT_FRESH, SLOT_FRESH, SLOT_REFUSED},
	 {{true, true, SIGNING_GOOD, 0, 0}, {false, true, SIGNING_GOOD, 0, 0}},
	 true,
	 true,
	 "a target that is not required"},
	{{SLOT_FRESH, SLOT_FRESH, SLOT_WAITING},
	 {{true, true, SIGNING_GOOD, 0, 0}, {false, true, SIGNING_GOOD, 0, 0}},
	 true,
	 false,
	 "its calls are calls, too"},
	{{SLOT_FRESH, SLOT_FRESH, SLOT_FRESH},
	 {{true, false, SIGNING_GOOD, 0, 0}, {true, true, SIGNING_GOOD, 0, 0}},
	 true,
	 false,
	 "a name without an address yet"},
	{{SLOT_FRESH, SLOT_FRESH, SLOT_FRESH},
	 {{false, true, SIGNING_GOOD, 0, 0}, {true, true, SIGNING_GOOD, 0, 0}},
	 false,
	 false,
	 "TLS material has not come"},
	{{SLOT_FRESH, SLOT_FRESH, SLOT_FRESH},
	 {{false, true, SIGNING_AWAITED, 0, 0}, {true, true, SIGNING_GOOD, 0, 0}},
	 false,
	 false,
	 "an identity may still come"},
	{{SLOT_FRESH, SLOT_FRESH, SLOT_FRESH},
	 {{false, true, SIGNING_REFUSED, 0, 0}, {true, true, SIGNING_GOOD, 0, 0}},
	 false,
	 true,
	 "there is none to sign with"},
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

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(standing)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
