/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/knock.h"

#define CLOSE "Connection: close\r\n\r\n"

static const struct {
	const char *answer;
	unsigned status;
	const char *body;
	const char *why;
} answers[] = {
	{"HTTP/1.1 200 OK\r\nA: b\r\n\r\nhello", 200, "hello", "an answer"},
	{"HTTP/1.0 404 No\r\n\r\n", 404, "", "of the version before"},
	{"HTTP/1.1 200 OK\r\nA: b\r\n", 200, "", "whose head has not ended"},
	{"HTTP/1.1 2", 0, "", "cut short"},
	{"HTTP/1.1 999 X\r\n\r\n", 0, "", "with a status that is none"},
	{"SSH-2.0-OpenSSH_9.2\r\n", 0, "", "of another protocol"},
	{"", 0, "", "none"},
};

static void
an_answer_has_a_status_and_a_body(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		struct span body = SPAN("");
		struct knock k;

		knock_init(&k, "127.0.0.1", 80);
		assert_int_equal(buf_add_str(&k.answer, answers[i].answer), 0);
		if (knock_status(&k, &body) != answers[i].status || !span_is(body, answers[i].body))
			fail_msg("wrong of an answer: %s", answers[i].why);
		knock_free(&k);
	}
}

static void
a_request_names_its_host(void **state)
{
	static const struct {
		const char *host;
		uint16_t port;
		const char *wanted;
	} rows[] = {
		{"192.0.2.1", 80, "PUT /a HTTP/1.1\r\nHost: 192.0.2.1\r\nX: y\r\n" CLOSE},
		{"fd00:ec2::254", 81,
		 "PUT /a HTTP/1.1\r\nHost: [fd00:ec2::254]:81\r\nX: y\r\n" CLOSE},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct knock k;

		knock_init(&k, rows[i].host, rows[i].port);
		knock_ask(&k, "PUT", "/a", "X: y\r\n");
		assert_true(span_is(buf_span(&k.request), rows[i].wanted));
		knock_free(&k);
	}
}

/* One that listens and never answers, and one where nobody listens, in the time of one. */
static void
who_is_silent_is_not_waited_for(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(at);
	struct knock k[2];

	(void)state;
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	knock_init(&k[0], "127.0.0.1", ntohs(at.sin_port));
	knock_ask(&k[0], "GET", "/", "");
	knock_init(&k[1], "127.0.0.2", 1);
	knock_all(k, 2, 50);
	assert_true(k[0].connected);
	assert_false(k[1].connected);
	assert_int_equal(knock_status(&k[0], NULL), 0);
	knock_free(&k[0]);
	knock_free(&k[1]);
	close(fd);
}

/* The child answers and keeps the connection; waiting for its end would take the test's whole
 * time. */
static void
an_answer_is_over_where_its_head_says(void **state)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-LENGTH: 5\r\n\r\nhello";
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status = -1;
	socklen_t len = sizeof(at);
	struct span body = SPAN("");
	struct knock k;
	pid_t child;

	(void)state;
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	child = fork();
	if (child == 0) {
		char byte;
		int to = accept(fd, NULL, NULL);
		bool good = write(to, answer, sizeof(answer) - 1) > 0;

		while (recv(to, &byte, 1, 0) > 0)
			;
		_exit(good ? 0 : 1);
	}
	knock_init(&k, "127.0.0.1", ntohs(at.sin_port));
	knock_ask(&k, "GET", "/", "");
	knock_all(&k, 1, 600 * 1000);
	assert_int_equal(knock_status(&k, &body), 200);
	assert_true(span_is(body, "hello"));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	knock_free(&k);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_has_a_status_and_a_body),
		cmocka_unit_test(a_request_names_its_host),
		cmocka_unit_test(an_answer_is_over_where_its_head_says),
		cmocka_unit_test(who_is_silent_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
