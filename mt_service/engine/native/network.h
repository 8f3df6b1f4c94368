/* An encoder-decoder network: encoding sentences without padding, and one step of any number of hypotheses. */

enum { BRIDGE_ZERO, BRIDGE_MEAN, BRIDGE_ENDS };

typedef struct {
    Norm norm;
    Cell forwards, backwards;
    Product project;
    FeedForward feed;
    int32_t residual;
} EncoderBlock;

typedef struct {
    Norm norm;
    Cell cell;
    Product project;
    Attention attention;
    FeedForward feed;
} DecoderBlock;

typedef struct {
    const int8_t *integers; /* [ids][width] */
    const float *scale;
} Embedding;

/* Words that may be produced, in the order of their ids. */
typedef struct {
    Product output;     /* its outputs are filled up to a multiple of 16; beyond the words its bias is minus infinity */
    const int32_t *ids; /* of each word */
    int32_t eos;        /* its place among the words */
} Words;

typedef struct {
    int32_t width, encoder_blocks, decoder_blocks, bridge_kind, bos;
    Embedding source_embedding, target_embedding;
    const EncoderBlock *encoder;
    Norm encoder_norm;
    Product bridge;
    const DecoderBlock *decoder;
    Norm decoder_norm;
    Words words;
    const int32_t *starts, *candidates; /* for source id i, the ids [starts[i], starts[i + 1]) of `candidates`; or NULL */
    const int32_t *places;              /* of each id among the words; -1 for those that may not be produced */
} Network;

typedef struct {
    const int32_t *ids;
    int32_t length;
    float *states;   /* [blocks][hidden | memory]: the decoder's first one */
    Half *memories;  /* of each block that attends: keys [length][width], then values */
    Words *words;    /* its own, if the network has candidates */
    const int32_t *prefix; /* that its translation begins with */
    int given;             /* ids of it */
    int piece;             /* of those that join, with which it is encoded */
} Source;

/* Computed at once, so that logits and gates stay in a core's cache; the matrix unit waits for weights if rows are few. */
enum { MOST_ROWS = 32, MOST_ROWS_OF_TILES = 64, MOST_POSITIONS = 512 };

static void embed(const Embedding *embedding, int32_t id, int width, float *row) {
    const int8_t *integers = embedding->integers + (size_t)id * width;
    for (int i = 0; i < width; i += LANES)
        store(row + i, floats_of(integers + i) * embedding->scale[id]);
}

static inline int state_size(const Network *network) {
    int size = 0;
    for (int i = 0; i < network->decoder_blocks; i++) size += 2 * network->decoder[i].cell.hidden;
    return size;
}

static inline int attending(const Network *network) {
    int count = 0;
    for (int i = 0; i < network->decoder_blocks; i++) count += network->decoder[i].attention.query.packed != NULL;
    return count;
}

static inline int most(int a, int b) { return a > b ? a : b; }

static void free_scratch(Scratch *scratch) {
    free(scratch->rounded.integers);
    free(scratch->rounded.scale);
    free(scratch->rounded.excess);
    free(scratch->stream);
    free(scratch->normed);
    free(scratch->gates);
    free(scratch->recurrent);
    free(scratch->inner);
    free(scratch->scores);
    free(scratch->order);
    memset(scratch, 0, sizeof *scratch);
}

/* Room for so many rows (or source positions), and for the logits of `steps` rows. 0 when there is none. */
static int make_scratch(Scratch *scratch, const Network *network, int rows, int steps) {
    int width = network->width, gates = width, inner = width;
    for (int i = 0; i < network->encoder_blocks; i++) {
        const EncoderBlock *block = network->encoder + i;
        gates = most(gates, gates_of(&block->forwards));
        inner = most(inner, most(2 * block->forwards.hidden, block->feed.expand.outputs));
    }
    for (int i = 0; i < network->decoder_blocks; i++) {
        const DecoderBlock *block = network->decoder + i;
        gates = most(gates, gates_of(&block->cell));
        inner = most(inner, most(block->cell.hidden, block->feed.expand.outputs));
    }
    gates = most(gates, 2 * width);
    size_t count = rows, longest = most(most(inner, gates), 2 * width);
    scratch->rounded.integers = reserve(count * longest * sizeof(Digit));
    scratch->rounded.scale = reserve(count * sizeof(float));
    scratch->rounded.excess = reserve(count * sizeof(int32_t));
    scratch->stream = reserve(count * width * sizeof(float));
    scratch->normed = reserve(count * width * sizeof(float));
    size_t bridged = network->bridge.outputs;
    scratch->gates = reserve((count * gates > bridged ? count * gates : bridged) * sizeof(float));
    scratch->recurrent = reserve(count * gates * sizeof(float));
    scratch->inner = reserve(count * longest * sizeof(float));
    scratch->scores = reserve((count + steps * (size_t)network->words.output.outputs + LANES) * sizeof(float));
    scratch->order = reserve(3 * count * sizeof(int32_t));
    return scratch->rounded.integers && scratch->rounded.scale && scratch->rounded.excess && scratch->stream &&
           scratch->normed && scratch->gates && scratch->recurrent && scratch->inner && scratch->scores &&
           scratch->order;
}

