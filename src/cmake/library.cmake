# libblendmf, shared and static: src/serve and what it needs of the folders above, with nothing visible but include/blendmf.
# Installed with its headers, a file for pkg-config and a package for find_package(blendmf).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(BLENDMF_PARTS bmf_model bmf_store bmf_comm bmf_kernels bmf_linalg bmf_data bmf_base)
set(BLENDMF_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/blendmf)
set(BLENDMF_INCLUDE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

add_library(blendmf_shared SHARED $<TARGET_OBJECTS:bmf_serve>)
bmf_private(blendmf_shared)
target_link_libraries(blendmf_shared PRIVATE bmf_serve ${BLENDMF_PARTS})
target_link_options(blendmf_shared PRIVATE LINKER:--version-script=${CMAKE_CURRENT_LIST_DIR}/blendmf.map)
set_target_properties(blendmf_shared PROPERTIES OUTPUT_NAME blendmf EXPORT_NAME blendmf LINKER_LANGUAGE C
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/blendmf.map)
target_include_directories(blendmf_shared INTERFACE ${BLENDMF_INCLUDE})

# One object of all that the static library needs, its other names made local, so that they cannot meet a caller's.
set(BLENDMF_OBJECT ${CMAKE_CURRENT_BINARY_DIR}/blendmf.o)
list(TRANSFORM BLENDMF_PARTS REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE BLENDMF_ARCHIVES)
add_custom_command(OUTPUT ${BLENDMF_OBJECT}
  COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o ${BLENDMF_OBJECT} $<TARGET_OBJECTS:bmf_serve>
    -Wl,--start-group ${BLENDMF_ARCHIVES} -Wl,--end-group
  COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=blendmf_* --keep-global-symbol=bmf_status_text ${BLENDMF_OBJECT}
  DEPENDS bmf_serve ${BLENDMF_PARTS} $<TARGET_OBJECTS:bmf_serve>
  COMMAND_EXPAND_LISTS VERBATIM COMMENT "Joining the objects of libblendmf")
add_library(blendmf_static STATIC ${BLENDMF_OBJECT})
set_source_files_properties(${BLENDMF_OBJECT} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
set_target_properties(blendmf_static PROPERTIES OUTPUT_NAME blendmf EXPORT_NAME static LINKER_LANGUAGE C)
target_include_directories(blendmf_static INTERFACE ${BLENDMF_INCLUDE})

# What a program with the static library links besides, as this system has it.
get_target_property(hashing PkgConfig::XXHASH INTERFACE_LINK_LIBRARIES)
get_target_property(unicode PkgConfig::UTF8PROC INTERFACE_LINK_LIBRARIES)
set(private ${HDF5_C_LIBRARIES} ${MPI_C_LIBRARIES} ${OpenBLAS_LIBRARIES} ${hashing} ${unicode}
  ${OpenMP_C_LIBRARIES} ${CMAKE_THREAD_LIBS_INIT} m)
list(REMOVE_ITEM private "")
list(REMOVE_DUPLICATES private)
target_link_libraries(blendmf_static INTERFACE ${private})
set(BLENDMF_PRIVATE_LIBRARIES)
foreach(library IN LISTS private)
  if(library MATCHES "^[/-]")
    list(APPEND BLENDMF_PRIVATE_LIBRARIES ${library})
  else()
    list(APPEND BLENDMF_PRIVATE_LIBRARIES -l${library})
  endif()
endforeach()
list(JOIN BLENDMF_PRIVATE_LIBRARIES " " BLENDMF_PRIVATE_LIBRARIES)

file(RELATIVE_PATH BLENDMF_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_CURRENT_LIST_DIR}/blendmf.pc.in blendmf.pc @ONLY)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/blendmfConfig.cmake.in blendmfConfig.cmake
  INSTALL_DESTINATION ${BLENDMF_PACKAGE_DIR})
write_basic_package_version_file(blendmfConfigVersion.cmake COMPATIBILITY SameMinorVersion)

install(TARGETS blendmf_shared blendmf_static EXPORT blendmfTargets)
install(EXPORT blendmfTargets NAMESPACE blendmf:: DESTINATION ${BLENDMF_PACKAGE_DIR})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/blendmfConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/blendmfConfigVersion.cmake
  DESTINATION ${BLENDMF_PACKAGE_DIR})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/blendmf.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/blendmf DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
