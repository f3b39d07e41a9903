/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/command.h"

#include "box/box.h"
#include "policy/box/boxes.h"

enum { EXIT_CANNOT = 126, EXIT_ABSENT = 127 }; /* as shells, env and timeout say it */

int
command_confine(void)
{
	struct box_level level = {0};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || landlock_scope(&level) != 0 ||
	    filter_deny(&command_box, FOREIGN_HELD) != 0) {
		fprintf(stderr, "sidekey exec: the command could not be confined: %s\n",
			strerrordesc_np(errno));
		return -1;
	}
	if (level.landlock_abi == 0)
		fputs("sidekey exec: this kernel has no Landlock (2): the command can signal and "
		      "trace your other processes, and read their environment\n",
		      stderr);
	else if (!level.landlock_scope)
		fputs("sidekey exec: this kernel's Landlock is older than 6: the command can "
		      "signal your other processes and reach abstract sockets\n",
		      stderr);
	return 0;
}

int
command_become(char **command, char **env)
{
	int error;

	environ = env;
	execvp(command[0], command);
	error = errno;
	fprintf(stderr, "sidekey exec: the command %s could not be executed: %s\n", command[0],
		strerrordesc_np(error));
	return error == ENOENT ? EXIT_ABSENT : EXIT_CANNOT;
}
