/* SPDX-License-Identifier: MIT */
#include <leveldb/c.h>

#define LSM(x)        leveldb_##x
#define LSM_PUTS(x)   puts_leveldb_##x
#define LSM_STORE     puts_leveldb
#define LSM_NAME      "LevelDB"
#define LSM_DIRECTORY "leveldb"
#include "lib/puts_lsm.h"
