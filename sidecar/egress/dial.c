/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "egress/dial.h"

#include "base/buf.h"
#include "base/ip.h"

bool
dial_is_ipv6(const struct egress_target *target)
{
	return span_find(target->server_name, 0, ':') < target->server_name.len;
}

/* Where it is in a; a->n: nowhere. */
static size_t
place_of(const struct addresses *a, bool v6, const void *bytes)
{
	size_t i = 0;

	while (i < a->n && (a->at[i].v6 != v6 || memcmp(a->at[i].bytes, bytes, v6 ? 16 : 4) != 0))
		i++;
	return i;
}

static void
move(struct addresses *a, size_t from, size_t to)
{
	const struct addresses was = *a;

	memmove(&a->at[to + 1], &was.at[to], (from - to) * sizeof(was.at[0]));
	a->at[to] = was.at[from];
}

/* "server.name:443:192.0.2.1,[2001:db8::1]" */
static void
make_line(struct dial *d, const struct egress_target *target)
{
	const struct addresses *a = &d->addresses;
	struct buf b;
	char text[INET6_ADDRSTRLEN];

	d->current++;
	free(d->line);
	d->line = NULL;
	if (a->n == 0 || dial_is_ipv6(target)) /* which libcurl need not be told, nor could be */
		return;
	buf_init(&b, 1024);
	(void)buf_addf(&b, "%.*s:%u:", (int)target->server_name.len, target->server_name.ptr,
		       (unsigned)target->port);
	for (size_t i = 0; i < a->n; i++) {
		inet_ntop(a->at[i].v6 ? AF_INET6 : AF_INET, a->at[i].bytes, text, sizeof(text));
		(void)buf_addf(&b, a->at[i].v6 ? "%s[%s]" : "%s%s", i > 0 ? "," : "", text);
	}
	(void)buf_add_char(&b, '\0');
	d->line = strdup(b.ptr);
	if (d->line == NULL)
		abort();
	buf_free(&b);
}

/* The resolver knows nothing of which can be reached: those that stay keep our order. */
void
dial_set(struct dial *d, const struct egress_target *target, const struct addresses *a)
{
	struct addresses now = *a;
	size_t kept = 0;

	for (size_t i = 0; i < d->addresses.n; i++) {
		size_t at = place_of(&now, d->addresses.at[i].v6, d->addresses.at[i].bytes);

		if (at < now.n && at >= kept)
			move(&now, at, kept++);
	}
	d->addresses = now;
	make_line(d, target);
}

void
dial_reached(struct dial *d, const struct egress_target *target, const char *ip)
{
	unsigned char bytes[16];
	int family = ip_parse(span_of(ip), bytes);
	size_t at = family == 0 ? 0 : place_of(&d->addresses, family == AF_INET6, bytes);

	if (at == 0 || at == d->addresses.n)
		return;
	move(&d->addresses, at, 0);
	make_line(d, target);
}

void
dial_free(struct dial *d)
{
	free(d->line);
	*d = (struct dial){0};
}

struct dial_news
dial_news(const struct dial *d)
{
	struct dial_news n = {NULL, d->current};

	if (d->line != NULL && d->cached != d->current)
		n.list = curl_slist_append(NULL, d->line);
	return n;
}

void
dial_news_free(struct dial_news *n)
{
	curl_slist_free_all(n->list);
	n->list = NULL;
}

/*
 * Not when the list is set: libcurl reads it when it begins with the transfer, and one that is
 * cancelled before takes its list along. The number is that of the list that was read last.
 */
void
dial_told(struct dial *d, const struct dial_news *n)
{
	if (n->list != NULL)
		d->cached = n->number;
}

int
dial_nowhere(void *resolver, void *reserved, void *arg)
{
	(void)resolver;
	(void)reserved;
	(void)arg;
	return 1;
}

bool
dial_allows(const struct dial *d, const struct egress_target *target,
	    const struct curl_sockaddr *addr)
{
	const struct sockaddr_in *in4 = (const void *)&addr->addr;
	const struct sockaddr_in6 *in6 = (const void *)&addr->addr;
	bool v6 = addr->family == AF_INET6;
	const void *bytes = v6 ? (const void *)&in6->sin6_addr : (const void *)&in4->sin_addr;

	if (addr->family != AF_INET && !v6)
		return false;
	if (ntohs(v6 ? in6->sin6_port : in4->sin_port) != target->port)
		return false;
	return place_of(&d->addresses, v6, bytes) < d->addresses.n;
}
