# CBC's C interface as Debian ships it: Cbc::Cbc. Its pkg-config file names the libraries that a static link would need,
# whose development packages are not installed with it; the shared library brings its own.
find_path(CBC_INCLUDE_DIR NAMES Cbc_C_Interface.h PATH_SUFFIXES coin coin-or)
find_library(CBC_LIBRARY NAMES CbcSolver)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Cbc REQUIRED_VARS CBC_LIBRARY CBC_INCLUDE_DIR)
if(Cbc_FOUND AND NOT TARGET Cbc::Cbc)
  add_library(Cbc::Cbc UNKNOWN IMPORTED)
  set_target_properties(Cbc::Cbc PROPERTIES IMPORTED_LOCATION ${CBC_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${CBC_INCLUDE_DIR})
endif()
