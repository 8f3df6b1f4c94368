/* Beam search and greedy search over a network of 8-bit weights: what models/search.py does, compiled.

   Sentences share nothing but the weights, and rows of a product do not depend on each other: what a sentence gives
   does not depend on those that are searched for at the same time, nor on the number of threads. */

#include "halves.h"
#include "products.h"
#include "tiles.h"
#include "layers.h"
#include "network.h"
#include "shortlist.h"
#include "pool.h"
#include "search.h"

/* Rows that are computed at once: as many as stay in a core's cache, and a whole beam at least. */
static int rows_at_once(void) { return tiles_given ? MOST_ROWS_OF_TILES : MOST_ROWS; }
static int most_rows(const Search *search) { return most(rows_at_once(), search->options.beam); }

static int prepare_scratch(Engine *engine, int rows, int steps) {
    if (rows <= engine->rows && steps <= engine->steps) return 1;
    engine->rows = most(rows, engine->rows);
    engine->steps = most(steps, engine->steps);
    for (int i = 0; i < engine->pool.threads; i++) {
        free_scratch(engine->scratch + i);
        if (!make_scratch(engine->scratch + i, engine->network, engine->rows, engine->steps)) {
            engine->rows = engine->steps = 0;
            return 0;
        }
    }
    return 1;
}

/* Joining: sources, dealt out into pieces, the longest of each first. */
typedef struct {
    Search *search;
    Source *sources;
    int *starts; /* of each piece, and the end */
} Joining;

static void encode_piece(void *context, int piece, int thread) {
    const Joining *joining = context;
    const Engine *engine = joining->search->engine;
    int start = joining->starts[piece], end = joining->starts[piece + 1];
    int good = encode(engine->network, joining->sources + start, end - start, engine->scratch + thread);
    for (; engine->network->starts && start < end; start++)
        if (!is_scored(engine->network, joining->sources + start))
            good &= choose_words(engine->network, joining->sources + start);
    if (!good) __atomic_store_n(&joining->search->failed, 1, __ATOMIC_RELAXED);
}

static int longer_first(const void *one, const void *other) {
    int a = ((const Source *)one)->length, b = ((const Source *)other)->length;
    return (a < b) - (a > b);
}

static int by_piece(const void *one, const void *other) {
    int a = ((const Source *)one)->piece, b = ((const Source *)other)->piece;
    return a == b ? longer_first(one, other) : (a > b) - (a < b);
}

/* Deal sorted sources out to pieces of about as many positions each, one for each thread at least, and put those of a
   piece side by side, still sorted; return the number of pieces. `starts` holds zeros. */
static int deal(Source *sources, int count, int positions, int threads, int *starts) {
    int pieces = most(threads, (positions + MOST_POSITIONS - 1) / MOST_POSITIONS), *held = starts;
    if (pieces > count) pieces = count;
    for (int i = 0; i < count; i++) {
        int least = 0;
        for (int piece = 1; piece < pieces; piece++)
            if (held[piece] < held[least]) least = piece;
        if (held[least] && held[least] + sources[i].length > MOST_POSITIONS) least = pieces++;
        held[least] += sources[i].length;
        sources[i].piece = least;
    }
    qsort(sources, count, sizeof *sources, by_piece);
    for (int i = pieces = 0; i < count; i++)
        if (!i || sources[i].piece != sources[i - 1].piece) starts[pieces++] = i;
    starts[pieces] = count;
    return pieces;
}

static int make_room(Search *search, int more) {
    if (search->count + more <= search->room) return 1;
    int room = 2 * (search->count + more);
    Sentence **grown = realloc(search->sentences, room * sizeof *grown);
    if (!grown) return 0;
    search->sentences = grown;
    search->room = room;
    return 1;
}

