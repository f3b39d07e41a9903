/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page for people: the files of ingress/page/ as they are, which ask for `status` beside them.
 * They hold nothing of a running sidekey.
 */
#ifndef INGRESS_PAGE_H
#define INGRESS_PAGE_H

#include "base/span.h"

struct page_file {
	const char *name; /* behind the last slash: "" is the page itself */
	const char *type;
	const char *text;
};

/* NULL: there is no such file. */
const struct page_file *page_find(struct span name);

/*
 * What goes with each of them, and with what they ask for. Agents choose some of what the page
 * shows; should it ever get in as more than text, it may load, run and send nothing.
 */
#define PAGE_FIELDS                                                                                \
	"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "       \
	"connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; "      \
	"form-action 'none'\r\n"                                                                   \
	"X-Content-Type-Options: nosniff\r\n"                                                      \
	"Referrer-Policy: no-referrer\r\n"                                                         \
	"Cross-Origin-Opener-Policy: same-origin\r\n"                                              \
	"Cross-Origin-Resource-Policy: same-origin\r\n"

#endif
