/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the agent gets out past sidekey. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/doctor_checks.h"

#include "base/auto.h"
#include "base/num.h"
#include "cli/knock.h"
#include "config/url.h"
#include "resolver/lookup.h"

enum { LOOKUP_MS = 3000, CONNECT_MS = 1500 };

struct destination {
	struct span host; /* without brackets */
	uint16_t port;
	bool is_ip;
};

static bool
parse(const char *text, struct destination *out)
{
	struct span all = span_of(text);
	size_t colon = all.len;
	uint64_t port;

	while (colon > 0 && all.ptr[colon - 1] != ':')
		colon--;
	if (colon < 2 || num_u64(span_cut(all, colon, all.len), UINT16_MAX, &port) != 0 ||
	    port == 0)
		return false;
	out->host = span_cut(all, 0, colon - 1);
	if (out->host.len > 2 && out->host.ptr[0] == '[' && out->host.ptr[out->host.len - 1] == ']')
		out->host = span_cut(out->host, 1, out->host.len - 1);
	out->port = (uint16_t)port;
	out->is_ip = url_is_ip(out->host, NULL);
	return out->is_ip || url_is_name(out->host);
}

bool
doctor_reach_is_good(const char *target)
{
	struct destination d;

	return parse(target, &d);
}

/* The addresses of a name; false: it has none. */
static bool
look_up(const char *name, struct lookup_answer *answer)
{
	struct pollfd answered = {.fd = -1, .events = POLLIN};
	auto_close int fd = -1;
	pid_t pid = lookup_start(name, &fd);

	if (pid < 0)
		return false;
	answered.fd = fd;
	(void)poll(&answered, 1, LOOKUP_MS);
	return lookup_finish(pid, fd, answer) == 0;
}

/* Whether one of them takes a connection, as a client would find out that tries each. */
static bool
connects(const struct lookup_answer *to, uint16_t port)
{
	struct knock knocks[LOOKUP_ANSWERS];
	char address[INET6_ADDRSTRLEN];
	bool connected = false;

	for (size_t i = 0; i < to->n; i++) {
		(void)inet_ntop(to->addresses[i].v6 ? AF_INET6 : AF_INET, to->addresses[i].bytes,
				address, sizeof(address));
		knock_init(&knocks[i], address, port);
	}
	knock_all(knocks, to->n, CONNECT_MS);
	for (size_t i = 0; i < to->n; i++) {
		connected = connected || knocks[i].connected;
		knock_free(&knocks[i]);
	}
	return connected;
}

static void
try_target(const struct place *p, const char *target)
{
	struct lookup_answer answer = {.n = 1};
	char host[URL_HOST_MAX + 1];
	struct destination d;

	if (!parse(target, &d))
		return;
	snprintf(host, sizeof(host), "%.*s", (int)d.host.len, d.host.ptr);
	if (d.is_ip) {
		answer.addresses[0].v6 = inet_pton(AF_INET, host, answer.addresses[0].bytes) != 1;
		if (answer.addresses[0].v6)
			(void)inet_pton(AF_INET6, host, answer.addresses[0].bytes);
	} else if (!look_up(host, &answer)) {
		findings_add(p->findings, FINDING_OK, "direct_egress", NULL,
			     "%s has no address here", target);
		return;
	}
	if (connects(&answer, d.port))
		findings_add(p->findings, FINDING_WEAK, "direct_egress",
			     "let the agent out to sidekey alone (a firewall rule by uid, a "
			     "network policy, on a laptop sidekey exec --isolate): "
			     "otherwise a key that it comes by elsewhere is of use",
			     "the agent connects to %s past sidekey", target);
	else
		findings_add(p->findings, FINDING_OK, "direct_egress", NULL,
			     "the agent cannot connect to %s", target);
}

void
doctor_reach(const struct place *p, const char *const *targets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		try_target(p, targets[i]);
}
