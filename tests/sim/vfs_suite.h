/* SPDX-License-Identifier: MIT
 *
 * vfs_suite.h: what every implementation of <stele/vfs.h> does alike.
 *
 * The same assertions run against the real file system and the simulated
 * disk: the latter proves something only as far as it behaves like the former.
 */
#ifndef SIM_VFS_SUITE_H
#define SIM_VFS_SUITE_H

#include <stele/vfs.h>

/* Run all of it below `path`, a directory that exists and is empty. */
void vfs_suite_run(const stele_vfs *v, const char *path);

#endif /* SIM_VFS_SUITE_H */
