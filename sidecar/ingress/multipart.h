/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A multipart/form-data body as it passes (RFC 7578, RFC 2046 section 5.1): which fields it has,
 * and its model. Nothing is kept but one header line and the model; files of any size go by.
 *
 *	body      = delimiter part *( CRLF delimiter part ) CRLF delimiter "--" [ CRLF ]
 *	delimiter = "--" boundary
 *	part      = CRLF *( field CRLF ) CRLF *OCTET         ; fields: ingress/part.h
 *
 * The delimiter stands nowhere else, not even in the middle of a file: what Go, python-multipart,
 * busboy and Werkzeug make of one behind a bare LF, with blanks behind it, or as the beginning of a
 * longer word differs. There is no preamble, no epilogue and no padding.
 */
#ifndef INGRESS_MULTIPART_H
#define INGRESS_MULTIPART_H

#include "ingress/part.h"
#include "ingress/scan.h"

enum {
	MULTIPART_PARTS_MAX = 64,
	MULTIPART_HEAD_MAX = 8 * 1024, /* of a part */
	MULTIPART_LINE_MAX = 2 * 1024,
	MULTIPART_DELIMITER_MAX = 72,
	MULTIPART_MODEL_MAX = 2048,
};

enum multipart_fault {
	MULTIPART_OK,
	MULTIPART_START,     /* it does not begin with its delimiter */
	MULTIPART_DELIMITER, /* the delimiter where it may not be, or with something behind it */
	MULTIPART_HEAD,      /* of a part: not its form, see part */
	MULTIPART_TOO_LARGE, /* too many parts, or too large a head */
	MULTIPART_LENGTH,    /* a part is not as long as it says */
	MULTIPART_EPILOGUE,  /* bytes behind its end */
	MULTIPART_SHORT,     /* it ends before its last delimiter */
	MULTIPART_MODEL_TWICE,
	MULTIPART_MODEL_SPELLING, /* "Model", which some upstreams do not see */
	MULTIPART_MODEL_TYPE,     /* a file, a list, not plain UTF-8 text, or too long */
	MULTIPART_DENIED_FIELD, /* one that the caller's predicate denied: named in current.name */
};

struct multipart {
	int state; /* of multipart.c's own */
	enum multipart_fault fault;
	enum part_fault part; /* of MULTIPART_HEAD */
	scan_denies_fn *denies;
	const void *arg;
	char delimiter[MULTIPART_DELIMITER_MAX];
	unsigned char back[MULTIPART_DELIMITER_MAX]; /* Knuth, Morris and Pratt's table */
	size_t delimiter_len;
	size_t matched; /* bytes of the delimiter that were just seen */
	uint64_t at;    /* bytes of the body so far */
	unsigned parts;
	struct part current;
	size_t head_len;
	char line[MULTIPART_LINE_MAX];
	size_t line_len;
	uint64_t content_at;                    /* where the current part's content begins */
	char tail[MULTIPART_DELIMITER_MAX + 2]; /* the last bytes of content of earlier pieces */
	size_t tail_len;
	bool has_model; /* whole: its end has been seen */
	char model[MULTIPART_MODEL_MAX + 1];
	size_t model_len;
	bool model_has_length; /* its part says how long it is */
	uint64_t model_at;     /* where in the body its value stands */
	char closing[4];       /* what ends the form: "--", CRLF */
	size_t closing_len;
};

/* boundary: part_boundary's. denies (or NULL) is asked with folded names, without brackets. */
void multipart_init(struct multipart *m, struct span boundary, scan_denies_fn *denies,
		    const void *arg);

/*
 * Takes the next piece of the body. The first fault stays. In how many pieces it comes makes no
 * difference. What ends the form is kept in closing and counted there, so that it can be held back
 * until the whole body has been judged: of an unfinished form nothing is executed.
 */
enum multipart_fault multipart_feed(struct multipart *m, struct span in);
/* The body is over. */
enum multipart_fault multipart_end(struct multipart *m);

/* A sentence's end for "The form …": what is wrong with it. */
const char *multipart_fault_text(const struct multipart *m);

#endif
