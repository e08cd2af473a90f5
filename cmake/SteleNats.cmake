# SPDX-License-Identifier: MIT
# libstele-nats, a library of its own: libstele does not link libnats. It is
# made of src/nats, which uses the public headers of libstele alone.

pkg_check_modules(NATS REQUIRED IMPORTED_TARGET libnats)
file(GLOB nats_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/nats/*.c)
foreach(target stele_nats stele_nats_testing)
    add_library(${target} OBJECT ${nats_sources})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    target_link_libraries(${target} PRIVATE stele_warnings Threads::Threads PkgConfig::NATS)
endforeach()
target_compile_definitions(stele_nats_testing PRIVATE STI_TESTING)
set_target_properties(stele_nats_testing PROPERTIES EXCLUDE_FROM_ALL ON)

add_library(stele_nats_static STATIC $<TARGET_OBJECTS:stele_nats>)
add_library(stele_nats_shared SHARED $<TARGET_OBJECTS:stele_nats>)
foreach(kind static shared)
    add_library(stele::nats_${kind} ALIAS stele_nats_${kind})
    set_target_properties(stele_nats_${kind} PROPERTIES
        OUTPUT_NAME stele-nats EXPORT_NAME nats_${kind} INSTALL_RPATH "$ORIGIN")
    target_link_libraries(stele_nats_${kind} PUBLIC stele_${kind} PRIVATE Threads::Threads PkgConfig::NATS)
endforeach()
target_link_libraries(stele_nats_shared PRIVATE $<BUILD_INTERFACE:stele_warnings>)
set_target_properties(stele_nats_shared PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
    LINK_DEPENDS ${PROJECT_SOURCE_DIR}/src/libstele-nats.map)
target_link_options(stele_nats_shared PRIVATE
    LINKER:--version-script=${PROJECT_SOURCE_DIR}/src/libstele-nats.map)

# What tests link; they bring libstele's own form for tests.
add_library(stele_nats_for_tests STATIC EXCLUDE_FROM_ALL $<TARGET_OBJECTS:stele_nats_testing>)
target_link_libraries(stele_nats_for_tests PUBLIC stele_testing PkgConfig::NATS Threads::Threads)
