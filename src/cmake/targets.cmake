# bmf_module(NAME SOURCES ... [LINK ...]): the static library of one folder of src, linking only what it may.
# bmf_private(TARGET): the settings of every target of ours (never of a dependency).

option(BMF_WERROR "Treat warnings in our own code as errors" OFF)
set(BMF_SANITIZE "" CACHE STRING "Sanitizers for our targets, e.g. address,undefined")
option(BMF_FUZZ "Build the fuzz targets with libFuzzer (clang only)" OFF)
if(BMF_FUZZ AND NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "BMF_FUZZ needs clang, whose libFuzzer it uses: set CMAKE_C_COMPILER=clang")
endif()

function(bmf_private target)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes
    -Wmissing-prototypes -Wvla -Wformat=2 -fno-math-errno -fno-trapping-math)
  if(CMAKE_C_COMPILER_ID MATCHES "Clang") # a loop that stays scalar is no fault
    target_compile_options(${target} PRIVATE -Wno-pass-failed)
  endif()
  if(BMF_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(BMF_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  if(BMF_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${BMF_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE -fsanitize=${BMF_SANITIZE})
  endif()
endfunction()

function(bmf_module name)
  cmake_parse_arguments(M "" "" "SOURCES;LINK" ${ARGN})
  add_library(bmf_${name} STATIC ${M_SOURCES})
  set_target_properties(bmf_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
  bmf_private(bmf_${name})
  target_link_libraries(bmf_${name} PUBLIC ${M_LINK})
endfunction()
