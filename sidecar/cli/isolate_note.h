/* SPDX-License-Identifier: Apache-2.0 */
/* What the two ends of an isolated command say to each other: a word, and maybe a descriptor. */
#ifndef CLI_ISOLATE_NOTE_H
#define CLI_ISOLATE_NOTE_H

#include <stdint.h>

enum note_kind {
	NOTE_FAULT,   /* from inside: a step failed; value: enum isolate_step, detail: errno */
	NOTE_LISTENS, /* from inside: the descriptor is a listener in there */
	NOTE_ORDERS,  /* from outside: the descriptor holds what to hide and the environment */
	NOTE_SIGNAL,  /* from outside: value: for the command; detail: the last stop it heard of */
	NOTE_STOPPED, /* from inside: the command has stopped; value: how often so far */
	NOTE_ENDED,   /* from inside: value: the command's status, as waitpid tells it */
};

/* Each is said by the inside as it fails. */
enum isolate_step {
	STEP_USER,
	STEP_NETWORK,
	STEP_LISTEN,
	STEP_ORDERS,
	STEP_MOUNTS,
	STEP_PROC,
	STEP_DEVICES,
	STEP_HIDE,
	STEP_PLACE,
	STEP_CAPABILITIES,
	STEP_COMMAND,
	STEPS
};

struct note {
	int32_t kind, value, detail;
};

/* A pair of close-on-exec sockets. 0 or -1 (errno). */
int note_pair(int fds[2]);

/* fd: a descriptor to pass on, or -1. 0 or -1. */
int note_send(int line, struct note n, int fd);

/*
 * Waits for a note: 0 with *fd the descriptor that came along, the caller's, or -1; -1 when the
 * other end is gone.
 */
int note_receive(int line, struct note *n, int *fd);

#endif
