/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in clear among the headers of a configuration. */
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "printed.h"
#include "unit.h"
#include "variables.h"

#define SECRET "sk-S3CR3T-value-that-must-not-show"

static const char *const rows[] = {"OPENAI_API_KEY=" SECRET, "HOST=gw.example.com", NULL};

#define BARE "targets: {a: {apiBase: https://h, apiKey: none, headers: {"

/* What stands in headers, and whether it is a secret in clear: then its hint, else NULL. */
static const struct {
	const char *header, *hint;
} headers[] = {
	{"Authorization: Bearer " SECRET, "Bearer ${env:NAME}"},
	{"Authorization: bearer abcdefgh", "bearer ${env:NAME}"},
	{"Authorization: Basic dXNlcjpwYXNz", "Basic ${env:NAME}"},
	{"Authorization: abcdefgh", "${env:NAME}"},
	{"Authorization: 'Bearer ${OPENAI_API_KEY}'", "Bearer ${env:OPENAI_API_KEY}"},
	{"X: '${OPENAI_API_KEY:-}'", "${env:OPENAI_API_KEY}"},
	{"Authorization: 'Bearer ${NOT_SET:-" SECRET "}'", "Bearer ${env:NOT_SET}"},
	{"X-Goog-Api-Key: a123456789", "${env:NAME}"},
	{"cookie: 'a=b; session=0123456789'", "${env:NAME}"},
	{"cf-access-client-secret: deadbeefdeadbeef", "${env:NAME}"},
	{"Ocp-Apim-Subscription-Key: deadbeefdeadbeef", "${env:NAME}"},
	{"X-Team: " SECRET, "${env:NAME}"},
	{"X-Team: 'research " SECRET "'", "${env:NAME}"},
	{"X-Team: 'key=" SECRET "'", "${env:NAME}"},
	{"X-Team: https://h/" SECRET, "${env:NAME}"},
	{"X-Team: AKIAIOSFODNN7EXAMPLE", "${env:NAME}"},
	{"X-Team: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x", "${env:NAME}"},
	{"X-Team: '${env:TEAM} " SECRET "'", "${env:NAME}"},
	/* nobody's secret */
	{"Authorization: Bearer none", NULL},
	{"Authorization: Bearer anonymous", NULL},
	{"Authorization: Bearer EMPTY", NULL},
	{"Authorization: none", NULL},
	{"Authorization: 'Bearer ${env:K}'", NULL},
	{"cookie: 'session-of-the-gateway=${env:K}'", NULL},
	{"X-Team: researchers-of-the-house", NULL},
	{"X-Team: '${HOST}'", NULL},
	{"Accept-Language: 'sk-SK,sk;q=0.9'", NULL}, /* Slovak */
	{"X-Team: ask-0123456789abcdefgh", NULL},
	{"X-Trace: 0af7651916cd43dd8448eb211c80319c", NULL},
};

static void
test_secrets_in_headers(void **state)
{
	char name[64], text[512], due[256];

	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++) {
		struct environment env = environment(rows);
		struct config_faults faults;
		struct config *c = NULL;
		char *said;

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(headers[i].header, ":"),
			 headers[i].header);
		snprintf(text, sizeof(text), BARE "%s}}}", headers[i].header);
		snprintf(due, sizeof(due),
			 "t:1:%zu: targets.a.headers.%s: a reference is due here, never a secret "
			 "(write \"%s\"",
			 strlen(BARE) + strlen(name) + 3, name,
			 headers[i].hint == NULL ? "" : headers[i].hint);
		fault_init(&faults);
		(void)config_read_text(span_of(text), "t", &env, &c, &faults);
		said = printed(&faults);
		if ((headers[i].hint == NULL) != (c != NULL) ||
		    (headers[i].hint != NULL && strncmp(said, due, strlen(due)) != 0))
			fail_msg("%s\nwant: %s\ngot: %s", text, due, said);
		if (strstr(said, SECRET) != NULL)
			fail_msg("the secret is echoed: %s", said);
		free(said);
		config_free(c);
		fault_free(&faults);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secrets_in_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
