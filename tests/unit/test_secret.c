/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "unit.h"

#include "base/secret.h"
#include "policy/box/boxes.h"

enum { HEAP = 64 * 1024, MAP_CHUNK = 1 << 20 };

/* In a child, as every test here: secret_init can be had once in a process. */
static int
in_child(int (*run)(void *arg), void *arg)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run(arg));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static bool
has_memfd_secret(void)
{
	int fd = (int)syscall(SYS_memfd_secret, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

#define CHILD_ASSERT(cond)                                                                         \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%d: %s (errno %d)\n", __LINE__, #cond, errno);            \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

static int
use_heap(void *arg)
{
	enum secret_pages want = *(const enum secret_pages *)arg;
	struct secret *a, *b, *all[600];
	size_t n = 0;

	CHILD_ASSERT(secret_level() == SECRET_PAGES_NONE);
	CHILD_ASSERT(secret_new(SPAN("too early")) == NULL);
	CHILD_ASSERT(secret_init(HEAP) == want);
	CHILD_ASSERT(secret_level() == want);
	a = secret_new(SPAN("sk-0123456789"));
	b = secret_room(40);
	CHILD_ASSERT(a != NULL && b != NULL);
	CHILD_ASSERT(span_is(secret_span(a), "sk-0123456789") && secret_bytes(a)[13] == '\0');
	CHILD_ASSERT(secret_span(b).len == 40 && CRYPTO_secure_allocated(secret_bytes(b)));
	secret_free(a);
	secret_free(b);
	secret_free(NULL);
	CHILD_ASSERT(CRYPTO_secure_used() == 0);
	while (n < 600 && (all[n] = secret_room(200)) != NULL)
		n++;
	CHILD_ASSERT(n == HEAP / 256); /* full is NULL, never ordinary memory */
	while (n > 0)
		secret_free(all[--n]);
	CHILD_ASSERT((a = secret_room(HEAP - 100)) != NULL); /* all of it can be had again */
	secret_free(a);
	return 0;
}

static void
heap_holds_and_frees(void **state)
{
	enum secret_pages want = has_memfd_secret() ? SECRET_PAGES_MEMFD : SECRET_PAGES_LOCKED;

	(void)state;
	assert_int_equal(in_child(use_heap, &want), 0);
}

/* Docker's default: RLIMIT_MEMLOCK 64 KiB and no CAP_IPC_LOCK. */
static int
use_heap_unprivileged(void *arg)
{
	struct rlimit limit = {HEAP, HEAP};

	CHILD_ASSERT(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	if (geteuid() == 0)
		CHILD_ASSERT(setresgid(65534, 65534, 65534) == 0 &&
			     setresuid(65534, 65534, 65534) == 0);
	return use_heap(arg);
}

static void
heap_fits_docker_memlock(void **state)
{
	enum secret_pages want = has_memfd_secret() ? SECRET_PAGES_MEMFD : SECRET_PAGES_LOCKED;

	(void)state;
	assert_int_equal(in_child(use_heap_unprivileged, &want), 0);
}

static int
refuse_too_small_limit(void *arg)
{
	struct rlimit limit = {4096, 4096};

	(void)arg;
	CHILD_ASSERT(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	if (geteuid() == 0)
		CHILD_ASSERT(setresuid(65534, 65534, 65534) == 0);
	CHILD_ASSERT(secret_init(HEAP) == SECRET_PAGES_NONE);
	CHILD_ASSERT(secret_new(SPAN("x")) == NULL);
	return 0;
}

static void
no_pages_is_failure(void **state)
{
	(void)state;
	assert_int_equal(in_child(refuse_too_small_limit, NULL), 0);
}

/* Without memfd_secret: descriptors used up stand for a kernel that has none. */
static int
use_locked_pages(void *arg)
{
	struct rlimit none;
	enum secret_pages want = SECRET_PAGES_LOCKED;

	(void)arg;
	CHILD_ASSERT(getrlimit(RLIMIT_NOFILE, &none) == 0);
	none.rlim_cur = 0;
	CHILD_ASSERT(setrlimit(RLIMIT_NOFILE, &none) == 0);
	return use_heap(&want);
}

static void
locked_pages_stand_in(void **state)
{
	(void)state;
	assert_int_equal(in_child(use_locked_pages, NULL), 0);
}

/* -1 and errno, or 0, of reading one byte of this process at p through /proc/self/mem. */
static int
read_own_memory(const void *p)
{
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC), saved;
	char byte;
	ssize_t n = pread(fd, &byte, 1, (off_t)(uintptr_t)p);

	saved = errno;
	close(fd);
	errno = saved;
	return n == 1 ? 0 : -1;
}

static int
hide_from_mem(void *arg)
{
	struct secret *s;
	char *own = NULL;

	(void)arg;
	CHILD_ASSERT(secret_init(HEAP) == SECRET_PAGES_MEMFD);
	s = secret_new(SPAN("hidden"));
	CHILD_ASSERT(s != NULL);
	CHILD_ASSERT(read_own_memory(&own) == 0);
	errno = 0;
	CHILD_ASSERT(read_own_memory(secret_bytes(s)) == -1 && errno == EIO);
	own = secret_map(5000);
	CHILD_ASSERT(own != NULL);
	memset(own, 'x', 8192); /* rounded up to pages */
	errno = 0;
	CHILD_ASSERT(read_own_memory(own) == -1 && errno == EIO);
	return 0;
}

static void
not_even_root_reads_it(void **state)
{
	(void)state;
	if (!has_memfd_secret()) {
		print_message("skipped: this kernel has no memfd_secret\n");
		skip();
	}
	assert_int_equal(in_child(hide_from_mem, NULL), 0);
}

static int
touch_after_fork(void *arg)
{
	struct secret *s;
	pid_t pid;
	int status;

	(void)arg;
	CHILD_ASSERT(secret_init(HEAP) != SECRET_PAGES_NONE);
	CHILD_ASSERT((s = secret_new(SPAN("not inherited"))) != NULL);
	pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL); /* a sanitizer would report it */
		_exit(secret_bytes(s)[0] == 'n');
	}
	CHILD_ASSERT(waitpid(pid, &status, 0) == pid);
	CHILD_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	return 0;
}

static void
children_do_not_inherit_it(void **state)
{
	(void)state;
	if (is_emulated()) {
		print_message(
			"children_do_not_inherit_it: skipped: an emulator copies every page\n");
		skip();
	}
	assert_int_equal(in_child(touch_after_fork, NULL), 0);
}

static int
wipe_and_look(void *arg)
{
	char *p = wipe_malloc(64), *q;
	volatile char *was = p;

	(void)arg;
	memset(p, 's', 64);
	q = wipe_realloc(p, 4096);
	CHILD_ASSERT(q != NULL && q[0] == 's' && q[63] == 's');
	/* The allocator keeps its own pointers in the first 16 bytes of a free block. */
	for (size_t i = 16; i < 64; i++)
		CHILD_ASSERT(was[i] == '\0');
	CHILD_ASSERT(wipe_realloc(q, 0) == NULL);
	p = wipe_strdup("copy");
	CHILD_ASSERT(p != NULL && strcmp(p, "copy") == 0);
	wipe_free(p);
	wipe_free(NULL);
	p = wipe_calloc(8, 8);
	CHILD_ASSERT(p != NULL && p[63] == 0);
	wipe_free(p);
	return 0;
}

static void
allocators_wipe(void **state)
{
	(void)state;
	if (sanitizer_box.ncalls > 0) {
		print_message("skipped: AddressSanitizer forbids to read freed memory\n");
		skip();
	}
	assert_int_equal(in_child(wipe_and_look, NULL), 0);
}

/* ---- private keys ---- */

struct needle {
	const char *name;
	unsigned char bytes[512];
	size_t len;
};

static bool
holds(const unsigned char *hay, size_t n, const struct needle *needle)
{
	unsigned char reversed[sizeof(needle->bytes)];

	for (size_t i = 0; i < needle->len; i++)
		reversed[i] = needle->bytes[needle->len - 1 - i];
	return memmem(hay, n, needle->bytes, needle->len) != NULL ||
	       memmem(hay, n, reversed, needle->len) != NULL;
}

/* How many of needles are readable in pid's memory (BN words are little endian, DER is big). */
static unsigned
search_memory(pid_t pid, const struct needle *needles, size_t n)
{
	char path[64], line[512];
	unsigned found = 0;
	FILE *maps;
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	assert_non_null(maps);
	assert_true(mem >= 0);
	while (fgets(line, sizeof(line), maps) != NULL) {
		uintptr_t from, to;
		unsigned char *copy;
		ssize_t got;

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " r", &from, &to) != 2)
			continue;
		if (to - from > 64 * MAP_CHUNK)
			continue; /* a sanitizer's shadow */
		copy = malloc(to - from);
		assert_non_null(copy);
		got = pread(mem, copy, to - from, (off_t)from);
		for (size_t i = 0; got > 0 && i < n; i++) {
			if (holds(copy, (size_t)got, &needles[i])) {
				print_message("%s readable in %s", needles[i].name, line);
				found++;
			}
		}
		free(copy);
	}
	fclose(maps);
	close(mem);
	return found;
}

