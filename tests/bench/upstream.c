/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The upstream of a measurement: `upstream PORT` answers POSTs on 127.0.0.1 until its standard
 * input ends. A body that begins with {"user":"WORDS" chooses the answer:
 *
 *   sse GAP EVENTS   a stream: its head at once, then so many events, one in every GAP us
 *   big              256 KiB
 *   anything else    1 KiB
 *
 * A line on standard input is the key that is demanded from then on; until then any will do.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.h"

enum {
	CONNECTIONS = 4096, /* by descriptor */
	HEAD_BYTES = 16 * 1024,
	WORDS_BYTES = 64,
	SCRATCH_BYTES = 256 * 1024,
	KEY_BYTES = 256,
	BATCH = 256,
	SMALL = 960, /* with its envelope and head a KiB */
	BIG = 256 * 1024,
};

#define JSON_HEAD                                                                                  \
	"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n"             \
	"{\"id\":\"x\",\"choices\":[{\"message\":{\"content\":\""
#define JSON_END "\"}}]}"
#define SSE_HEAD                                                                                   \
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define CHUNK_HEAD "3c\r\n" /* EVENT_BYTES */

struct answer {
	char *bytes;
	size_t len;
};

struct conn {
	bool open, authorized;
	char head[HEAD_BYTES]; /* of the request, and what of its body came along */
	size_t have;
	char words[WORDS_BYTES]; /* the body's beginning */
	size_t words_have;
	uint64_t body_left;
	const struct answer *answer; /* under way */
	size_t sent;
	unsigned events_left;
	uint64_t gap;
};

static struct conn *conns[CONNECTIONS];
static uint64_t due[CONNECTIONS]; /* when the stream on it has its next event; 0: there is none */
static int highest;               /* descriptor of a connection */
static int epoll_fd;
static struct answer small, big, refusal;
static char key[KEY_BYTES]; /* "Bearer KEY", or empty */
static char scratch[SCRATCH_BYTES];

static void
answer_make(struct answer *a, const char *status, size_t pad)
{
	const char *envelope = strstr(JSON_HEAD, "\r\n\r\n") + 4;
	size_t room = sizeof JSON_HEAD + pad + sizeof JSON_END + WORDS_BYTES, head;

	a->bytes = malloc(room);
	if (a->bytes == NULL)
		abort();
	head = (size_t)snprintf(a->bytes, room, JSON_HEAD, status,
				strlen(envelope) + pad + strlen(JSON_END));
	memset(a->bytes + head, 'y', pad);
	memcpy(a->bytes + head + pad, JSON_END, sizeof JSON_END);
	a->len = head + pad + strlen(JSON_END);
}

static void
watch(int fd, int operation, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.fd = fd};

	if (epoll_ctl(epoll_fd, operation, fd, &e) != 0)
		give_up("epoll_ctl");
}

static void
conn_drop(int fd)
{
	conns[fd]->open = false;
	due[fd] = 0;
	close(fd);
}

/* ---- answers ---- */

static void
answer_go_on(int fd)
{
	struct conn *c = conns[fd];
	ssize_t n = send(fd, c->answer->bytes + c->sent, c->answer->len - c->sent, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN) {
		conn_drop(fd);
		return;
	}
	c->sent += n > 0 ? (size_t)n : 0;
	if (c->sent < c->answer->len) {
		watch(fd, EPOLL_CTL_MOD, EPOLLOUT);
	} else {
		if (c->answer == &big) /* the only one that may have had to wait */
			watch(fd, EPOLL_CTL_MOD, EPOLLIN);
		c->answer = NULL;
	}
}

/* A stream's reader that falls so far behind that its socket is full has failed the measurement. */
static void
stream_send(int fd, const char *ptr, size_t len)
{
	if (send(fd, ptr, len, MSG_NOSIGNAL) != (ssize_t)len)
		conn_drop(fd);
}

static void
stream_event(int fd)
{
	struct conn *c = conns[fd];
	char out[EVENT_BYTES + 32];
	int n = snprintf(out, sizeof out, CHUNK_HEAD EVENT_FORMAT "\r\n%s",
			 (unsigned long long)now_ns(), c->events_left == 1 ? "0\r\n\r\n" : "");

	c->events_left--;
	due[fd] = c->events_left > 0 ? due[fd] + c->gap : 0;
	stream_send(fd, out, (size_t)n);
}

