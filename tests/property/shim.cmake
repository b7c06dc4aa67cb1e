# SPDX-License-Identifier: Apache-2.0
#
# The sampler and the unwinder, compiled into ordinary programs; libunwind is the oracle.
find_library(OFFHEAP_LIBUNWIND unwind REQUIRED)
add_library(shim_under_test STATIC
  ${PROJECT_SOURCE_DIR}/libshim/sampling/direct_mappings.cc
  ${PROJECT_SOURCE_DIR}/libshim/sampling/interval.cc
  ${PROJECT_SOURCE_DIR}/libshim/sampling/live_samples.cc
  ${PROJECT_SOURCE_DIR}/libshim/sampling/site_table.cc
  ${PROJECT_SOURCE_DIR}/libshim/sampling/tags.cc
  ${PROJECT_SOURCE_DIR}/libshim/unwind/expression.cc
  ${PROJECT_SOURCE_DIR}/libshim/unwind/frame_row.cc
  ${PROJECT_SOURCE_DIR}/libshim/unwind/module_list.cc
  ${PROJECT_SOURCE_DIR}/libshim/unwind/modules.cc
  ${PROJECT_SOURCE_DIR}/libshim/unwind/register_file.cc
  ${PROJECT_SOURCE_DIR}/libshim/unwind/stack_window.cc
  ${PROJECT_SOURCE_DIR}/libshim/unwind/step_cache.cc
  ${PROJECT_SOURCE_DIR}/libshim/unwind/unwinder.cc)
target_link_libraries(shim_under_test PUBLIC offheap_warnings offheap_sanitize)

# One source, two frame sizes: the same code at the same place with other unwind rows.
foreach(plugin shim_plugin shim_big_plugin)
  add_library(${plugin} MODULE plugins/shim_plugin.cc)
  target_compile_options(${plugin} PRIVATE -O2 -fomit-frame-pointer -fno-stack-protector)
endforeach()
target_compile_definitions(shim_plugin PRIVATE FRAME_BYTES=1000)
target_compile_definitions(shim_big_plugin PRIVATE FRAME_BYTES=5000)
add_library(shim_lazy_plugin MODULE plugins/shim_lazy_plugin.cc)
target_link_options(shim_lazy_plugin PRIVATE -Wl,-z,lazy)
add_library(shim_early_library SHARED plugins/shim_early_library.cc)

foreach(test live_samples site_table direct_mappings interval unwinder unwinder_threads)
  set(name shim_${test}_test)
  add_executable(${name} ${name}.cc)
  target_link_libraries(${name} PRIVATE shim_under_test GTest::gtest_main)
  if(test MATCHES unwinder)
    target_sources(${name} PRIVATE shim_oracle.cc)
    target_link_libraries(${name} PRIVATE ${OFFHEAP_LIBUNWIND} ${CMAKE_DL_LIBS})
    target_compile_definitions(${name} PRIVATE
      SHIM_PLUGIN="$<TARGET_FILE:shim_plugin>"
      SHIM_BIG_PLUGIN="$<TARGET_FILE:shim_big_plugin>"
      SHIM_LAZY_PLUGIN="$<TARGET_FILE:shim_lazy_plugin>")
    add_dependencies(${name} shim_plugin shim_big_plugin shim_lazy_plugin)
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES LABELS property)
endforeach()
target_link_libraries(shim_unwinder_test PRIVATE shim_early_library)

# The recorder over libc's own malloc; nothing is interposed.
set(shim ${PROJECT_SOURCE_DIR}/libshim)
set(recorder_sources)
foreach(source backend_ranges counting early_arena entries glibc_malloc options process recorder sampler threads timeline
    java/code_cache java/compiled_code java/elf_symbols java/java_frames java/names java/thread java/vm_layout java/walk)
  list(APPEND recorder_sources ${shim}/${source}.cc)
endforeach()
foreach(source answers glibc)
  list(APPEND recorder_sources ${PROJECT_SOURCE_DIR}/backends/${source}.cc)
endforeach()
add_executable(shim_recorder_test shim_recorder_test.cc ${recorder_sources})
target_link_libraries(shim_recorder_test PRIVATE shim_under_test GTest::gtest_main ${CMAKE_DL_LIBS})
gtest_discover_tests(shim_recorder_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS property)
if(OFFHEAP_SANITIZE MATCHES thread)
  target_compile_definitions(shim_recorder_test PRIVATE SHIM_UNDER_TSAN)
endif()
