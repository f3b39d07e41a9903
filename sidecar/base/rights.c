/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/time.h>

#include "base/rights.h"

#include "base/auto.h"

enum { TICK_US = 100 * 1000 };

int
rights_let(int sock, bool let)
{
	const int on = let;

	return setsockopt(sock, SOL_SOCKET, SO_PASSRIGHTS, &on, sizeof(on));
}

/* That a signal came is all that is wanted of it. */
static void
on_tick(int sig)
{
	(void)sig;
}

int
rights_bear(void)
{
	const struct sigaction tick = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
	const struct itimerval every = {{0, TICK_US}, {0, TICK_US}};
	auto_close int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (probe < 0)
		return -1;
	if (rights_let(probe, false) == 0)
		return 0;
	if (sigaction(SIGALRM, &tick, NULL) != 0)
		return -1;
	return setitimer(ITIMER_REAL, &every, NULL);
}
