# SPDX-License-Identifier: MIT
# What `cmake --install` puts where. Both package files find the rest by their
# own place, so that a tree may be installed under any prefix, or moved.

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/stele)
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
    set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
    set(pc_libdir "${CMAKE_INSTALL_FULL_LIBDIR}")
    set(pc_includedir "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
else()
    file(RELATIVE_PATH pc_up "/${pkgconfig_dir}" "/")
    string(REGEX REPLACE "/$" "" pc_up "${pc_up}")
    set(pc_prefix "\${pcfiledir}/${pc_up}")
    set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
    set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
list(JOIN stele_requires " " pc_requires)
configure_file(stele.pc.in stele.pc @ONLY)
configure_package_config_file(cmake/steleConfig.cmake.in steleConfig.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(steleConfigVersion.cmake COMPATIBILITY SameMinorVersion)

install(TARGETS stele_static stele_shared EXPORT steleTargets)
if(STELE_NATS)
    configure_file(stele-nats.pc.in stele-nats.pc @ONLY)
    install(TARGETS stele_nats_static stele_nats_shared EXPORT steleTargets)
    install(FILES ${PROJECT_BINARY_DIR}/stele-nats.pc DESTINATION ${pkgconfig_dir})
endif()
install(TARGETS stele_cli)
install(EXPORT steleTargets NAMESPACE stele:: DESTINATION ${package_dir})
install(DIRECTORY include/stele TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_BINARY_DIR}/stele.pc DESTINATION ${pkgconfig_dir})
install(FILES ${PROJECT_BINARY_DIR}/steleConfig.cmake ${PROJECT_BINARY_DIR}/steleConfigVersion.cmake
    DESTINATION ${package_dir})
