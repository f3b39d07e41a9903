/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/knock.h"

#include "base/num.h"

enum { REQUEST_MAX = 80 * 1024, ANSWER_MAX = 64 * 1024, PIECE = 4096, KNOCKS_MAX = 64 };

void
knock_init(struct knock *k, const char *host, uint16_t port)
{
	char mapped[INET6_ADDRSTRLEN + 8];

	*k = (struct knock){.fd = -1, .to = {.sin6_family = AF_INET6, .sin6_port = htons(port)}};
	snprintf(mapped, sizeof(mapped), "%s%s", strchr(host, ':') == NULL ? "::ffff:" : "", host);
	(void)inet_pton(AF_INET6, mapped, &k->to.sin6_addr);
	buf_init(&k->request, REQUEST_MAX);
	buf_init(&k->answer, ANSWER_MAX);
}

static void
hang_up(struct knock *k)
{
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}

void
knock_free(struct knock *k)
{
	hang_up(k);
	buf_free(&k->request);
	buf_free(&k->answer);
}

static void
add_host(struct knock *k)
{
	bool is_v4 = IN6_IS_ADDR_V4MAPPED(&k->to.sin6_addr);
	char host[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(is_v4 ? AF_INET : AF_INET6,
			is_v4 ? &k->to.sin6_addr.s6_addr[12] : (const void *)&k->to.sin6_addr, host,
			sizeof(host));
	(void)buf_addf(&k->request, is_v4 ? "%s" : "[%s]", host);
	if (k->to.sin6_port != htons(80))
		(void)buf_addf(&k->request, ":%u", (unsigned)ntohs(k->to.sin6_port));
}

void
knock_ask(struct knock *k, const char *method, const char *path, const char *lines)
{
	(void)buf_addf(&k->request, "%s %s HTTP/1.1\r\nHost: ", method, path);
	add_host(k);
	(void)buf_addf(&k->request, "\r\n%sConnection: close\r\n\r\n", lines);
}

/* A socket of the address's own family: a kernel may be without IPv6. */
static void
dial(struct knock *k)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = k->to.sin6_port};
	bool is_v4 = IN6_IS_ADDR_V4MAPPED(&k->to.sin6_addr);
	int bad;

	memcpy(&in4.sin_addr, &k->to.sin6_addr.s6_addr[12], sizeof(in4.sin_addr));
	k->fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (k->fd < 0)
		return;
	bad = is_v4 ? connect(k->fd, (const struct sockaddr *)&in4, sizeof(in4))
		    : connect(k->fd, (const struct sockaddr *)&k->to, sizeof(k->to));
	if (bad != 0 && errno != EINPROGRESS)
		hang_up(k);
}

static void
write_on(struct knock *k)
{
	socklen_t len = sizeof(int);
	int error = 0;
	ssize_t n;

	k->connected = getsockopt(k->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
	if (!k->connected || k->request.len == 0) {
		hang_up(k);
		return;
	}
	n = send(k->fd, k->request.ptr + k->sent, k->request.len - k->sent, MSG_NOSIGNAL);
	if (n > 0)
		k->sent += (size_t)n;
	if (n < 0 && errno != EAGAIN)
		hang_up(k);
}

/* Whether all came that the head announces: some services keep the connection open all the same. */
static bool
is_whole(struct span answer)
{
	struct span name = SPAN("content-length:");
	size_t at = 0, end;
	uint64_t length = UINT64_MAX;

	for (; (end = span_find(answer, at, '\n')) < answer.len; at = end + 1) {
		struct span line = span_cut(answer, at, end);

		if (span_is(line, "\r"))
			return length <= answer.len - end - 1;
		if (span_istarts(line, name) && span_ends(line, SPAN("\r")))
			(void)num_u64(span_trim(span_cut(line, name.len, line.len - 1)), UINT32_MAX,
				      &length);
	}
	return false;
}

static void
read_on(struct knock *k)
{
	char *room = buf_room(&k->answer, PIECE);
	ssize_t n = room == NULL ? 0 : recv(k->fd, room, PIECE, 0);

	if (n > 0)
		buf_grew(&k->answer, (size_t)n);
	if (n == 0 || (n < 0 && errno != EAGAIN) || is_whole(buf_span(&k->answer)))
		hang_up(k);
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* What each that is open waits for; their number. */
static size_t
gather(const struct knock *k, size_t n, struct pollfd *polled)
{
	size_t open = 0;

	for (size_t i = 0; i < n; i++) {
		bool writes = k[i].fd >= 0 && (!k[i].connected || k[i].sent < k[i].request.len);

		polled[i] = (struct pollfd){.fd = k[i].fd, .events = writes ? POLLOUT : POLLIN};
		open += k[i].fd >= 0;
	}
	return open;
}

void
knock_all(struct knock *k, size_t n, unsigned ms)
{
	uint64_t end = now_ms() + ms, now;
	struct pollfd polled[KNOCKS_MAX];

	n = n < KNOCKS_MAX ? n : KNOCKS_MAX;
	for (size_t i = 0; i < n; i++)
		dial(&k[i]);
	while (gather(k, n, polled) > 0 && (now = now_ms()) < end) {
		if (poll(polled, n, (int)(end - now)) < 0 && errno != EINTR)
			break;
		for (size_t i = 0; i < n; i++) {
			if (k[i].fd < 0 || polled[i].revents == 0)
				continue;
			(polled[i].events == POLLOUT ? write_on : read_on)(&k[i]);
		}
	}
	for (size_t i = 0; i < n; i++)
		hang_up(&k[i]);
}

unsigned
knock_status(const struct knock *k, struct span *body)
{
	struct span answer = buf_span(&k->answer), digits = span_cut(answer, 9, 12);
	const char *end;
	uint64_t status;

	if (!span_starts(answer, SPAN("HTTP/1.")) || digits.len != 3 ||
	    num_u64(digits, 599, &status) != 0)
		return 0;
	end = memmem(answer.ptr, answer.len, "\r\n\r\n", 4);
	if (body != NULL)
		*body = end == NULL ? SPAN("")
				    : span_cut(answer, (size_t)(end - answer.ptr) + 4, answer.len);
	return (unsigned)status;
}
