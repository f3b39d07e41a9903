/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where secrets live at rest: pages that no other process can read, not even
 * root through /proc/PID/mem, where the kernel has memfd_secret(2); else pages
 * that are locked and left out of core files. Each process has one heap of them
 * (OpenSSL's secure heap, moved onto such pages), from which OpenSSL takes its
 * private keys as well. `struct secret` cannot be printed or copied elsewhere.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/span.h"

enum secret_pages {
	SECRET_PAGES_NONE,   /* not set up */
	SECRET_PAGES_LOCKED, /* mlock, MADV_DONTDUMP, MADV_DONTFORK */
	SECRET_PAGES_MEMFD,  /* memfd_secret, MADV_DONTFORK */
};

/* As logs and the admin port have it. */
const char *secret_pages_name(enum secret_pages p);

struct secret;

/*
 * Sets up the process's heap of size bytes (a power of two; 64 KiB is what
 * Docker's default RLIMIT_MEMLOCK allows, secret_map's pages counted with it) and
 * routes OpenSSL's allocator through wipe-on-free. Call first in main, before any
 * use of OpenSSL. libcurl and jansson are routed by the files that hold them
 * (multi_setup, json_setup). Returns what kind of pages it got; NONE is failure.
 */
enum secret_pages secret_init(size_t size);

/* What secret_init got. */
enum secret_pages secret_level(void);

/*
 * Pages of their own, outside the heap, for one large value (the start-up
 * environment): size rounded up to pages, never freed. NULL when neither kind can be had.
 */
void *secret_map(size_t size);

/* A copy of value in the heap, or NULL when the heap is full. NUL-terminated behind its length. */
struct secret *secret_new(struct span value);
/* Room for len bytes, to be filled at secret_bytes. */
struct secret *secret_room(size_t len);
/* Wipes and frees; NULL does nothing. */
void secret_free(struct secret *s);

/* The value, valid until secret_free. Use it in place; never copy it to ordinary memory. */
struct span secret_span(const struct secret *s);
char *secret_bytes(struct secret *s);

/* For the libraries: malloc, calloc, realloc, free, strdup that wipe what they give back, and abort
 * when there is no memory. */
void *wipe_malloc(size_t n);
void *wipe_calloc(size_t n, size_t size);
void *wipe_realloc(void *p, size_t n);
void wipe_free(void *p);
char *wipe_strdup(const char *s);

#endif
