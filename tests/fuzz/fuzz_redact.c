/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The redactor: an answer keeps its length, its pieces make no difference, and no form of a secret
 * that design section 7 names is left. The first byte says how large the pieces are.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "egress/redact.h"

enum { FORMS_MAX = 9, SPELLINGS = 3, TEXT_MAX = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const secrets[] = {"sk-Zq8+/x%7Yt_0", "another-secret-value"};

enum { SECRETS = sizeof(secrets) / sizeof(secrets[0]) };

static struct form {
	char text[TEXT_MAX];
	size_t len;
} forms[SECRETS * FORMS_MAX * SPELLINGS];

static size_t nforms;

static bool
contains(struct span text, const struct form *f)
{
	const char *hit = text.ptr;

	while ((hit = memmem(hit, text.len - (size_t)(hit - text.ptr), f->text, f->len)) != NULL) {
		/* Behind another backslash the first one of \u is no escape. */
		if (f->text[0] != '\\' || hit == text.ptr || hit[-1] != '\\')
			return true;
		hit++;
	}
	return false;
}

static int
spell_byte(char out[static 8], size_t spelling, char byte)
{
	if (spelling == 0)
		return snprintf(out, 8, "%c", byte);
	if (spelling == 1)
		return snprintf(out, 8, "%%%02X", (unsigned char)byte);
	return snprintf(out, 8, "\\u%04x", (unsigned char)byte);
}

/* As it is, and with each byte escaped for a URL and for JSON. */
static void
spell(const char *text, size_t len)
{
	for (size_t i = 0; i < SPELLINGS; i++) {
		struct form *f = &forms[nforms++];

		for (size_t at = 0; at < len; at++)
			f->len += (size_t)spell_byte(f->text + f->len, i, text[at]);
	}
}

/* The digits that no neighbour has a bit of, when before bytes stand in front. */
static void
spell_base64(struct span secret, unsigned before, const char digits[static 65])
{
	char text[TEXT_MAX];
	unsigned bits = 0, nbits = 8 * before;
	size_t len = 0;

	for (size_t i = 0; i < secret.len; i++) {
		bits = bits << 8 | (unsigned char)secret.ptr[i];
		for (nbits += 8; nbits >= 6; nbits -= 6)
			text[len++] = digits[bits >> (nbits - 6) & 63];
	}
	/* The digits of what is in front, and the one that is half its own. */
	spell(text + (before == 0 ? 0 : before + 1), len - (before == 0 ? 0 : before + 1));
}

static void
spell_hex(struct span secret, const char digits[static 17])
{
	char text[TEXT_MAX];
	size_t len = 0;

	for (size_t i = 0; i < secret.len; i++) {
		text[len++] = digits[(unsigned char)secret.ptr[i] >> 4];
		text[len++] = digits[(unsigned char)secret.ptr[i] & 15];
	}
	spell(text, len);
}

static void
spell_all(struct span secret)
{
	static const char basic[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char url[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	spell(secret.ptr, secret.len);
	for (unsigned before = 0; before < 3; before++) {
		spell_base64(secret, before, basic);
		spell_base64(secret, before, url);
	}
	spell_hex(secret, "0123456789abcdef");
	spell_hex(secret, "0123456789ABCDEF");
}

static bool
none_is_left(struct span text)
{
	for (size_t i = 0; nforms == 0 && i < SECRETS; i++)
		spell_all(span_of(secrets[i]));
	for (size_t i = 0; i < nforms; i++)
		if (contains(text, &forms[i]))
			return false;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span views[SECRETS];
	struct redact whole = {0}, split = {0};
	struct redactor *r;
	struct span text;
	struct buf a, b;
	size_t piece;

	if (size < 2 || size > 64 * 1024)
		return 0;
	for (size_t i = 0; i < SECRETS; i++)
		views[i] = span_of(secrets[i]);
	r = redactor_new(views, SECRETS);
	whole.r = split.r = r;
	piece = (size_t)data[0] + 1;
	text = (struct span){(const char *)data + 1, size - 1};
	buf_init(&a, 128 * 1024);
	buf_init(&b, 128 * 1024);
	if (redact_feed(&whole, text, &a) != 0 || redact_end(&whole, &a) != 0)
		abort();
	for (size_t at = 0; at < text.len; at += piece)
		if (redact_feed(&split, span_cut(text, at, at + piece), &b) != 0)
			abort();
	if (redact_end(&split, &b) != 0)
		abort();
	if (a.len != text.len || !span_eq(buf_span(&a), buf_span(&b)) ||
	    !none_is_left(buf_span(&a)))
		abort();
	buf_free(&a);
	buf_free(&b);
	redactor_free(r);
	return 0;
}
