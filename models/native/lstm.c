/* An LSTM over whole sequences, there and back, on the matrix unit: in numbers of 16 bits (bfloat16), but in 32 what is
   summed, the cell, and what flows back from a position to the one before.

   Rows share nothing but the weights: a thread takes some of them through all positions, and no one waits for another.
   What the inputs give to the gates was multiplied before, at once for all positions. It is overwritten by the gates.

   B rows, T positions, H units (a multiple of 32); gates are input, forget, candidate, output. */

#include "halves.h"

#if defined(__AMX_BF16__) && defined(__linux__)
#include "unit.h"

enum { GATES = 4, BLOCK = 2 * TILE, DEPTH = TILE_BYTES / 2 }; /* units or rows at once, and inputs */

typedef struct {
    int32_t rows, positions, units, groups; /* of rows, each the work of one thread */
    int32_t next;                            /* group that nobody has taken yet */
    const float *bias_G;                     /* there */
    const Half *weights;                     /* as tiles: there [4H / 16][H / 32], back [H / 16][4H / 32] */
    Half *gates_BTG;                         /* there: sums of the inputs, and then the gates */
    const Half *first_hidden_BH;
    const float *first_cell_BH;
    Half *hidden_BTH;
    float *cell_BTH;
    const Half *hidden_gradient_BTH, *last_hidden_gradient_BH; /* back: each may be NULL */
    const float *last_cell_gradient_BH;
    Half *gate_gradient_BTG; /* of the sums */
    float *first_hidden_gradient_BH, *first_cell_gradient_BH;
    char *scratch; /* of each group */
    int64_t scratch_bytes;
} Sequence;

/* Rows of one thread, multiplied in pairs of tiles; where pairs do not divide them, the last one begins earlier. */
typedef struct {
    int first, count, pair;
} Group;

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

/* One row's step, of 32 units. Given are the sums of the hidden vector, each gate's so far from those before. */
static void open_gates(const Sequence *s, int row, int position, int unit, const float *sums, size_t gate_sums,
                       Half *hidden) {
    const int H = s->units;
    const float *bias = s->bias_G + unit;
    const size_t at = (size_t)row * s->positions + position;
    Half *gates = s->gates_BTG + at * GATES * H + unit;
    float *cell = s->cell_BTH + at * H + unit;
    const float *before = position ? cell - H : s->first_cell_BH + (size_t)row * H + unit;
    for (int i = 0; i < BLOCK; i += LANES, gates += LANES, bias += LANES, sums += LANES) {
        const vf in = sigmoid_of(widen(gates) + load(bias) + load(sums));
        const vf keep = sigmoid_of(widen(gates + H) + load(bias + H) + load(sums + gate_sums));
        const vf candidate = tanh_of(widen(gates + 2 * H) + load(bias + 2 * H) + load(sums + 2 * gate_sums));
        const vf out = sigmoid_of(widen(gates + 3 * H) + load(bias + 3 * H) + load(sums + 3 * gate_sums));
        const vf value = fused(keep, load(before + i), in * candidate);
        narrow(gates, in);
        narrow(gates + H, keep);
        narrow(gates + 2 * H, candidate);
        narrow(gates + 3 * H, out);
        store(cell + i, value);
        narrow(hidden + i, out * tanh_of(value));
    }
    memcpy(s->hidden_BTH + at * H + unit, hidden, BLOCK * sizeof(Half));
}

static void read_group(const Sequence *s, Group group, char *scratch) {
    const int H = s->units;
    const size_t gate_sums = (size_t)group.count * BLOCK;
    float *sums = (float *)scratch; /* [4][count][32] */
    Half *now = (Half *)(sums + GATES * gate_sums), *next = now + (size_t)group.count * H;
    memcpy(now, s->first_hidden_BH + (size_t)group.first * H, (size_t)group.count * H * sizeof(Half));
    for (int position = 0; position < s->positions; position++) {
        for (int unit = 0; unit < H; unit += BLOCK) {
            for (int gate = 0; gate < GATES; gate++)
                multiply(group, now, H, s->weights + (size_t)(gate * H + unit) * H, sums + gate * gate_sums, BLOCK);
            for (int row = 0; row < group.count; row++)
                open_gates(s, group.first + row, position, unit, sums + row * BLOCK, gate_sums, next + row * H + unit);
        }
        Half *read = now;
        now = next;
        next = read;
    }
}

