# How a folder says what it is: one call each.

set(BLOBVM_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  list(APPEND BLOBVM_WARNINGS -Wthread-safety)
elseif(BLOBVM_SANITIZE MATCHES address)
  list(APPEND BLOBVM_WARNINGS -Wno-maybe-uninitialized)  # gcc: its own checks mislead that warning
elseif(BLOBVM_SANITIZE MATCHES thread)
  list(APPEND BLOBVM_WARNINGS -Wno-tsan)  # gcc: Boost.Asio has fences, which the sanitizer overlooks
endif()

# blobvm_module(NAME SOURCES files... [PUBLIC targets...] [PRIVATE targets...])
# The library blobvm::NAME of the folder that calls this. It links only what its row of the table
# in shared/style.md allows, so that an upward call does not link.
function(blobvm_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  add_library(blobvm::${name} ALIAS ${name})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_compile_options(${name} PRIVATE ${BLOBVM_WARNINGS})
  target_link_libraries(${name} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
endfunction()

# Compiled into each program of a sanitizer build.
set(BLOBVM_SANITIZER_SOURCES)
if(BLOBVM_SANITIZE)
  set(BLOBVM_SANITIZER_SOURCES ${PROJECT_SOURCE_DIR}/scripts/cmake/sanitizers.cpp)
endif()

# blobvm_program(NAME SOURCES files... LINK targets...)
# A program that we hand out: fully static, but in sanitizer builds.
function(blobvm_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${arg_SOURCES} ${BLOBVM_SANITIZER_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(${name} PRIVATE ${BLOBVM_WARNINGS})
  target_compile_definitions(${name} PRIVATE BLOBVM_VERSION="${PROJECT_VERSION}")
  target_link_libraries(${name} PRIVATE ${arg_LINK})
  if(NOT BLOBVM_SANITIZE AND NOT BLOBVM_FUZZ)
    target_link_options(${name} PRIVATE -static -Wl,--gc-sections)
  endif()
endfunction()

# Everything that ctest runs without starting our programs: what a sanitizer build needs at least.
add_custom_target(unit_tests)

# blobvm_test(NAME SOURCES files... LINK targets... [LABELS labels...] [TIMEOUT seconds]
#             [FIXTURE name])
# One test binary; each of its tests is one of ctest's. Labels choose: unit, corpus, integration.
# The fixture is what ctest runs once before them.
function(blobvm_test name)
  cmake_parse_arguments(arg "" "TIMEOUT;FIXTURE" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES} ${BLOBVM_SANITIZER_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(${name} PRIVATE ${BLOBVM_WARNINGS})
  target_compile_definitions(${name} PRIVATE BLOBVM_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                             BLOBVM_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  target_link_libraries(${name} PRIVATE ${arg_LINK} GTest::gtest_main GTest::gmock)
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  # Those that start processes and have deadlines go one at a time, beside the others.
  set(lock)
  if("integration" IN_LIST arg_LABELS)
    set(lock RESOURCE_LOCK processes)
  else()
    add_dependencies(unit_tests ${name})
  endif()
  set(fixture)
  if(arg_FIXTURE)
    set(fixture FIXTURES_REQUIRED ${arg_FIXTURE})
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST
                       PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} ${lock} ${fixture})
endfunction()

# blobvm_bench(NAME SOURCES files... LINK targets...)
function(blobvm_bench name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${arg_SOURCES} ${BLOBVM_SANITIZER_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(${name} PRIVATE ${BLOBVM_WARNINGS})
  target_link_libraries(${name} PRIVATE ${arg_LINK} benchmark::benchmark_main)
endfunction()
