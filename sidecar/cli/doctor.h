/* SPDX-License-Identifier: Apache-2.0 */
/* `sidekey doctor`: what would let the agent reach a secret all the same. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

/* argv[0] is the verb. Returns the exit status: 0 good, 1 a weakness, 2 usage or configuration. */
int cli_doctor(int argc, char **argv);

#endif
