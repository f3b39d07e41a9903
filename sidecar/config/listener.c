/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"
#include "config/reader.h"
#include "config/url.h"
#include "http/grammar.h"

enum { SOCKET_MODE = 0600 };

bool
listener_parse(struct span text, struct config_listener *out)
{
	struct config_listener l = {.text = text, .mode = SOCKET_MODE, .group = -1};
	unsigned port;
	bool v6;

	if (span_starts(text, SPAN("unix:"))) {
		l.is_unix = l.is_loopback = true;
		l.path = span_cut(text, 5, text.len);
		if (l.path.len < 2 || l.path.len > SOCKET_PATH_MAX || l.path.ptr[0] != '/')
			return false;
		*out = l;
		return true;
	}
	if (!grammar_split_host(text, &l.host, &port) || port == 0 || port > UINT16_MAX)
		return false;
	if (l.host.len > 2 && l.host.ptr[0] == '[')
		l.host = span_cut(l.host, 1, l.host.len - 1);
	if (span_iis(l.host, "localhost"))
		l.host = SPAN("127.0.0.1");
	/* An IPv6 address needs its brackets, or the port is a guess. */
	if (!url_is_ip(l.host, &v6) || (v6 && text.ptr[0] != '['))
		return false;
	l.port = (uint16_t)port;
	l.is_loopback = url_is_loopback(l.host);
	*out = l;
	return true;
}

static void
read_map(struct reader *r, const struct yaml_item *item, const struct path *path,
	 struct config_listener *out)
{
	struct listener_keys keys = {.group = UINT64_MAX};

	section_read(r, item, path, &schema_listener, &keys);
	if (keys.path.len == 0 || keys.mode.len != 4)
		return;
	out->text = pool_format(r->pool, "unix:%.*s", (int)keys.path.len, keys.path.ptr);
	out->is_unix = out->is_loopback = true;
	out->path = keys.path;
	out->mode = 0;
	for (size_t i = 0; i < keys.mode.len; i++)
		out->mode = out->mode * 8 + (uint32_t)(keys.mode.ptr[i] - '0');
	out->group = keys.group == UINT64_MAX ? -1 : (int64_t)keys.group;
}

void
listener_read(struct reader *r, const struct yaml_item *item, const struct path *path,
	      struct config_listener *out)
{
	struct scalar value;

	if (item->kind == YAML_MAP) {
		read_map(r, item, path, out);
		return;
	}
	if (!reader_text(r, item, path, &value))
		return;
	if (!listener_parse(value.text, out))
		reader_fault(
			r, item, path,
			"such as 127.0.0.1:7717, [::1]:7717, "
			"unix:/run/sidekey/agent.sock or {unix: PATH, mode: \"0660\", group: 1000}",
			"an IP address with a port, or unix: and an absolute path of up to %d "
			"bytes, is due",
			SOCKET_PATH_MAX);
}
