/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a whole small file, as far as the box lets the keeper. */
#ifndef KEEPER_FILE_H
#define KEEPER_FILE_H

#include "base/buf.h"

/* Appends the content. NULL, or what is wrong: a type such as "NoSuchFile". */
const char *file_read(struct span path, struct buf *out);

/* The same of a token's file: one line, without its end and without any control byte. */
const char *file_read_line(struct span path, struct buf *out);

#endif
