/* Products of rows of 16 bits (bfloat16) with the weights of 32 outputs, summed in 32: on the processor's matrix unit, or
   by the instruction that multiplies pairs of inputs (AVX-512's VDPBF16PS).

   Weights lie as tiles of 16 outputs and 32 inputs: for each pair of inputs, that of every output. */

#include "halves.h"

#if defined(__AMX_BF16__) && defined(__linux__)
#define MULTIPLIES
#include "unit.h"
#elif defined(__AVX512BF16__)
#define MULTIPLIES
#include <immintrin.h>
enum { TILE = 16, TILE_BYTES = 64 };
#endif

#ifdef MULTIPLIES
enum { BLOCK = 2 * TILE, DEPTH = TILE_BYTES / 2 }; /* units or rows at once, and inputs */

/* Rows of one thread, which the unit multiplies in pairs of tiles; where pairs do not divide them, the last one begins
   earlier. */
typedef struct {
    int first, count, pair;
} Group;
#endif

#if defined(__AMX_BF16__) && defined(__linux__)
static int can_multiply(void) { return tiles_given; }

static Group take(int first, int count) {
    const int pairs = (count + BLOCK - 1) / BLOCK, pair = (count + pairs - 1) / pairs;
    shape_tiles(pair < TILE ? pair : TILE, pair < TILE ? 0 : pair - TILE);
    return (Group){first, count, pair};
}

static void leave(void) { _tile_release(); }

static inline __attribute__((always_inline)) void multiply_tiles(const Half *rows, int inputs, const Half *weights,
                                                                 float *out, int stride, const int both) {
    const Half *low = rows + TILE * inputs, *right = weights + (size_t)inputs * TILE;
    _tile_zero(0);
    _tile_zero(1);
    if (both) _tile_zero(2);
    if (both) _tile_zero(3);
    for (int i = 0; i < inputs; i += DEPTH) {
        _tile_loadd(4, rows + i, 2 * inputs);
        _tile_loadd(6, weights + (size_t)i * TILE, TILE_BYTES);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, right + (size_t)i * TILE, TILE_BYTES);
        _tile_dpbf16ps(1, 4, 7);
        if (both) _tile_loadd(5, low + i, 2 * inputs);
        if (both) _tile_dpbf16ps(2, 5, 6);
        if (both) _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, out, 4 * stride);
    _tile_stored(1, out + TILE, 4 * stride);
    if (both) _tile_stored(2, out + TILE * stride, 4 * stride);
    if (both) _tile_stored(3, out + TILE * stride + TILE, 4 * stride);
}

/* out[count][32] = rows[count][inputs] W^T, for two tiles of outputs. */
static void multiply(Group group, const Half *rows, int inputs, const Half *weights, float *out, int stride) {
    const int last = group.count - group.pair;
    for (int row = 0; row < group.count; row += group.pair) {
        const size_t start = row < last ? row : last;
        if (group.pair > TILE)
            multiply_tiles(rows + start * inputs, inputs, weights, out + start * stride, stride, 1);
        else
            multiply_tiles(rows + start * inputs, inputs, weights, out + start * stride, stride, 0);
    }
}

#elif defined(__AVX512BF16__)
typedef float Sums __attribute__((vector_size(4 * TILE), aligned(4), may_alias));
typedef int32_t Pairs __attribute__((vector_size(TILE_BYTES), aligned(4), may_alias));
enum { MOST = 12 }; /* rows at once: two sums of each, and two tiles' weights, are 26 of 32 registers */

static int can_multiply(void) { return 1; }
static Group take(int first, int count) { return (Group){first, count, count}; }
static void leave(void) {}

static inline Sums add_pairs(Sums sums, Pairs weights, Pairs inputs) {
    return (Sums)_mm512_dpbf16_ps((__m512)sums, (__m512bh)weights, (__m512bh)inputs);
}

static inline __attribute__((always_inline)) void multiply_rows(const Half *rows, int inputs, const Half *weights,
                                                                float *out, int stride, const int count) {
    const Half *others = weights + (size_t)inputs * TILE;
    Sums left[MOST], right[MOST];
#pragma GCC unroll 12
    for (int row = 0; row < count; row++) left[row] = right[row] = (Sums){0};
    for (int i = 0; i < inputs; i += 2) {
        const Pairs one = *(const Pairs *)(weights + (size_t)i * TILE), two = *(const Pairs *)(others + (size_t)i * TILE);
#pragma GCC unroll 12
        for (int row = 0; row < count; row++) {
            int32_t pair;
            memcpy(&pair, rows + row * inputs + i, sizeof pair);
            const Pairs both = (Pairs){0} + pair;
            left[row] = add_pairs(left[row], one, both);
            right[row] = add_pairs(right[row], two, both);
        }
    }
#pragma GCC unroll 12
    for (int row = 0; row < count; row++) {
        *(Sums *)(out + row * stride) = left[row];
        *(Sums *)(out + row * stride + TILE) = right[row];
    }
}

/* out[count][32] = rows[count][inputs] W^T, for two tiles of outputs. */
static void multiply(Group group, const Half *rows, int inputs, const Half *weights, float *out, int stride) {
    int row = 0;
    for (; row + MOST <= group.count; row += MOST)
        multiply_rows(rows + (size_t)row * inputs, inputs, weights, out + row * stride, stride, MOST);
    for (; row + 4 <= group.count; row += 4)
        multiply_rows(rows + (size_t)row * inputs, inputs, weights, out + row * stride, stride, 4);
    for (; row < group.count; row++)
        multiply_rows(rows + (size_t)row * inputs, inputs, weights, out + row * stride, stride, 1);
}
#endif
