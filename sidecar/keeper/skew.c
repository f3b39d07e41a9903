/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/skew.h"

#include "ev/loop.h"

enum { MOVED_S = 60 };

static int64_t
wall_s(void)
{
	return (int64_t)(loop_wall_ms() / 1000);
}

uint64_t
skew_now_s(const struct skew *k)
{
	return (uint64_t)(wall_s() + k->offset_s);
}

bool
skew_learn(struct skew *k, uint64_t date_s)
{
	int64_t off = (int64_t)date_s - wall_s(), moved = off - k->offset_s;

	if (date_s == 0 || (moved < MOVED_S && moved > -MOVED_S))
		return false;
	k->offset_s = off;
	return true;
}
