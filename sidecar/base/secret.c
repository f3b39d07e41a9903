/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OPENSSL_SUPPRESS_DEPRECATED /* RSA_METHOD: see keep_no_primes */
#include <openssl/crypto.h>
#include <openssl/rsa.h>

#include "base/secret.h"

#include "base/auto.h"

/* In the heap. Lengths are bounded by the heap itself. */
struct secret {
	size_t len;
	char bytes[];
};

enum { SMALLEST_BLOCK = 16 }; /* OpenSSL's list node needs that much */

static enum secret_pages heap_level = SECRET_PAGES_NONE;

const char *
secret_pages_name(enum secret_pages p)
{
	static const char *const names[] = {"none", "locked", "memfd_secret"};

	return names[p];
}

static void *
crypto_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return n == 0 ? NULL : wipe_malloc(n);
}

static void *
crypto_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return wipe_realloc(p, n);
}

static void
crypto_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	wipe_free(p);
}

/*
 * size bytes of memfd_secret pages; NULL without them (kernel, secretmem.enable,
 * RLIMIT_MEMLOCK).
 */
static void *
map_memfd(size_t size)
{
	auto_close int fd = (int)syscall(SYS_memfd_secret, 0);
	void *p;

	if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
		return NULL;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (madvise(p, size, MADV_DONTFORK) != 0) {
		munmap(p, size);
		return NULL;
	}
	return p;
}

/* Keeps ordinary pages out of swap, core files and children. As system calls, here and below:
 * AddressSanitizer makes libc's functions do nothing, and OpenSSL locks by system call. */
static bool
lock_pages(void *p, size_t size)
{
	return syscall(SYS_mlock, p, size) == 0 && madvise(p, size, MADV_DONTDUMP) == 0 &&
	       madvise(p, size, MADV_DONTFORK) == 0;
}

/*
 * Where the secure heap's arena is: a block of its full size can only be all of it.
 * NULL when that does not hold, which another version of OpenSSL may bring.
 */
static void *
find_arena(size_t size)
{
	void *arena = OPENSSL_secure_malloc(size);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (arena == NULL)
		return NULL;
	OPENSSL_secure_free(arena);
	return ((uintptr_t)arena % page == 0 && size % page == 0) ? arena : NULL;
}

/*
 * Puts memfd_secret pages in the arena's place, content (the free list) included.
 * Unlocks the arena first, since both together would pass RLIMIT_MEMLOCK. The new
 * pages are made elsewhere and moved, so that a failure leaves the arena as it was.
 */
static bool
replace_arena(void *arena, size_t size)
{
	void *pages;

	if (syscall(SYS_munlock, arena, size) != 0)
		return false;
	pages = map_memfd(size);
	if (pages == NULL)
		return false;
	memcpy(pages, arena, size);
	if (mremap(pages, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, arena) != arena)
		abort(); /* the arena may be gone by now, and OpenSSL would write into it */
	return true;
}

static int (*openssl_init)(RSA *rsa);

static int
init_rsa(RSA *rsa)
{
	if (openssl_init(rsa) != 1)
		return 0;
	RSA_clear_flags(rsa, RSA_FLAG_CACHE_PRIVATE);
	return 1;
}

/*
 * After its first signature OpenSSL keeps an RSA key's primes in Montgomery contexts, in
 * ordinary memory. Without that cache they are there during a signature only, and wiped.
 * OpenSSL 3 has no other way to say so than its older interface.
 */
static bool
keep_no_primes(void)
{
	RSA_METHOD *method = RSA_meth_dup(RSA_PKCS1_OpenSSL());

	openssl_init = RSA_meth_get_init(RSA_PKCS1_OpenSSL());
	if (method == NULL || openssl_init == NULL || RSA_meth_set_init(method, init_rsa) != 1)
		return false;
	RSA_set_default_method(method); /* which owns it from here on */
	return true;
}

enum secret_pages
secret_init(size_t size)
{
	void *arena;

	if (heap_level != SECRET_PAGES_NONE)
		return heap_level;
	if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1)
		return SECRET_PAGES_NONE; /* OpenSSL was used before */
	/* 2 means that it could not lock; what counts is what comes of it below */
	if (CRYPTO_secure_malloc_init(size, SMALLEST_BLOCK) == 0)
		return SECRET_PAGES_NONE;
	arena = find_arena(size);
	if (arena == NULL || !keep_no_primes())
		return SECRET_PAGES_NONE;
	if (replace_arena(arena, size))
		heap_level = SECRET_PAGES_MEMFD;
	else if (lock_pages(arena, size))
		heap_level = SECRET_PAGES_LOCKED;
	return heap_level;
}

enum secret_pages
secret_level(void)
{
	return heap_level;
}

void *
secret_map(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), rounded = (size + page - 1) / page * page;
	void *p = map_memfd(rounded);

	if (p != NULL)
		return p;
	p = mmap(NULL, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (!lock_pages(p, rounded)) {
		munmap(p, rounded);
		return NULL;
	}
	return p;
}

struct secret *
secret_room(size_t len)
{
	struct secret *s;

	if (heap_level == SECRET_PAGES_NONE || len > SIZE_MAX - sizeof(*s) - 1)
		return NULL; /* without its heap, OpenSSL would take ordinary memory */
	s = OPENSSL_secure_zalloc(sizeof(*s) + len + 1);
	if (s != NULL)
		s->len = len;
	return s;
}

struct secret *
secret_new(struct span value)
{
	struct secret *s = secret_room(value.len);

	if (s != NULL && value.len > 0)
		memcpy(s->bytes, value.ptr, value.len);
	return s;
}

void
secret_free(struct secret *s)
{
	if (s != NULL)
		OPENSSL_secure_clear_free(s, sizeof(*s) + s->len + 1);
}

struct span
secret_span(const struct secret *s)
{
	return (struct span){s->bytes, s->len};
}

char *
secret_bytes(struct secret *s)
{
	return s->bytes;
}
