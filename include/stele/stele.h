/* SPDX-License-Identifier: MIT
 *
 * stele.h: every public header of libstele.
 */
#ifndef STELE_H
#define STELE_H

#include <stele/bytes.h>
#include <stele/codec.h>
#include <stele/docs.h>
#include <stele/env.h>
#include <stele/error.h>
#include <stele/fleet.h>
#include <stele/journal.h>
#include <stele/node.h>
#include <stele/store.h>
#include <stele/stream.h>
#include <stele/typed.h>
#include <stele/vfs.h>
#include <stele/wal.h>

#endif /* STELE_H */
