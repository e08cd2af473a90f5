/* SPDX-License-Identifier: MIT */
#include <leveldb/c.h>

#define LSM(x)    leveldb_##x
#define LSM_PAIRS pairs_leveldb
#define LSM_NAME  "LevelDB"
#include "lib/pairs_lsm.h"
