/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ingress/multipart.h"

#include "http/grammar.h"

enum state {
	FIRST,     /* the first delimiter */
	AFTER,     /* behind a delimiter */
	AFTER_LF,  /* behind that and CR */
	LINE,      /* in a part's head */
	LINE_LF,   /* behind a line's CR */
	CONTENT,   /* in a part's content */
	CLOSE,     /* behind the last delimiter and "-" */
	CLOSED,    /* behind "--" */
	CLOSED_LF, /* behind that and CR */
	ENDED,
};

void
multipart_init(struct multipart *m, struct span boundary, scan_denies_fn *denies, const void *arg)
{
	size_t k = 0;

	*m = (struct multipart){.state = FIRST, .denies = denies, .arg = arg};
	memcpy(m->delimiter, "--", 2);
	memcpy(m->delimiter + 2, boundary.ptr, boundary.len);
	m->delimiter_len = boundary.len + 2;
	for (size_t i = 1; i < m->delimiter_len; i++) {
		while (k > 0 && m->delimiter[i] != m->delimiter[k])
			k = m->back[k - 1];
		k += m->delimiter[i] == m->delimiter[k];
		m->back[i] = (unsigned char)k;
	}
}

static void
fail(struct multipart *m, enum multipart_fault fault)
{
	m->fault = fault;
}

/* ---- a part's head ---- */

static bool
is_model(const struct multipart *m)
{
	return span_is(span_of(m->current.name), "model");
}

/* The empty line has come. */
static void
begin_content(struct multipart *m)
{
	struct span name;

	m->part = part_head_end(&m->current);
	if (m->part != PART_OK) {
		fail(m, MULTIPART_HEAD);
		return;
	}
	name = span_of(m->current.name);
	if (m->denies != NULL && m->denies(m->arg, name)) {
		fail(m, MULTIPART_DENIED_FIELD);
		return;
	}
	m->content_at = m->at + 1;
	m->matched = m->tail_len = 0;
	m->state = CONTENT;
	if (!is_model(m))
		return;
	if (m->has_model)
		fail(m, MULTIPART_MODEL_TWICE);
	else if (m->current.has_capitals)
		fail(m, MULTIPART_MODEL_SPELLING);
	else if (m->current.is_file || m->current.has_brackets || !m->current.is_text)
		fail(m, MULTIPART_MODEL_TYPE);
	m->model_has_length = m->current.has_length;
	m->model_at = m->content_at;
	m->model_len = 0;
}

/* A line without its CRLF stands in m->line. */
static void
end_line(struct multipart *m)
{
	struct span line = {m->line, m->line_len};

	m->state = LINE;
	m->line_len = 0;
	if (line.len == 0) {
		begin_content(m);
		return;
	}
	if (span_has(line, (struct span){m->delimiter, m->delimiter_len})) {
		fail(m, MULTIPART_DELIMITER);
		return;
	}
	m->part = part_line(&m->current, line);
	if (m->part != PART_OK)
		fail(m, MULTIPART_HEAD);
}

static void
on_line(struct multipart *m, char byte)
{
	if (++m->head_len > MULTIPART_HEAD_MAX || m->line_len == MULTIPART_LINE_MAX) {
		fail(m, MULTIPART_TOO_LARGE);
	} else if (byte == '\r') {
		m->state = LINE_LF;
	} else {
		m->line[m->line_len++] = byte;
	}
}

/* ---- between the parts ---- */

static void
begin_part(struct multipart *m)
{
	if (m->parts++ == MULTIPART_PARTS_MAX)
		fail(m, MULTIPART_TOO_LARGE);
	m->current = (struct part){0};
	m->head_len = m->line_len = 0;
	m->state = LINE;
}

static void
on_closing(struct multipart *m, char byte, char due, int next, enum multipart_fault otherwise)
{
	if (byte != due) {
		fail(m, otherwise);
		return;
	}
	m->closing[m->closing_len++] = byte;
	m->state = next;
}

