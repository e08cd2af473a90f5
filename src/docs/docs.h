/* SPDX-License-Identifier: MIT
 *
 * docs.h: the facade of the module: what peers have to agree on.
 *
 * Formats, and rules that come out the same on every node; all of them are functions of their
 * arguments alone. And what a node reads and writes of a database (peer.h).
 */
#ifndef STI_DOCS_DOCS_H
#define STI_DOCS_DOCS_H

#include <stele/docs.h>

#include "docs/aggregate.h"
#include "docs/checkpoint.h"
#include "docs/clock.h"
#include "docs/entry.h"
#include "docs/info.h"
#include "docs/owner.h"
#include "docs/peer.h"
#include "docs/version.h"

#endif /* STI_DOCS_DOCS_H */
