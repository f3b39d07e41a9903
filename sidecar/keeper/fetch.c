/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "keeper/fetch.h"

#include "base/date.h"
#include "ev/https.h"
#include "ev/multi.h"

enum {
	ANSWER_MAX = 256 * 1024,
	CONNECT_MS = 5 * 1000,
	TOTAL_MS = 10 * 1000,
	POOLED_MAX = 8,
};

struct fetcher {
	struct multi *multi;
	struct span ca;
	X509_STORE *store; /* of ca: parsed for the first https exchange (15 ms) */
};

struct fetch {
	struct fetcher *fetcher;
	CURL *easy;
	struct curl_slist *lines, *resolve;
	struct buf body, answer;
	struct fetch_address addresses[FETCH_ADDRESSES_MAX];
	size_t naddresses;
	uint16_t port;
	char request_id[128], error_type[128];
	uint64_t date;
	bool too_large, https;
	fetch_fn *done;
	void *arg;
};

/* ---- the shared part ---- */

static void finished(void *arg, void *easy, int result);

static X509_STORE *
read_store(struct span pem)
{
	X509_STORE *store = X509_STORE_new();
	BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	X509 *x;

	while (store != NULL && bio != NULL &&
	       (x = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
		(void)X509_STORE_add_cert(store, x);
		X509_free(x);
	}
	ERR_clear_error();
	BIO_free(bio);
	return store;
}

struct fetcher *
fetcher_new(struct loop *l, struct span ca)
{
	struct fetcher *f = calloc(1, sizeof(*f));

	if (f == NULL)
		abort();
	f->ca = ca;
	f->multi = multi_new(l, POOLED_MAX, finished, NULL, f);
	return f;
}

/* ---- callbacks ---- */

static CURLcode
ssl_ctx(CURL *easy, void *ctx, void *arg)
{
	struct fetcher *shared = ((const struct fetch *)arg)->fetcher;

	(void)easy;
	if (shared->store == NULL)
		shared->store = read_store(shared->ca);
	if (shared->store == NULL)
		return CURLE_SSL_CERTPROBLEM;
	SSL_CTX_set1_cert_store(ctx, shared->store);
	return https_defaults(ctx) == 0 ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

/* Where plain http may go: this machine, and the link-local credential endpoints. */
static bool
is_near(const struct sockaddr_in *in4, const struct sockaddr_in6 *in6, bool v6)
{
	static const struct {
		const char *text; /* of ECS, of EKS Pod Identity, of EC2 */
		int family;
	} near[] = {{"169.254.170.2", AF_INET},
		    {"169.254.170.23", AF_INET},
		    {"fd00:ec2::23", AF_INET6},
		    {"169.254.169.254", AF_INET},
		    {"fd00:ec2::254", AF_INET6}};
	const void *to = v6 ? (const void *)&in6->sin6_addr : (const void *)&in4->sin_addr;
	unsigned char bytes[16];

	for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++)
		if ((near[i].family == AF_INET6) == v6 &&
		    inet_pton(near[i].family, near[i].text, bytes) == 1 &&
		    memcmp(bytes, to, v6 ? 16 : 4) == 0)
			return true;
	return v6 ? IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr)
		  : ntohl(in4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* Only an address that the resolver gave, or the literal. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
	const struct fetch *f = arg;
	const struct sockaddr_in *in4 = (const void *)&addr->addr;
	const struct sockaddr_in6 *in6 = (const void *)&addr->addr;
	bool v6 = addr->family == AF_INET6;

	if (purpose != CURLSOCKTYPE_IPCXN || (addr->family != AF_INET && !v6) ||
	    ntohs(v6 ? in6->sin6_port : in4->sin_port) != f->port ||
	    (!f->https && !is_near(in4, in6, v6)))
		return CURL_SOCKET_BAD;
	for (size_t i = 0; i < f->naddresses; i++)
		if (f->addresses[i].v6 == v6 &&
		    memcmp(f->addresses[i].bytes,
			   v6 ? (const void *)&in6->sin6_addr : (const void *)&in4->sin_addr,
			   v6 ? 16 : 4) == 0)
			return multi_opened(f->fetcher->multi,
					    socket(addr->family,
						   SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
						   IPPROTO_TCP));
	return CURL_SOCKET_BAD;
}

static size_t
on_data(char *bytes, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;

	if (buf_add(&f->answer, bytes, size * n) == 0)
		return size * n;
	f->too_large = true;
	return 0;
}

static size_t
on_header(char *line, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;
	struct span s = {line, size * n}, name, value;
	size_t colon;

	while (s.len > 0 && (s.ptr[s.len - 1] == '\r' || s.ptr[s.len - 1] == '\n'))
		s.len--;
	colon = span_find(s, 0, ':');
	name = span_cut(s, 0, colon);
	value = span_trim(span_cut(s, colon + 1, s.len));
	if (span_iis(name, "date"))
		(void)date_from_http(value, &f->date);
	else if (span_iis(name, "x-amzn-requestid"))
		snprintf(f->request_id, sizeof(f->request_id), "%.*s", (int)value.len, value.ptr);
	else if (span_iis(name, "x-amzn-errortype"))
		snprintf(f->error_type, sizeof(f->error_type), "%.*s", (int)value.len, value.ptr);
	return size * n;
}

/* ---- the end ---- */

static const char *
fault_of(const struct fetch *f, CURLcode result)
{
	switch (result) {
	case CURLE_OK:
		return NULL;
	case CURLE_OPERATION_TIMEDOUT:
		return "TimedOut";
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
		return "Untrusted";
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
		return "Unreachable";
	default:
		return f->too_large ? "AnswerTooLarge" : "Broken";
	}
}

static void
fetch_free(struct fetch *f)
{
	multi_remove(f->fetcher->multi, f->easy);
	curl_easy_cleanup(f->easy);
	curl_slist_free_all(f->lines);
	curl_slist_free_all(f->resolve);
	buf_free(&f->body);
	buf_free(&f->answer);
	free(f);
}

static void
finished(void *arg, void *easy, int result)
{
	struct fetch_answer a = {0};
	struct fetch *f = NULL;
	long status = 0;

	(void)arg;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &f);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	a.fault = fault_of(f, (CURLcode)result);
	a.status = (unsigned)status;
	a.body = buf_span(&f->answer);
	a.request_id = span_of(f->request_id);
	a.error_type = span_of(f->error_type);
	a.date = f->date;
	f->done(f->arg, &a);
	fetch_free(f);
}

