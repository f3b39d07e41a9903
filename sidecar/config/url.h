/* SPDX-License-Identifier: Apache-2.0 */
/* The http and https URLs of a configuration (RFC 3986, a strict subset). Pure. */
#ifndef CONFIG_URL_H
#define CONFIG_URL_H

#include <stdint.h>

#include "base/span.h"

enum { URL_HOST_MAX = 253 };

struct url {
	bool https;
	struct span host;  /* as written, without brackets */
	bool is_v6;        /* an IPv6 literal */
	bool is_ip;        /* an address: nothing to resolve */
	uint16_t port;     /* the scheme's default when none is written */
	struct span path;  /* with its leading slash, or empty; no trailing slash */
	struct span query; /* without the question mark; empty unless allowed */
};

enum url_fault {
	URL_OK,
	URL_BAD_SCHEME,
	URL_USERINFO,
	URL_BAD_HOST,
	URL_BAD_PORT,
	URL_QUERY, /* a query or fragment, which is not taken here */
	URL_BAD_PATH,
};

/* Views into text. */
enum url_fault url_parse(struct span text, struct url *out);
/* The same, with a query allowed (the container endpoint's). */
enum url_fault url_parse_query(struct span text, struct url *out);

/* A sentence that never echoes the text. */
const char *url_fault_text(enum url_fault f);

/* 127.0.0.0/8, ::1 (an IP literal without brackets). */
bool url_is_loopback(struct span host);
/* An IPv4 or IPv6 literal without brackets. *v6 may be NULL. */
bool url_is_ip(struct span host, bool *v6);
/* A DNS name: labels of letters, digits, hyphens and underscores; not an address in disguise. */
bool url_is_name(struct span host);

#endif
