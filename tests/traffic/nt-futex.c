// SPDX-License-Identifier: GPL-2.0
/* Two futex calls that are rare: a lock with priority inheritance that is free, and a futex_waitv whose word has
 * another value. A line each: address, result, errno. */
#include <errno.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NR_FUTEX_WAITV	449	/* 5.16, of every architecture; our headers may be older */

struct waitv {
	uint64_t value, address;
	uint32_t flags, reserved;
};

static void tell(const void *word, long result)
{
	printf("%p %ld %d\n", word, result, result < 0 ? errno : 0);
}

int main(void)
{
	static uint32_t lock, word = 7;
	struct waitv w = { .value = 8, .address = (uintptr_t)&word, .flags = 2 /* 32 bits */ };

	tell(&lock, syscall(SYS_futex, &lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	tell(&word, syscall(NR_FUTEX_WAITV, &w, 1, 0, NULL, 1));
	return 0;
}
