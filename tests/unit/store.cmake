# The store a second time with tiny chunks, so that small files have many of them.
get_target_property(store_sources bmf_store SOURCES)
list(TRANSFORM store_sources PREPEND ${PROJECT_SOURCE_DIR}/src/store/)
add_library(store_tiny STATIC ${store_sources})
bmf_private(store_tiny)
target_compile_definitions(store_tiny PRIVATE BMF_CHUNK_BYTES=256)
target_link_libraries(store_tiny PUBLIC bmf_data bmf_comm OpenMP::OpenMP_C hdf5::hdf5 MPI::MPI_C PkgConfig::XXHASH)

foreach(test IN ITEMS dataset_file model_file h5_chunks)
  bmf_unit_test(test_${test} SOURCES test_${test}.c store_samples.c store_faults.c LINK bmf_store)
  bmf_unit_test(test_${test}_tiny SOURCES test_${test}.c store_samples.c store_faults.c LINK store_tiny)
endforeach()

bmf_unit_test(test_output_driver SOURCES test_output_driver.c store_faults.c LINK bmf_store)

# The same files through h5py, scipy, h5ls and h5dump, and hostile ones made with h5py.
foreach(size IN ITEMS store tiny)
  add_executable(${size}_tool store_tool.c store_samples.c)
  bmf_private(${size}_tool)
  target_include_directories(${size}_tool PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  add_test(NAME test_h5py_${size} COMMAND ${TIMEOUT_PROGRAM} -k 5 120 ${SYSTEM_PYTHON}
    ${CMAKE_CURRENT_LIST_DIR}/h5py_check.py $<TARGET_FILE:${size}_tool> ${CMAKE_CURRENT_BINARY_DIR}/h5py_${size})
  set_tests_properties(test_h5py_${size} PROPERTIES LABELS unit TIMEOUT 140)
endforeach()
target_link_libraries(store_tool PRIVATE bmf_store)
target_link_libraries(tiny_tool PRIVATE store_tiny)
bmf_unit_test(test_import_threads SOURCES test_import_threads.c store_faults.c LINK bmf_store)
