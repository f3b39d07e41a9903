/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/health.h"

#include "base/auto.h"
#include "config/config.h"

enum { ANSWER_MAX = 1024 * 1024, TIMEOUT_S = 3 };

struct question {
	const char *config;
	const char *path; /* /healthz or /readyz */
	bool started;     /* look for "started":true whatever the status */
};

static const char usage[] =
	"usage: sidekey health [-c FILE] [--ready | --started]\n"
	"\n"
	"Asks the admin port of the running sidekey. Exit 0: good, 1: not, 2: usage.\n"
	"  (no option)  its processes answer (/healthz)\n"
	"  --ready      every required target can be called (/readyz)\n"
	"  --started    it has been ready once (for start-up probes)\n";

static int
dial(const struct config_listener *l)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(l->port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(l->port)};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct timeval limit = {TIMEOUT_S, 0};
	char host[INET6_ADDRSTRLEN];
	const void *to = &in4;
	socklen_t len = sizeof(in4);
	auto_close int fd = -1;

	snprintf(host, sizeof(host), "%.*s", (int)l->host.len, l->is_unix ? "" : l->host.ptr);
	if (l->is_unix) {
		if (l->path.len >= sizeof(un.sun_path))
			return -1;
		memcpy(un.sun_path, l->path.ptr, l->path.len);
		to = &un;
		len = sizeof(un);
	} else if (inet_pton(AF_INET, host, &in4.sin_addr) == 1) {
		if (in4.sin_addr.s_addr == htonl(INADDR_ANY))
			in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	} else {
		(void)inet_pton(AF_INET6, host, &in6.sin6_addr);
		if (IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr))
			in6.sin6_addr = in6addr_loopback;
		to = &in6;
		len = sizeof(in6);
	}
	fd = socket(((const struct sockaddr *)to)->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, to, len) != 0)
		return -1;
	return take_fd(&fd);
}

/* The whole answer; 0 or -1. */
static int
ask(const struct config_listener *l, const char *path, struct buf *answer)
{
	auto_close int fd = dial(l);
	struct buf request;
	ssize_t n;

	if (fd < 0)
		return -1;
	buf_init(&request, 1024);
	(void)buf_addf(&request, "GET %s HTTP/1.1\r\nHost: ", path);
	if (l->is_unix)
		(void)buf_add_str(&request, "localhost");
	else
		(void)buf_addf(&request, "127.0.0.1:%u", (unsigned)l->port);
	(void)buf_add_str(&request, "\r\nConnection: close\r\n\r\n");
	n = send(fd, request.ptr, request.len, MSG_NOSIGNAL);
	buf_free(&request);
	while (n > 0) {
		char *room = buf_room(answer, 4096);

		if (room == NULL)
			return -1;
		n = recv(fd, room, 4096, 0);
		if (n > 0)
			buf_grew(answer, (size_t)n);
	}
	return n == 0 && answer->len > 0 ? 0 : -1;
}

static bool
contains(struct span text, struct span part)
{
	for (size_t i = 0; i + part.len <= text.len; i++)
		if (span_starts(span_cut(text, i, text.len), part))
			return true;
	return false;
}

static int
judge(const struct question *q, const struct config *c)
{
	struct buf answer;
	bool good = false;

	buf_init(&answer, ANSWER_MAX);
	for (size_t i = 0; i < c->admin.n && answer.len == 0; i++)
		if (ask(&c->admin.items[i], q->path, &answer) != 0)
			buf_clear(&answer, 0);
	if (answer.len == 0)
		fprintf(stderr, "sidekey health: nobody answers on the admin port; is sidekey "
				"running with this configuration?\n");
	else if (q->started)
		good = contains(buf_span(&answer), SPAN("\"started\":true"));
	else
		good = span_starts(buf_span(&answer), SPAN("HTTP/1.1 200 "));
	if (answer.len > 0 && !good)
		fprintf(stderr, "sidekey health: not %s; see %s on the admin port\n",
			q->started          ? "started"
			: q->path[1] == 'r' ? "ready"
					    : "healthy",
			q->path);
	buf_free(&answer);
	return good ? 0 : 1;
}

static int
parse(int argc, char **argv, struct question *q)
{
	*q = (struct question){NULL, "/healthz", false};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			q->config = argv[++i];
		else if (strcmp(argv[i], "--ready") == 0)
			q->path = "/readyz";
		else if (strcmp(argv[i], "--started") == 0)
			*q = (struct question){q->config, "/readyz", true};
		else
			return -1;
	}
	return 0;
}

int
cli_health(int argc, char **argv)
{
	struct config_source source = {NULL, config_own_environment()};
	struct config_faults faults;
	struct config *c = NULL;
	struct question q;
	int status = 2;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	if (parse(argc, argv, &q) != 0) {
		fputs(usage, stderr);
		return 2;
	}
	source.path = q.config;
	fault_init(&faults);
	if (config_read(&source, &c, &faults) != 0)
		fault_print(&faults, stderr);
	else
		status = judge(&q, c);
	fault_free(&faults);
	config_free(c);
	return status;
}
