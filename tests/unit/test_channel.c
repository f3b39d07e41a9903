/* SPDX-License-Identifier: Apache-2.0 */
/* The two ends of a channel: a peer that does not read, and one that is hostile. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "box/channel.h"

#include "base/rights.h"

enum { MANY = 3000, VALUE = 2000, FAR_TOO_MANY = 100 * 1000, SOON_MS = 20 * 1000 };

/* What one end has heard. */
struct ear {
	unsigned heard;
	bool in_order;
	int fd; /* the last that came along */
	bool lost;
	const char *why;
	unsigned until; /* messages, after which the loop stops */
};

static struct loop *loop;

static void
hear(void *arg, enum msg_type type, const void *obj, int fd)
{
	struct ear *e = arg;

	if (type == MSG_ENV) {
		const struct msg_env *m = obj;
		char number[16];

		snprintf(number, sizeof(number), "%u", e->heard);
		e->in_order = e->in_order && span_is(m->name, number) && m->value.len == VALUE;
	}
	if (fd >= 0)
		e->fd = fd;
	if (++e->heard == e->until)
		loop_stop(loop, 0);
}

static void
lose(void *arg, const char *why)
{
	struct ear *e = arg;

	e->lost = true;
	e->why = why;
	loop_stop(loop, 0);
}

static struct channel *
end_of(int fd, struct ear *e, uint32_t accepts)
{
	struct channel_options o = {accepts, hear, lose, e};

	*e = (struct ear){.in_order = true, .fd = -1};
	return channel_new(loop, fd, &o);
}

static void
too_late(struct timer *t)
{
	(void)t;
	loop_stop(loop, 1);
}

/* Until a message or a loss stops it. */
static void
listen_to_it(void)
{
	struct timer late = {.fn = too_late};

	timer_set(loop, &late, SOON_MS);
	assert_int_equal(loop_run(loop), 0);
	timer_stop(loop, &late);
}

static int
send_number(struct channel *c, unsigned i)
{
	static char value[VALUE];
	char name[16];

	memset(value, 'v', sizeof(value));
	snprintf(name, sizeof(name), "%u", i);
	return channel_send(c, MSG_ENV, &(struct msg_env){span_of(name), {value, sizeof(value)}},
			    -1);
}

static int
send_fd(struct channel *c, int fd)
{
	return channel_send(c, MSG_TLS, &(struct msg_tls){.has_ca = true}, fd);
}

static void
what_waits_arrives_whole_and_in_order(void **state)
{
	struct ear teller_ear, ear;
	struct channel *teller, *listener;
	int fds[2], hole[2];
	char byte = 0;

	(void)state;
	loop = loop_new();
	assert_int_equal(channel_pair(fds), 0);
	(void)rights_let(fds[1], true);
	assert_int_equal(pipe(hole), 0);
	teller = end_of(fds[0], &teller_ear, 0);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(send_number(teller, i), 0);
	assert_int_equal(send_fd(teller, hole[1]), 0);
	close(hole[1]);
	listener = end_of(fds[1], &ear, 1u << MSG_ENV | 1u << MSG_TLS);
	ear.until = MANY + 1;
	listen_to_it();
	assert_int_equal(ear.heard, MANY + 1);
	assert_true(ear.in_order);
	assert_int_equal(write(ear.fd, "x", 1), 1);
	assert_int_equal(read(hole[0], &byte, 1), 1);
	assert_int_equal(send_number(teller, 0), 0); /* at once again */
	assert_false(ear.lost || teller_ear.lost);
	close(ear.fd);
	close(hole[0]);
	channel_free(teller);
	channel_free(listener);
	loop_free(loop);
}

static struct channel *endless; /* sends another message for each that is heard */

static void
hear_another(void *arg, enum msg_type type, const void *obj, int fd)
{
	hear(arg, type, obj, fd);
	if (((struct ear *)arg)->heard < FAR_TOO_MANY)
		assert_int_equal(send_number(endless, 0), 0);
}

/* A sender that keeps up with its reader takes no turn from a timer, or from a signal. */
static void
who_never_stops_is_not_alone(void **state)
{
	struct ear teller_ear, ear = {.fd = -1};
	struct channel_options o = {1u << MSG_ENV, hear_another, lose, &ear};
	struct timer due = {.fn = too_late};
	struct channel *listener;
	int fds[2];

	(void)state;
	loop = loop_new();
	assert_int_equal(channel_pair(fds), 0);
	endless = end_of(fds[0], &teller_ear, 0);
	listener = channel_new(loop, fds[1], &o);
	assert_int_equal(send_number(endless, 0), 0);
	timer_set(loop, &due, 1);
	assert_int_equal(loop_run(loop), 1);
	assert_in_range(ear.heard, 1, FAR_TOO_MANY - 1);
	channel_free(endless);
	channel_free(listener);
	loop_free(loop);
}

static void
who_never_reads_is_given_up(void **state)
{
	struct ear ear;
	struct channel *teller;
	unsigned taken = 0;
	int fds[2], hole[2];
	char byte;

	(void)state;
	loop = loop_new();
	assert_int_equal(channel_pair(fds), 0);
	(void)rights_let(fds[1], true);
	assert_int_equal(pipe(hole), 0);
	teller = end_of(fds[0], &ear, 0);
	while (taken < MANY && send_number(teller, taken) == 0)
		taken++;
	assert_int_equal(send_fd(teller, hole[1]), 0);
	while (taken < FAR_TOO_MANY && send_number(teller, taken) == 0)
		taken++;
	assert_true(taken < FAR_TOO_MANY);
	assert_int_equal(send_fd(teller, hole[1]), -1);
	close(hole[1]);
	channel_free(teller); /* with all that waits, descriptors included */
	assert_int_equal(read(hole[0], &byte, 1), 0);
	close(hole[0]);
	close(fds[1]);
	loop_free(loop);
}

