/* SPDX-License-Identifier: Apache-2.0 */
/* Two processes at the ends of a trunk, each of which sleeps while the other is at work. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "box/ring.h"
#include "box/trunk.h"

enum { TURNS = 20000, ALARM_S = 60 };

struct end {
	struct stream stream;
	struct buf rest;
	size_t came;
};

static struct loop *loop;
static struct end end;
static unsigned turns;

static void
room(struct stream *s)
{
	stream_send(s, &ev_owner(s, struct end, stream)->rest, 0);
}

static void
lost(void *arg, const char *why)
{
	(void)arg;
	fprintf(stderr, "the trunk is lost: %s\n", why);
	abort();
}

/* ---- the other process ---- */

/* Sends back what comes. */
static void
echo(struct stream *s, struct span bytes)
{
	(void)buf_add_span(&end.rest, bytes);
	stream_send(s, &end.rest, 1024);
}

static void
echoed(struct stream *s)
{
	(void)s;
	loop_stop(loop, 0);
}

static struct stream *
opened(void *arg)
{
	static const struct stream_events events = {echo, room, echoed};

	(void)arg;
	end.stream.events = &events;
	return &end.stream;
}

static void
run_echo(struct trunk_fds fds)
{
	struct trunk_options o = {TRUNK_EGRESS, 1, opened, lost, NULL};

	alarm(ALARM_S);
	loop = loop_new();
	if (trunk_open(loop, fds, &o) == NULL)
		_exit(1);
	_exit(loop_run(loop));
}

/* ---- this one ---- */

/* Short mostly; long at times, so that the ring is full. */
static size_t
turn_bytes(void)
{
	return turns % 100 == 99 ? 2 * RING_BYTES + turns : turns % 100 + 1;
}

static void
say(void)
{
	char *at = buf_room(&end.rest, turn_bytes());

	assert_non_null(at);
	memset(at, 'a', turn_bytes());
	buf_grew(&end.rest, turn_bytes());
	stream_send(&end.stream, &end.rest, 1024);
}

static void
next_turn(struct stream *s, struct span bytes)
{
	end.came += bytes.len;
	if (end.came < turn_bytes())
		return;
	assert_int_equal(end.came, turn_bytes());
	end.came = 0;
	if (++turns < TURNS) {
		say();
		return;
	}
	stream_close(s);
	loop_stop(loop, 0);
}

static void
never(struct stream *s)
{
	(void)s;
	abort();
}

/* If one is lost, the alarm ends this. */
static void
no_wake_up_is_lost(void **state)
{
	static const struct stream_events events = {next_turn, room, never};
	struct trunk_options o = {TRUNK_INGRESS, 1, NULL, lost, NULL};
	int made[TRUNK_MADE], status;
	struct trunk *t;
	pid_t child;

	(void)state;
	buf_init(&end.rest, 8 * RING_BYTES);
	assert_int_equal(trunk_create(made), 0);
	child = fork();
	if (child == 0)
		run_echo(trunk_fds(made, TRUNK_EGRESS));
	loop = loop_new();
	t = trunk_open(loop, trunk_fds(made, TRUNK_INGRESS), &o);
	assert_non_null(t);
	alarm(ALARM_S);
	assert_true(stream_open(t, &end.stream, &events));
	say();
	(void)loop_run(loop);
	trunk_free(t); /* rings for what was said last */
	assert_int_equal(waitpid(child, &status, 0), child);
	alarm(0);
	assert_int_equal(status, 0);
	assert_int_equal(turns, TURNS);
	buf_free(&end.rest);
	loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_wake_up_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
