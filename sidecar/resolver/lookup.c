/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <nss.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "resolver/lookup.h"

#include "base/auto.h"

/* On the pipe: one write below PIPE_BUF, and so in one piece. */
struct wire {
	unsigned char n;
	struct lookup_address addresses[LOOKUP_ANSWERS];
};

static bool
same_address(const struct lookup_address *a, const struct lookup_address *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool
has_address(const struct lookup_answer *in, const struct lookup_address *a)
{
	for (size_t i = 0; i < in->n; i++)
		if (same_address(&in->addresses[i], a))
			return true;
	return false;
}

/* ---- in the child ---- */

static void
add_address(struct wire *w, const struct sockaddr *sa)
{
	struct lookup_address *a = &w->addresses[w->n];

	if (w->n == LOOKUP_ANSWERS)
		return;
	if (sa->sa_family == AF_INET) {
		memcpy(a->bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		a->v6 = 1;
		memcpy(a->bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	} else {
		return;
	}
	w->n++;
}

/* No AI_ADDRCONFIG: it leaves loopback out, and what can be reached shows at the connect. A
 * fresh process reads resolv.conf afresh. */
static void
answer(const char *host, int fd)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *all = NULL;
	struct wire w = {0};

	if (__nss_configure_lookup("hosts", "files dns") != 0)
		return;
	if (getaddrinfo(host, NULL, &hints, &all) != 0)
		return;
	for (const struct addrinfo *a = all; a != NULL; a = a->ai_next)
		add_address(&w, a->ai_addr);
	if (write(fd, &w, sizeof(w)) < 0)
		return; /* the resolver has lost interest */
}

/* The child keeps its answer's pipe and the log: no channel, since it reads what strangers say. */
static void
run_child(const char *host, int fd)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (fd > STDERR_FILENO + 1)
		(void)close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0);
	(void)close_range((unsigned)fd + 1, ~0u, 0);
	answer(host, fd);
}

/* ---- in the resolver ---- */

pid_t
lookup_start(const char *host, int *out_fd)
{
	auto_close int from = -1, to = -1;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	from = ends[0];
	to = ends[1];
	pid = fork();
	if (pid == 0) {
		run_child(host, to);
		_exit(0);
	}
	if (pid > 0)
		*out_fd = take_fd(&from);
	return pid;
}

int
lookup_finish(pid_t pid, int fd, struct lookup_answer *out)
{
	struct wire w;
	ssize_t n = read(fd, &w, sizeof(w));

	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	if (n != (ssize_t)sizeof(w) || w.n == 0 || w.n > LOOKUP_ANSWERS)
		return -1;
	for (size_t i = 0; i < w.n; i++)
		if (w.addresses[i].v6 > 1)
			return -1;
	out->n = w.n;
	memcpy(out->addresses, w.addresses, sizeof(w.addresses));
	return 0;
}

static bool
has_family(const struct lookup_answer *in, unsigned char v6)
{
	for (size_t i = 0; i < in->n; i++)
		if (in->addresses[i].v6 == v6)
			return true;
	return false;
}

/* The first that is not shown yet; for the last place rather one of the family that is not
 * there, since one of the two may lead nowhere. */
static const struct lookup_address *
next_to_show(const struct lookup_answer *now, const struct lookup_answer *got)
{
	bool last = now->n == LOOKUP_SHOWN - 1;

	for (int pass = last ? 0 : 1; pass < 2; pass++) {
		for (size_t i = 0; i < got->n; i++) {
			const struct lookup_address *a = &got->addresses[i];

			if (!has_address(now, a) && (pass == 1 || !has_family(now, a->v6)))
				return a;
		}
	}
	return NULL;
}

bool
lookup_merge(struct lookup_answer *shown, const struct lookup_answer *got)
{
	struct lookup_answer now = {0};
	const struct lookup_address *a;
	bool changed;

	for (size_t i = 0; i < shown->n; i++)
		if (has_address(got, &shown->addresses[i]))
			now.addresses[now.n++] = shown->addresses[i];
	while (now.n < LOOKUP_SHOWN && (a = next_to_show(&now, got)) != NULL)
		now.addresses[now.n++] = *a;
	changed = now.n != shown->n ||
		  memcmp(now.addresses, shown->addresses, now.n * sizeof(now.addresses[0])) != 0;
	*shown = now;
	return changed;
}