/* Let sentences join; 0 when memory is out, and none did. `given` ids of `prefixes` are what each begins with. */
int mt_add(Search *search, int count, const int64_t *keys, const int32_t *ids, const int32_t *lengths,
           const int32_t *limits, const int32_t *rewarded, const int32_t *prefixes, const int32_t *given) {
    if (!make_room(search, count)) return 0;
    Source *sources = calloc(count, sizeof *sources);
    int *starts = calloc(count + 1, sizeof *starts), made = 0, positions = 0, good = sources && starts;
    for (; good && made < count; made++) {
        Sentence *sentence =
            new_sentence(search, keys[made], lengths[made], limits[made], rewarded[made], prefixes, given[made]);
        if (!sentence) break;
        search->sentences[search->count + made] = sentence;
        sources[made] = (Source){ids + positions, lengths[made], sentence->states, sentence->memories, &sentence->own,
                                 prefixes, given[made]};
        positions += lengths[made];
        prefixes += given[made];
    }
    good = good && made == count;
    if (good && count) {
        qsort(sources, count, sizeof *sources, longer_first);
        Joining joining = {search, sources, starts};
        int longest = sources[0].length, rows = most_rows(search);
        int pieces = deal(sources, count, positions, search->engine->pool.threads, starts);
        good = prepare_scratch(search->engine, most(most(MOST_POSITIONS, rows), longest), rows);
        search->failed = 0;
        if (good) share(&search->engine->pool, encode_piece, &joining, pieces);
        good = good && !search->failed;
    }
    for (int i = 0; !good && i < made; i++) free_sentence(search->sentences[search->count + i]);
    if (good) search->count += count;
    free(sources);
    free(starts);
    return good;
}

typedef struct {
    Search *search;
    int pieces;
} Stepping;

/* Choose what goes on in sentences whose rows the output layer is yet to read, those of the same words together. */
static void choose_all(Search *search, int start, int stop, const Scratch *scratch) {
    for (int row = 0, next = start; start < stop; start = next) {
        const Words *words = words_of(search, search->sentences[start]);
        const Product *output = &words->output;
        float *logits = scratch->scores;
        int rows = 0;
        for (; next < stop && words_of(search, search->sentences[next]) == words; next++)
            rows += search->sentences[next]->live;
        multiply(output, rows_from(scratch->rounded, row, output->inputs), rows, logits, output->outputs, 0);
        row += rows;
        for (; start < next; start++) {
            const int live = search->sentences[start]->live;
            if (!choose(search, search->sentences[start], logits)) __atomic_store_n(&search->failed, 1, __ATOMIC_RELAXED);
            logits += (size_t)live * output->outputs;
        }
    }
}

/* Advance the sentences from `start` to `end`, as many at once as rows may be. */
static void step_sentences(Search *search, int start, int end, const Scratch *scratch) {
    const Network *network = search->engine->network;
    const int beam = search->options.beam, size = state_size(network), room = most_rows(search);
    while (start < end) {
        Row rows[room];
        int count = 0, stop = start;
        for (; stop < end && count + search->sentences[stop]->live <= room; stop++) {
            Sentence *one = search->sentences[stop];
            size_t now = (size_t)one->length * beam;
            for (int k = 0; k < one->live; k++)
                rows[count++] = (Row){
                    one->length ? one->words[now - beam + k] : network->bos,
                    one->states + (size_t)one->slot[k] * size,
                    one->next + (size_t)k * size,
                    one->memories,
                    one->source,
                    search->options.alignments ? one->attention + (now + k) * one->source : NULL,
                };
        }
        step(network, rows, count, scratch);
        choose_all(search, start, stop, scratch);
        start = stop;
    }
}

static void step_piece(void *context, int piece, int thread) {
    const Stepping *stepping = context;
    Search *search = stepping->search;
    int64_t count = search->count, pieces = stepping->pieces;
    step_sentences(search, count * piece / pieces, count * (piece + 1) / pieces, search->engine->scratch + thread);
}

static void remove_sentences(Search *search) {
    int kept = 0;
    for (int i = 0; i < search->count; i++) {
        if (search->sentences[i]->ended)
            free_sentence(search->sentences[i]);
        else
            search->sentences[kept++] = search->sentences[i];
    }
    search->count = kept;
}

/* Forget sentences. */
void mt_drop(Search *search, int count, const int64_t *keys) {
    for (int i = 0; i < search->count; i++)
        for (int j = 0; j < count; j++) search->sentences[i]->ended |= search->sentences[i]->key == keys[j];
    remove_sentences(search);
}

