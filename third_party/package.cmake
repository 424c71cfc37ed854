# What a plugin outside of this tree is built with (component `development`): the rooms it may see, their headers, and a
# CMake package that finds LibTorch where this build found it.
set(package_rooms core files image text formats config tensor schedulers models sampling training methods)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/Atelier)
set(package_targets)
foreach(room ${package_rooms})
  set_target_properties(atelier_${room} PROPERTIES EXPORT_NAME ${room} INSTALL_RPATH "$ORIGIN;${ATELIER_TORCH_LIB}")
  list(APPEND package_targets atelier_${room})
endforeach()
set_target_properties(atelier_torch PROPERTIES EXPORT_NAME torch)
set_target_properties(atelier-describe-plugin PROPERTIES EXPORT_NAME describe_plugin
  INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR};${ATELIER_TORCH_LIB}")

install(TARGETS ${package_targets} atelier_torch atelier-describe-plugin EXPORT AtelierTargets
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT development
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/atelier)
install(EXPORT AtelierTargets NAMESPACE atelier:: DESTINATION ${package_folder} COMPONENT development)
foreach(room ${package_rooms} cuda)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/framework/${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/atelier/framework
    COMPONENT development FILES_MATCHING PATTERN "*.h")
endforeach()

include(CMakePackageConfigHelpers)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/AtelierConfig.cmake.in ${PROJECT_BINARY_DIR}/AtelierConfig.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/AtelierConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/AtelierConfig.cmake ${PROJECT_BINARY_DIR}/AtelierConfigVersion.cmake
  ${CMAKE_CURRENT_LIST_DIR}/plugins.cmake ${PROJECT_SOURCE_DIR}/plugins/plugin.map
  DESTINATION ${package_folder} COMPONENT development)
add_custom_target(atelier_development DEPENDS ${package_targets} atelier-describe-plugin)
