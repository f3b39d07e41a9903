/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "egress/dial.h"

#include "base/buf.h"

bool
dial_is_ipv6(const struct egress_target *target)
{
	return span_find(target->server_name, 0, ':') < target->server_name.len;
}

/* "server.name:443:192.0.2.1,[2001:db8::1]" */
void
dial_set(struct dial *d, const struct egress_target *target, const struct addresses *a)
{
	struct buf b;
	char text[INET6_ADDRSTRLEN];

	d->addresses = *a;
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
	for (size_t i = 0; i < d->addresses.n; i++)
		if (d->addresses.at[i].v6 == v6 &&
		    memcmp(d->addresses.at[i].bytes, bytes, v6 ? 16 : 4) == 0)
			return true;
	return false;
}
