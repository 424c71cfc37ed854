# A room is one folder, one shared library, one CMake target `atelier::<name>`. It sees exactly the rooms it names under
# DEPENDS, and links with --no-undefined: an arrow that points the wrong way does not link.
#
#   atelier_room(files SOURCES a.cpp b.cpp DEPENDS core LIBRARIES OpenSSL::Crypto [TORCH])
function(atelier_room name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "" "SOURCES;DEPENDS;LIBRARIES")
  add_library(atelier_${name} SHARED ${arg_SOURCES})
  add_library(atelier::${name} ALIAS atelier_${name})
  target_include_directories(atelier_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  list(TRANSFORM arg_DEPENDS PREPEND atelier::)
  target_link_libraries(atelier_${name} PUBLIC ${arg_DEPENDS} PRIVATE atelier_compiler ${arg_LIBRARIES})
  if(arg_TORCH)
    target_link_libraries(atelier_${name} PUBLIC atelier::torch)
    atelier_precompile(atelier_${name})
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
  if(arg_TORCH)
    target_compile_options(test_${name} PRIVATE -fPIC)  # as the shared precompiled header was made
    atelier_precompile(test_${name})
  endif()
  add_test(NAME ${name} COMMAND test_${name})
endfunction()

# The precompiled header of the LibTorch rooms is made once (in the target `torch_pch`) and shared.
function(atelier_precompile target)
  if(TARGET torch_pch)
    target_precompile_headers(${target} REUSE_FROM torch_pch)
  endif()
endfunction()
