/* Products on the processor's matrix unit (Intel's AMX): one instruction multiplies 16 rows of 64 inputs with 16 outputs.
   Weights lie for it as they do for VNNI, and sums are the same to the bit. Linux gives the unit to who asks for it. */

#if defined(__AMX_INT8__) && defined(__linux__)
#include "unit.h"

enum { DEPTH = TILE_BYTES }; /* inputs that are multiplied at once */
_Static_assert(TILE == SIDE, "a register holds the sums of the outputs whose weights stand side by side");

/* A pair of tiles of rows with a pair of parts; the second of each may be missing. */
typedef struct {
    int row, upper, lower, part, wide;
} Block;

/* Ask for the weights of 64 inputs and two parts, which are multiplied next; once, by the first rows that pass. */
static inline void fetch_tiles(const uint8_t *left, const uint8_t *right) {
    for (int line = 0; line < DEPTH * TILE; line += 64) {
        __builtin_prefetch(left + line);
        __builtin_prefetch(right + line);
    }
}

static inline __attribute__((always_inline)) void gather_tiles(const Product *product, Rounded rows, Block block,
                                                               int ahead, const int both, const int wide) {
    const int inputs = product->inputs;
    const Digit *high = rows.integers + (size_t)block.row * inputs, *low = high + (size_t)block.upper * inputs;
    const size_t size = (size_t)inputs * TILE;
    const uint8_t *left = product->packed + block.part * size, *right = left + size;
    _tile_zero(0);
    if (wide) _tile_zero(1);
    if (both) _tile_zero(2);
    if (both && wide) _tile_zero(3);
    for (int i = 0; i < inputs; i += DEPTH) {
        if (ahead) fetch_tiles(left + 2 * size + (size_t)i * TILE, left + 3 * size + (size_t)i * TILE);
        _tile_loadd(4, high + i, inputs);
        _tile_loadd(6, left + (size_t)i * TILE, DEPTH);
        _tile_dpbsud(0, 4, 6);
        if (wide) _tile_loadd(7, right + (size_t)i * TILE, DEPTH);
        if (wide) _tile_dpbsud(1, 4, 7);
        if (both) _tile_loadd(5, low + i, inputs);
        if (both) _tile_dpbsud(2, 5, 6);
        if (both && wide) _tile_dpbsud(3, 5, 7);
    }
}

static void gather_block(const Product *product, Rounded rows, Block block, int ahead) {
    if (block.lower && block.wide)
        gather_tiles(product, rows, block, ahead, 1, 1);
    else if (block.lower)
        gather_tiles(product, rows, block, ahead, 1, 0);
    else if (block.wide)
        gather_tiles(product, rows, block, ahead, 0, 1);
    else
        gather_tiles(product, rows, block, ahead, 0, 0);
}

static void store_block(Block block, int32_t (*sums)[TILE * TILE]) {
    _tile_stored(0, sums[0], DEPTH);
    if (block.wide) _tile_stored(1, sums[1], DEPTH);
    if (block.lower) _tile_stored(2, sums[2], DEPTH);
    if (block.lower && block.wide) _tile_stored(3, sums[3], DEPTH);
}

static void finish_tile(const Product *product, Rounded rows, int row, int height, int part, const int32_t *sums,
                        float *out, int stride, int add) {
    for (int end = row + height; row < end; row++, sums += TILE)
        for (int i = 0; i < TILE; i += LANES)
            scale_sums(product, rows, row, part * TILE + i, *(const vi *)(sums + i), out, stride, add);
}

static void finish_block(const Product *product, Rounded rows, Block block, int32_t (*sums)[TILE * TILE], float *out,
                         int stride, int add) {
    for (int i = 0; i < 4; i++) {
        const int row = i < 2 ? block.row : block.row + block.upper, height = i < 2 ? block.upper : block.lower;
        if (i % 2 <= block.wide) finish_tile(product, rows, row, height, block.part + i % 2, sums[i], out, stride, add);
    }
}

/* Rows from `row` to `end`, cut into pairs of tiles. What the unit stored is read only when it has the next block: at
   once, each line of it would be waited for. */
static void fill_tiles(const Product *product, Rounded rows, int row, int end, int upper, int lower, float *out,
                       int stride, int add) {
    int32_t sums[2][4][TILE * TILE] __attribute__((aligned(64)));
    const int parts = product->outputs / TILE;
    Block before = {0};
    int turn = 0;
    shape_tiles(upper, lower);
    for (int part = 0; part < parts; part += 2) {
        for (int first = row; first < end; first += upper + lower, turn++) {
            const Block block = {first, upper, lower, part, part + 1 < parts};
            gather_block(product, rows, block, first == row);
            if (turn) finish_block(product, rows, before, sums[~turn & 1], out, stride, add);
            store_block(block, sums[turn & 1]);
            before = block;
        }
    }
    finish_block(product, rows, before, sums[~turn & 1], out, stride, add);
    _tile_release();
}

/* Multiply as many of the first rows as are worth it; return their number. */
static int multiply_by_tiles(const Product *product, Rounded rows, int count, float *out, int stride, int add) {
    enum { FEW = 4 }; /* rows that vectors multiply as fast */
    if (!tiles_given || product->inputs % DEPTH) return 0;
    const int whole = count - count % (2 * TILE), left = count - whole;
    if (whole) fill_tiles(product, rows, 0, whole, TILE, TILE, out, stride, add);
    if (left <= FEW) return whole;
    const int upper = left < TILE ? left : TILE;
    fill_tiles(product, rows, whole, count, upper, left - upper, out, stride, add);
    return count;
}
#else
enum { tiles_given };
static int multiply_by_tiles(const Product *product, Rounded rows, int count, float *out, int stride, int add) {
    return 0;
}
#endif

/* out[count][outputs] = rows W^T + bias, or that added to what is there. */
static void multiply(const Product *product, Rounded rows, int count, float *out, int stride, int add) {
    const int done = multiply_by_tiles(product, rows, count, out, stride, add);
    if (done < count)
        multiply_by_vectors(product, rows_from(rows, done, product->inputs), count - done, out + (size_t)done * stride,
                            stride, add);
}
