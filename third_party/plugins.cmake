# A method is one shared library with one symbol, and its description beside it. In this tree and, through
# find_package(Atelier), outside of it:
#
#   add_method_plugin(textual_inversion SOURCES textual_inversion.cpp [FOLDER <dir>] [NO_DESCRIPTION])
#
# FOLDER: where library and description go, instead of lib/atelier/plugins of the build. NO_DESCRIPTION: for tests of
# libraries that are no sound plugins.
function(add_method_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "NO_DESCRIPTION" "FOLDER" "SOURCES")
  set(folder ${PROJECT_BINARY_DIR}/lib/atelier/plugins)
  if(arg_FOLDER)
    set(folder ${arg_FOLDER})
  endif()
  set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/plugin.map)  # beside this file where Atelier is installed
  if(NOT EXISTS ${map})
    set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../plugins/plugin.map)
  endif()
  add_library(plugin_${name} MODULE ${arg_SOURCES})
  target_link_libraries(plugin_${name} PRIVATE atelier::methods)
  target_compile_features(plugin_${name} PRIVATE cxx_std_20)
  if(TARGET atelier_compiler)
    target_link_libraries(plugin_${name} PRIVATE atelier_compiler)
    target_compile_options(plugin_${name} PRIVATE $<$<CONFIG:Release>:-O1>)  # the time is spent in LibTorch
    if(NOT arg_NO_DESCRIPTION)
      atelier_precompile(plugin_${name} torch_pch)
    endif()
  endif()
  target_link_options(plugin_${name} PRIVATE LINKER:--no-undefined LINKER:-z,nodelete LINKER:--version-script=${map})
  # The same bytes in the build and installed: the description holds their digest.
  set_target_properties(plugin_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name} LINK_DEPENDS ${map}
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON LIBRARY_OUTPUT_DIRECTORY ${folder}
    BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN/../..")
  if(arg_NO_DESCRIPTION)
    return()
  endif()
  add_custom_command(TARGET plugin_${name} POST_BUILD
    COMMAND atelier::describe_plugin $<TARGET_FILE:plugin_${name}> ${folder}/${name}.json
    BYPRODUCTS ${folder}/${name}.json VERBATIM)
  if(NOT arg_FOLDER)
    if(TARGET atelier_programs)
      add_dependencies(atelier_programs plugin_${name})
    endif()
    include(GNUInstallDirs)
    install(TARGETS plugin_${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/atelier/plugins COMPONENT plugins)
    install(FILES ${folder}/${name}.json DESTINATION ${CMAKE_INSTALL_LIBDIR}/atelier/plugins COMPONENT plugins)
  endif()
endfunction()
