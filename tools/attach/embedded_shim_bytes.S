// SPDX-License-Identifier: Apache-2.0
//
// OFFHEAP_SHIM_FILE: the stripped libshim-attach.so.
        .section .rodata
        .balign 64
        .globl offheap_embedded_shim
        .globl offheap_embedded_shim_end
        .hidden offheap_embedded_shim
        .hidden offheap_embedded_shim_end
offheap_embedded_shim:
        .incbin OFFHEAP_SHIM_FILE
offheap_embedded_shim_end:
        .byte 0
        .section .note.GNU-stack, "", @progbits
