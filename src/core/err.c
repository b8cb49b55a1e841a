/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One sentence about a failure, safe to print on a terminal whatever it quotes.
 */
#include "nettrace/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/*
 * Bytes of the character at s if it may go to a terminal as it is, else 0.
 * U+0080..U+009F are control characters too, hence the lower limit of two-byte
 * sequences. Overlong forms, surrogates and what is above U+10FFFF are no UTF-8.
 */
static size_t plain_len(const unsigned char *s)
{
	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f ? 1 : 0;
	if (s[0] < 0xc2 || s[0] > 0xf4 || !is_tail(s[1]))
		return 0;
	if (s[0] < 0xe0)
		return s[0] == 0xc2 && s[1] < 0xa0 ? 0 : 2;
	if (!is_tail(s[2]))
		return 0;
	if (s[0] < 0xf0) {
		if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0))
			return 0;
		return 3;
	}
	if (!is_tail(s[3]) || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return 4;
}

char *nt_err_quote(char *buf, size_t size, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = 0, cut = 0;

	while (*s) {
		size_t plain = plain_len(s);
		size_t len = plain ? plain : 4;

		if (n + len >= size) {
			snprintf(buf + cut, size - cut, "...");
			return buf;
		}
		if (plain)
			memcpy(buf + n, s, plain);
		else
			snprintf(buf + n, size - n, "\\x%02x", s[0]);
		n += len;
		s += plain ? plain : 1;
		if (n + sizeof("...") <= size)
			cut = n;
	}
	buf[n] = '\0';
	return buf;
}

int nt_err_set(struct nt_err *err, enum nt_exit code, int err_no, const char *fmt, ...)
{
	char raw[1024];	/* more than the sentence holds, so that a cut is seen as one */
	va_list ap;

	if (!err || err->text[0])
		return -err_no;
	va_start(ap, fmt);
	if (vsnprintf(raw, sizeof(raw), fmt, ap) < 0)
		snprintf(raw, sizeof(raw), "unknown failure");
	va_end(ap);
	err->code = code;
	nt_err_quote(err->text, sizeof(err->text), raw);
	return -err_no;
}
