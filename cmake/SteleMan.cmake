# SPDX-License-Identifier: MIT
# Manual pages: man/NAME.SECTION.scd becomes NAME.SECTION where scdoc is installed.
find_program(SCDOC scdoc)
file(GLOB man_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/man/*.scd)
if(man_sources AND NOT SCDOC)
    message(STATUS "scdoc not found: manual pages are not built")
elseif(man_sources)
    set(man_pages)
    foreach(source ${man_sources})
        cmake_path(GET source STEM LAST_ONLY page)
        cmake_path(GET page EXTENSION LAST_ONLY section)
        string(SUBSTRING ${section} 1 -1 section)
        add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/man/${page}
            COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/man
            COMMAND sh -c "exec \"$1\" <\"$2\" >\"$3\"" sh
                    ${SCDOC} ${source} ${PROJECT_BINARY_DIR}/man/${page}
            DEPENDS ${source} VERBATIM)
        list(APPEND man_pages ${PROJECT_BINARY_DIR}/man/${page})
        install(FILES ${PROJECT_BINARY_DIR}/man/${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
    endforeach()
    add_custom_target(stele_man ALL DEPENDS ${man_pages})
endif()
