# SPDX-License-Identifier: Apache-2.0
#
# The heap and the stacks of processes under other glibcs, read from outside: the programs of ../property,
# built once a suite so that the suite's own loader and libraries run them, and the same tests over them.
set(heap_roots_folder ${CMAKE_CURRENT_LIST_DIR})

# A program that needs only symbols of glibc 2.2.5 and runs in the root of `suite`, without chroot.
function(add_root_program name suite source)
  set(libraries ${CMAKE_BINARY_DIR}/roots/${suite}/usr/lib/x86_64-linux-gnu)
  add_executable(${name} ${source} ${heap_roots_folder}/start.c)
  target_compile_options(${name} PRIVATE -include ${heap_roots_folder}/old_symbols.h -fno-builtin
    $<$<C_COMPILER_ID:GNU>:-Wno-use-after-free>)
  target_link_options(${name} PRIVATE -nostartfiles -no-pie LINKER:--no-as-needed
    LINKER:--dynamic-linker=${libraries}/ld-linux-x86-64.so.2 LINKER:-rpath,${libraries})
  target_link_libraries(${name} PRIVATE offheap_warnings -l:libpthread.so.0 -l:libdl.so.2)
endfunction()

# TEST's binary over PROGRAM, named to it in VARIABLE; skipped where there is no such root.
function(add_root_test name suite variable program test)
  add_test(NAME roots.${name}.${suite} COMMAND sh -c
    "[ -e ${CMAKE_BINARY_DIR}/roots/${suite}/.made ] || exit 77; exec $<TARGET_FILE:${test}> ${ARGN}")
  set_tests_properties(roots.${name}.${suite} PROPERTIES LABELS roots SKIP_RETURN_CODE 77 TIMEOUT 120
    ENVIRONMENT "${variable}=$<TARGET_FILE:${program}>;HEAP_SEEDS=2" FIXTURES_REQUIRED root_${suite})
endfunction()

foreach(suite bullseye trixie sid)
  add_root_program(heap_target_${suite} ${suite} ${heap_roots_folder}/../property/heap_target.c)
  add_root_test(heap ${suite} HEAP_TARGET heap_target_${suite} heap_property_test
    --gtest_filter=*HeapWorkload*:HeapThreads*:HeapEstimate*)
  add_root_program(stacks_target_${suite} ${suite} ${heap_roots_folder}/../property/stacks_target.c)
  add_root_test(stacks ${suite} STACKS_TARGET stacks_target_${suite} stacks_property_test)
endforeach()
