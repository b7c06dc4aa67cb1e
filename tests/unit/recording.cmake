# SPDX-License-Identifier: Apache-2.0
add_executable(recording_test recording_parse_test.cc recording_files_test.cc recording_losses_test.cc)
target_link_libraries(recording_test PRIVATE offheap_recording GTest::gtest_main)
gtest_discover_tests(recording_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)

# Names: one library as it is shipped in many forms. Its build id is fixed, so that its debug file's path is.
set(symbols_folder ${CMAKE_CURRENT_BINARY_DIR}/symbols)
set(symbols_debug_file ${symbols_folder}/debug/.build-id/0f/f4eab00102030405060708090a0b0c0d0e0f10.debug)
add_library(symbols_library MODULE symbols/library.cc)
add_library(symbols_replacement MODULE symbols/library.cc)
add_executable(symbols_program symbols/program.c)
foreach(target symbols_library symbols_replacement)
  target_link_libraries(${target} PRIVATE offheap_warnings)
  # The call of a callback must stay a call, and a function of its own.
  target_compile_options(${target} PRIVATE -O1 -fno-optimize-sibling-calls)
endforeach()
target_link_options(symbols_library PRIVATE -Wl,--build-id=0x0ff4eab00102030405060708090a0b0c0d0e0f10)
target_link_options(symbols_replacement PRIVATE -Wl,--build-id=0xffffffffffffffffffffffffffffffffffffffff)
target_compile_definitions(symbols_replacement PRIVATE SHIFT_BYTES)
add_custom_command(OUTPUT ${symbols_folder}/library.so VERBATIM
  DEPENDS symbols_library symbols_replacement symbols_program
  COMMAND ${CMAKE_COMMAND} -E make_directory ${symbols_folder}/.debug ${symbols_folder}/debug/.build-id/0f
  COMMAND ${CMAKE_OBJCOPY} --strip-all $<TARGET_FILE:symbols_library> ${symbols_folder}/stripped.so
  COMMAND ${CMAKE_OBJCOPY} --only-keep-debug $<TARGET_FILE:symbols_library> ${symbols_folder}/.debug/linked.so.debug
  COMMAND ${CMAKE_COMMAND} -E copy ${symbols_folder}/.debug/linked.so.debug ${symbols_debug_file}
  COMMAND ${CMAKE_OBJCOPY} --add-gnu-debuglink=${symbols_folder}/.debug/linked.so.debug
    ${symbols_folder}/stripped.so ${symbols_folder}/linked.so
  COMMAND ${CMAKE_OBJCOPY} --strip-all $<TARGET_FILE:symbols_program> ${symbols_folder}/stripped_program
  COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:symbols_replacement> ${symbols_folder}/replacement.so
  COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:symbols_library> ${symbols_folder}/library.so)
add_custom_target(symbols_files DEPENDS ${symbols_folder}/library.so)

add_executable(symbols_test symbols_test.cc)
target_link_libraries(symbols_test PRIVATE offheap_symbols GTest::gtest_main ${CMAKE_DL_LIBS})
target_compile_definitions(symbols_test PRIVATE SYMBOLS_FOLDER="${symbols_folder}")
add_dependencies(symbols_test symbols_files)
gtest_discover_tests(symbols_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit)
