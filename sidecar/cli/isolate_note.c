/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/isolate_note.h"

union rights {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int
note_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
}

int
note_send(int line, struct note n, int fd)
{
	struct iovec content = {&n, sizeof(n)};
	struct msghdr m = {.msg_iov = &content, .msg_iovlen = 1};
	union rights rights = {.bytes = {0}};
	struct cmsghdr *head;

	if (fd >= 0) {
		m.msg_control = rights.bytes;
		m.msg_controllen = sizeof(rights.bytes);
		head = CMSG_FIRSTHDR(&m);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	}
	return sendmsg(line, &m, MSG_NOSIGNAL) == sizeof(n) ? 0 : -1;
}

int
note_receive(int line, struct note *n, int *fd)
{
	union rights rights = {.bytes = {0}};
	struct iovec content = {n, sizeof(*n)};
	struct msghdr m = {.msg_iov = &content,
			   .msg_iovlen = 1,
			   .msg_control = rights.bytes,
			   .msg_controllen = sizeof(rights.bytes)};
	struct cmsghdr *head;
	ssize_t got;

	while ((got = recvmsg(line, &m, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
		;
	*fd = -1;
	head = got > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(head), sizeof(*fd));
	return got == sizeof(*n) ? 0 : -1;
}