/* ---- the start ---- */

static void
set_where(struct fetch *f, const struct fetch_request *r)
{
	bool literal = span_find(r->host, 0, ':') < r->host.len;
	char text[INET6_ADDRSTRLEN];
	struct buf b;

	buf_init(&b, 2048);
	(void)buf_addf(&b, literal ? "%s://[%.*s]:%u/" : "%s://%.*s:%u/",
		       r->https ? "https" : "http", (int)r->host.len, r->host.ptr,
		       (unsigned)r->port);
	(void)buf_add_char(&b, '\0');
	curl_easy_setopt(f->easy, CURLOPT_URL, b.ptr);
	buf_clear(&b, 2048);
	(void)buf_addf(&b, "%.*s:%u:", (int)r->host.len, r->host.ptr, (unsigned)r->port);
	for (size_t i = 0; i < r->naddresses && i < FETCH_ADDRESSES_MAX; i++) {
		f->addresses[f->naddresses++] = r->addresses[i];
		inet_ntop(r->addresses[i].v6 ? AF_INET6 : AF_INET, r->addresses[i].bytes, text,
			  sizeof(text));
		(void)buf_addf(&b, r->addresses[i].v6 ? "%s[%s]" : "%s%s", i > 0 ? "," : "", text);
	}
	(void)buf_add_char(&b, '\0');
	if (!literal)
		f->resolve = curl_slist_append(NULL, b.ptr);
	curl_easy_setopt(f->easy, CURLOPT_RESOLVE, f->resolve);
	f->port = r->port;
	buf_free(&b);
}

static void
set_request(struct fetch *f, const struct fetch_request *r)
{
	CURL *e = f->easy;

	for (size_t i = 0; i < r->nlines; i++)
		f->lines = curl_slist_append(f->lines, r->lines[i]);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, f->lines);
	curl_easy_setopt(e, CURLOPT_REQUEST_TARGET, r->path);
	if (r->method != NULL)
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
	if (r->timeout_ms > 0)
		curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	if (r->body.len > 0) {
		(void)buf_add_span(&f->body, r->body);
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->body.len);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, f->body.ptr);
	}
}

static void
set_always(struct fetch *f, bool https)
{
	CURL *e = f->easy;

	multi_defaults(f->fetcher->multi, e, https);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)TOTAL_MS);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, ssl_ctx);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, f);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, f);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L); /* minutes apart: nothing to gain */
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, f);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, f);
	curl_easy_setopt(e, CURLOPT_PRIVATE, f);
}

int
fetch_start(struct fetcher *fetcher, const struct fetch_request *r, fetch_fn *done, void *arg)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (f == NULL)
		abort();
	*f = (struct fetch){.fetcher = fetcher, .https = r->https, .done = done, .arg = arg};
	f->easy = curl_easy_init();
	if (f->easy == NULL) {
		free(f);
		return -1;
	}
	buf_init(&f->body, ANSWER_MAX);
	buf_init(&f->answer, ANSWER_MAX);
	set_always(f, r->https);
	set_where(f, r);
	set_request(f, r);
	if (multi_add(fetcher->multi, f->easy) == 0)
		return 0;
	fetch_free(f);
	return -1;
}
