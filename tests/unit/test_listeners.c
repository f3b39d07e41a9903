/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "parent/listeners.h"

enum { MODE = 0660, NOBODY = 65534 };

static struct {
	char top[32], socket[64], other[64];
	void (*after_bind)(void); /* what another user does meanwhile, or NULL */
} place;

/* In the C library's place: what lies at the socket's path then is a matter of the directory. */
int
bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
	int bad = (int)syscall(SYS_bind, fd, address.__sockaddr__, len);

	if (bad == 0 && place.after_bind != NULL)
		place.after_bind();
	return bad;
}

static int
make_place(void **state)
{
	int fd;

	(void)state;
	place.after_bind = NULL;
	snprintf(place.top, sizeof(place.top), "/tmp/sidekey-listeners-XXXXXX");
	if (mkdtemp(place.top) == NULL)
		return -1;
	snprintf(place.socket, sizeof(place.socket), "%s/socket", place.top);
	snprintf(place.other, sizeof(place.other), "%s/other", place.top);
	fd = open(place.other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	return fd < 0 ? -1 : close(fd);
}

static int
remove_place(void **state)
{
	(void)state;
	(void)unlink(place.socket);
	(void)unlink(place.other);
	return rmdir(place.top);
}

/* Root may name any group, others one of theirs. */
static gid_t
a_group(void)
{
	return geteuid() == 0 ? 4711 : getegid();
}

/* The descriptor, or -1 with the sentence in why. */
static int
open_one(struct buf *why)
{
	struct plan_listener l = {.path = span_of(place.socket),
				  .name = span_of(place.socket),
				  .is_unix = true,
				  .mode = MODE,
				  .group = (int64_t)a_group()};
	const struct plans plans = {.listeners = &l, .nlisteners = 1};
	int fd = -1;

	buf_init(why, 1024);
	return listeners_open(&plans, &fd, why) == 0 ? fd : -1;
}

static bool
says(const struct buf *why, const char *words)
{
	return span_has(buf_span(why), span_of(words));
}

static void
a_socket_has_its_mode_and_group_whatever_the_umask(void **state)
{
	static const mode_t masks[] = {0, 0022, 0077, 0777};

	(void)state;
	for (size_t i = 0; i < COUNT(masks); i++) {
		mode_t before = umask(masks[i]);
		struct buf why;
		struct stat st;
		int fd = open_one(&why);

		assert_int_equal(umask(before), masks[i]);
		assert_true(fd >= 0);
		assert_int_equal(lstat(place.socket, &st), 0);
		assert_true(S_ISSOCK(st.st_mode));
		assert_int_equal(st.st_mode & 07777, MODE);
		assert_int_equal(st.st_gid, a_group());
		close(fd);
		buf_free(&why);
	}
}

static void
put_link(void)
{
	assert_int_equal(unlink(place.socket), 0);
	assert_int_equal(symlink("other", place.socket), 0);
}

static void
put_file(void)
{
	assert_int_equal(rename(place.other, place.socket), 0);
}

/* Such as the admin socket, which is open to fewer. */
static void
put_other_socket(void)
{
	assert_int_equal(unlink(place.other), 0);
	assert_int_equal(rename(place.socket, place.other), 0);
	assert_int_equal(mknod(place.socket, S_IFSOCK, 0), 0);
	assert_int_equal(chmod(place.socket, 0600), 0);
}

static const struct {
	void (*put)(void);
	const char *path; /* what must stay as it is: mode 0600 and our group */
	const char *why;
} swaps[] = {
	{put_link, place.other, "a link"},
	{put_file, place.socket, "a file"},
	{put_other_socket, place.socket, "another socket"},
};

static void
what_takes_the_place_of_a_new_socket_stays_as_it_is(void **state)
{
	for (size_t i = 0; i < COUNT(swaps); i++) {
		mode_t before = umask(0022);
		struct buf why;
		struct stat st;
		int fd;

		assert_int_equal(make_place(state), 0);
		place.after_bind = swaps[i].put;
		fd = open_one(&why);
		umask(before);
		if (fd >= 0 || !says(&why, "sidekey's user alone may write"))
			fail_msg("%s was taken for the socket: %.*s", swaps[i].why, (int)why.len,
				 why.ptr);
		assert_int_equal(lstat(swaps[i].path, &st), 0);
		if ((st.st_mode & 07777) != 0600 || st.st_gid != getegid())
			fail_msg("%s got mode or group", swaps[i].why);
		buf_free(&why);
		assert_int_equal(remove_place(state), 0);
	}
}

static void
a_socket_whose_owner_takes_no_calls_is_somebody_s(void **state)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int owner = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), waiting[4];
	struct buf why;

	(void)state;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", place.socket);
	assert_int_equal(bind(owner, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(owner, 0), 0);
	for (size_t i = 0; i < COUNT(waiting); i++) {
		waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(waiting[i], (struct sockaddr *)&un, sizeof(un));
	}
	alarm(5); /* or it would hang */
	assert_int_equal(open_one(&why), -1);
	alarm(0);
	assert_true(says(&why, "another program holds it"));
	buf_free(&why);
	for (size_t i = 0; i < COUNT(waiting); i++)
		close(waiting[i]);
	close(owner);
}

static void
a_socket_that_was_left_over_is_taken(void **state)
{
	struct buf why;
	int fd = open_one(&why);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	fd = open_one(&why);
	assert_true(fd >= 0);
	assert_int_equal(open_one(&why), -1);
	assert_true(says(&why, "another program holds it"));
	buf_free(&why);
	close(fd);
}

/* As a user of its own, whom modes hold: 0 when the listener opens. */
static int
open_as_nobody(void)
{
	struct buf why;

	if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0 || prctl(PR_SET_DUMPABLE, 1) != 0)
		return 2;
	return open_one(&why) >= 0 ? 0 : 1;
}

static void
a_socket_of_a_start_that_failed_is_taken(void **state)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int left = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), status = -1;
	pid_t child;

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", place.socket);
	assert_int_equal(bind(left, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(chmod(place.socket, 0), 0);
	close(left);
	assert_int_equal(chown(place.socket, NOBODY, NOBODY), 0);
	assert_int_equal(chown(place.top, NOBODY, NOBODY), 0);
	child = fork();
	if (child == 0)
		_exit(open_as_nobody());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_PLACE(a_socket_has_its_mode_and_group_whatever_the_umask),
		cmocka_unit_test(what_takes_the_place_of_a_new_socket_stays_as_it_is),
		IN_PLACE(a_socket_whose_owner_takes_no_calls_is_somebody_s),
		IN_PLACE(a_socket_that_was_left_over_is_taken),
		IN_PLACE(a_socket_of_a_start_that_failed_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
