# cmake --install: the program, the data it reads by name, and the public headers.
# The program looks for its data in ../share/ridgeline beside its own bin folder first.

install(TARGETS ridgeline RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY spaces/library DESTINATION ${CMAKE_INSTALL_DATADIR}/ridgeline/spaces)
install(DIRECTORY hwmodels/devices hwmodels/examples DESTINATION ${CMAKE_INSTALL_DATADIR}/ridgeline/hwmodels)
install(DIRECTORY experiments/tables experiments/studies experiments/checkpoints experiments/allocation
        DESTINATION ${CMAKE_INSTALL_DATADIR}/ridgeline/experiments)
foreach(folder spaces predictors hwmodels kernels search experiments)
  install(DIRECTORY ${folder}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ridgeline/${folder}
          FILES_MATCHING PATTERN "*.hpp" PATTERN "library" EXCLUDE PATTERN "devices" EXCLUDE PATTERN "examples" EXCLUDE)
endforeach()
# What a hardware model of the user's own includes.
install(FILES hwmodels/plugin/ridgeline_hwmodel.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
