/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "box/spawn.h"
#include "config/listeners.h"
#include "config/url.h"

enum {
	HTTP_PORT = 80,
	HOST_TEXT_MAX = 512,
	OWN_NAMES = 4, /* 127.0.0.1, localhost, [::1] and the address itself */
};

static void
add_host(struct plans *p, struct ingress_listener *l, struct span host, unsigned port)
{
	struct span s = port == 0 ? pool_copy(&p->pool, host)
				  : pool_format(&p->pool, "%.*s:%u", (int)host.len, host.ptr, port);

	assert(s.ptr != NULL);
	for (size_t i = 0; i < l->nhosts; i++)
		if (span_eq(l->hosts[i].text, s))
			return;
	l->hosts[l->nhosts++].text = s;
}

/* A client leaves the port out when it is http's own. */
static void
add_name(struct plans *p, struct ingress_listener *l, struct span host, unsigned port)
{
	add_host(p, l, host, port);
	if (port == HTTP_PORT)
		add_host(p, l, host, 0);
}

static void
add_own_address(struct plans *p, struct ingress_listener *l, const struct config_listener *from)
{
	struct buf text;
	bool v6;

	buf_init(&text, HOST_TEXT_MAX);
	buf_addf(&text, url_is_ip(from->host, &v6) && v6 ? "[%.*s]" : "%.*s", (int)from->host.len,
		 from->host.ptr);
	add_name(p, l, buf_span(&text), from->port);
	buf_free(&text);
}

static void
set_hosts(const struct config *c, struct plans *p, struct ingress_listener *l,
	  const struct config_listener *from)
{
	static const char *const loopback[] = {"127.0.0.1", "localhost", "[::1]"};

	l->hosts = pool_get(&p->pool, 2 * (OWN_NAMES + c->hosts.n) * sizeof(struct plan_text));
	assert(l->hosts != NULL);
	if (from->is_unix)
		return; /* any one valid Host */
	for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++)
		add_name(p, l, span_of(loopback[i]), from->port);
	add_own_address(p, l, from);
	for (size_t i = 0; i < c->hosts.n; i++) {
		add_host(p, l, c->hosts.items[i], from->port);
		add_host(p, l, c->hosts.items[i], 0);
	}
}

static void
add_listeners(const struct config *c, struct plans *p, const struct config_listeners *list,
	      bool is_admin)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct config_listener *from = &list->items[i];
		struct plan_listener *open = &p->listeners[p->nlisteners];
		struct ingress_listener *l = &p->ingress.listeners[p->nlisteners];

		*open = (struct plan_listener){from->is_unix, is_admin,
					       from->text,    pool_copy(&p->pool, from->host),
					       from->port,    pool_copy(&p->pool, from->path),
					       from->mode,    from->group};
		l->fd = (uint16_t)(SPAWN_FIRST_LISTENER + p->nlisteners);
		l->is_unix = from->is_unix;
		l->is_admin = is_admin;
		l->any_ip_host = is_admin && !from->is_loopback;
		l->name = from->text;
		set_hosts(c, p, l, from);
		p->nlisteners++;
	}
	p->ingress.nlisteners = p->nlisteners;
}

void
listeners_project(const struct config *c, struct plans *p)
{
	size_t n = c->listen.n + c->admin.n;

	p->listeners = pool_get(&p->pool, n * sizeof(struct plan_listener));
	p->ingress.listeners = pool_get(&p->pool, n * sizeof(struct ingress_listener));
	assert(p->listeners != NULL && p->ingress.listeners != NULL);
	add_listeners(c, p, &c->listen, false);
	add_listeners(c, p, &c->admin, true);
}
