# The revision of the sources, looked up at every build: included, this makes the target ridgeline_revision; run with -P, it
# writes OUTPUT when the revision has changed. "unknown" where the sources are no git checkout.
if(CMAKE_SCRIPT_MODE_FILE)
  execute_process(COMMAND git describe --always --dirty --abbrev=10 WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE revision
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(failed OR NOT revision)
    set(revision unknown)
  endif()
  set(text "#pragma once\n#define RIDGELINE_REVISION \"${revision}\"\n")
  if(EXISTS ${OUTPUT})
    file(READ ${OUTPUT} before)
  endif()
  if(NOT "${before}" STREQUAL "${text}")
    file(WRITE ${OUTPUT} "${text}")
  endif()
  return()
endif()

add_custom_target(ridgeline_revision
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR} -DOUTPUT=${CMAKE_BINARY_DIR}/generated/revision.hpp
          -P ${CMAKE_CURRENT_LIST_FILE}
  BYPRODUCTS ${CMAKE_BINARY_DIR}/generated/revision.hpp VERBATIM)
add_dependencies(ridgeline ridgeline_revision)
target_include_directories(ridgeline PRIVATE ${CMAKE_BINARY_DIR}/generated)
