/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"

enum { PIECE = 16 * 1024 };

int
fd_read_all(int fd, struct buf *out)
{
	for (;;) {
		size_t left = out->max - out->len, want = left < PIECE ? left : PIECE;
		char more; /* whether there is any is asked even where it has no place */
		ssize_t n = read(fd, left > 0 ? buf_room(out, want) : &more, left > 0 ? want : 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -1 : 0;
		if (left == 0) {
			errno = EFBIG;
			return -1;
		}
		buf_grew(out, (size_t)n);
	}
}

int
fd_write_all(int fd, struct span content)
{
	while (content.len > 0) {
		ssize_t n = write(fd, content.ptr, content.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		content = span_cut(content, (size_t)n, content.len);
	}
	return 0;
}

int
fd_keep_places(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	return fd < 0 ? -1 : close(fd);
}
