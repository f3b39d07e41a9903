/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "cli/exec_env.h"

#include "base/auto.h"
#include "policy/access/headers.h"
#include "policy/access/operations.h"

enum {
	ALWAYS = 1 << DIALECTS,
	OPENAI = 1 << DIALECT_OPENAI,
	ANTHROPIC = 1 << DIALECT_ANTHROPIC,
	AZURE = 1 << DIALECT_AZURE,
	BEDROCK = 1 << DIALECT_BEDROCK,
	ECHO_MIN = 12, /* shorter values may be repeated by chance */
	ENTRY_MAX = 4 * 1024 * 1024,
};

enum form { ADDRESS, TOKEN, REGION, TEXT };

/* What is set, where one of the dialects is spoken (reference/llm.md 1.2). */
static const struct given {
	const char *name;
	uint32_t dialects;
	enum form form;
	const char *text; /* behind the address, or all of it */
} given[] = {
	{"OPENAI_BASE_URL", OPENAI, ADDRESS, "/v1"},
	{"OPENAI_API_KEY", OPENAI, TOKEN, ""},
	{"LITELLM_PROXY_API_BASE", OPENAI, ADDRESS, ""},
	{"LITELLM_PROXY_API_KEY", OPENAI, TOKEN, ""},
	{"ANTHROPIC_BASE_URL", ANTHROPIC, ADDRESS, ""},
	{"ANTHROPIC_API_KEY", ANTHROPIC, TOKEN, ""},
	{"AZURE_OPENAI_ENDPOINT", AZURE, ADDRESS, ""},
	{"AZURE_OPENAI_API_KEY", AZURE, TOKEN, ""},
	{"AWS_ENDPOINT_URL_BEDROCK_RUNTIME", BEDROCK, ADDRESS, "/bedrock"},
	{"AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME", BEDROCK, ADDRESS, "/bedrock"},
	{"ANTHROPIC_BEDROCK_BASE_URL", BEDROCK, ADDRESS, "/bedrock"}, /* Claude Code's, too */
	{"AWS_ACCESS_KEY_ID", BEDROCK, TOKEN, ""},
	{"AWS_SECRET_ACCESS_KEY", BEDROCK, TEXT, "none"},
	{"AWS_REGION", BEDROCK, REGION, ""},
	{"AWS_DEFAULT_REGION", BEDROCK, REGION, ""},
	/* Without credentials, an SDK would look for those of the user or the machine. */
	{"AWS_CONFIG_FILE", ALWAYS, TEXT, "/dev/null"},
	{"AWS_SHARED_CREDENTIALS_FILE", ALWAYS, TEXT, "/dev/null"},
	{"AWS_EC2_METADATA_DISABLED", ALWAYS, TEXT, "true"},
};

/* Other keys that clients take, and addresses by which they would go past sidekey. */
static const char *const rivals[] = {
	"OPENAI_API_BASE",    "ANTHROPIC_AUTH_TOKEN",    "OPENAI_ADMIN_KEY",
	"ANTHROPIC_API_BASE", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_URL",
	"AZURE_API_KEY",      "AZURE_OPENAI_AD_TOKEN",   "AZURE_API_BASE",
	"AZURE_OPENAI_KEY",   "LITELLM_API_KEY",         "LITELLM_MASTER_KEY",
	"GEMINI_API_KEY",     "GOOGLE_API_KEY",
};

/* Headers that clients add, `Name: value` a line: one may be a key, and go before the run's. */
static const char *const custom_headers[] = {"ANTHROPIC_CUSTOM_HEADERS", "OPENAI_CUSTOM_HEADERS"};

/* By which programs find sockets of the host, and proxies that cannot be reached. */
static const char *const outside[] = {
	"DBUS_SESSION_BUS_ADDRESS",
	"DBUS_SYSTEM_BUS_ADDRESS",
	"SSH_AUTH_SOCK",
	"SSH_AGENT_PID",
	"GPG_AGENT_INFO",
	"DOCKER_HOST",
	"CONTAINER_HOST",
	"XDG_RUNTIME_DIR",
	"WAYLAND_DISPLAY",
	"DISPLAY",
	"XAUTHORITY",
	"PULSE_SERVER",
	"HTTP_PROXY",
	"HTTPS_PROXY",
	"ALL_PROXY",
	"http_proxy",
	"https_proxy",
	"all_proxy",
};

static const char *const prefixes[] = {"AWS_", "SIDEKEY_"};
static const char *const no_proxy[] = {"NO_PROXY", "no_proxy"};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct maker {
	char *const *own;
	const struct exec_env_options *o;
	struct pool *pool;
	char **made;
	size_t n;
};

