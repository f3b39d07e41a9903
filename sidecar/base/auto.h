/* SPDX-License-Identifier: Apache-2.0 */
/* Locals that own something say so where they are declared; ownership leaves through take_*. */
#ifndef BASE_AUTO_H
#define BASE_AUTO_H

#include "base/buf.h"

void auto_close_fd(int *fd);
void auto_free_ptr(void *pp);

#define auto_close __attribute__((cleanup(auto_close_fd)))
#define auto_free  __attribute__((cleanup(auto_free_ptr)))
#define auto_buf   __attribute__((cleanup(buf_free)))

/* The descriptor, which the caller now owns; *fd becomes -1. */
int take_fd(int *fd);

#endif
