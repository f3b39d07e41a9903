/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	chunked-body    = *chunk last-chunk trailer-section CRLF    ; RFC 9112 section 7.1
 *	chunk           = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
 *	chunk-size      = 1*HEXDIG                  ; here 1*16HEXDIG, with nothing around it
 *	last-chunk      = 1*"0" [ chunk-ext ] CRLF
 *	chunk-ext       = ";" *( tchar / "=" / ";" / quoted-string )  ; read and dropped
 *	trailer-section = *( token ":" *FIELD CRLF )  ; read and dropped
 */
#include <string.h>

#include "base/ascii.h"
#include "http/body.h"
#include "http/grammar.h"

enum {
	SIZE_DIGITS_MAX = 16,
	OVERHEAD_MAX = 4096, /* nobody sends extensions; trailers are a checksum or two */
};

enum state {
	SIZE,
	EXTENSION,
	QUOTED,
	QUOTED_PAIR,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER, /* the first byte of a trailer line, or of the end */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF,
	END,
	BAD,
	TOO_LARGE,
};

void
chunked_init(struct chunked *c, uint64_t max)
{
	*c = (struct chunked){.state = SIZE, .max = max};
}

static int
on_size(struct chunked *c, unsigned char byte)
{
	if ((grammar_class[byte] & GRAMMAR_HEX) == 0) {
		if (c->digits == 0)
			return BAD;
		return byte == '\r' ? SIZE_LF : byte == ';' ? EXTENSION : BAD;
	}
	if (++c->digits > SIZE_DIGITS_MAX)
		return BAD;
	c->left = c->left << 4 | ascii_hex((char)byte);
	return c->left > c->max - c->total ? TOO_LARGE : SIZE;
}

/* A byte of an extension or a trailer: counted, and the line's next state. */
static int
on_overhead(struct chunked *c, unsigned char byte)
{
	unsigned bits = grammar_class[byte];

	if (++c->overhead > OVERHEAD_MAX)
		return TOO_LARGE;
	switch (c->state) {
	case EXTENSION:
		if (byte == '\r' || byte == '"')
			return byte == '"' ? QUOTED : SIZE_LF;
		return (bits & GRAMMAR_TCHAR) != 0 || byte == '=' || byte == ';' ? EXTENSION : BAD;
	case QUOTED:
		if (byte == '\\' || byte == '"')
			return byte == '"' ? EXTENSION : QUOTED_PAIR;
		return (bits & GRAMMAR_FIELD) != 0 ? QUOTED : BAD;
	case QUOTED_PAIR:
		return (bits & GRAMMAR_FIELD) != 0 ? QUOTED : BAD;
	case TRAILER:
		if (byte == '\r')
			return LAST_LF;
		return (bits & GRAMMAR_TCHAR) != 0 ? TRAILER_NAME : BAD;
	case TRAILER_NAME:
		if (byte == ':')
			return TRAILER_VALUE;
		return (bits & GRAMMAR_TCHAR) != 0 ? TRAILER_NAME : BAD;
	default:
		if (byte == '\r')
			return TRAILER_LF;
		return (bits & GRAMMAR_FIELD) != 0 ? TRAILER_VALUE : BAD;
	}
}

/* The state after a byte that is not content. */
static int
on_byte(struct chunked *c, unsigned char byte)
{
	bool lf = byte == '\n';

	switch (c->state) {
	case SIZE:
		return on_size(c, byte);
	case SIZE_LF:
		return !lf ? BAD : c->left > 0 ? DATA : TRAILER;
	case DATA_CR:
		return byte == '\r' ? DATA_LF : BAD;
	case DATA_LF:
		c->digits = 0;
		return lf ? SIZE : BAD;
	case TRAILER_LF:
		return lf ? TRAILER : BAD;
	case LAST_LF:
		return lf ? END : BAD;
	default:
		return on_overhead(c, byte);
	}
}

static enum chunked_event
take_data(struct chunked *c, const char *in, size_t len, size_t *used, struct span *data)
{
	size_t n = len - *used < c->left ? len - *used : (size_t)c->left;

	*data = (struct span){in + *used, n};
	*used += n;
	c->left -= n;
	c->total += n;
	if (c->left == 0)
		c->state = DATA_CR;
	return CHUNKED_DATA;
}

enum chunked_event
chunked_feed(struct chunked *c, const char *in, size_t len, size_t *used, struct span *data)
{
	*used = 0;
	*data = (struct span){NULL, 0};
	while (c->state < END && *used < len) {
		if (c->state == DATA)
			return take_data(c, in, len, used, data);
		c->state = on_byte(c, (unsigned char)in[(*used)++]);
	}
	switch (c->state) {
	case END:
		return CHUNKED_END;
	case BAD:
		return CHUNKED_BAD;
	case TOO_LARGE:
		return CHUNKED_TOO_LARGE;
	default:
		return CHUNKED_MORE;
	}
}
