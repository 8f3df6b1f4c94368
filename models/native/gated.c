/* LSTM and GRU over whole sequences, there and back, on the matrix unit: in numbers of 16 bits (bfloat16), but in 32
   what is summed, the LSTM's cell, and what flows back from a position to the one before.

   Rows share nothing but the weights: a thread takes some of them through all positions, and no one waits for another.
   What the inputs give to the gates was multiplied before, at once for all positions. It is overwritten by the gates.

   B rows, T positions, H units (a multiple of 32), G gates of H units: an LSTM's are input, forget, candidate, output,
   a GRU's reset, update, candidate, as torch has them. */

#include "halves.h"

#if defined(__AMX_BF16__) && defined(__linux__)
#include "unit.h"

enum { LSTM = 4, GRU = 3, BLOCK = 2 * TILE, DEPTH = TILE_BYTES / 2 }; /* units or rows at once, and inputs */

typedef struct {
    int32_t rows, positions, units, groups; /* of rows, each the work of one thread */
    int32_t next;                           /* group that nobody has taken yet */
    int32_t gates;                          /* LSTM or GRU: products with the hidden vector */
    const float *bias_G;                    /* there; a GRU's has a fourth part, for the candidate's second product */
    const Half *weights;                    /* as tiles: there [GH / 16][H / 32], back [H / 16][GH / 32] */
    Half *gates_BTG;                        /* there: sums of the inputs, and then the gates */
    const Half *first_hidden_BH;
    const float *first_cell_BH; /* of an LSTM */
    Half *hidden_BTH;
    float *cell_BTH;                                           /* a GRU's: the candidate's second product */
    const Half *hidden_gradient_BTH, *last_hidden_gradient_BH; /* back: each may be NULL */
    const float *last_cell_gradient_BH;
    Half *gate_gradient_BT4H; /* of the sums; a GRU's fourth part: of the candidate's second product */
    float *first_hidden_gradient_BH;
    float *first_cell_gradient_BH; /* a GRU's: what else flows back to the first hidden vector */
    char *scratch;                 /* of each group */
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
typedef void Open(const Sequence *s, int row, int position, int unit, const float *sums, size_t gate_sums,
                  Half *hidden);

static void open_lstm(const Sequence *s, int row, int position, int unit, const float *sums, size_t gate_sums,
                      Half *hidden) {
    const int H = s->units;
    const float *bias = s->bias_G + unit;
    const size_t at = (size_t)row * s->positions + position;
    Half *gates = s->gates_BTG + at * LSTM * H + unit;
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
}

static void open_gru(const Sequence *s, int row, int position, int unit, const float *sums, size_t gate_sums,
                     Half *hidden) {
    const int H = s->units;
    const float *bias = s->bias_G + unit;
    const size_t at = (size_t)row * s->positions + position;
    Half *gates = s->gates_BTG + at * GRU * H + unit;
    float *product = s->cell_BTH + at * H + unit;
    const Half *before = position ? s->hidden_BTH + (at - 1) * H + unit : s->first_hidden_BH + (size_t)row * H + unit;
    for (int i = 0; i < BLOCK; i += LANES, gates += LANES, bias += LANES, sums += LANES) {
        const vf reset = sigmoid_of(widen(gates) + load(bias) + load(sums));
        const vf update = sigmoid_of(widen(gates + H) + load(bias + H) + load(sums + gate_sums));
        const vf second = load(bias + 3 * H) + load(sums + 2 * gate_sums);
        const vf candidate = tanh_of(fused(reset, second, widen(gates + 2 * H) + load(bias + 2 * H)));
        narrow(gates, reset);
        narrow(gates + H, update);
        narrow(gates + 2 * H, candidate);
        store(product + i, second);
        narrow(hidden + i, fused(update, widen(before + i) - candidate, candidate));
    }
}

static void read_group(const Sequence *s, Group group, char *scratch) {
    const int H = s->units;
    const size_t gate_sums = (size_t)group.count * BLOCK;
    Open *open = s->gates == LSTM ? open_lstm : open_gru;
    float *sums = (float *)scratch; /* [G][count][32] */
    Half *now = (Half *)(sums + s->gates * gate_sums), *next = now + (size_t)group.count * H;
    memcpy(now, s->first_hidden_BH + (size_t)group.first * H, (size_t)group.count * H * sizeof(Half));
    for (int position = 0; position < s->positions; position++) {
        for (int unit = 0; unit < H; unit += BLOCK) {
            for (int gate = 0; gate < s->gates; gate++)
                multiply(group, now, H, s->weights + (size_t)(gate * H + unit) * H, sums + gate * gate_sums, BLOCK);
            for (int row = 0; row < group.count; row++) {
                Half *hidden = next + row * H + unit;
                open(s, group.first + row, position, unit, sums + row * BLOCK, gate_sums, hidden);
                const size_t at = (size_t)(group.first + row) * s->positions + position;
                memcpy(s->hidden_BTH + at * H + unit, hidden, BLOCK * sizeof(Half));
            }
        }
        Half *read = now;
        now = next;
        next = read;
    }
}

/* One row's step back: from the gradients of hidden vector and cell to those of the sums and the cell before. */
typedef void Close(const Sequence *s, int row, int position, const float *of_hidden, float *of_cell, Half *of_sums);

static inline vf hidden_gradient(const Sequence *s, size_t at, int unit, const float *of_hidden) {
    const vf hidden = load(of_hidden + unit);
    return s->hidden_gradient_BTH ? (vf)(hidden + widen(s->hidden_gradient_BTH + at * s->units + unit)) : (vf)hidden;
}

static void close_lstm(const Sequence *s, int row, int position, const float *of_hidden, float *of_cell,
                       Half *of_sums) {
    const int H = s->units;
    const size_t at = (size_t)row * s->positions + position;
    const Half *gates = s->gates_BTG + at * LSTM * H;
    const float *cell = s->cell_BTH + at * H;
    const float *before = position ? cell - H : s->first_cell_BH + (size_t)row * H;
    for (int i = 0; i < H; i += LANES) {
        const vf in = widen(gates + i), keep = widen(gates + H + i);
        const vf candidate = widen(gates + 2 * H + i), out = widen(gates + 3 * H + i);
        const vf hidden = hidden_gradient(s, at, i, of_hidden), bent = tanh_of(load(cell + i));
        const vf value = fused(hidden * out, 1.0f - bent * bent, load(of_cell + i));
        narrow(of_sums + i, value * candidate * in * (1.0f - in));
        narrow(of_sums + H + i, value * load(before + i) * keep * (1.0f - keep));
        narrow(of_sums + 2 * H + i, value * in * (1.0f - candidate * candidate));
        narrow(of_sums + 3 * H + i, hidden * bent * out * (1.0f - out));
        store(of_cell + i, value * keep);
    }
    memcpy(s->gate_gradient_BT4H + at * LSTM * H, of_sums, LSTM * H * sizeof(Half));
}

static void close_gru(const Sequence *s, int row, int position, const float *of_hidden, float *of_cell, Half *of_sums) {
    const int H = s->units;
    const size_t at = (size_t)row * s->positions + position;
    const Half *gates = s->gates_BTG + at * GRU * H;
    const float *product = s->cell_BTH + at * H;
    const Half *before = position ? s->hidden_BTH + (at - 1) * H : s->first_hidden_BH + (size_t)row * H;
    Half *to = s->gate_gradient_BT4H + at * 4 * H;
    for (int i = 0; i < H; i += LANES) {
        const vf reset = widen(gates + i), update = widen(gates + H + i), candidate = widen(gates + 2 * H + i);
        const vf hidden = hidden_gradient(s, at, i, of_hidden) + load(of_cell + i);
        const vf inner = hidden * (1.0f - update) * (1.0f - candidate * candidate);
        narrow(of_sums + i, inner * load(product + i) * reset * (1.0f - reset));
        narrow(of_sums + H + i, hidden * (widen(before + i) - candidate) * update * (1.0f - update));
        narrow(of_sums + 2 * H + i, inner * reset);
        narrow(to + 2 * H + i, inner);
        store(of_cell + i, hidden * update);
    }
    memcpy(to, of_sums, 2 * H * sizeof(Half));
    memcpy(to + 3 * H, of_sums + 2 * H, H * sizeof(Half));
}

static void return_group(const Sequence *s, Group group, char *scratch) {
    const int H = s->units, all = group.count * H, sums = s->gates * H;
    const size_t at = (size_t)group.first * H;
    Close *close = s->gates == LSTM ? close_lstm : close_gru;
    float *of_hidden = s->first_hidden_gradient_BH + at, *of_cell = s->first_cell_gradient_BH + at;
    Half *of_sums = (Half *)scratch; /* [count][GH] */
    for (int i = 0; i < all; i += LANES) {
        store(of_hidden + i, s->last_hidden_gradient_BH ? widen(s->last_hidden_gradient_BH + at + i) : splat(0));
        store(of_cell + i, s->last_cell_gradient_BH ? load(s->last_cell_gradient_BH + at + i) : splat(0));
    }
    for (int position = s->positions - 1; position >= 0; position--) {
        for (int row = 0; row < group.count; row++)
            close(s, group.first + row, position, of_hidden + row * H, of_cell + row * H, of_sums + (size_t)row * sums);
        for (int unit = 0; unit < H; unit += BLOCK)
            multiply(group, of_sums, sums, s->weights + (size_t)unit * sums, of_hidden + unit, H);
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
