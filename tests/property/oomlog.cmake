# SPDX-License-Identifier: Apache-2.0
if(TARGET offheap_oomlog)
  add_executable(oomlog_property_test oomlog_property_test.cc)
  target_link_libraries(oomlog_property_test PRIVATE offheap_oomlog GTest::gtest_main)
  target_compile_definitions(oomlog_property_test PRIVATE OFFHEAP_OOM_DATA="${PROJECT_SOURCE_DIR}/tests/data/oom")
  gtest_discover_tests(oomlog_property_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS property TIMEOUT 300)
endif()
