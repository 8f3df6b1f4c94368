/* The parts of a network, for rows of floats. Widths are multiples of 16. */

enum { NO_CELL, LSTM, GRU };

typedef struct {
    int32_t size;
    float epsilon;
    const float *weight, *bias; /* weight is NULL where nothing is normalised */
} Norm;

typedef struct {
    int32_t kind, hidden;
    Product input, recurrent; /* gates stacked: input, forget, candidate, output; or reset, update, candidate */
} Cell;

typedef struct {
    Norm norm;
    Product expand, contract;
} FeedForward;

typedef struct {
    Norm norm;
    int32_t heads;
    Product query, key, value, output;
} Attention;

/* What one thread computes in; made once for the largest of each. */
typedef struct {
    Rounded rounded;
    float *stream, *normed, *gates, *recurrent, *inner, *scores;
    int32_t *order;
} Scratch;

/* Layer normalisation of a row. */
static void normalise(const Norm *norm, const float *row, float *out) {
    const int size = norm->size;
    vf total = {0}, spread = {0};
    for (int i = 0; i < size; i += LANES) total += load(row + i);
    float mean = sum_of(total) / size;
    for (int i = 0; i < size; i += LANES) {
        vf apart = load(row + i) - mean;
        spread = fused(apart, apart, spread);
    }
    float scale = 1.0f / sqrtf(sum_of(spread) / size + norm->epsilon);
    for (int i = 0; i < size; i += LANES)
        store(out + i, fused((load(row + i) - mean) * scale, load(norm->weight + i), load(norm->bias + i)));
}

/* Rows after normalisation, or the rows themselves where there is none. */
static const float *normalised(const Norm *norm, const float *rows, int count, int size, float *out) {
    if (!norm->weight) return rows;
    for (int row = 0; row < count; row++) normalise(norm, rows + (size_t)row * size, out + (size_t)row * size);
    return out;
}

static void multiply_floats(const Product *product, const float *rows, int count, float *out, int add,
                            const Scratch *scratch) {
    round_rows(rows, product->inputs, count, product->inputs, scratch->rounded);
    multiply(product, scratch->rounded, count, out, product->outputs, add);
    if (product->outlier) add_outliers(product, rows, count, out);
}

static inline int gates_of(const Cell *cell) { return (cell->kind == LSTM ? 4 : 3) * cell->hidden; }

/* One step of one row: `gates` holds the input's part (for an LSTM, the hidden vector's as well). Vectors may overlap. */
static void advance_lstm(int hidden, const float *gates, const float *memory, float *new_hidden, float *new_memory) {
    for (int i = 0; i < hidden; i += LANES) {
        vf input = sigmoid_of(load(gates + i)), forget = sigmoid_of(load(gates + hidden + i));
        vf candidate = tanh_of(load(gates + 2 * hidden + i)), output = sigmoid_of(load(gates + 3 * hidden + i));
        vf kept = fused(forget, load(memory + i), input * candidate);
        store(new_memory + i, kept);
        store(new_hidden + i, output * tanh_of(kept));
    }
}

static void advance_gru(int hidden, const float *gates, const float *recurrent, const float *before, float *after) {
    for (int i = 0; i < hidden; i += LANES) {
        vf reset = sigmoid_of(load(gates + i) + load(recurrent + i));
        vf update = sigmoid_of(load(gates + hidden + i) + load(recurrent + hidden + i));
        vf fresh = tanh_of(fused(reset, load(recurrent + 2 * hidden + i), load(gates + 2 * hidden + i)));
        store(after + i, fused(update, load(before + i) - fresh, fresh));
    }
}

/* Rows of a cell take one step. States are [hidden | memory], twice `hidden` wide, wherever they lie.
   `gates` [count][gates] are the products with the input, and are used up. */