/* Positions in the order in which a direction reads them: all first ones, all second ones and so on. The sources are
   sorted, longest first, so that at each time those still being read stand in front. */
static void order_of_reading(const Source *sources, int count, int backwards, int32_t *position) {
    for (int time = 0; time < sources[0].length; time++) {
        int start = 0;
        for (int i = 0; i < count && sources[i].length > time; i++) {
            *position++ = start + (backwards ? sources[i].length - 1 - time : time);
            start += sources[i].length;
        }
    }
}

/* One direction of a layer: writes hidden vectors to out[positions][stride]. */
static int read_through(const Cell *cell, const float *rows, const Source *sources, int count, int backwards,
                        float *out, int stride, const Scratch *scratch) {
    const int hidden = cell->hidden, inputs = cell->input.inputs;
    int32_t *position = scratch->order;
    int positions = 0;
    for (int i = 0; i < count; i++) positions += sources[i].length;
    order_of_reading(sources, count, backwards, position);
    Rounded rounded = scratch->rounded;
    for (int i = 0; i < positions; i++)
        round_row(rows + (size_t)position[i] * inputs, inputs, rounded.integers + (size_t)i * inputs,
                  rounded.scale + i, rounded.excess + i);
    multiply(&cell->input, rounded, positions, scratch->gates, gates_of(cell), 0);
    float *states = calloc((size_t)count * 2 * hidden, sizeof(float));
    float **state = malloc(count * sizeof(float *));
    if (!states || !state) {
        free(states);
        free(state);
        return 0;
    }
    for (int i = 0; i < count; i++) state[i] = states + (size_t)i * 2 * hidden;
    float *gates = scratch->gates;
    for (int time = 0, alive = count; time < sources[0].length; time++) {
        while (sources[alive - 1].length <= time) alive--;
        advance(cell, gates, (const float *const *)state, state, alive, scratch);
        for (int i = 0; i < alive; i++) memcpy(out + (size_t)*position++ * stride, state[i], hidden * sizeof(float));
        gates += (size_t)alive * gates_of(cell);
    }
    free(states);
    free(state);
    return 1;
}

/* Add floats to those that are there, or put them in their place. */
static void add_rows(const float *rows, size_t size, int add, float *to) {
    if (!add) memcpy(to, rows, size * sizeof(float));
    for (size_t i = 0; add && i < size; i += LANES) store(to + i, load(to + i) + load(rows + i));
}

/* One layer over the stream [positions][width]. */
static int encode_block(const Network *network, const EncoderBlock *block, const Source *sources, int count,
                        int positions, const Scratch *scratch) {
    const int width = network->width, both = (block->backwards.kind ? 2 : 1) * block->forwards.hidden;
    const float *normed = normalised(&block->norm, scratch->stream, positions, width, scratch->normed);
    float *out = scratch->inner;
    if (!read_through(&block->forwards, normed, sources, count, 0, out, both, scratch)) return 0;
    if (block->backwards.kind &&
        !read_through(&block->backwards, normed, sources, count, 1, out + block->forwards.hidden, both, scratch))
        return 0;
    if (block->project.packed)
        multiply_floats(&block->project, out, positions, scratch->stream, block->residual, scratch);
    else
        add_rows(out, (size_t)positions * width, block->residual, scratch->stream);
    feed_forward(&block->feed, scratch->stream, positions, scratch);
    return 1;
}

/* The decoder's first states, from [positions][width] of one source. */
static void cross_bridge(const Network *network, const float *encoded, Source *source, const Scratch *scratch) {
    const int width = network->width;
    memset(source->states, 0, state_size(network) * sizeof(float));
    if (network->bridge_kind == BRIDGE_ZERO) return;
    float *summary = scratch->inner, *hidden = scratch->gates;
    for (int i = 0; i < width; i += LANES) {
        vf total = {0};
        for (int position = 0; position < source->length; position++) total += load(encoded + (size_t)position * width + i);
        store(summary + i, total / (float)source->length);
    }
    if (network->bridge_kind == BRIDGE_ENDS) {
        memcpy(summary, encoded, width * sizeof(float));
        memcpy(summary + width, encoded + (size_t)(source->length - 1) * width, width * sizeof(float));
    }
    multiply_floats(&network->bridge, summary, 1, hidden, 0, scratch);
    float *state = source->states;
    for (int block = 0; block < network->decoder_blocks; block++) {
        int size = network->decoder[block].cell.hidden;
        for (int i = 0; i < size; i += LANES) store(state + i, tanh_of(load(hidden + i)));
        hidden += size;
        state += 2 * size;
    }
}

