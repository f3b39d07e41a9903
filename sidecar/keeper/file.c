/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "keeper/file.h"

#include "base/auto.h"
#include "base/fd.h"

const char *
file_read(struct span name, struct buf *out)
{
	char path[4096];
	struct stat st;

	if (!span_cstr(name, path, sizeof(path)))
		return "NameTooLong";
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return errno == EACCES || errno == EPERM ? "PermissionDenied" : "NoSuchFile";
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return "NotAFile";
	if (fd_read_all(fd, out) != 0)
		return errno == EFBIG ? "TooLarge" : "ReadError";
	return NULL;
}

const char *
file_read_line(struct span path, struct buf *out)
{
	size_t start = out->len, end;
	const char *wrong = file_read(path, out);

	if (wrong != NULL)
		return wrong;
	end = out->len;
	while (end > start && (out->ptr[end - 1] == '\n' || out->ptr[end - 1] == '\r'))
		end--;
	if (span_has_control(span_cut(buf_span(out), start, end)))
		return "BadCharacter";
	buf_keep(out, end);
	return end > start ? NULL : "EmptyFile";
}
