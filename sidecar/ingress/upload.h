/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A form on its way from the client to egress: judged as it passes (multipart.h), held until its
 * model has said where it goes, and then sent on piece by piece. The last bytes of a form follow
 * when all of it was good, and its upstream is let go when it was not: no unfinished form is
 * executed.
 */
#ifndef INGRESS_UPLOAD_H
#define INGRESS_UPLOAD_H

#include "ingress/multipart.h"

struct conn;

struct upload {
	struct multipart form;
	uint64_t left;   /* bytes of a counted body that have not come */
	bool relaying;   /* egress has its head */
	bool whole;      /* all of it has come and was good */
	uint64_t length; /* of a counted body, as it is sent on */
};

/* Starts to read a form's body behind its head. False: it was refused, and c may be gone. */
bool upload_begin(struct conn *c);
/* Takes what has come of it. May free c. */
void upload_came(struct conn *c, struct span in);
/* Reads more of it. May free c. */
void upload_read(struct conn *c);

/* Whether the client should go on sending now. */
bool upload_wants(const struct conn *c);
/* Whether there is an upload of which not all has come. */
bool upload_is_open(const struct conn *c);

#endif
