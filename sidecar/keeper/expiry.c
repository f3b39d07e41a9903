/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/expiry.h"

#include "base/log.h"

enum { HOUR_MS = 3600 * 1000, DAY_S = 24 * 3600 };

/* In days before the end; each is a warning of its own. */
static const unsigned marks[] = {14, 1};

static void
look(struct expiry *e)
{
	uint64_t now_s = loop_wall_ms() / 1000, left_s = e->ends_s > now_s ? e->ends_s - now_s : 0;
	unsigned due = 0;

	while (due < sizeof(marks) / sizeof(marks[0]) && left_s <= (uint64_t)marks[due] * DAY_S)
		due++;
	if (due > e->told)
		log_say(LOG_WARN,
			left_s > 0 ? "a client certificate ends soon; put a new pair in its place"
				   : "a client certificate has ended; put a new pair in its place",
			LOG_S("target", e->target), LOG_U("days_left", left_s / DAY_S));
	e->told = due;
	timer_set(e->loop, &e->timer, HOUR_MS);
}

static void
hour_passed(struct timer *t)
{
	look(ev_owner(t, struct expiry, timer));
}

void
expiry_watch(struct expiry *e, struct loop *l, struct span target, uint64_t ends_s)
{
	e->loop = l;
	e->target = target;
	e->timer.fn = hour_passed;
	if (e->ends_s != ends_s)
		e->told = 0;
	e->ends_s = ends_s;
	look(e);
}
