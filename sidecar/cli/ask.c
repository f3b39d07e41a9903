/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/ask.h"

#include "base/auto.h"
#include "base/num.h"
#include "http/grammar.h"

enum { REQUEST_MAX = 8 * 1024, TIMEOUT_S = 3 };

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

/* False: the token could not stand in a header. */
static bool
write_request(struct buf *b, const struct config_listener *l, const char *path, const char *token)
{
	int bad = buf_addf(b, "GET %s HTTP/1.1\r\nHost: ", path);

	if (l->is_unix)
		bad |= buf_add_str(b, "localhost");
	else
		bad |= buf_addf(b, "127.0.0.1:%u", (unsigned)l->port);
	if (token != NULL && !grammar_is_field_value(span_of(token)))
		return false;
	if (token != NULL)
		bad |= buf_addf(b, "\r\nAuthorization: Bearer %s", token);
	return (bad | buf_add_str(b, "\r\nConnection: close\r\n\r\n")) == 0;
}

/*
 * GET path from l: appends the whole answer, head and body. 0, or -1 when nobody answers within
 * seconds.
 */
static int
ask_get(const struct config_listener *l, const char *path, const char *token, struct buf *answer)
{
	auto_close int fd = dial(l);
	struct buf request;
	ssize_t n = -1;

	if (fd < 0)
		return -1;
	buf_init(&request, REQUEST_MAX);
	if (write_request(&request, l, path, token))
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

unsigned
ask_status(struct span answer, struct span *body)
{
	struct span version = SPAN("HTTP/1.1 ");
	uint64_t status;

	if (!span_starts(answer, version) ||
	    num_u64(span_cut(answer, version.len, version.len + 3), 599, &status) != 0)
		return 0;
	for (size_t i = 0; i + 4 <= answer.len; i++)
		if (span_is(span_cut(answer, i, i + 4), "\r\n\r\n")) {
			*body = span_cut(answer, i + 4, answer.len);
			return (unsigned)status;
		}
	return 0;
}

void
ask_admin(const struct config_listeners *listeners, const char *path, struct buf *answer)
{
	for (size_t i = 0; i < listeners->n && answer->len == 0; i++)
		if (ask_get(&listeners->items[i], path, NULL, answer) != 0)
			buf_clear(answer, 0);
}

unsigned
ask_secured(const struct config_listeners *listeners, const char *path, const char *token,
	    struct buf *answer, struct span *body)
{
	unsigned status = 0;

	for (int unix_ones = 1; unix_ones >= 0; unix_ones--)
		for (size_t i = 0; i < listeners->n && status == 0; i++) {
			const struct config_listener *l = &listeners->items[i];

			if (l->is_unix != (unix_ones == 1))
				continue;
			buf_clear(answer, 0);
			if (ask_get(l, path, l->is_unix ? NULL : token, answer) == 0)
				status = ask_status(buf_span(answer), body);
		}
	return status;
}
