/* SPDX-License-Identifier: Apache-2.0 */
/* Who may read or replace a file, besides root and this user. */
#ifndef CLI_EXPOSURE_H
#define CLI_EXPOSURE_H

#include <stdbool.h>
#include <stdint.h>

struct exposure {
	uint32_t owner, group, mode;
	bool foreign;     /* owned by neither root nor this user, who may then do anything */
	bool own_group;   /* this process is in the file's group */
	bool others_read; /* through all the directories above it, as are these: */
	bool others_write, group_read, group_write;
	bool dir_write; /* others may put another file in its place: not way_is_ours */
};

/*
 * Follows links, as an opening would. What lies on a file system that is mounted read-only cannot
 * be written. 0, or -1 with errno.
 */
int exposure_of(const char *path, struct exposure *out);

#endif
