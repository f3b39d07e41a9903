/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "cli/exec_config.h"

#include "base/log.h"
#include "config/reader.h"

static struct config_listeners
loopback(struct config *c, uint16_t port)
{
	struct config_listeners list = {pool_get(&c->pool, sizeof(struct config_listener)), 1};
	struct span text = pool_format(&c->pool, "127.0.0.1:%u", (unsigned)port);
	bool good;

	assert(list.items != NULL && text.ptr != NULL);
	good = listener_parse(text, list.items);
	assert(good);
	return list;
}

/* Of the configured callers, or one that may what the targets let everybody. */
static const struct config_caller *
find_caller(const struct config *c, const char *name)
{
	static const struct config_caller anybody = {.name = {"exec", 4}};

	if (name == NULL)
		return &anybody;
	for (size_t i = 0; i < c->callers.n; i++)
		if (span_is(c->callers.items[i].name, name))
			return &c->callers.items[i];
	return NULL;
}

int
exec_config_apply(struct config *c, const struct exec_config *run)
{
	const struct config_caller *rules = find_caller(c, run->caller);
	struct config_caller *caller;

	if (rules == NULL)
		return -1;
	caller = pool_get(&c->pool, sizeof(*caller));
	assert(caller != NULL);
	*caller = *rules;
	caller->token = pool_format(&c->pool, "sha256:%s", run->digest);
	assert(caller->token.ptr != NULL);
	caller->uids = (struct config_uids){NULL, 0}; /* of a Unix socket, which this is not */
	c->callers = (struct config_callers){caller, 1};
	c->listen = loopback(c, run->port);
	c->admin = loopback(c, run->admin_port);
	c->trusts_once = true;
	if (run->quiet) {
		c->log.format = LOG_TEXT;
		c->log.level = c->log.level < LOG_WARN ? c->log.level : LOG_WARN;
	}
	return 0;
}
