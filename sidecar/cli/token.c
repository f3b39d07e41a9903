/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "cli/token.h"

#include "base/num.h"
#include "cli/help.h"
#include "config/form.h"

/* Known by its front to people and to scanners for leaked keys, and good in any header or URL. */
#define PREFIX "sk-sidekey-"

enum { PREFIX_LEN = sizeof(PREFIX) - 1 };

static_assert(sizeof(((struct token *)0)->text) == PREFIX_LEN + 2 * TOKEN_BYTES + 1,
	      "a token is as long as its parts");

static const char usage[] = "usage: sidekey token [--name NAME] [--json] [-c FILE]\n";

static const char help[] =
	"\nMakes a token for one of the `callers` and prints it, this once, with its digest.\n"
	"The token goes to the agent, as the API key of its client; the digest goes into the\n"
	"configuration, from which nobody can learn the token.\n\n"
	"  --name NAME   the caller's name in the lines for the configuration\n"
	"  --json        {\"name\", \"token\", \"digest\"} instead\n"
	"  -c FILE       is taken, as by every verb, and not read\n";

int
token_make(struct token *t)
{
	unsigned char bytes[TOKEN_BYTES], digest[DIGEST_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -1;
	memcpy(t->text, PREFIX, PREFIX_LEN);
	num_to_hex(bytes, sizeof(bytes), t->text + PREFIX_LEN);
	digest_sha256(span_of(t->text), digest);
	num_to_hex(digest, sizeof(digest), t->digest);
	return 0;
}

static void
print(const struct token *t, const char *name, bool json)
{
	if (json)
		printf("{\"name\":\"%s\",\"token\":\"%s\",\"digest\":\"sha256:%s\"}\n", name,
		       t->text, t->digest);
	else
		printf("%s\n\n"
		       "That is the token, for the agent alone: the API key of its client. It is "
		       "not shown again.\n"
		       "These lines are for the configuration:\n\n"
		       "callers:\n"
		       "  - name: %s\n"
		       "    token: sha256:%s\n",
		       t->text, name, t->digest);
}

int
cli_token(int argc, char **argv)
{
	const char *name = "agent", *unused;
	bool json = false;
	struct token t;

	if (help_is_among(argc, argv)) {
		printf("%s%s", usage, help);
		return 0;
	}
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--name") == 0 && i + 1 < argc) {
			name = argv[++i];
		} else if (strcmp(argv[i], "--json") == 0) {
			json = true;
		} else if (!help_config(argc, argv, &i, &unused)) {
			help_refuse("token", argv[i]);
			fputs(usage, stderr);
			return 2;
		}
	}
	if (!form_name.is_good(span_of(name))) {
		fprintf(stderr, "sidekey token: --name: %s\n", form_name.due);
		return 2;
	}
	if (token_make(&t) != 0) {
		fputs("sidekey token: the kernel gave no random bytes\n", stderr);
		return 1;
	}
	print(&t, name, json);
	explicit_bzero(&t, sizeof(t));
	return 0;
}
