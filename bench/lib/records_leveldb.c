/* SPDX-License-Identifier: MIT */
#include <leveldb/c.h>

#define LSM(x)         leveldb_##x
#define LSM_RECORDS(x) records_leveldb_##x
#define LSM_STORE      records_leveldb
#define LSM_NAME       "LevelDB"
#define LSM_DIRECTORY  "leveldb"
#include "lib/records_lsm.h"
