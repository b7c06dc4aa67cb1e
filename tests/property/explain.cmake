# SPDX-License-Identifier: Apache-2.0
if(TARGET offheap_verdict)
  add_executable(explain_property_test explain_property_test.cc)
  target_link_libraries(explain_property_test PRIVATE offheap_verdict offheap_ledger GTest::gtest_main)
  gtest_discover_tests(explain_property_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS property)
endif()