/* ---- what goes ---- */

static struct span
name_of(const char *entry)
{
	return span_cut(span_of(entry), 0, strcspn(entry, "="));
}

static bool
is_among(struct span name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_is(name, list[i]))
			return true;
	return false;
}

/* The value of the first variable of that name; NULL: there is none. */
static const char *
value_of(char *const *own, struct span name)
{
	for (; *own != NULL; own++)
		if (span_eq(name_of(*own), name) && (*own)[name.len] == '=')
			return *own + name.len + 1;
	return NULL;
}

/* Whether entry is a variable that a reference names, or repeats what stands in one. */
static bool
holds_secret(const struct maker *m, const char *entry)
{
	struct span name = name_of(entry);

	for (size_t i = 0; i < m->o->nnamed; i++) {
		const char *secret = value_of(m->own, m->o->named[i].text);

		if (span_eq(name, m->o->named[i].text))
			return true;
		if (secret != NULL && strlen(secret) >= ECHO_MIN && strstr(entry, secret) != NULL)
			return true;
	}
	return false;
}

/* Whether sidekey passes all of text's headers on; one that it does not may be a credential. */
static bool
passes(struct span text)
{
	for (size_t at = 0; at < text.len;) {
		size_t end = span_find(text, at, '\n');
		struct span line = span_cut(text, at, end);
		struct span name = span_trim(span_cut(line, 0, span_find(line, 0, ':')));

		if (name.len > 0 && !header_request_passes(name))
			return false;
		at = end + 1;
	}
	return true;
}

static bool
is_dropped(const struct maker *m, const char *entry)
{
	struct span name = name_of(entry);

	if (entry[name.len] != '=')
		return true; /* not a variable */
	for (size_t i = 0; i < COUNT(prefixes); i++)
		if (span_starts(name, span_of(prefixes[i])))
			return true;
	for (size_t i = 0; i < COUNT(given); i++)
		if (span_is(name, given[i].name))
			return true;
	if (is_among(name, custom_headers, COUNT(custom_headers)) &&
	    !passes(span_of(entry + name.len + 1)))
		return true;
	return is_among(name, rivals, COUNT(rivals)) || is_among(name, no_proxy, COUNT(no_proxy)) ||
	       (m->o->isolated && is_among(name, outside, COUNT(outside))) ||
	       holds_secret(m, entry);
}

/* ---- what comes ---- */

static void
add(struct maker *m, struct span entry)
{
	struct span s = pool_copy(m->pool, entry);

	assert(s.ptr != NULL);
	m->made[m->n++] = (char *)(uintptr_t)s.ptr;
}

static void
add_given(struct maker *m, const struct given *g)
{
	const struct exec_env_options *o = m->o;
	auto_buf struct buf entry = {0};

	buf_init(&entry, ENTRY_MAX);
	if (g->form == ADDRESS)
		(void)buf_addf(&entry, "%s=http://%s%s", g->name, o->address, g->text);
	else
		(void)buf_addf(&entry, "%s=%s", g->name,
			       g->form == TOKEN    ? o->token
			       : g->form == REGION ? o->region
						   : g->text);
	add(m, buf_span(&entry));
}

/* What was there stays: of the one name, or else of the other, which some clients do not read. */
static void
add_no_proxy(struct maker *m, size_t which)
{
	const char *before = value_of(m->own, span_of(no_proxy[which]));
	auto_buf struct buf entry = {0};

	if (before == NULL)
		before = value_of(m->own, span_of(no_proxy[1 - which]));
	buf_init(&entry, ENTRY_MAX);
	(void)buf_addf(&entry, "%s=", no_proxy[which]);
	if (before != NULL && before[0] != '\0')
		(void)buf_addf(&entry, "%s,", before);
	(void)buf_add_str(&entry, "127.0.0.1,localhost");
	add(m, buf_span(&entry));
}

char **
exec_env_make(char *const *own, const struct exec_env_options *o, struct pool *p)
{
	struct maker m = {.own = own, .o = o, .pool = p};
	size_t most = COUNT(given) + COUNT(no_proxy) + 1;

	for (char *const *e = own; *e != NULL; e++)
		most++;
	m.made = pool_get(p, most * sizeof(*m.made));
	assert(m.made != NULL);
	for (char *const *e = own; *e != NULL; e++)
		if (!is_dropped(&m, *e))
			add(&m, span_of(*e));
	for (size_t i = 0; i < COUNT(given); i++)
		if ((given[i].dialects & (o->dialects | ALWAYS)) != 0)
			add_given(&m, &given[i]);
	for (size_t i = 0; i < COUNT(no_proxy); i++)
		add_no_proxy(&m, i);
	return m.made;
}
