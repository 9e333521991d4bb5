# Everything the project is built on. A missing piece is answered with the Debian package that brings it.

function(require_found found what package)
  if(NOT ${found})
    message(FATAL_ERROR "blendmf needs ${what}, which was not found. On Debian: apt-get install ${package}")
  endif()
endfunction()

set(MPI_SKIP_MPICXX TRUE)
find_package(MPI 3.1 QUIET COMPONENTS C)
require_found(MPI_C_FOUND "an MPI 3.1 library with its compiler wrapper" "libopenmpi-dev openmpi-bin")

find_package(OpenMP QUIET COMPONENTS C)
require_found(OpenMP_C_FOUND "OpenMP" "gcc (for clang: libomp-dev)")

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

set(HDF5_PREFER_PARALLEL TRUE)
find_package(HDF5 1.10 QUIET COMPONENTS C)
require_found(HDF5_FOUND "HDF5 1.10 or later, parallel build" "libhdf5-openmpi-dev")
require_found(HDF5_IS_PARALLEL "the parallel build of HDF5 (found a serial one: ${HDF5_C_LIBRARIES})" "libhdf5-openmpi-dev")

# All OpenBLAS variants share one soname; the OpenMP build is linked by its directory and keeps it as rpath.
find_package(OpenBLAS CONFIG QUIET
  PATHS "/usr/lib/${CMAKE_C_LIBRARY_ARCHITECTURE}/openblas-openmp/cmake/openblas" NO_DEFAULT_PATH)
if(NOT OpenBLAS_FOUND)
  find_package(OpenBLAS CONFIG QUIET)
endif()
require_found(OpenBLAS_FOUND "OpenBLAS, OpenMP build" "libopenblas-openmp-dev")
add_library(openblas::openblas INTERFACE IMPORTED)
set_target_properties(openblas::openblas PROPERTIES
  INTERFACE_INCLUDE_DIRECTORIES "${OpenBLAS_INCLUDE_DIRS}"
  INTERFACE_LINK_LIBRARIES "${OpenBLAS_LIBRARIES}")

find_package(PkgConfig QUIET)
require_found(PkgConfig_FOUND "pkg-config" "pkg-config")
function(require_module name module package)
  pkg_check_modules(${name} QUIET IMPORTED_TARGET ${module})
  require_found(${name}_FOUND "${module}" "${package}")
endfunction()
require_module(JANSSON jansson libjansson-dev)
require_module(UTF8PROC libutf8proc libutf8proc-dev)
require_module(XXHASH libxxhash libxxhash-dev)
if(BUILD_TESTING)
  require_module(CMOCKA cmocka libcmocka-dev)
endif()
