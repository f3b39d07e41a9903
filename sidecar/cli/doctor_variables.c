/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's environment: what looks like a secret there, by its name alone. */
#include <string.h>

#include "cli/doctor_checks.h"

#include "base/auto.h"

enum { SHORTEST = 8, NAMES_MAX = 700 };

/* How the names of secrets end; GPG_KEY of the Python images, a fingerprint, is none. */
static const char *const endings[] = {
	"API_KEY",    "APIKEY",      "ACCESS_KEY", "SECRET_KEY",  "PRIVATE_KEY",
	"MASTER_KEY", "SERVICE_KEY", "ADMIN_KEY",  "AUTH_KEY",    "TOKEN",
	"SECRET",     "PASSWORD",    "PASSWD",     "CREDENTIALS", "_PAT",
};

/* What clients are given in place of a key. */
static const char *const harmless[] = {
	"placeholder", "not-needed", "not-used", "anything", "sk-none", "sk-dummy", "dummy-key",
};

static bool
ends_like_one(struct span name)
{
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		size_t n = strlen(endings[i]);

		if (name.len >= n && span_iis(span_cut(name, name.len - n, name.len), endings[i]))
			return true;
	}
	return false;
}

bool
doctor_is_secret(struct span name, struct span value)
{
	/* A token that only a sidekey accepts is meant to be there; a path is none itself. */
	if (value.len < SHORTEST || span_starts(value, SPAN("sk-sidekey-")) || value.ptr[0] == '/')
		return false;
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (span_iis(value, harmless[i]))
			return false;
	return ends_like_one(name);
}

void
doctor_variables(const struct place *p, char *const *environ)
{
	auto_buf struct buf names = {0};

	buf_init(&names, NAMES_MAX);
	for (; *environ != NULL; environ++) {
		struct span text = span_of(*environ);
		size_t equals = span_find(text, 0, '=');

		if (doctor_is_secret(span_cut(text, 0, equals),
				     span_cut(text, equals + 1, text.len)))
			(void)buf_addf(&names, "%s%.*s", names.len > 0 ? ", " : "", (int)equals,
				       text.ptr);
	}
	if (names.len == 0)
		findings_add(p->findings, FINDING_OK, "environment_secrets", NULL,
			     "no variable here looks like a secret");
	else
		findings_add(p->findings, FINDING_WEAK, "environment_secrets",
			     "take them out of the agent's environment, and let sidekey send them: "
			     "the agent needs a base URL and any word for a key",
			     "variables that look like secrets: %.*s", (int)names.len, names.ptr);
}
