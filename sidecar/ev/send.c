/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/socket.h>

#include "ev/send.h"

int
send_buf(int fd, struct buf *b, size_t keep, uint64_t *sent)
{
	size_t went = 0;

	while (went < b->len) {
		ssize_t n = send(fd, b->ptr + went, b->len - went, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return -1;
		went += (size_t)n;
	}
	if (sent != NULL)
		*sent += went;
	if (went == b->len)
		buf_clear(b, keep);
	else
		buf_drop(b, went);
	return 0;
}
