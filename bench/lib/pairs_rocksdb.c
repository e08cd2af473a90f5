/* SPDX-License-Identifier: MIT */
#include <rocksdb/c.h>

#define LSM(x)    rocksdb_##x
#define LSM_PAIRS pairs_rocksdb
#define LSM_NAME  "RocksDB"
#include "lib/pairs_lsm.h"
