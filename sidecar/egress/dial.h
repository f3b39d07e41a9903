/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a target is: what the resolver gave (or the literal), and nothing else may be dialled.
 * libcurl learns it by CURLOPT_RESOLVE and keeps it in its cache; it never resolves by itself.
 */
#ifndef EGRESS_DIAL_H
#define EGRESS_DIAL_H

#include "config/plan_egress.h"

struct curl_slist;
struct curl_sockaddr;

struct addresses {
	size_t n;
	struct {
		bool v6;
		unsigned char bytes[16];
	} at[3];
};

struct dial { /* all zero: nowhere yet */
	struct addresses addresses;
	char *line;       /* CURLOPT_RESOLVE's; NULL: none */
	unsigned current; /* the addresses' number */
	unsigned cached;  /* the number of those in libcurl's cache */
};

/* What a transfer tells libcurl; list is NULL when the cache has it. */
struct dial_news {
	struct curl_slist *list;
	unsigned number;
};

/* Whether the target goes by an address of IPv6, which a URL has in brackets. */
bool dial_is_ipv6(const struct egress_target *target);

/* From now on these; those that were there before first, and in their order. */
void dial_set(struct dial *d, const struct egress_target *target, const struct addresses *a);
/* A connection was made to ip: the next one goes there first. */
void dial_reached(struct dial *d, const struct egress_target *target, const char *ip);
void dial_free(struct dial *d);

/* What a transfer that begins now has to bring; to be freed by dial_news_free, after its handle
 * has forgotten it. */
struct dial_news dial_news(const struct dial *d);
void dial_news_free(struct dial_news *n);
/* libcurl has begun with the transfer that brought n. */
void dial_told(struct dial *d, const struct dial_news *n);

/* CURLOPT_RESOLVER_START_FUNCTION of a target by name: what the cache does not have is nowhere. */
int dial_nowhere(void *resolver, void *reserved, void *arg);

/* Whether it is one of the addresses, with the target's port. */
bool dial_allows(const struct dial *d, const struct egress_target *target,
		 const struct curl_sockaddr *addr);

#endif
