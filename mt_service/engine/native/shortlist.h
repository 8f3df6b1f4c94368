/* The words that a sentence may be translated with: the candidates of its source ids, with weights of their own that lie
   side by side. What the sentences beside it say does not matter. */

static void free_words(Words *words) {
    free((void *)words->output.packed);
    free((void *)words->output.scale);
    free((void *)words->output.bias);
    free((void *)words->output.total);
    free((void *)words->ids);
    *words = (Words){0};
}

/* Whether a sentence is only scored: what was asked for ends with the end, and any word may stand before it. */
static int is_scored(const Network *network, const Source *source) {
    return source->given && source->prefix[source->given - 1] == network->words.ids[network->words.eos];
}

/* Mark an id among the words, unless it is never produced; return how many that adds. */
static int mark(const Network *network, int32_t id, uint8_t *marked) {
    const int place = network->places[id];
    if (place < 0 || marked[place]) return 0;
    marked[place] = 1;
    return 1;
}

/* Mark the candidates of a source and what was asked for; return their number. The end is always one. */
static int mark_candidates(const Network *network, const Source *source, uint8_t *marked) {
    int count = 1;
    memset(marked, 0, network->words.output.outputs);
    marked[network->words.eos] = 1;
    for (int i = 0; i < source->given; i++) count += mark(network, source->prefix[i], marked);
    for (int i = 0; i < source->length; i++) {
        const int32_t id = source->ids[i];
        for (int at = network->starts[id]; at < network->starts[id + 1]; at++)
            count += mark(network, network->candidates[at], marked);
    }
    return count;
}

/* Weights of an output; one product's lie in 64 lines of 4 bytes, 64 bytes apart, where there are 256 inputs. */
static void copy_weights(const Product *from, int word, uint8_t *to, int place) {
    const uint8_t *read = from->packed + (size_t)(word / SIDE) * from->inputs * SIDE + word % SIDE * 4;
    to += (size_t)(place / SIDE) * from->inputs * SIDE + place % SIDE * 4;
    for (int i = 0; i < from->inputs; i += 4) memcpy(to + (size_t)i * SIDE, read + (size_t)i * SIDE, 4);
}

/* Give a source the words of its own; 0 when memory is out. */
static int choose_words(const Network *network, Source *source) {
    const Product *all = &network->words.output;
    uint8_t marked[all->outputs];
    const int count = mark_candidates(network, source, marked), padded = (count + SIDE - 1) / SIDE * SIDE;
    uint8_t *packed = reserve((size_t)padded * all->inputs);
    float *scale = reserve(padded * sizeof(float)), *bias = reserve(padded * sizeof(float));
    int32_t *total = reserve(padded * sizeof(int32_t)), *ids = reserve(padded * sizeof(int32_t)), place = 0;
    *source->words = (Words){{all->inputs, padded, packed, scale, bias, total}, ids, 0};
    if (!packed || !scale || !bias || !total || !ids) return 0;
    memset(packed + (size_t)(padded - SIDE) * all->inputs, 0, (size_t)SIDE * all->inputs);
    for (int word = 0; word < all->outputs; word++) {
        if (!marked[word]) continue;
        if (word == network->words.eos) source->words->eos = place;
        copy_weights(all, word, packed, place);
        scale[place] = all->scale[word];
        bias[place] = all->bias[word];
        total[place] = all->total[word];
        ids[place++] = network->words.ids[word];
    }
    for (; place < padded; place++) {
        scale[place] = total[place] = ids[place] = 0;
        bias[place] = -INFINITY;
    }
    return 1;
}
