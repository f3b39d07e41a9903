/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"

void
auto_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
auto_free_ptr(void *pp)
{
	void **p = pp;

	free(*p);
	*p = NULL;
}

int
take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}