static void advance(const Cell *cell, float *gates, const float *const *before, float *const *after, int count,
                    const Scratch *scratch) {
    const int hidden = cell->hidden, width = gates_of(cell);
    Rounded rounded = scratch->rounded;
    for (int row = 0; row < count; row++)
        round_row(before[row], hidden, rounded.integers + (size_t)row * hidden, rounded.scale + row,
                  rounded.excess + row);
    int lstm = cell->kind == LSTM;
    multiply(&cell->recurrent, rounded, count, lstm ? gates : scratch->recurrent, width, lstm);
    for (int row = 0; row < count; row++) {
        const float *mine = gates + (size_t)row * width;
        if (lstm)
            advance_lstm(hidden, mine, before[row] + hidden, after[row], after[row] + hidden);
        else
            advance_gru(hidden, mine, scratch->recurrent + (size_t)row * width, before[row], after[row]);
    }
}

/* rows += W relu(V norm rows) */
static void feed_forward(const FeedForward *feed, float *rows, int count, const Scratch *scratch) {
    const int width = feed->contract.outputs, inner = feed->expand.outputs;
    if (!feed->expand.packed) return;
    const float *normed = normalised(&feed->norm, rows, count, width, scratch->normed);
    multiply_floats(&feed->expand, normed, count, scratch->inner, 0, scratch);
    for (size_t i = 0; i < (size_t)count * inner; i += LANES)
        store(scratch->inner + i, larger(load(scratch->inner + i), (vf){0}));
    multiply_floats(&feed->contract, scratch->inner, count, rows, 1, scratch);
}

/* Channels of the values' weighted sum; `vectors` at once, a constant, so that additions do not wait for each other. */
static inline __attribute__((always_inline)) void weigh(const Half *values, int width, int positions, const float *weights,
                                                        float factor, float *out, const int vectors) {
    vf sum[4] = {{0}};
    for (int position = 0; position < positions; position++, values += width) {
        vf weight = splat(weights[position]);
        UNROLLED for (int i = 0; i < vectors; i++) sum[i] = fused(weight, widen(values + i * LANES), sum[i]);
    }
    UNROLLED for (int i = 0; i < vectors; i++) store(out + i * LANES, sum[i] * factor);
}

/* A query's context, head by head; `weights` [positions] gets the mean over the heads when it is not NULL. Keys and
   values of many sentences do not fit a core's cache, so they are kept in 16 bits. */
static void look(const Attention *attention, const float *query, const Half *keys, const Half *values, int positions,
                 float *context, float *weights, float *scores) {
    const int width = attention->query.outputs, channels = width / attention->heads;
    const int padded = (positions + LANES - 1) / LANES * LANES;
    if (weights) memset(weights, 0, sizeof(float) * positions);
    for (int first = 0; first < width; first += channels) {
        for (int position = 0; position < positions; position++) {
            vf sum = {0};
            for (int i = first; i < first + channels; i += LANES)
                sum = fused(load(query + i), widen(keys + (size_t)position * width + i), sum);
            scores[position] = sum_of(sum);
        }
        for (int position = positions; position < padded; position++) scores[position] = -INFINITY;
        vf most = splat(-INFINITY), total = {0};
        for (int i = 0; i < padded; i += LANES) most = larger(most, load(scores + i));
        float highest = largest_of(most);
        for (int i = 0; i < padded; i += LANES) store(scores + i, exp_of(load(scores + i) - highest));
        for (int position = positions; position < padded; position++) scores[position] = 0;
        for (int i = 0; i < padded; i += LANES) total += load(scores + i);
        float inverse = 1.0f / sum_of(total);
        int i = first;
        for (; i + 4 * LANES <= first + channels; i += 4 * LANES)
            weigh(values + i, width, positions, scores, inverse, context + i, 4);
        for (; i < first + channels; i += LANES)
            weigh(values + i, width, positions, scores, inverse, context + i, 1);
        if (weights)
            for (int position = 0; position < positions; position++)
                weights[position] += scores[position] * inverse / attention->heads;
    }
}
