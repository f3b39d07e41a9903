/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>

#include "policy/box/boxes.h"

#ifdef SIDEKEY_DYNAMIC

/* A program that is linked with shared libraries: what its start takes besides. */
static const struct box_call calls[] = {
	WHEN("mmap", "the code of a library: of a file, and not writable",
	     EQ32(2, PROT_READ | PROT_EXEC), MASKED(3, MAP_ANONYMOUS, 0)),
	ANY("read", "a library's head"),
	ANY("pread64", "a library's head"),
	ANY("lseek", "the same"),
	ANY("fstat", "the same, by its older name"),
	ANY("access", "whether there is an /etc/ld.so.preload"),
};

const struct box loader_box = {"loader", BOX_CALLS(calls), NULL, false, false, false};

#else

const struct box loader_box = {"loader", NULL, 0, NULL, false, false, false};

#endif
