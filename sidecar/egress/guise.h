/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a secret may look in a text (design section 7): raw, base64 and base64url (RFC 4648) in each
 * alignment, hexadecimal. A form is never written out: its bytes are asked for one by one.
 */
#ifndef EGRESS_GUISE_H
#define EGRESS_GUISE_H

#include "base/span.h"

enum guise_kind {
	GUISE_RAW,
	GUISE_BASE64,
	GUISE_BASE64URL,
	GUISE_HEX_LOWER,
	GUISE_HEX_UPPER,
};

enum { GUISES_MAX = 9 }; /* of one secret */

struct guise {
	enum guise_kind kind;
	unsigned shift; /* base64: bytes that stand before the secret in its group of three */
	struct span secret;
	size_t len;
	unsigned number; /* of the secret */
};

/*
 * Every form of a secret that is not empty, as views of it; how many they are. None is shorter than
 * the secret: base64 grows by more than what is left away at its ends, from 12 bytes on.
 */
size_t guise_all(struct span secret, unsigned number, struct guise out[static GUISES_MAX]);

/* Byte i of the form, below its len. */
char guise_at(const struct guise *f, size_t i);
bool guise_is_hex(const struct guise *f);
/* Whether a header field's name has it, in letters of any case, also behind percent escapes. */
bool guise_is_in_name(const struct guise *f, struct span name);

#endif
