/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/ioctl.h>

#include "policy/box/boxes.h"

/*
 * What a command leaves in the terminal, the shell that started it reads when it has ended: with
 * the keys in its environment, and outside of the command's domain.
 */
static const struct box_call calls[] = {
	FAILS("ioctl", "types into the terminal, for the user's shell to read", EPERM,
	      EQ32(1, TIOCSTI)),
	FAILS("ioctl", "pastes into a console", EPERM, EQ32(1, TIOCLINUX)),
};

const struct box command_box = {"command", BOX_CALLS(calls), .files = false};
