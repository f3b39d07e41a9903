/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "parent/notify.h"

#include "base/auto.h"

int
notify_open(const char *where)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = strlen(where);
	auto_close int fd = -1;

	if ((where[0] != '/' && where[0] != '@') || n < 2 || n >= sizeof(to.sun_path)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(to.sun_path, where, n);
	if (where[0] == '@')
		to.sun_path[0] = '\0';
	else
		n++; /* a path has its NUL; the length alone ends an abstract name */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) != 0)
		return -1;
	return take_fd(&fd);
}

void
notify_ready(int fd)
{
	static const char ready[] = "READY=1";

	if (fd < 0)
		return;
	/* Who does not listen any more will end us for it. */
	(void)send(fd, ready, sizeof(ready) - 1, MSG_NOSIGNAL);
	close(fd);
}
