// SPDX-License-Identifier: Apache-2.0
//
// malloc over glibc: what counting.h's counted_malloc would compile to, but for one thing. The
// requested size, which only the slow halves need, is kept by the very push that aligns the stack,
// where a compiler takes a register, and so a move more. The numbers are those of recording_layout.h.
#include <stddef.h>

#include "libshim/counting.h"

namespace shim {

static_assert(offsetof(ThreadState, slot) == 0);
static_assert(offsetof(ThreadSlot, main) == 0 && offsetof(recording::HotCell, countdown) == 0);
static_assert(offsetof(recording::HotCell, allocated_count) == 16);
static_assert(offsetof(ThreadSlot, own_segment) == 48);
static_assert(offsetof(ThreadSlot, own) == 64);
static_assert((kChunkNonMain | kChunkMmapped) == 6 && kChunkFlags == 7);
static_assert(kSegmentMask == ~uint64_t{0x3ffffff});

extern "C" {

[[gnu::used, gnu::visibility("hidden")]] void* shim_glibc_count_in_slow(void* block, size_t requested,
                                                                        uint64_t bytes) {
  return count_in_slow<GlibcPolicy>(block, requested, bytes);
}

[[gnu::used, gnu::visibility("hidden")]] void* shim_glibc_countdown_slow(void* block, size_t requested,
                                                                         uint64_t bytes,
                                                                         recording::HotCell* cell) {
  return countdown_slow<GlibcPolicy>(block, requested, bytes, cell);
}

}  // extern "C"

// _ZN4shim12thread_stateE is thread_state. On the way out: rax the block, rdx its chunk's bytes, rcx
// the slot, and the requested size on the stack.
asm(R"(
	.pushsection .text
	.p2align 5
	.globl shim_glibc_malloc
	.hidden shim_glibc_malloc
	.type shim_glibc_malloc, @function
shim_glibc_malloc:
	.cfi_startproc
	pushq	%rdi
	.cfi_adjust_cfa_offset 8
	call	*__libc_malloc@GOTPCREL(%rip)
	testq	%rax, %rax
	je	2f
	movq	-8(%rax), %rdx
	movq	_ZN4shim12thread_stateE@GOTTPOFF(%rip), %rcx
	movq	%fs:(%rcx), %rcx
	testb	$6, %dl
	jne	3f
	andq	$-8, %rdx
	addq	$1, 16(%rcx)
	subq	%rdx, (%rcx)
	js	5f
2:	popq	%rcx
	.cfi_remember_state
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_restore_state
3:	movq	%rax, %rsi
	andq	$-0x4000000, %rsi
	cmpq	48(%rcx), %rsi
	jne	6f
	andq	$-8, %rdx
	addq	$1, 80(%rcx)
	subq	%rdx, 64(%rcx)
	js	4f
	popq	%rcx
	.cfi_remember_state
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_restore_state
4:	addq	$64, %rcx
5:	popq	%rsi
	.cfi_remember_state
	.cfi_adjust_cfa_offset -8
	movq	%rax, %rdi
	jmp	shim_glibc_countdown_slow
	.cfi_restore_state
6:	popq	%rsi
	.cfi_adjust_cfa_offset -8
	andq	$-8, %rdx
	movq	%rax, %rdi
	jmp	shim_glibc_count_in_slow
	.cfi_endproc
	.size shim_glibc_malloc, .-shim_glibc_malloc
	.popsection
)");

}  // namespace shim
