# SPDX-License-Identifier: Apache-2.0
if(TARGET offheap_oomlog)
  add_executable(oomlog_test oomlog_causes_test.cc oomlog_frames_test.cc oomlog_traps_test.cc)
  target_link_libraries(oomlog_test PRIVATE offheap_oomlog GTest::gtest_main)
  gtest_discover_tests(oomlog_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)
endif()
