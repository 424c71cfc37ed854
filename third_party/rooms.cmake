# A room is one folder, one shared library, one CMake target `atelier::<name>`. It sees exactly the rooms it names under
# DEPENDS, and links with --no-undefined: an arrow that points the wrong way does not link.
#
#   atelier_room(files SOURCES a.cpp b.cpp DEPENDS core LIBRARIES OpenSSL::Crypto [TORCH] [HOT])
#
# HOT rooms hold loops over pixels or bytes and are optimised as the build type says. In the others the time is spent in
# LibTorch or in the system, so they are compiled with -O1, which takes two thirds of the time.
function(atelier_room name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH;HOT" "" "SOURCES;DEPENDS;LIBRARIES")
  add_library(atelier_${name} SHARED ${arg_SOURCES})
  add_library(atelier::${name} ALIAS atelier_${name})
  target_include_directories(atelier_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  list(TRANSFORM arg_DEPENDS PREPEND atelier::)
  target_link_libraries(atelier_${name} PUBLIC ${arg_DEPENDS} PRIVATE atelier_compiler ${arg_LIBRARIES})
  if(NOT arg_HOT)
    atelier_cold(atelier_${name})
  endif()
  if(arg_HOT AND ATELIER_SANITIZE)  # everything else is not optimised there, nor is the precompiled header
    target_compile_options(atelier_${name} PRIVATE -O1)
  elseif(arg_TORCH)
    target_link_libraries(atelier_${name} PUBLIC atelier::torch)
    atelier_precompile(atelier_${name} torch_pch)
  else()
    atelier_precompile(atelier_${name} plain_pch)
  endif()
endfunction()

# One Catch2 program for each room's tests: tests/<path>/CMakeLists.txt calls
#   atelier_test(files SOURCES a.tests.cpp DEPENDS files [TORCH] [LIBRARIES ...])
function(atelier_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "" "SOURCES;DEPENDS;LIBRARIES")
  add_executable(test_${name} ${arg_SOURCES})
  list(TRANSFORM arg_DEPENDS PREPEND atelier::)
  target_link_libraries(test_${name} PRIVATE atelier_compiler catch2_main ${arg_DEPENDS} ${arg_LIBRARIES})
  target_compile_definitions(test_${name} PRIVATE ATELIER_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                             ATELIER_BINARY_DIR="${PROJECT_BINARY_DIR}")
  atelier_cold(test_${name})
  if(arg_TORCH)
    atelier_precompile(test_${name} torch_pch)
  else()
    atelier_precompile(test_${name} plain_pch)
  endif()
  add_test(NAME ${name} COMMAND test_${name})
  if(ATELIER_TORCH)
    # Two beside each other, of ctest's -j5, and those that only wait: one test's single-threaded parts leave a core idle.
    # Threads that have nothing to do sleep: where others want the cores too, spinning costs a test six times its time.
    # Results are the same.
    set_tests_properties(${name} PROPERTIES PROCESSORS 2 ENVIRONMENT OMP_WAIT_POLICY=passive)
  endif()
endfunction()

function(atelier_cold target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()

# Two precompiled headers are made once and shared: of the rooms with LibTorch (in torch.cmake) and of those without.
function(atelier_precompile target header)
  if(TARGET ${header})
    target_compile_options(${target} PRIVATE -fPIC)  # for executables CMake says -fPIE: the header was made with -fPIC
    target_precompile_headers(${target} REUSE_FROM ${header})
  endif()
endfunction()

file(WRITE ${PROJECT_BINARY_DIR}/plain_pch.cpp "")
add_library(plain_pch OBJECT ${PROJECT_BINARY_DIR}/plain_pch.cpp)
target_link_libraries(plain_pch PRIVATE atelier_compiler fmt::fmt nlohmann_json::nlohmann_json Threads::Threads)
target_include_directories(plain_pch PRIVATE ${PROJECT_SOURCE_DIR})
target_precompile_headers(plain_pch PRIVATE
  <algorithm> <filesystem> <functional> <map> <memory> <optional> <set> <string> <vector> <fmt/format.h> <nlohmann/json.hpp>)
