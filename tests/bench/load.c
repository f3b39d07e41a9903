/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads 127.0.0.1:PORT with POSTs of the body in FILE, on kept connections, and prints the figures
 * as one object of JSON. PIDs are processes whose CPU time is read around the measured window,
 * which begins after a tenth of the time, and not before every connection has had its first call.
 *
 *   load closed PORT CONNECTIONS SECONDS FILE PID...
 *                    each connection calls again as soon as it was answered
 *   load rate:N      N calls a second whatever the answers do; a latency counts from the moment
 *                    that the call was due (no coordinated omission)
 *   load streams:US  as closed, with the first calls spread over so many microseconds; events of
 *                    the answers carry the time at which they were sent (wire.h)
 *   load hold        begins a call on each connection, says "open" when every head has come, and
 *                    holds them until standard input ends
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reply.h"
#include "samples.h"
#include "wire.h"

enum {
	CONNECTIONS_MAX = 4096,
	PIDS_MAX = 64,
	BODY_MAX = 1024 * 1024,
	HEAD_MAX = 512,
	READ_BYTES = 64 * 1024,
	BATCH = 256,
	WARM_PART = 10, /* of the time, to settle in */
};

struct conn {
	int fd;
	bool busy;
	size_t sent; /* bytes of the request */
	uint64_t due, begun;
	struct reply reply;
	char line[EVENT_BYTES + 1]; /* of the stream */
	size_t have;
};

struct figures {
	uint64_t answers, errors, events;
	struct samples latency, first, delay;
	char fault[128]; /* the first one */
};

struct processes {
	pid_t pid[PIDS_MAX];
	uint64_t cpu[PIDS_MAX];
	int count;
};

static struct conn conns[CONNECTIONS_MAX];
static int idle[CONNECTIONS_MAX]; /* a ring, so that each connection has its turn */
static unsigned idle_first, idle_count, connections;
static char request[HEAD_MAX + BODY_MAX];
static size_t request_len;
static uint16_t port;
static int epoll_fd;
static bool again; /* an answer begins the next call */
static struct figures figures;

/* ---- CPU time ---- */

/* Of all threads, in nanoseconds; a process that is gone has none. */
static uint64_t
process_cpu(pid_t pid)
{
	char path[PATH_MAX];
	uint64_t total = 0;
	struct dirent *entry;
	DIR *tasks;

	(void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (tasks == NULL)
		return 0;
	while ((entry = readdir(tasks)) != NULL) {
		unsigned long long ns;
		FILE *file;

		(void)snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid,
			       entry->d_name);
		file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (file == NULL)
			continue;
		if (fscanf(file, "%llu", &ns) == 1)
			total += ns;
		(void)fclose(file);
	}
	(void)closedir(tasks);
	return total;
}

/* Called twice: the second time what was used in between remains. */
static void
processes_read(struct processes *p)
{
	for (int i = 0; i < p->count; i++)
		p->cpu[i] = process_cpu(p->pid[i]) - p->cpu[i];
}

/* ---- calls ---- */

static void
fail(const char *what, int status)
{
	if (figures.errors++ == 0)
		(void)snprintf(figures.fault, sizeof figures.fault, "%s, status %d", what, status);
}

/* An event's stamp beside the time of now. */
static void
event_line(const char *line)
{
	uint64_t stamp;

	if (strncmp(line, EVENT_BEGIN, strlen(EVENT_BEGIN)) != 0)
		return;
	stamp = strtoull(line + strlen(EVENT_BEGIN), NULL, 10);
	samples_add(&figures.delay, now_ns() - stamp);
	figures.events++;
}

static void
events_take(void *arg, const char *ptr, size_t len)
{
	struct conn *c = arg;

	for (size_t i = 0; i < len; i++) {
		if (ptr[i] == '\n') {
			c->line[c->have] = '\0';
			c->have = 0;
			event_line(c->line);
		} else if (c->have < sizeof c->line - 1) {
			c->line[c->have++] = ptr[i];
		}
	}
}

static void
conn_watch(struct conn *c, int operation, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.u32 = (uint32_t)(c - conns)};

	if (epoll_ctl(epoll_fd, operation, c->fd, &e) != 0)
		give_up("epoll_ctl");
}

static void
conn_open(struct conn *c)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
		give_up("connect");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	conn_watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

