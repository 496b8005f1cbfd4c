# Compiler settings and the two functions that make a target of a folder.

option(RIDGELINE_TESTS "Build the tests" ON)
option(RIDGELINE_WERROR "Treat warnings as errors" OFF)
# A third less time for a build from nothing; without it a file also says what it includes, and ccache needs no care.
option(RIDGELINE_PRECOMPILE "Precompile the headers of libraries that most files include" OFF)
set(RIDGELINE_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize takes them: address,undefined or thread")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(RIDGELINE_CCACHE ccache)
if(RIDGELINE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${RIDGELINE_CCACHE})
endif()

add_library(ridgeline_options INTERFACE)
target_compile_options(ridgeline_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast)
if(RIDGELINE_WERROR)
  target_compile_options(ridgeline_options INTERFACE -Werror)
endif()
if(RIDGELINE_SANITIZE)
  target_compile_options(ridgeline_options INTERFACE
    -fsanitize=${RIDGELINE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(ridgeline_options INTERFACE -fsanitize=${RIDGELINE_SANITIZE})
endif()

# ridgeline_precompile(TARGET HEADER...), with <> around what is not ours.
function(ridgeline_precompile target)
  if(NOT RIDGELINE_PRECOMPILE)
    return()
  endif()
  target_precompile_headers(${target} PRIVATE ${ARGN})
  # Of a precompiled <string>, GCC 12 no longer knows that its warnings about joined strings come from a system header.
  target_compile_options(${target} PRIVATE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds -Wno-restrict -Wno-stringop-overflow>)
endfunction()

# ridgeline_library(FOLDER PUBLIC ... PRIVATE ...): the static library ridgeline_FOLDER
# from every .cpp of the folder and of the folders in it.
function(ridgeline_library folder)
  cmake_parse_arguments(ARG "" "" "PUBLIC;PRIVATE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.cpp ${CMAKE_SOURCE_DIR}/${folder}/*/*.cpp)
  add_library(ridgeline_${folder} STATIC ${sources})
  set_target_properties(ridgeline_${folder} PROPERTIES LINKER_LANGUAGE CXX)
  target_include_directories(ridgeline_${folder} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(ridgeline_${folder} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE} ridgeline_options)
  set(headers <fmt/format.h> <nlohmann/json.hpp>)
  if(Eigen3::Eigen IN_LIST ARG_PUBLIC OR ridgeline_predictors IN_LIST ARG_PUBLIC OR ridgeline_search IN_LIST ARG_PUBLIC)
    list(APPEND headers <Eigen/Core>)
  endif()
  ridgeline_precompile(ridgeline_${folder} ${headers})
endfunction()

function(ridgeline_executable name folder)
  cmake_parse_arguments(ARG "" "" "PRIVATE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.cpp)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${ARG_PRIVATE} ridgeline_options)
  ridgeline_precompile(${name} <CLI/CLI.hpp> <Eigen/Core> <fmt/format.h> <nlohmann/json.hpp>)
endfunction()
