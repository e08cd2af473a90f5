/* SPDX-License-Identifier: MIT */
#include <rocksdb/c.h>

#define LSM(x)        rocksdb_##x
#define LSM_PEER(x)   peer_rocksdb_##x
#define LSM_NAME      "RocksDB"
#define LSM_DIRECTORY "rocksdb"
#include "lib/lsm.h"
