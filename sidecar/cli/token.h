/* SPDX-License-Identifier: Apache-2.0 */
/* `sidekey token`: a fresh token for a caller, and its digest for the configuration. */
#ifndef CLI_TOKEN_H
#define CLI_TOKEN_H

#include "base/digest.h"

enum { TOKEN_BYTES = 32, TOKEN_TEXT = 11 + 2 * TOKEN_BYTES + 1 };

struct token {
	char text[TOKEN_TEXT];             /* for the agent: "sk-sidekey-" and hexadecimal digits */
	char digest[2 * DIGEST_BYTES + 1]; /* for the configuration, behind "sha256:" */
};

/* A fresh one. 0, or -1 when the kernel gave no random bytes. */
int token_make(struct token *t);

/* token [--name NAME] [--json]. Returns 0 good, 1 no randomness or output, 2 usage. */
int cli_token(int argc, char **argv);

#endif
