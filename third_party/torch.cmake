# LibTorch as imported targets of our own. find_package(Torch) of a CUDA wheel insists on a CUDA toolkit, which the CPU
# build does not need. A user's own LibTorch (2.11 or newer) is found through CMAKE_PREFIX_PATH.
find_path(ATELIER_TORCH_INCLUDE torch/script.h
  HINTS ${CMAKE_PREFIX_PATH} ${PROJECT_SOURCE_DIR}/third_party/.cache/libtorch/torch PATH_SUFFIXES include NO_DEFAULT_PATH)
find_library(ATELIER_TORCH_CPU torch_cpu
  HINTS ${CMAKE_PREFIX_PATH} ${PROJECT_SOURCE_DIR}/third_party/.cache/libtorch/torch PATH_SUFFIXES lib NO_DEFAULT_PATH)
find_library(ATELIER_C10 c10
  HINTS ${CMAKE_PREFIX_PATH} ${PROJECT_SOURCE_DIR}/third_party/.cache/libtorch/torch PATH_SUFFIXES lib NO_DEFAULT_PATH)
if(NOT ATELIER_TORCH_INCLUDE OR NOT ATELIER_TORCH_CPU OR NOT ATELIER_C10)
  message(FATAL_ERROR "LibTorch was not found. Run 'third_party/setup.sh fetch', or pass -DCMAKE_PREFIX_PATH=<libtorch>.")
endif()
get_filename_component(ATELIER_TORCH_LIB ${ATELIER_TORCH_CPU} DIRECTORY)

foreach(pair "c10;${ATELIER_C10}" "torch_cpu;${ATELIER_TORCH_CPU}")
  list(GET pair 0 name)
  list(GET pair 1 file)
  add_library(atelier_import_${name} SHARED IMPORTED)
  set_target_properties(atelier_import_${name} PROPERTIES IMPORTED_LOCATION ${file}
    INTERFACE_INCLUDE_DIRECTORIES "${ATELIER_TORCH_INCLUDE};${ATELIER_TORCH_INCLUDE}/torch/csrc/api/include")
endforeach()
add_library(atelier_torch INTERFACE)
add_library(atelier::torch ALIAS atelier_torch)
# libtorch_cpu of a CUDA wheel needs libcudart and libcupti, which lie where its own rpath looks: the linker need not check.
target_link_libraries(atelier_torch INTERFACE atelier_import_torch_cpu atelier_import_c10)
# LibTorch's headers bring an fmt of their own, newer than the system's: in its rooms fmt is header-only, so that neither
# library is needed and no symbol is shared.
target_compile_definitions(atelier_torch INTERFACE FMT_HEADER_ONLY=1)
target_link_options(atelier_torch INTERFACE LINKER:--allow-shlib-undefined)

# One precompiled header for all LibTorch rooms and tests.
file(WRITE ${PROJECT_BINARY_DIR}/torch_pch.cpp "")
add_library(torch_pch OBJECT ${PROJECT_BINARY_DIR}/torch_pch.cpp)
target_link_libraries(torch_pch PRIVATE atelier_compiler atelier::torch fmt::fmt nlohmann_json::nlohmann_json Threads::Threads)
target_include_directories(torch_pch PRIVATE ${PROJECT_SOURCE_DIR})
target_precompile_headers(torch_pch PRIVATE
  <ATen/TensorOperators.h> <ATen/core/Tensor.h> <ATen/core/grad_mode.h> <ATen/ops/cat.h> <ATen/ops/empty.h>
  <algorithm> <filesystem> <functional> <map> <memory> <optional> <set> <string> <vector> <fmt/format.h> <nlohmann/json.hpp>)
