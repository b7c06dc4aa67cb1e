// SPDX-License-Identifier: Apache-2.0
//
// Where embedded allocators' calls for memory go (embed.sh redirects them): the kernel's own answer,
// then a report to the shim. The names are those of *.names.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

extern "C" {
/// As mmap(2), munmap(2) and sbrk(3), errno included; reports what they changed. Thread: any.
void* shim_backend_mmap(void* address, size_t bytes, int protection, int flags, int fd, off_t offset);
int shim_backend_munmap(void* address, size_t bytes);
void* shim_backend_sbrk(intptr_t increment);
}
