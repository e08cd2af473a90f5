/* SPDX-License-Identifier: MIT */
#include <rocksdb/c.h>

#define LSM(x)        rocksdb_##x
#define LSM_PUTS(x)   puts_rocksdb_##x
#define LSM_STORE     puts_rocksdb
#define LSM_NAME      "RocksDB"
#define LSM_DIRECTORY "rocksdb"
#include "lib/puts_lsm.h"
