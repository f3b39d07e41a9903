/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/prctl.h>

#include <sys/capability.h>

#include "box/box.h"

/* Only a process with CAP_SETPCAP may; without it the bounding set grants nothing
 * that no_new_privs does not take away. */
static int
drop_bounding(void)
{
	for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; cap++) {
		if (cap_get_bound(cap) == 1 && cap_drop_bound(cap) != 0 && errno != EPERM)
			return -1;
	}
	return 0;
}

static bool
is_empty(void)
{
	cap_t now = cap_get_proc(), none = cap_init();
	bool same = now != NULL && none != NULL && cap_compare(now, none) == 0;

	cap_free(now);
	cap_free(none);
	for (cap_value_t cap = 0; same && cap_get_bound(cap) >= 0; cap++)
		same = cap_get_ambient(cap) != 1;
	return same;
}

int
caps_drop(void)
{
	cap_t none;
	int bad;

	if (drop_bounding() != 0)
		return -1;
	/* EINVAL: a kernel without ambient capabilities */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
		return -1;
	none = cap_init();
	if (none == NULL)
		return -1;
	bad = cap_set_proc(none);
	cap_free(none);
	return bad == 0 && is_empty() ? 0 : -1;
}