static void
conn_answer(int fd)
{
	struct conn *c = conns[fd];
	unsigned gap, events;

	c->words[c->words_have] = '\0';
	if (!c->authorized) {
		c->answer = &refusal;
	} else if (sscanf(c->words, "{\"user\":\"sse %u %u\"", &gap, &events) == 2) {
		c->events_left = events;
		c->gap = (uint64_t)gap * 1000;
		due[fd] = now_ns() + c->gap;
		stream_send(fd, SSE_HEAD, strlen(SSE_HEAD));
		return;
	} else {
		c->answer = strncmp(c->words, "{\"user\":\"big\"", 13) == 0 ? &big : &small;
	}
	c->sent = 0;
	answer_go_on(fd);
}

/* ---- requests ---- */

static void
body_take(struct conn *c, const char *ptr, size_t len)
{
	size_t room = sizeof c->words - 1 - c->words_have;
	size_t n = len < room ? len : room;

	memcpy(c->words + c->words_have, ptr, n);
	c->words_have += n;
	c->body_left -= len < c->body_left ? len : c->body_left;
}

/* Whether the head is whole; its body has then begun. */
static bool
head_take(struct conn *c)
{
	char *end, *field;

	c->head[c->have] = '\0';
	end = strstr(c->head, "\r\n\r\n");
	if (end == NULL)
		return false;
	*end = '\0';
	end += 4;
	field = strcasestr(c->head, "\r\ncontent-length:");
	c->body_left = field == NULL ? 0 : strtoull(field + 17, NULL, 10);
	field = strcasestr(c->head, "\r\nauthorization: ");
	c->authorized =
		key[0] == '\0' || (field != NULL && strncmp(field + 17, key, strlen(key)) == 0);
	c->words_have = 0;
	body_take(c, end, c->have - (size_t)(end - c->head));
	c->have = 0;
	return true;
}

static void
conn_read(int fd)
{
	struct conn *c = conns[fd];
	bool inside = c->body_left > 0;
	char *to = inside ? scratch : c->head + c->have;
	ssize_t n = recv(fd, to, inside ? sizeof scratch : sizeof c->head - 1 - c->have, 0);

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			conn_drop(fd);
		return;
	}
	if (inside) {
		body_take(c, scratch, (size_t)n);
	} else {
		c->have += (size_t)n;
		if (!head_take(c))
			return;
	}
	if (c->body_left == 0)
		conn_answer(fd);
}

static void
conn_new(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 || fd >= CONNECTIONS)
		give_up("accept");
	if (conns[fd] == NULL)
		conns[fd] = malloc(sizeof *conns[fd]);
	if (conns[fd] == NULL)
		abort();
	*conns[fd] = (struct conn){.open = true};
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	watch(fd, EPOLL_CTL_ADD, EPOLLIN);
	highest = fd > highest ? fd : highest;
}

/* ---- the loop ---- */

/* Sends what is due, and returns the nanoseconds until the next is: less than a second. */
static uint64_t
streams_run(void)
{
	uint64_t now = now_ns(), next = now + SECOND_NS / 2;

	for (int fd = 0; fd <= highest; fd++) {
		if (due[fd] != 0 && due[fd] <= now)
			stream_event(fd);
		if (due[fd] != 0 && due[fd] < next)
			next = due[fd];
	}
	now = now_ns();
	return next > now ? next - now : 0;
}

static void
command_read(void)
{
	char line[KEY_BYTES - sizeof "Bearer "];
	ssize_t n = read(STDIN_FILENO, line, sizeof line - 1);

	if (n <= 0)
		exit(0);
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	(void)snprintf(key, sizeof key, "Bearer %s", line);
}

static int
listen_on(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4096) != 0)
		give_up("listen");
	return fd;
}

static void
dispatch(int listener, const struct epoll_event *e)
{
	int fd = e->data.fd;

	if (fd == listener)
		conn_new(fd);
	else if (fd == STDIN_FILENO)
		command_read();
	else if (!conns[fd]->open)
		return;
	else if (conns[fd]->answer != NULL)
		answer_go_on(fd);
	else
		conn_read(fd);
}

int
main(int argc, char **argv)
{
	struct epoll_event events[BATCH];
	int listener = listen_on(argc == 2 ? (uint16_t)strtoul(argv[1], NULL, 10) : 0);

	/* Without this the kernel may let an event wait 50 us longer than asked. */
	(void)prctl(PR_SET_TIMERSLACK, 1UL);
	answer_make(&small, "200 OK", SMALL);
	answer_make(&big, "200 OK", BIG);
	answer_make(&refusal, "401 Unauthorized", 0);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	watch(listener, EPOLL_CTL_ADD, EPOLLIN);
	watch(STDIN_FILENO, EPOLL_CTL_ADD, EPOLLIN);
	for (;;) {
		struct timespec wait = {0, (long)streams_run()};
		int n = epoll_pwait2(epoll_fd, events, BATCH, &wait, NULL);

		for (int i = 0; i < n; i++)
			dispatch(listener, &events[i]);
	}
}
