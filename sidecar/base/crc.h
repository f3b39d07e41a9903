/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32 as in IEEE 802.3 and zlib: what AWS event streams are sealed with. */
#ifndef BASE_CRC_H
#define BASE_CRC_H

#include <stdint.h>

#include "base/span.h"

/* The checksum of what gave crc (0: nothing yet) with s behind it. */
uint32_t crc_32(uint32_t crc, struct span s);

#endif
