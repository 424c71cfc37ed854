# The system's packages (third_party/packages.txt), as targets.
find_package(Threads REQUIRED)
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(SQLite3 3.40 REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc i18n data)
find_package(yaml-cpp REQUIRED)
find_library(LIBDEFLATE_LIBRARY deflate)  # optional: PNG files are read faster
find_path(LIBDEFLATE_INCLUDE libdeflate.h)
find_library(WEBP_LIBRARY webp REQUIRED)
find_library(WEBPDEMUX_LIBRARY webpdemux REQUIRED)
if(NOT TARGET yaml-cpp::yaml-cpp)  # the name since yaml-cpp 0.8
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()

if(ATELIER_TESTS)
  find_package(Catch2 REQUIRED)
  add_library(catch2_main STATIC ${PROJECT_SOURCE_DIR}/tests/support/main.cpp)
  target_link_libraries(catch2_main PUBLIC Catch2::Catch2)
  target_compile_options(catch2_main PRIVATE -O0)  # Catch2 itself: optimising it takes longer than it saves
  target_include_directories(catch2_main PUBLIC ${PROJECT_SOURCE_DIR})
endif()
