# SPDX-License-Identifier: Apache-2.0
#
# A sanitizer's runtime makes calls of its own: what the child may not do is tested without one.
set(apart_sources apart_test.cc target_file_test.cc)
if(NOT OFFHEAP_SANITIZE)
  list(APPEND apart_sources apart_forbidden_test.cc)
endif()
add_executable(apart_test ${apart_sources})
target_link_libraries(apart_test PRIVATE offheap_apart GTest::gtest_main)
gtest_discover_tests(apart_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)
