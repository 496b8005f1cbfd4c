# XGBoost's C interface as Debian ships it: XGBoost::XGBoost. The CMake package that comes with it names a program of
# another Debian package and fails where that is not installed.
find_path(XGBOOST_INCLUDE_DIR NAMES xgboost/c_api.h)
find_library(XGBOOST_LIBRARY NAMES xgboost)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(XGBoost REQUIRED_VARS XGBOOST_LIBRARY XGBOOST_INCLUDE_DIR)
if(XGBoost_FOUND AND NOT TARGET XGBoost::XGBoost)
  add_library(XGBoost::XGBoost UNKNOWN IMPORTED)
  set_target_properties(XGBoost::XGBoost PROPERTIES IMPORTED_LOCATION ${XGBOOST_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${XGBOOST_INCLUDE_DIR})
endif()
