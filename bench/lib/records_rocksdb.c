/* SPDX-License-Identifier: MIT */
#include <rocksdb/c.h>

#define LSM(x)         rocksdb_##x
#define LSM_RECORDS(x) records_rocksdb_##x
#define LSM_STORE      records_rocksdb
#define LSM_NAME       "RocksDB"
#define LSM_DIRECTORY  "rocksdb"
#include "lib/records_lsm.h"
