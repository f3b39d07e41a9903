/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of the AWS CLI's files, as Python's configparser takes them, which botocore uses:
 *
 *   [section]
 *   # comment           ; comment
 *   name = value        or name: value
 *   name =
 *     more of the value, for as long as lines are indented deeper than the name
 *
 * Besides, as the other SDKs do: a comment behind a value or a section, after a blank; a byte order
 * mark; CRLF. Pure; views into the text.
 */
#ifndef AWS_INI_H
#define AWS_INI_H

#include "base/span.h"

struct ini {
	struct span text;
	size_t at;
	bool in_section;
};

enum ini_event {
	INI_END,
	INI_SECTION, /* name */
	INI_SETTING, /* name and value; a value of several lines has their newlines in it */
	INI_BAD,     /* none of these, or a setting before the first section: read no further */
};

struct ini ini_start(struct span text);

/* The next thing that is no comment and not blank. */
enum ini_event ini_next(struct ini *i, struct span *name, struct span *value);

#endif
