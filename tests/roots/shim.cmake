# SPDX-License-Identifier: Apache-2.0
#
# The released shim: built against bullseye, checked, and run in every root.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(release ${CMAKE_BINARY_DIR}/release)
add_test(NAME roots.release
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/build_release.sh ${CMAKE_COMMAND} ${CMAKE_BINARY_DIR}/roots/bullseye ${release})
set_tests_properties(roots.release PROPERTIES LABELS roots SKIP_RETURN_CODE 77 TIMEOUT 900 PROCESSORS 2
  FIXTURES_REQUIRED root_bullseye FIXTURES_SETUP release)
foreach(gate exports needed versions runtime loader size)
  add_test(NAME roots.binary.${gate}
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/binary/check_binary.py ${gate}
      --shim ${release}/libshim/libshim.so --glibc 2.31)
  set_tests_properties(roots.binary.${gate} PROPERTIES LABELS roots SKIP_RETURN_CODE 77 FIXTURES_REQUIRED release)
endforeach()
foreach(gate versions runtime loader)
  add_test(NAME roots.binary.attach_${gate}
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/binary/check_binary.py ${gate}
      --shim ${release}/libshim/attach/libshim-attach.so --glibc 2.31)
  set_tests_properties(roots.binary.attach_${gate} PROPERTIES LABELS roots SKIP_RETURN_CODE 77
    FIXTURES_REQUIRED release)
endforeach()
foreach(suite bullseye trixie sid)
  foreach(backend glibc jemalloc tcmalloc)
    set(test roots.preload.${suite}.${backend})
    add_test(NAME ${test}
      COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/run_preload.py
        --root ${CMAKE_BINARY_DIR}/roots/${suite} --build ${release} --backend ${backend})
    set_tests_properties(${test} PROPERTIES LABELS roots SKIP_RETURN_CODE 77 TIMEOUT 600
      FIXTURES_REQUIRED "root_${suite};release" ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
  endforeach()
endforeach()