static void
who_leaves_is_noticed_with_much_waiting(void **state)
{
	struct ear ear;
	struct channel *teller;
	int fds[2];

	(void)state;
	loop = loop_new();
	assert_int_equal(channel_pair(fds), 0);
	teller = end_of(fds[0], &ear, 0);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(send_number(teller, i), 0);
	close(fds[1]);
	listen_to_it();
	assert_true(ear.lost);
	assert_int_equal(send_number(teller, 0), -1);
	channel_free(teller);
	loop_free(loop);
}

/* What a peer says that somebody else has taken over. */
static const struct lie {
	unsigned char bytes[24];
	size_t len; /* more than there are: zeros */
	int nfds;
	const char *why, *comment;
} lies[] = {
	{{MSG_NONE}, 1, 0, "a type", "no type"},
	{{MSG_TYPES}, 1, 0, "a type", "the first beyond the last"},
	{{255}, 1, 0, "a type", "one far beyond"},
	{{MSG_SECRET}, 1, 0, "a type", "a type that this peer may not send"},
	{{MSG_ENV}, 1, 0, "its form", "nothing behind the type"},
	{{MSG_ENV, 255, 255, 255, 255}, 5, 0, "its form", "a length beyond the end"},
	{{MSG_ENV}, 9 + 1, 0, "its form", "a byte too many"},
	{{MSG_ENV}, MSG_BYTES_MAX + 1, 0, "too large", "longer than any message"},
	{{MSG_ENV}, 9, 1, "carries none", "a descriptor where none is due"},
	{{MSG_TLS, 0}, 2, 2, "too much", "two descriptors"},
	{{MSG_TLS, 0}, 2, 3, "too much", "three, of which the kernel drops one"},
};

/* Returns what sendmsg says. */
static ssize_t
say(int sock, const struct lie *lie, int fd)
{
	static char bytes[MSG_BYTES_MAX + 1];
	struct iovec iov = {bytes, lie->len};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(3 * sizeof(int))];
	} control = {0};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, lie->bytes, sizeof(lie->bytes));
	if (lie->nfds > 0) {
		size_t size = (size_t)lie->nfds * sizeof(int);

		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE(size);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(size);
		for (int i = 0; i < lie->nfds; i++)
			memcpy(CMSG_DATA(&control.head) + (size_t)i * sizeof(int), &fd,
			       sizeof(int));
	}
	return sendmsg(sock, &m, 0);
}

static void
a_lie_ends_the_channel(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lies); i++) {
		struct ear ear;
		struct channel *c;
		int fds[2], hole[2];
		char byte;

		loop = loop_new();
		assert_int_equal(channel_pair(fds), 0);
		(void)rights_let(fds[0], true);
		assert_int_equal(pipe(hole), 0);
		c = end_of(fds[0], &ear, 1u << MSG_ENV | 1u << MSG_TLS);
		assert_int_equal(say(fds[1], &lies[i], hole[1]), (ssize_t)lies[i].len);
		close(hole[1]);
		listen_to_it();
		if (!ear.lost || ear.heard > 0 || ear.why == NULL ||
		    strstr(ear.why, lies[i].why) == NULL)
			fail_msg("%s: %s", lies[i].comment, ear.why == NULL ? "-" : ear.why);
		/* No descriptor is left, unless an emulator keeps what it does not hand on. */
		if (lies[i].nfds < 2 || !is_emulated())
			assert_int_equal(read(hole[0], &byte, 1), 0);
		assert_int_equal(send_number(c, 0), -1);
		close(hole[0]);
		close(fds[1]);
		channel_free(c);
		loop_free(loop);
	}
}

/* To be closed by who receives it, which may take for ever (base/rights.h). */
static void
no_descriptor_comes_where_none_is_due(void **state)
{
	const struct lie tls = {{MSG_TLS, 0}, 2, 1, "", ""};
	int fds[2], off = 0;

	(void)state;
	assert_int_equal(channel_pair(fds), 0);
	if (setsockopt(fds[0], SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off)) != 0) {
		close(fds[0]);
		close(fds[1]);
		print_message("skipped: the kernel lets all of them pass, before 6.16\n");
		skip();
	}
	for (int to = 0; to < 2; to++) {
		assert_int_equal(say(fds[1 - to], &tls, STDERR_FILENO), -1);
		assert_int_equal(errno, EPERM);
	}
	(void)rights_let(fds[1], true);
	assert_int_equal(say(fds[0], &tls, STDERR_FILENO), (ssize_t)tls.len);
	assert_int_equal(say(fds[1], &tls, STDERR_FILENO), -1);
	close(fds[0]);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_waits_arrives_whole_and_in_order),
		cmocka_unit_test(who_never_stops_is_not_alone),
		cmocka_unit_test(who_never_reads_is_given_up),
		cmocka_unit_test(who_leaves_is_noticed_with_much_waiting),
		cmocka_unit_test(a_lie_ends_the_channel),
		cmocka_unit_test(no_descriptor_comes_where_none_is_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
