/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/prctl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>

#include "policy/box/boxes.h"

enum {
	READ_ONLY = O_ACCMODE | O_CREAT | O_TRUNC,
	TYPE = 0xf,
	FORK = CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD,
};

/*
 * The child that looks a name up lives under the same list. The protocol of TCP is named, as in
 * client.c: by 0, as libc does.
 */
static const struct box_call calls[] = {
	WHEN("clone", "a child for each look-up: fork, and no namespace or thread", EQ32(0, FORK)),
	ANY("set_robust_list", "fork, in the child"),
	ANY("wait4", "that child's end"),
	WHEN("kill", "a child over its time", EQ32(1, SIGKILL)),
	ANY("pipe2", "that child's answer"),
	ANY("read", "that child's answer; files"),
	ANY("newfstatat", "stdio, and whether resolv.conf has changed"),
	ANY("futex", "pthread_once wakes even when nobody waits"),
	ANY("close_range", "that child keeps no channel"),
	WHEN("prctl", "that child ends with us", EQ32(0, PR_SET_PDEATHSIG)),

	WHEN("openat", "hosts, resolv.conf, nsswitch.conf, gai.conf; Landlock says /etc",
	     MASKED(2, READ_ONLY, O_RDONLY)),
	ANY("lseek", "stdio, when it closes them"),
	WHEN("socket", "DNS, and getaddrinfo's sorting by source address", EQ32(0, AF_INET),
	     MASKED(1, TYPE, SOCK_DGRAM)),
	WHEN("socket", "the same over IPv6", EQ32(0, AF_INET6), MASKED(1, TYPE, SOCK_DGRAM)),
	WHEN("socket", "DNS over TCP, when an answer was cut", EQ32(0, AF_INET),
	     MASKED(1, TYPE, SOCK_STREAM), EQ32(2, 0)),
	WHEN("socket", "the same over IPv6", EQ32(0, AF_INET6), MASKED(1, TYPE, SOCK_STREAM),
	     EQ32(2, 0)),
	WHEN("socket", "getaddrinfo's sorting asks for temporary addresses", EQ32(0, AF_NETLINK),
	     EQ32(2, NETLINK_ROUTE)),
	FAILS("socket", "with two addresses or more that sorting asks nscd first: there is none",
	      EAFNOSUPPORT, EQ32(0, AF_UNIX)),
	ANY("bind", "that netlink socket"),
	ANY("connect", "name servers; Landlock says port 53 for TCP"),
	ANY("getsockname", "getaddrinfo's sorting by source address"),
	WHEN("setsockopt", "DNS: asks for ICMP errors", EQ32(1, IPPROTO_IP), EQ32(2, IP_RECVERR)),
	WHEN("setsockopt", "the same over IPv6", EQ32(1, IPPROTO_IPV6), EQ32(2, IPV6_RECVERR)),
	WHEN("sendto", "DNS, and that netlink socket", MASKED(3, MSG_FASTOPEN, 0)),
	WHEN("sendmmsg", "DNS: A and AAAA at once", MASKED(3, MSG_FASTOPEN, 0)),
	ANY("recvfrom", "DNS"),
	ANY("writev", "DNS over TCP"),
	ANY("ioctl", "DNS: how much has come (FIONREAD)"),
	ANY("poll", "DNS: waiting"),
	ANY("ppoll", "the same, where the architecture has no poll"),
	ANY("uname", "the host's name, for the search list"),
};

static const struct box *const includes[] = {&common_box, NULL};

const struct box resolver_box = {"resolver", BOX_CALLS(calls), includes, .files = true,
				 .dials = true};
