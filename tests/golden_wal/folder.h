/* SPDX-License-Identifier: MIT
 *
 * folder.h: a real directory of files as the image of a simulated disk.
 */
#ifndef TESTS_GOLDEN_WAL_FOLDER_H
#define TESTS_GOLDEN_WAL_FOLDER_H

#include "sim/image.h"

/* The files of a folder in a directory `dir` of a disk. */
struct sim_image *folder_load(const char *folder, const char *dir);

/* Write the files of an image, those whose name begins with a dot excepted, into a folder, which is
 * made. */
void folder_save(const struct sim_image *image, const char *folder);

/* Fail unless an image has just these files, those whose name begins with a dot excepted. */
void folder_compare(const struct sim_image *image, const char *folder);

#endif /* TESTS_GOLDEN_WAL_FOLDER_H */
