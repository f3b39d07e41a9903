/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/prctl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "policy/box/boxes.h"

static const struct box_call calls[] = {
	ANY("epoll_wait", "the loop"),
	ANY("epoll_pwait", "the loop, where the architecture has no epoll_wait"),
	ANY("epoll_ctl", "the loop's watches"),
	ANY("clock_gettime", "timers and the log, where the vDSO cannot answer"),
	ANY("gettimeofday", "the same, as libraries ask"),
	ANY("time", "the same, as libraries ask"),

	ANY("write", "the log; the bell of the other end of a trunk"),
	ANY("poll", "whether the log takes a line, where it could not be opened anew"),
	ANY("ppoll", "the same, where the architecture has no poll"),
	ANY("close", "descriptors that the role holds"),
	ANY("recvmsg", "channels"),
	/* Not sendmsg: a descriptor that is handed on may hold up whoever closes it. */
	WHEN("sendto", "channels, callers, libcurl; no address, no Fast Open, which connects",
	     EQ(4, 0), MASKED(3, MSG_FASTOPEN, 0)),

	ANY("brk", "malloc"),
	WHEN("mmap", "malloc; never executable", MASKED(2, PROT_EXEC, 0)),
	ANY("munmap", "free"),
	ANY("mremap", "realloc of the loop's table; keeps the protection"),

	ANY("restart_syscall", "a wait that SIGSTOP and SIGCONT interrupted"),
	ANY("exit_group", "the end"),
	ANY("rt_sigprocmask", "abort: a broken invariant is to end as SIGABRT"),
	ANY("writev", "libc's last words before it aborts, such as of a smashed stack"),
	ANY("getpid", "abort; OpenSSL asks whether it has been forked"),
	ANY("gettid", "abort"),
	WHEN("tgkill", "abort", EQ32(2, SIGABRT)),
	WHEN("prctl", "box_enter's last check", EQ32(0, PR_GET_SECCOMP)),
};

static const struct box *const includes[] = {&sanitizer_box, NULL};

const struct box common_box = {"common", BOX_CALLS(calls), includes, false, false, false};
