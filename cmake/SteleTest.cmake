# SPDX-License-Identifier: MIT

# stele_test(NAME [SOURCES] file.c... [LABELS ...] [TIMEOUT seconds] [LIBS ...] [ARGS ...])
#
# A test program on cmocka, linked with every module in its form for tests.
# Includes are found from src/ and tests/. A program finds the files of the
# tree through the macro STELE_TESTS_DIR, and the command that was built
# through the environment variable STELE_COMMAND.
#
# The time limit ends what hangs. It is far from what a test takes, since
# machines are slow and busy.
#
# The label "full" says that the test has a larger size, which it runs at when
# STELE_FULL is set in the environment (`make verify`).
function(stele_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;LABELS;LIBS;ARGS")
    add_executable(${name} ${arg_UNPARSED_ARGUMENTS} ${arg_SOURCES})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE STELE_TESTS_DIR="${PROJECT_SOURCE_DIR}/tests")
    target_link_libraries(${name} PRIVATE ${arg_LIBS} stele_testing stele_warnings PkgConfig::CMOCKA)
    add_test(NAME ${name} COMMAND ${name} ${arg_ARGS})
    stele_test_properties(${name} TIMEOUT ${arg_TIMEOUT} LABELS ${arg_LABELS})
endfunction()

# stele_test_properties(NAME [LABELS ...] [TIMEOUT seconds]): the same limits
# and surroundings for a test that add_test() made.
function(stele_test_properties name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LABELS")
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 300)
    endif()
    if(NOT arg_LABELS)
        set(arg_LABELS unit)
    endif()
    math(EXPR timeout "${arg_TIMEOUT} * ${STELE_TIMEOUT_FACTOR}")
    set_tests_properties(${name} PROPERTIES TIMEOUT ${timeout} LABELS "${arg_LABELS}"
        ENVIRONMENT "STELE_COMMAND=$<TARGET_FILE:stele_cli>")
endfunction()