/* One row's step back: from the gradients of hidden vector and cell to those of the sums and the cell before. */
static void close_gates(const Sequence *s, int row, int position, const float *of_hidden, float *of_cell,
                        Half *of_sums) {
    const int H = s->units;
    const size_t at = (size_t)row * s->positions + position;
    const Half *gates = s->gates_BTG + at * GATES * H;
    const Half *given = s->hidden_gradient_BTH ? s->hidden_gradient_BTH + at * H : NULL;
    const float *cell = s->cell_BTH + at * H;
    const float *before = position ? cell - H : s->first_cell_BH + (size_t)row * H;
    for (int i = 0; i < H; i += LANES) {
        const vf in = widen(gates + i), keep = widen(gates + H + i);
        const vf candidate = widen(gates + 2 * H + i), out = widen(gates + 3 * H + i);
        vf hidden = load(of_hidden + i);
        if (given) hidden += widen(given + i);
        const vf bent = tanh_of(load(cell + i));
        const vf value = fused(hidden * out, 1.0f - bent * bent, load(of_cell + i));
        narrow(of_sums + i, value * candidate * in * (1.0f - in));
        narrow(of_sums + H + i, value * load(before + i) * keep * (1.0f - keep));
        narrow(of_sums + 2 * H + i, value * in * (1.0f - candidate * candidate));
        narrow(of_sums + 3 * H + i, hidden * bent * out * (1.0f - out));
        store(of_cell + i, value * keep);
    }
    memcpy(s->gate_gradient_BTG + at * GATES * H, of_sums, GATES * H * sizeof(Half));
}

static void return_group(const Sequence *s, Group group, char *scratch) {
    const int H = s->units, all = group.count * H;
    const size_t at = (size_t)group.first * H;
    float *of_hidden = s->first_hidden_gradient_BH + at, *of_cell = s->first_cell_gradient_BH + at;
    Half *of_sums = (Half *)scratch; /* [count][4H] */
    for (int i = 0; i < all; i += LANES) {
        store(of_hidden + i, s->last_hidden_gradient_BH ? widen(s->last_hidden_gradient_BH + at + i) : splat(0));
        store(of_cell + i, s->last_cell_gradient_BH ? load(s->last_cell_gradient_BH + at + i) : splat(0));
    }
    for (int position = s->positions - 1; position >= 0; position--) {
        for (int row = 0; row < group.count; row++)
            close_gates(s, group.first + row, position, of_hidden + row * H, of_cell + row * H,
                        of_sums + (size_t)row * GATES * H);
        for (int unit = 0; unit < H; unit += BLOCK)
            multiply(group, of_sums, GATES * H, s->weights + (size_t)unit * GATES * H, of_hidden + unit, H);
    }
}

static void work(Sequence *s, void (*task)(const Sequence *, Group, char *)) {
    for (int taken; (taken = __atomic_fetch_add(&s->next, 1, __ATOMIC_RELAXED)) < s->groups;) {
        const int first = (int64_t)s->rows * taken / s->groups;
        const int count = (int64_t)s->rows * (taken + 1) / s->groups - first;
        if (!count) continue;
        const int pairs = (count + BLOCK - 1) / BLOCK, pair = (count + pairs - 1) / pairs;
        shape_tiles(pair < TILE ? pair : TILE, pair < TILE ? 0 : pair - TILE);
        task(s, (Group){first, count, pair}, s->scratch + taken * s->scratch_bytes);
        _tile_release();
    }
}

int mt_available(void) { return tiles_given; }
void mt_read(Sequence *s) { work(s, read_group); }
void mt_return(Sequence *s) { work(s, return_group); }
#else
int mt_available(void) { return 0; }
void mt_read(void *s) {}
void mt_return(void *s) {}
#endif