static void narrow_rows(const float *rows, size_t size, Half *to) {
    for (size_t i = 0; i < size; i += LANES) narrow(to + i, load(rows + i));
}

/* Encode sources that are sorted, longest first, and together fit the scratch; 0 when memory is out. */
static int encode(const Network *network, Source *sources, int count, const Scratch *scratch) {
    const int width = network->width;
    int positions = 0;
    for (int i = 0; i < count; i++)
        for (int t = 0; t < sources[i].length; t++)
            embed(&network->source_embedding, sources[i].ids[t], width, scratch->stream + (size_t)positions++ * width);
    for (int i = 0; i < network->encoder_blocks; i++)
        if (!encode_block(network, network->encoder + i, sources, count, positions, scratch)) return 0;
    const float *encoded = normalised(&network->encoder_norm, scratch->stream, positions, width, scratch->normed);
    for (int i = 0, start = 0; i < count; start += sources[i++].length)
        cross_bridge(network, encoded + (size_t)start * width, sources + i, scratch);
    round_rows(encoded, width, positions, width, scratch->rounded);
    for (int block = 0, place = 0; block < network->decoder_blocks; block++) {
        const Attention *attention = &network->decoder[block].attention;
        if (!attention->query.packed) continue;
        for (int part = 0; part < 2; part++, place++) {
            multiply(part ? &attention->value : &attention->key, scratch->rounded, positions, scratch->inner, width, 0);
            for (int i = 0, start = 0; i < count; start += sources[i++].length)
                narrow_rows(scratch->inner + (size_t)start * width, (size_t)sources[i].length * width,
                            sources[i].memories + (size_t)place * sources[i].length * width);
        }
    }
    return 1;
}

/* What a hypothesis is to a step. */
typedef struct {
    int32_t word;            /* id of the last one */
    const float *before;     /* states, as Source has them */
    float *after;            /* where the new ones go */
    const Half *memories;    /* the source's */
    int32_t positions;       /* of the source */
    float *weights;          /* gets the attention of the last block that attends, unless NULL */
} Row;

/* Ask for the keys and values that a row attends to in a block: those of many sentences lie beyond a core's own caches. */
static inline void fetch_memories(const Row *row, int place, int width) {
    const Half *from = row->memories + (size_t)place * row->positions * width;
    const size_t size = (size_t)2 * row->positions * width;
    for (size_t i = 0; i < size; i += 64 / sizeof(Half)) __builtin_prefetch(from + i);
}

/* Read a word in each row; what the output layer reads of each is in scratch->rounded. */
static void step(const Network *network, const Row *rows, int count, const Scratch *scratch) {
    const int width = network->width;
    float *stream = scratch->stream;
    const float *before[count];
    float *after[count];
    for (int row = 0; row < count; row++)
        embed(&network->target_embedding, rows[row].word, width, stream + (size_t)row * width);
    for (int index = 0, place = 0, state = 0; index < network->decoder_blocks; index++) {
        const DecoderBlock *block = network->decoder + index;
        const int hidden = block->cell.hidden;
        multiply_floats(&block->cell.input, normalised(&block->norm, stream, count, width, scratch->normed), count,
                        scratch->gates, 0, scratch);
        for (int row = 0; row < count; row++) {
            before[row] = rows[row].before + state;
            after[row] = rows[row].after + state;
        }
        advance(&block->cell, scratch->gates, before, after, count, scratch);
        state += 2 * hidden;
        for (int row = 0; row < count; row++)
            if (block->project.packed)
                add_rows(after[row], hidden, 0, scratch->inner + (size_t)row * hidden);
            else
                add_rows(after[row], hidden, 1, stream + (size_t)row * width);
        if (block->project.packed) multiply_floats(&block->project, scratch->inner, count, stream, 1, scratch);
        if (block->attention.query.packed) {
            const Attention *attention = &block->attention;
            float *query = scratch->inner, *context = scratch->normed;
            fetch_memories(rows, place, width);
            multiply_floats(&attention->query, normalised(&attention->norm, stream, count, width, scratch->normed),
                            count, query, 0, scratch);
            for (int row = 0; row < count; row++) {
                if (row + 1 < count && rows[row + 1].memories != rows[row].memories)
                    fetch_memories(rows + row + 1, place, width);
                const Half *keys = rows[row].memories + (size_t)place * rows[row].positions * width;
                look(attention, query + (size_t)row * width, keys, keys + (size_t)rows[row].positions * width,
                     rows[row].positions, context + (size_t)row * width, rows[row].weights, scratch->scores);
            }
            multiply_floats(&attention->output, context, count, stream, 1, scratch);
            place += 2;
        }
        feed_forward(&block->feed, stream, count, scratch);
    }
    round_rows(normalised(&network->decoder_norm, stream, count, width, scratch->normed), width, count, width,
               scratch->rounded);
}
