/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header lines of one part of a form (RFC 7578 section 4, RFC 6266 for filename*), read so
 * strictly that no two parsers can take the part for different things:
 *
 *	name       = 1*( ALPHA / DIGIT / "_" / "-" ) *( "[" *VCHAR "]" )    ; no %, no backslash
 *	disposition = "form-data" ; name=QUOTED [ ; filename=QUOTED ] [ ; filename*=EXT ]
 *
 * The name comes first, since some parsers look for the first "name=" wherever it stands. Fields
 * but for Content-Disposition, -Type, -Length and an encoding that changes nothing are refused.
 */
#ifndef INGRESS_PART_H
#define INGRESS_PART_H

#include <stdint.h>

#include "base/span.h"

enum { PART_NAME_MAX = 64 };

enum part_fault {
	PART_OK,
	PART_LINE,        /* not a header line, or one that is split over two */
	PART_FIELD,       /* a field that parsers read differently, or one that came twice */
	PART_DISPOSITION, /* not form-data with a name, in the form above */
	PART_NAME,        /* a name that parsers read differently, or a longer one */
	PART_FILENAME,    /* the same of a file's name */
	PART_TYPE,        /* parts within a part */
	PART_ENCODING,    /* a transfer encoding, which some parsers undo */
};

struct part {                         /* all zero at first */
	char name[PART_NAME_MAX + 1]; /* folded, up to the first bracket */
	bool has_capitals;            /* which were folded */
	bool has_brackets;            /* the name went on: a member of a list or of an object */
	bool is_file;
	bool is_text; /* no type, or text/plain in UTF-8 */
	bool has_length;
	uint64_t length;
	unsigned seen; /* bits of part.c's own */
};

/* Takes one line, without its CRLF. */
enum part_fault part_line(struct part *p, struct span line);
/* The empty line has come: whether the head is complete. */
enum part_fault part_head_end(struct part *p);

/*
 * The boundary in the value of a form's Content-Type, a view into it: 1 to 70 of RFC 2046's
 * characters (no blank), quoted or not, beside no other parameter than a charset of UTF-8.
 * False: not such a form.
 */
bool part_boundary(struct span content_type, struct span *boundary);

#endif
