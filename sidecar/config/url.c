/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/ascii.h"
#include "base/ip.h"
#include "base/num.h"
#include "config/url.h"
#include "http/grammar.h"

static const char *const texts[] = {
	[URL_OK] = "good",
	[URL_BAD_SCHEME] = "must be a URL that starts with https:// (or http://)",
	[URL_USERINFO] = "must not hold a user or password",
	[URL_BAD_HOST] = "has no valid host: a DNS name, an IPv4 address or an IPv6 address in [ ]",
	[URL_BAD_PORT] = "has no valid port (1 to 65535)",
	[URL_QUERY] = "must not have a query or fragment",
	[URL_BAD_PATH] = "has a path that is not plain (dot segments, //, encoded slashes, spaces)",
};

const char *
url_fault_text(enum url_fault f)
{
	return texts[f];
}

bool
url_is_ip(struct span host, bool *v6)
{
	unsigned char bytes[16];
	int family = ip_parse(host, bytes);

	if (v6 != NULL)
		*v6 = family == AF_INET6;
	return family != 0;
}

bool
url_is_loopback(struct span host)
{
	static const unsigned char v6[16] = {[15] = 1};
	unsigned char bytes[16];
	int family = ip_parse(host, bytes);

	return (family == AF_INET && bytes[0] == 127) ||
	       (family == AF_INET6 && memcmp(bytes, v6, sizeof(v6)) == 0);
}

static bool
is_label(struct span s)
{
	if (s.len == 0 || s.len > 63 || s.ptr[0] == '-' || s.ptr[s.len - 1] == '-')
		return false;
	return span_is_alnum(s, "-_");
}

bool
url_is_name(struct span host)
{
	struct span label = {NULL, 0};

	if (host.len == 0 || host.len > URL_HOST_MAX)
		return false;
	for (size_t at = 0; at <= host.len; at += label.len + 1) {
		label = span_cut(host, at, span_find(host, at, '.'));
		if (!is_label(label))
			return false;
	}
	/* "127.1", "2130706433" and "0x7f000001" are addresses to getaddrinfo. */
	return !ascii_is_digit(label.ptr[0]);
}

static enum url_fault
authority(struct span s, struct url *u)
{
	size_t colon;
	uint64_t port;

	if (span_find(s, 0, '@') < s.len)
		return URL_USERINFO;
	if (s.len > 0 && s.ptr[0] == '[') {
		size_t close = span_find(s, 0, ']');

		u->host = span_cut(s, 1, close);
		if (close == s.len || !url_is_ip(u->host, &u->is_v6) || !u->is_v6)
			return URL_BAD_HOST;
		s = span_cut(s, close + 1, s.len);
		u->is_ip = true;
		if (s.len > 0 && s.ptr[0] != ':')
			return URL_BAD_HOST;
		colon = 0;
	} else {
		colon = span_find(s, 0, ':');
		u->host = span_cut(s, 0, colon);
		u->is_ip = url_is_ip(u->host, NULL);
		if (!u->is_ip && !url_is_name(u->host))
			return URL_BAD_HOST;
	}
	u->port = u->https ? 443 : 80;
	if (colon >= s.len)
		return URL_OK;
	if (num_u64(span_cut(s, colon + 1, s.len), UINT16_MAX, &port) != 0 || port == 0)
		return URL_BAD_PORT;
	u->port = (uint16_t)port;
	return URL_OK;
}

static enum url_fault
parse(struct span text, bool query, struct url *out)
{
	struct url u = {.https = span_istarts(text, SPAN("https://"))};
	size_t end;
	enum url_fault fault;

	if (!u.https && !span_istarts(text, SPAN("http://")))
		return URL_BAD_SCHEME;
	text = span_cut(text, u.https ? 8 : 7, text.len);
	end = span_find(text, 0, '?');
	if (span_find(text, 0, '#') < text.len || (end < text.len && !query))
		return URL_QUERY;
	u.query = span_cut(text, end + 1, text.len);
	text = span_cut(text, 0, end);
	end = span_find(text, 0, '/');
	fault = authority(span_cut(text, 0, end), &u);
	if (fault != URL_OK)
		return fault;
	u.path = span_cut(text, end, text.len);
	if (u.path.len > 0 && !grammar_is_path(u.path, false))
		return URL_BAD_PATH;
	if (u.query.len > 0 && !grammar_is_query(u.query))
		return URL_QUERY;
	if (u.path.len > 0 && u.path.ptr[u.path.len - 1] == '/')
		u.path.len--;
	*out = u;
	return URL_OK;
}

enum url_fault
url_parse(struct span text, struct url *out)
{
	return parse(text, false, out);
}

enum url_fault
url_parse_query(struct span text, struct url *out)
{
	return parse(text, true, out);
}
