/* SPDX-License-Identifier: Apache-2.0 */
#include "egress/guise.h"

#include "base/ascii.h"
#include "egress/escape.h"

enum { BLOCK = 8 };

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Digits of base64 that depend on the secret alone: those that share bits with a neighbour go. */
static size_t
base64_first(unsigned shift)
{
	return shift == 0 ? 0 : shift + 1;
}

static size_t
base64_length(size_t len, unsigned shift)
{
	return (len + shift) * 8 / 6 - base64_first(shift);
}

static char
base64_at(const struct guise *f, size_t i)
{
	size_t bit = (i + base64_first(f->shift)) * 6 - (size_t)f->shift * 8;
	const unsigned char *at = (const unsigned char *)f->secret.ptr + bit / 8;
	unsigned two = (unsigned)at[0] << 8 | (bit % 8 > 2 ? at[1] : 0u);
	unsigned digit = two >> (10 - bit % 8) & 63;

	return f->kind == GUISE_BASE64 ? digits[digit] : url_digits[digit];
}

char
guise_at(const struct guise *f, size_t i)
{
	unsigned char byte;

	switch (f->kind) {
	case GUISE_RAW:
		return f->secret.ptr[i];
	case GUISE_BASE64:
	case GUISE_BASE64URL:
		return base64_at(f, i);
	default:
		byte = (unsigned char)f->secret.ptr[i / 2];
		byte = i % 2 == 0 ? byte >> 4 : byte & 15;
		return (f->kind == GUISE_HEX_LOWER ? "0123456789abcdef" : "0123456789ABCDEF")[byte];
	}
}

bool
guise_is_hex(const struct guise *f)
{
	return f->kind == GUISE_HEX_LOWER || f->kind == GUISE_HEX_UPPER;
}

size_t
guise_all(struct span secret, unsigned number, struct guise out[static GUISES_MAX])
{
	size_t n = 0;

	out[n++] = (struct guise){GUISE_RAW, 0, secret, secret.len, number};
	for (unsigned shift = 0; shift < 3; shift++) {
		size_t len = base64_length(secret.len, shift);

		out[n++] = (struct guise){GUISE_BASE64, shift, secret, len, number};
		out[n++] = (struct guise){GUISE_BASE64URL, shift, secret, len, number};
	}
	out[n++] = (struct guise){GUISE_HEX_LOWER, 0, secret, 2 * secret.len, number};
	out[n++] = (struct guise){GUISE_HEX_UPPER, 0, secret, 2 * secret.len, number};
	return n;
}

/* ---- names ---- */

/*
 * Whether f begins text, in letters of any case, and behind escapes if they are looked at. Like a
 * sieve's, the time tells eight bytes that match from eight that do not, and nothing finer.
 */
static bool
is_at(const struct guise *f, struct span text, bool escaped)
{
	bool differs = false;
	size_t at = 0;

	for (size_t i = 0; i < f->len; i++) {
		struct span rest = span_cut(text, at, text.len);
		char byte = '\0';
		size_t len = escaped ? escape_percent(rest, &byte) : 0;

		if (rest.len == 0)
			return false;
		if (len == 0)
			byte = rest.ptr[0];
		differs |= ascii_lower(byte) != ascii_lower(guise_at(f, i));
		if (differs && i % BLOCK == BLOCK - 1)
			return false;
		at += len == 0 ? 1 : len;
	}
	return !differs;
}

bool
guise_is_in_name(const struct guise *f, struct span name)
{
	for (size_t at = 0; at + f->len <= name.len; at++) {
		struct span rest = span_cut(name, at, name.len);

		if (is_at(f, rest, false) || is_at(f, rest, true))
			return true;
	}
	return false;
}
