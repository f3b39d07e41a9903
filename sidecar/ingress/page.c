/* SPDX-License-Identifier: Apache-2.0 */
#include "ingress/page.h"

/*
 * The assembler takes the files in, so that they stay files that a browser and an editor can read;
 * the paths count from the top of the tree, where make runs. The Makefile knows of the dependence.
 */
#define TAKE_IN(symbol, file)                                                                      \
	__asm__(".pushsection .rodata\n" #symbol ":\n"                                             \
		"\t.incbin \"sidecar/ingress/page/" file "\"\n"                                    \
		"\t.byte 0\n"                                                                      \
		".popsection\n");                                                                  \
	extern const char symbol[]

TAKE_IN(page_html, "page.html");
TAKE_IN(page_css, "page.css");
TAKE_IN(page_js, "page.js");

static const struct page_file files[] = {
	{"", "text/html; charset=utf-8", page_html},
	{"page.css", "text/css; charset=utf-8", page_css},
	{"page.js", "text/javascript; charset=utf-8", page_js},
};

const struct page_file *
page_find(struct span name)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (span_is(name, files[i].name))
			return &files[i];
	return NULL;
}
