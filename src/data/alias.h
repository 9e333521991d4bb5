/* Draws from a fixed discrete distribution in constant time: Walker's alias table, filled as by Vose (1991). */
#ifndef BMF_DATA_ALIAS_H
#define BMF_DATA_ALIAS_H

#include <stdint.h>

/* A draw that falls on cell i means i with a chance of limit / 2^32, and `other` else. */
typedef struct bmf_alias_cell {
    uint32_t limit;
    int32_t other;
} bmf_alias_cell;

/* Fills cell (n) from chance (n, sum 1). Scratch: mass (n), queue (n), which holds the cells below the mean from the front
 * and those above it from the back. */
static inline void bmf_alias_fill(const double *chance, int64_t n, double *mass, int32_t *queue, bmf_alias_cell *cell)
{
    int64_t poor = 0, rich = n;
    for (int64_t i = 0; i < n; i++) {
        cell[i] = (bmf_alias_cell){UINT32_MAX, (int32_t)i};
        mass[i] = chance[i] * (double)n;
        queue[mass[i] < 1 ? poor++ : --rich] = (int32_t)i;
    }
    while (poor > 0 && rich < n) {
        int32_t from = queue[--poor], to = queue[rich];
        cell[from] = (bmf_alias_cell){(uint32_t)(mass[from] * 0x1p32), to};
        mass[to] -= 1 - mass[from];
        if (mass[to] < 1) {
            rich++;
            queue[poor++] = to;
        }
    }
}

/* One draw from 64 random bits. */
static inline int32_t bmf_alias_draw(const bmf_alias_cell *cell, int64_t n, uint64_t bits)
{
    int64_t i = (int64_t)((bits >> 32) * (uint64_t)n >> 32);
    return (uint32_t)bits < cell[i].limit ? (int32_t)i : cell[i].other;
}

#endif
