/* The matrix unit in plain C, for a test on processors without one: what the compiled engine and the compiled LSTM ask of it. */
#define __AMX_INT8__ 1
#define __AMX_BF16__ 1
#include <immintrin.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbsud
#undef _tile_dpbf16ps
#define syscall(...) 0
#define _tile_loadconfig emulated_config
#define _tile_release() emulated_config(NULL)
#define _tile_zero emulated_zero
#define _tile_loadd(tile, from, stride) emulated_move(tile, (char *)(from), stride, 1)
#define _tile_stored(tile, to, stride) emulated_move(tile, (char *)(to), stride, 0)
#define _tile_dpbsud emulated_product
#define _tile_dpbf16ps emulated_brief_product

static __thread uint8_t emulated[8][16][64], emulated_shapes[64];

static inline int emulated_rows(int tile) { return emulated_shapes[48 + tile]; }
static inline int emulated_bytes(int tile) { return emulated_shapes[16 + 2 * tile]; }
static inline void emulated_zero(int tile) { memset(emulated[tile], 0, sizeof emulated[tile]); }

static inline void emulated_config(const void *shapes) {
    memset(emulated, 0, sizeof emulated);
    memset(emulated_shapes, 0, 64);
    if (shapes) memcpy(emulated_shapes, shapes, 64);
}

static inline void emulated_move(int tile, char *memory, long stride, int load) {
    if (load) emulated_zero(tile);
    for (int row = 0; row < emulated_rows(tile); row++, memory += stride)
        memcpy(load ? (char *)emulated[tile][row] : memory, load ? memory : (char *)emulated[tile][row],
               emulated_bytes(tile));
}

static inline void emulated_product(int sums, int rows, int weights) {
    for (int row = 0; row < emulated_rows(sums); row++)
        for (int column = 0; column < emulated_bytes(sums) / 4; column++) {
            int32_t total;
            memcpy(&total, emulated[sums][row] + 4 * column, 4);
            for (int i = 0; i < emulated_bytes(rows); i++)
                total += (int8_t)emulated[rows][row][i] * emulated[weights][i / 4][4 * column + i % 4];
            memcpy(emulated[sums][row] + 4 * column, &total, 4);
        }
}

static inline float emulated_brief(const uint8_t *from) {
    uint8_t bytes[4] = {0, 0, from[0], from[1]};
    float value;
    memcpy(&value, bytes, 4);
    return value;
}

static inline void emulated_brief_product(int sums, int rows, int weights) {
    for (int row = 0; row < emulated_rows(sums); row++)
        for (int column = 0; column < emulated_bytes(sums) / 4; column++) {
            float total;
            memcpy(&total, emulated[sums][row] + 4 * column, 4);
            for (int i = 0; i < emulated_bytes(rows); i += 2)
                total += emulated_brief(emulated[rows][row] + i) *
                         emulated_brief(emulated[weights][i / 4] + 4 * column + i % 4);
            memcpy(emulated[sums][row] + 4 * column, &total, 4);
        }
}