static void
conn_renew(struct conn *c)
{
	close(c->fd);
	conn_open(c);
}

static void
conn_write(struct conn *c)
{
	bool waited = c->sent > 0;
	ssize_t n =
		send(c->fd, request + c->sent, request_len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

	/* An error shows when the answer is read. */
	c->sent += n > 0 ? (size_t)n : 0;
	if (c->sent < request_len && (n >= 0 || errno == EAGAIN))
		conn_watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
	else if (waited)
		conn_watch(c, EPOLL_CTL_MOD, EPOLLIN);
}

static void
conn_begin(struct conn *c, uint64_t due)
{
	c->busy = true;
	c->due = due;
	c->begun = now_ns();
	c->sent = c->have = 0;
	c->reply = (struct reply){.take = events_take, .arg = c};
	conn_write(c);
}

static void
conn_end(struct conn *c)
{
	uint64_t now = now_ns();

	c->busy = false;
	if (c->reply.at != REPLY_DONE) {
		fail("the connection was lost", c->reply.status);
		conn_renew(c);
	} else if (c->reply.status != 200) {
		fail("refused", c->reply.status);
	} else {
		figures.answers++;
		samples_add(&figures.latency, now - c->due);
	}
	if (c->reply.closes)
		conn_renew(c);
	if (again)
		conn_begin(c, now);
	else
		idle[(idle_first + idle_count++) % CONNECTIONS_MAX] = (int)(c - conns);
}

static void
conn_read(struct conn *c)
{
	static char bytes[READ_BYTES];
	ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
	bool had_head = reply_has_head(&c->reply);

	if (n < 0 && errno == EAGAIN)
		return;
	if (!c->busy) {
		conn_renew(c); /* closed between two calls, which it may be */
		return;
	}
	if (n > 0)
		(void)reply_take(&c->reply, bytes, (size_t)n);
	if (!had_head && reply_has_head(&c->reply))
		samples_add(&figures.first, now_ns() - c->begun);
	if (n <= 0 || c->reply.at == REPLY_DONE)
		conn_end(c);
}

/* ---- the schedule ---- */

struct schedule {
	uint64_t next, interval; /* of calls that nothing but the clock begins */
	uint64_t left;
};

/* Begins what is due; the nanoseconds until the next call is, a second at most. */
static uint64_t
schedule_run(struct schedule *s)
{
	uint64_t now = now_ns();

	while (s->left > 0 && s->next <= now && idle_count > 0) {
		struct conn *c = &conns[idle[idle_first]];

		idle_first = (idle_first + 1) % CONNECTIONS_MAX;
		idle_count--;
		conn_begin(c, s->next);
		s->next += s->interval;
		s->left--;
	}
	now = now_ns();
	if (s->left == 0 || idle_count == 0 || s->next > now + SECOND_NS / 2)
		return SECOND_NS / 2;
	return s->next > now ? s->next - now : 0;
}

static void
turn(uint64_t most)
{
	struct epoll_event events[BATCH];
	struct timespec wait = {0, (long)(most < SECOND_NS / 2 ? most : SECOND_NS / 2)};
	int n = epoll_pwait2(epoll_fd, events, BATCH, &wait, NULL);

	for (int i = 0; i < n; i++) {
		struct conn *c = &conns[events[i].data.u32];

		if (c->busy && c->sent < request_len && (events[i].events & EPOLLOUT) != 0)
			conn_write(c);
		if ((events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0)
			conn_read(c);
	}
}

static void
run_until(struct schedule *s, uint64_t end)
{
	uint64_t now;

	while ((now = now_ns()) < end) {
		uint64_t wait = schedule_run(s);

		turn(wait < end - now ? wait : end - now);
	}
}

/* ---- the report ---- */

static void
report_times(const char *name, struct samples *s)
{
	samples_sort(s);
	printf("\"%s_p50\":%.1f,\"%s_p99\":%.1f,", name, samples_percentile(s, 50) / 1000.0, name,
	       samples_percentile(s, 99) / 1000.0);
	samples_fini(s);
}

static void
report(uint64_t ns, const struct processes *p)
{
	printf("{\"seconds\":%.6f,\"answers\":%" PRIu64 ",\"errors\":%" PRIu64
	       ",\"events\":%" PRIu64 ",",
	       (double)ns / SECOND_NS, figures.answers, figures.errors, figures.events);
	report_times("latency", &figures.latency);
	report_times("first", &figures.first);
	report_times("delay", &figures.delay);
	printf("\"fault\":\"%s\",\"cpu\":{", figures.fault);
	for (int i = 0; i < p->count; i++)
		printf("%s\"%d\":%" PRIu64, i == 0 ? "" : ",", (int)p->pid[i], p->cpu[i]);
	printf("}}\n");
}

static void
measure(struct schedule *s, double seconds, struct processes *p)
{
	uint64_t all = (uint64_t)(seconds * SECOND_NS), begun = now_ns(), from;
	uint64_t spread = s->interval * connections, warm = all / WARM_PART;

	s->next = begun;
	run_until(s, begun + (spread > warm ? spread : warm));
	samples_fini(&figures.latency);
	samples_fini(&figures.first);
	samples_fini(&figures.delay);
	figures.answers = figures.events = 0; /* but errors count from the beginning */
	processes_read(p);
	from = now_ns();
	run_until(s, begun + all);
	processes_read(p);
	report(now_ns() - from, p);
}

static bool
all_have_heads(void)
{
	for (unsigned i = 0; i < connections; i++) {
		if (!reply_has_head(&conns[i].reply))
			return false;
	}
	return true;
}

static void
hold(struct schedule *s, double seconds)
{
	uint64_t end = now_ns() + (uint64_t)(seconds * SECOND_NS);

	while (!all_have_heads() && figures.errors == 0 && now_ns() < end)
		run_until(s, now_ns() + SECOND_NS / 100);
	if (all_have_heads() && figures.errors == 0)
		printf("open\n");
	else
		printf("not all were answered: %s\n", figures.fault);
	(void)fflush(stdout);
	while (getchar() != EOF)
		continue;
}

/* ---- what is asked for ---- */

static void
request_make(const char *path)
{
	static char body[BODY_MAX];
	FILE *file = fopen(path, "rb");
	size_t len;

	if (file == NULL)
		give_up(path);
	len = fread(body, 1, sizeof body, file);
	(void)fclose(file);
	request_len = (size_t)snprintf(request, sizeof request,
				       "POST /v1/chat/completions HTTP/1.1\r\n"
				       "Host: 127.0.0.1:%u\r\n"
				       "Content-Type: application/json\r\n"
				       "Authorization: Bearer worthless\r\n"
				       "Content-Length: %zu\r\n\r\n",
				       port, len);
	memcpy(request + request_len, body, len);
	request_len += len;
}

static struct schedule
schedule_for(const char *mode)
{
	const char *colon = strchr(mode, ':');
	uint64_t number = colon == NULL ? 0 : strtoull(colon + 1, NULL, 10);

	again = strncmp(mode, "rate:", 5) != 0;
	if (!again && number > 0)
		return (struct schedule){.interval = SECOND_NS / number, .left = UINT64_MAX};
	return (struct schedule){.interval = number * 1000 / connections, .left = connections};
}

static void
usage(void)
{
	fprintf(stderr, "usage: load closed|rate:N|streams:US|hold PORT CONNECTIONS SECONDS FILE "
			"PID...\n");
	exit(2);
}

int
main(int argc, char **argv)
{
	struct processes processes = {0};
	struct schedule schedule;
	double seconds;

	if (argc < 6 || argc - 6 > PIDS_MAX)
		usage();
	port = (uint16_t)strtoul(argv[2], NULL, 10);
	connections = (unsigned)strtoul(argv[3], NULL, 10);
	seconds = strtod(argv[4], NULL);
	if (connections == 0 || connections > CONNECTIONS_MAX)
		usage();
	request_make(argv[5]);
	for (int i = 6; i < argc; i++)
		processes.pid[processes.count++] = (pid_t)strtol(argv[i], NULL, 10);
	schedule = schedule_for(argv[1]);
	/* Without this the kernel may let a call wait 50 us longer than asked. */
	(void)prctl(PR_SET_TIMERSLACK, 1UL);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; i < connections; i++) {
		conn_open(&conns[i]);
		idle[idle_count++] = (int)i;
	}
	if (strcmp(argv[1], "hold") == 0)
		hold(&schedule, seconds);
	else
		measure(&schedule, seconds, &processes);
	return 0;
}
