/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent: reads the configuration, at the start and on SIGHUP, holds the listeners and the
 * start-up environment, starts a generation of roles for each configuration, and ends when one of
 * them dies unasked. It never reads or writes the network and never sees a secret that was fetched
 * from a store.
 */
#ifndef PARENT_PARENT_H
#define PARENT_PARENT_H

#include "config/config.h"

struct parent_options {
	const char *path; /* of the configuration; NULL: look for it */
	/*
	 * Read already, and taken over; NULL: it is read from path. It may differ from what
	 * stands there, so that it is not read again: the caller has SIGHUP ignored, which a
	 * signalfd would take all the same.
	 */
	struct config *config;
	const int *listeners; /* open already, as many as config names; NULL: they are opened */
	int standing;         /* where a byte tells how the start went, or -1 */
};

/*
 * What stands there, once: calls are served, or waiting longer would not bring a secret that is
 * missing. The descriptor is closed behind it, and without it when the start fails.
 */
enum { PARENT_READY = '+', PARENT_LACKS = '-' };

/* Serves until SIGTERM or SIGINT. Returns the exit status. */
int parent_serve(const struct parent_options *o);

#endif
