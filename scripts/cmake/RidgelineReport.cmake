# The HTML report is one file that needs nothing else: its page, its own scripts and Vega are embedded in the program at build
# time. Debian ships Vega as one file a package of it (libjs-vega); RidgelineEmbed.cmake joins the ones a chart needs.

find_path(RIDGELINE_VEGA_DIR NAMES vega-view.min.js PATHS /usr/share/javascript/vega NO_DEFAULT_PATH)
if(NOT RIDGELINE_VEGA_DIR)
  message(FATAL_ERROR "Vega's browser files were not found: install libjs-vega, or set RIDGELINE_VEGA_DIR to their folder")
endif()

# In no particular order: each is wrapped in a function and runs when it is first required.
set(vega_modules util canvas time format loader dataflow scale statistics scenegraph event-selector expression selection
    functions parser runtime encode transforms view-transforms view interpreter)
set(vega_files)
foreach(module ${vega_modules})
  list(APPEND vega_files ${RIDGELINE_VEGA_DIR}/vega-${module}.min.js)
endforeach()

set(report_assets ${CMAKE_BINARY_DIR}/generated/report_assets.cpp)
set(report_inputs ${CMAKE_SOURCE_DIR}/experiments/report/report.html.in ${CMAKE_SOURCE_DIR}/experiments/report/report_style.css
    ${CMAKE_SOURCE_DIR}/experiments/report/report_drawing.js ${CMAKE_SOURCE_DIR}/experiments/report/report_charts.js
    ${CMAKE_SOURCE_DIR}/experiments/report/report_notice.txt ${CMAKE_SOURCE_DIR}/experiments/training/training_page.html.in
    ${CMAKE_SOURCE_DIR}/experiments/training/training_charts.js
    ${CMAKE_SOURCE_DIR}/experiments/report/comparison_page.html.in ${CMAKE_SOURCE_DIR}/experiments/report/comparison_charts.js)
add_custom_command(
  OUTPUT ${report_assets}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${report_assets} -DSOURCE=${CMAKE_SOURCE_DIR}/experiments -DVEGA=${RIDGELINE_VEGA_DIR}
          "-DMODULES=${vega_modules}" -P ${CMAKE_SOURCE_DIR}/scripts/cmake/RidgelineEmbed.cmake
  DEPENDS ${report_inputs} ${vega_files} ${CMAKE_SOURCE_DIR}/scripts/cmake/RidgelineEmbed.cmake
  COMMENT "Embedding the report page and Vega" VERBATIM)
target_sources(ridgeline_experiments PRIVATE ${report_assets})
set_source_files_properties(${report_assets} PROPERTIES COMPILE_OPTIONS -Wno-overlength-strings)