static void
on_after(struct multipart *m, char byte)
{
	if (byte == '\r')
		m->state = AFTER_LF;
	else
		on_closing(m, byte, '-', CLOSE, MULTIPART_DELIMITER);
	if (m->state == CLOSE && m->parts == 0)
		fail(m, MULTIPART_DELIMITER);
}

/* Any byte that is not content. */
static void
on_byte(struct multipart *m, char byte)
{
	switch (m->state) {
	case FIRST:
		if (byte != m->delimiter[m->matched++])
			fail(m, MULTIPART_START);
		else if (m->matched == m->delimiter_len)
			m->state = AFTER;
		break;
	case AFTER:
		on_after(m, byte);
		break;
	case AFTER_LF:
		if (byte == '\n')
			begin_part(m);
		else
			fail(m, MULTIPART_DELIMITER);
		break;
	case LINE:
		on_line(m, byte);
		break;
	case LINE_LF:
		if (byte == '\n') {
			end_line(m);
		} else {
			m->part = PART_LINE;
			fail(m, MULTIPART_HEAD);
		}
		break;
	case CLOSE:
		on_closing(m, byte, '-', CLOSED, MULTIPART_DELIMITER);
		break;
	case CLOSED:
		on_closing(m, byte, '\r', CLOSED_LF, MULTIPART_EPILOGUE);
		break;
	case CLOSED_LF:
		on_closing(m, byte, '\n', ENDED, MULTIPART_EPILOGUE);
		break;
	default:
		fail(m, MULTIPART_EPILOGUE);
		break;
	}
}

/* ---- a part's content ---- */

/* The model's value is whole when the delimiter behind it is: what it took of that is cut off. */
static void
end_model(struct multipart *m, uint64_t len)
{
	struct span model;

	if (len > MULTIPART_MODEL_MAX) {
		fail(m, MULTIPART_MODEL_TYPE);
		return;
	}
	model = (struct span){m->model, (size_t)len};
	m->model_len = model.len;
	m->model[len] = '\0';
	if (span_has_control(model) || !grammar_is_utf8(model))
		fail(m, MULTIPART_MODEL_TYPE);
	m->has_model = m->fault == MULTIPART_OK;
}

/* The byte of content that stands back bytes before in.ptr[at], which may be in the tail. */
static int
byte_before(const struct multipart *m, struct span in, size_t at, size_t back)
{
	if (back <= at)
		return in.ptr[at - back];
	back -= at;
	return back <= m->tail_len ? m->tail[m->tail_len - back] : -1;
}

/* A delimiter has been matched up to in.ptr[at]. */
static void
on_delimiter(struct multipart *m, struct span in, size_t at)
{
	uint64_t len;

	if (byte_before(m, in, at, m->delimiter_len) != '\n' ||
	    byte_before(m, in, at, m->delimiter_len + 1) != '\r') {
		fail(m, MULTIPART_DELIMITER);
		return;
	}
	len = m->at + 1 - m->content_at - m->delimiter_len - 2;
	if (m->current.has_length && m->current.length != len)
		fail(m, MULTIPART_LENGTH);
	else if (is_model(m))
		end_model(m, len);
	m->state = AFTER;
}

/* A value is too long at the latest when it would be so without a delimiter at its end. */
static void
gather_model(struct multipart *m, char byte)
{
	if (m->model_len < MULTIPART_MODEL_MAX)
		m->model[m->model_len] = byte;
	if (m->model_len++ == MULTIPART_MODEL_MAX + MULTIPART_DELIMITER_MAX + 2)
		fail(m, MULTIPART_MODEL_TYPE);
}

