/* SPDX-License-Identifier: Apache-2.0 */
/* TLS material for egress: what cannot be sent now, for no fault of its own, is sent soon. */
#include "tests/unit/unit.h"

#include <unistd.h>

#include "keeper/tls.h"

#include "base/rights.h"
#include "box/channel.h"

enum { FAR_TOO_MANY = 100 * 1000, SOON_MS = 20 * 1000 };

static struct loop *loop;
static int came = -1; /* the descriptor of the bundle */

static void
hear(void *arg, enum msg_type type, const void *obj, int fd)
{
	(void)arg, (void)type, (void)obj;
	if (fd < 0)
		return;
	came = fd;
	loop_stop(loop, 0);
}

static void
lose(void *arg, const char *why)
{
	(void)arg;
	fail_msg("lost: %s", why);
}

static void
too_late(struct timer *t)
{
	(void)t;
	loop_stop(loop, 1);
}

static struct channel *
end_of(int fd)
{
	return channel_new(loop, fd, &(struct channel_options){1u << MSG_TLS, hear, lose, NULL});
}

static void
a_full_channel_is_no_fault_of_the_certificate(void **state)
{
	const struct keeper_target plan = {.name = SPAN("t"),
					   .ca = PLAN_NONE,
					   .cert = PLAN_NONE,
					   .key = PLAN_NONE,
					   .system_ca = true};
	const struct msg_tls none = {.cert = {"", 0}, .key = {"", 0}};
	struct tls_target t = {.plan = &plan, .awaited = PLAN_NONE, .system_ca = SPAN("a bundle")};
	struct timer late = {.fn = too_late};
	struct channel *egress;
	unsigned sent = 0;
	int fds[2];

	(void)state;
	loop = t.loop = loop_new();
	assert_int_equal(channel_pair(fds), 0);
	(void)rights_let(fds[1], true);
	t.egress = end_of(fds[0]);
	while (sent < FAR_TOO_MANY && channel_send(t.egress, MSG_TLS, &none, -1) == 0)
		sent++;
	assert_true(sent < FAR_TOO_MANY);
	tls_send(&t);
	assert_int_equal(t.told, TLS_FAULT_NONE);
	egress = end_of(fds[1]);
	timer_set(loop, &late, SOON_MS);
	assert_int_equal(loop_run(loop), 0);
	assert_true(came >= 0);
	close(came);
	timer_stop(loop, &late);
	channel_free(egress);
	channel_free(t.egress);
	loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_channel_is_no_fault_of_the_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