/* Advance every sentence by a word; 0 when memory is out. */
static int step_all(Search *search) {
    int rows = 0, threads = search->engine->pool.threads;
    for (int i = 0; i < search->count; i++) rows += search->sentences[i]->live;
    int pieces = (rows + rows_at_once() - 1) / rows_at_once();
    pieces = (pieces + threads - 1) / threads * threads;
    if (pieces > search->count) pieces = search->count;
    Stepping stepping = {search, pieces};
    search->failed = 0;
    share(&search->engine->pool, step_piece, &stepping, pieces);
    return !search->failed;
}

/* Advance every sentence by a word, and again until one ends or the time is up; return the places of those that ended,
   which stay until the next call. -1 when memory is out. */
int mt_step(Search *search, int32_t *places, double seconds) {
    remove_sentences(search);
    double end = seconds_now() + seconds;
    for (int ended = 0; search->count;) {
        if (!step_all(search)) return -1;
        for (int i = 0; i < search->count; i++)
            if (search->sentences[i]->ended) places[ended++] = i;
        if (ended || seconds_now() >= end) return ended;
    }
    return 0;
}

/* What a sentence that ended is known by, and how many hypotheses it has. */
int mt_ended(const Search *search, int place, int64_t *key) {
    const Sentence *sentence = search->sentences[place];
    *key = sentence->key;
    return sentence->count < search->options.n_best ? sentence->count : search->options.n_best;
}

/* One of its hypotheses, best first: its words, and attention [words + 1][source] unless NULL. Returns the words. */
int mt_hypothesis(const Search *search, int place, int rank, float *scores, int32_t *complete, int32_t *words,
                  float *attention) {
    const Sentence *sentence = search->sentences[place];
    const Finished *one = sentence->finished + rank;
    const int beam = search->options.beam, source = sentence->source;
    int slot = one->parent, count = one->time;
    scores[0] = one->score;
    scores[1] = one->log_probability;
    *complete = one->extra == ENDED;
    if (one->extra >= 0) words[count] = one->extra;
    for (int time = one->time;; time--) {
        if (attention)
            memcpy(attention + (size_t)time * source, sentence->attention + ((size_t)time * beam + slot) * source,
                   source * sizeof(float));
        if (!time) break;
        size_t place_before = (size_t)(time - 1) * beam + slot;
        words[time - 1] = sentence->words[place_before];
        slot = sentence->parents[place_before];
    }
    return count + (one->extra >= 0);
}

void mt_close_engine(Engine *engine) {
    for (int i = 0; engine->scratch && i < engine->pool.threads; i++) free_scratch(engine->scratch + i);
    if (engine->pool.threads) close_pool(&engine->pool);
    free(engine->scratch);
    free(engine);
}

Engine *mt_open_engine(const Network *network, int threads) {
    Engine *engine = calloc(1, sizeof *engine);
    if (!engine) return NULL;
    engine->network = network;
    engine->scratch = calloc(threads, sizeof(Scratch));
    if (engine->scratch && open_pool(&engine->pool, threads)) return engine;
    mt_close_engine(engine);
    return NULL;
}

void mt_close_search(Search *search) {
    for (int i = 0; i < search->count; i++) free_sentence(search->sentences[i]);
    free(search->sentences);
    free(search);
}

Search *mt_open_search(Engine *engine, const Options *options) {
    Search *search = calloc(1, sizeof *search);
    if (!search) return NULL;
    search->engine = engine;
    search->options = *options;
    return search;
}

/* Products alone, for tests: out[rows][outputs] = in W^T + bias. */
int mt_multiply(const Product *product, const float *in, int rows, float *out) {
    Rounded rounded = {reserve((size_t)rows * product->inputs * sizeof(Digit)), reserve(rows * sizeof(float)),
                       reserve(rows * sizeof(int32_t))};
    int good = rounded.integers && rounded.scale && rounded.excess;
    if (good) multiply_floats(product, in, rows, out, 0, &(Scratch){.rounded = rounded});
    free(rounded.integers);
    free(rounded.scale);
    free(rounded.excess);
    return good;
}

/* What the products were compiled for. */
const char *mt_instructions(void) {
    if (tiles_given) return "AMX";
#if defined(__AVX512VNNI__)
    return "AVX-512 VNNI";
#elif defined(__AVXVNNI__)
    return "AVX-VNNI";
#elif defined(__AVX2__)
    return "AVX2";
#elif defined(__ARM_FEATURE_DOTPROD)
    return "ARM with dot products";
#else
    return "plain C";
#endif
}