static void
add_needle(struct needle *needles, size_t *n, EVP_PKEY *key, const char *param)
{
	BIGNUM *number = NULL;
	struct needle *needle = &needles[*n];

	if (EVP_PKEY_get_bn_param(key, param, &number) != 1)
		return;
	needle->name = param;
	needle->len = (size_t)BN_bn2bin(number, needle->bytes);
	BN_free(number);
	(*n)++;
}

/* What is kept of a key often comes with its first use only. */
static bool
sign(EVP_PKEY *key)
{
	unsigned char signature[512];
	size_t len = sizeof(signature);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		    EVP_DigestSign(ctx, signature, &len, (const unsigned char *)"text", 4) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}

/* The child: reads a PEM key into the heap, loads it, signs with it, says so, and waits. */
static void
hold_key(int fd)
{
	struct secret *pem;
	ssize_t n;
	BIO *bio;
	EVP_PKEY *key;

	if (secret_init(HEAP) == SECRET_PAGES_NONE)
		_exit(1);
	pem = secret_room(8192);
	n = read(fd, secret_bytes(pem), 8192);
	bio = BIO_new_mem_buf(secret_bytes(pem), (int)n);
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	secret_free(pem);
	if (key == NULL || !sign(key) || write(fd, "r", 1) != 1)
		_exit(2);
	while (read(fd, &n, 1) > 0)
		;
	_exit(0);
}

