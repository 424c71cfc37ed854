# What is installed besides the development package: the programs and the rooms that only they see.
set(program_rooms store plan execute reports eval worker)
foreach(room ${program_rooms})
  set_target_properties(atelier_${room} PROPERTIES INSTALL_RPATH "$ORIGIN;${ATELIER_TORCH_LIB}")
  install(TARGETS atelier_${room} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT programs)
endforeach()
set_target_properties(atelier-worker PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR};${ATELIER_TORCH_LIB}")
install(TARGETS atelier-worker RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT programs)