static void
keep_tail(struct multipart *m, struct span in)
{
	size_t max = m->delimiter_len + 2, keep;

	if (in.len >= max) {
		memcpy(m->tail, in.ptr + in.len - max, max);
		m->tail_len = max;
		return;
	}
	keep = m->tail_len + in.len > max ? max - in.len : m->tail_len;
	memmove(m->tail, m->tail + m->tail_len - keep, keep);
	memcpy(m->tail + keep, in.ptr, in.len);
	m->tail_len = keep + in.len;
}

/* Takes content of in up to a delimiter, and that too. How many bytes it took. */
static size_t
take_content(struct multipart *m, struct span in)
{
	bool model = is_model(m);

	for (size_t i = 0; i < in.len; i++) {
		/* Files are long: what cannot begin a delimiter is passed over quickly. */
		if (m->matched == 0 && !model) {
			size_t skip = span_find(in, i, '-') - i;

			m->at += skip;
			i += skip;
			if (i == in.len)
				break;
		}
		if (model)
			gather_model(m, in.ptr[i]);
		while (m->matched > 0 && in.ptr[i] != m->delimiter[m->matched])
			m->matched = m->back[m->matched - 1];
		m->matched += in.ptr[i] == m->delimiter[m->matched];
		if (m->matched == m->delimiter_len)
			on_delimiter(m, in, i);
		if (m->fault != MULTIPART_OK)
			return i;
		m->at++;
		if (m->state != CONTENT)
			return i + 1;
	}
	keep_tail(m, in);
	return in.len;
}

/* ---- the whole ---- */

enum multipart_fault
multipart_feed(struct multipart *m, struct span in)
{
	size_t at = 0;

	while (at < in.len && m->fault == MULTIPART_OK) {
		if (m->state == CONTENT) {
			at += take_content(m, span_cut(in, at, in.len));
			continue;
		}
		on_byte(m, in.ptr[at]);
		if (m->fault != MULTIPART_OK)
			break;
		at++;
		m->at++;
	}
	return m->fault;
}

enum multipart_fault
multipart_end(struct multipart *m)
{
	if (m->fault == MULTIPART_OK && m->state != CLOSED && m->state != ENDED)
		fail(m, MULTIPART_SHORT);
	return m->fault;
}

const char *
multipart_fault_text(const struct multipart *m)
{
	static const char *const parts[] = {
		[PART_LINE] = "has a part with a line that is no header field",
		[PART_FIELD] = "has a part with a header field that is not Content-Disposition, "
			       "-Type or -Length, or that stands there twice",
		[PART_DISPOSITION] = "has a part without Content-Disposition: form-data; "
				     "name=\"…\", the name first and quoted",
		[PART_NAME] = "has a field whose name servers read differently; names are letters, "
			      "digits, _ and -, with […] behind",
		[PART_FILENAME] = "has a file whose name servers read differently; leave out "
				  "backslashes and \"name=\"",
		[PART_TYPE] = "has parts within a part",
		[PART_ENCODING] = "has a part with a Content-Transfer-Encoding; send it as it is",
	};
	static const char *const texts[] = {
		[MULTIPART_START] = "does not begin with the boundary that Content-Type names",
		[MULTIPART_DELIMITER] = "has a boundary out of place, or something behind one",
		[MULTIPART_TOO_LARGE] = "has more than 64 parts, or a part with too large a head",
		[MULTIPART_LENGTH] = "has a part that is not as long as its Content-Length",
		[MULTIPART_EPILOGUE] = "goes on behind its last boundary",
		[MULTIPART_SHORT] = "ends before its last boundary",
		[MULTIPART_MODEL_TWICE] = "names the model twice",
		[MULTIPART_MODEL_SPELLING] =
			"has a \"model\" with capitals, which some upstreams do not see",
		[MULTIPART_MODEL_TYPE] =
			"has a \"model\" that is not one line of UTF-8, or too long",
		[MULTIPART_DENIED_FIELD] = "has a field that steers the upstream",
	};

	return m->fault == MULTIPART_HEAD ? parts[m->part] : texts[m->fault];
}