static void
look_for_key(EVP_PKEY *key)
{
	struct needle needles[8];
	size_t n = 0;
	int pair[2];
	char *pem, ready;
	BIO *bio = BIO_new(BIO_s_mem());
	long len;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	/* Executed anew, so that the child has nothing of this process's memory. */
	pid = fork();
	if (pid == 0) {
		char number[16];

		snprintf(number, sizeof(number), "%d", dup(pair[1]));
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/proc/self/exe", "test_secret", "hold-key", number, (char *)NULL);
		_exit(3);
	}
	PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	len = BIO_get_mem_data(bio, &pem);
	assert_int_equal(write(pair[0], pem, (size_t)len), len);
	assert_int_equal(read(pair[0], &ready, 1), 1);
	add_needle(needles, &n, key, OSSL_PKEY_PARAM_PRIV_KEY);
	add_needle(needles, &n, key, OSSL_PKEY_PARAM_RSA_D);
	add_needle(needles, &n, key, OSSL_PKEY_PARAM_RSA_FACTOR1);
	add_needle(needles, &n, key, OSSL_PKEY_PARAM_RSA_FACTOR2);
	assert_true(n > 0);
	needles[n] = (struct needle){.name = "PEM text", .len = 60};
	memcpy(needles[n++].bytes, pem + 64, 60);
	assert_int_equal(search_memory(pid, needles, n), 0);
	close(pair[0]);
	close(pair[1]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	BIO_free(bio);
}

static void
keys_stay_in_the_heap(void **state)
{
	EVP_PKEY *ec, *rsa;

	(void)state;
	if (!has_memfd_secret() || sanitizer_box.ncalls > 0) {
		print_message("skipped: no memfd_secret, or a sanitizer's frames, which keep what "
			      "OpenSSL's left on the stack\n");
		skip();
	}
	ec = EVP_EC_gen("P-256");
	rsa = EVP_RSA_gen(2048);
	look_for_key(ec);
	look_for_key(rsa);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(rsa);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heap_holds_and_frees),
		cmocka_unit_test(heap_fits_docker_memlock),
		cmocka_unit_test(no_pages_is_failure),
		cmocka_unit_test(locked_pages_stand_in),
		cmocka_unit_test(not_even_root_reads_it),
		cmocka_unit_test(children_do_not_inherit_it),
		cmocka_unit_test(allocators_wipe),
		cmocka_unit_test(keys_stay_in_the_heap),
	};

	if (argc == 3 && strcmp(argv[1], "hold-key") == 0)
		hold_key(atoi(argv[2]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
