/* One sentence under way: its hypotheses, what ends, and what goes on. What models/search.py does. */

typedef struct {
    float score, log_probability;
    int32_t time, parent, extra; /* extra: a word that the length limit kept from going on, or one of these */
} Finished;

enum { ENDED = -1, STOPPED = -2 }; /* by its own end; where it was least bad to stop one that never ended */

typedef struct {
    int32_t beam, n_best, alignments;
    float length_penalty;
} Options;

typedef struct {
    int64_t key;
    int32_t source, length, limit, rewarded, live, ended, count, room, given;
    int32_t *prefix;         /* [given] that every hypothesis begins with */
    int32_t *slot;           /* [beam] where each hypothesis's states lie */
    int32_t *words, *parents; /* [limit][beam] */
    float *scores;           /* [beam] */
    float *states, *next;    /* [beam][state] */
    Half *memories;
    float *attention;         /* [limit][beam][source], or NULL */
    Finished *finished, stop; /* stop: once its score is above minus infinity */
    Words own;                /* that it may go on with; nothing in them where it has the network's */
} Sentence;

/* A network with the threads and the memory to compute in, which one search at a time uses. */
typedef struct {
    const Network *network;
    Pool pool;
    Scratch *scratch; /* of each thread; kept, since fresh memory costs more than what a lone sentence does in it */
    int rows, steps;  /* that the scratch has room for */
} Engine;

typedef struct {
    Engine *engine;
    Options options;
    int count, room, failed;
    Sentence **sentences;
} Search;

/* models.hypotheses.length_penalty */
static double penalty(int length, int rewarded, double alpha) {
    return pow((5.0 + (length < rewarded ? length : rewarded)) / 6.0, alpha);
}

static void free_sentence(Sentence *sentence) {
    if (!sentence) return;
    free(sentence->prefix);
    free(sentence->slot);
    free(sentence->words);
    free(sentence->parents);
    free(sentence->scores);
    free(sentence->states);
    free(sentence->next);
    free(sentence->memories);
    free(sentence->attention);
    free(sentence->finished);
    free_words(&sentence->own);
    free(sentence);
}

static Sentence *new_sentence(const Search *search, int64_t key, int source, int limit, int rewarded,
                              const int32_t *prefix, int given) {
    const Network *network = search->engine->network;
    size_t beam = search->options.beam, states = beam * state_size(network) * sizeof(float);
    Sentence *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    made->key = key;
    made->source = source;
    made->limit = limit;
    made->rewarded = rewarded;
    made->live = 1;
    made->stop.score = -INFINITY;
    made->room = 2 * beam;
    made->given = given;
    made->prefix = calloc(given + 1, sizeof(int32_t));
    if (made->prefix) memcpy(made->prefix, prefix, given * sizeof(int32_t));
    made->slot = calloc(beam, sizeof(int32_t));
    made->words = calloc((limit + 1) * beam, sizeof(int32_t));
    made->parents = calloc((limit + 1) * beam, sizeof(int32_t));
    made->scores = calloc(beam, sizeof(float));
    made->states = reserve(states);
    made->next = reserve(states);
    made->memories = reserve(2 * (size_t)attending(network) * source * network->width * sizeof(Half));
    made->finished = calloc(made->room, sizeof(Finished));
    size_t weights = (size_t)search->options.alignments * (limit + 1) * beam * source;
    made->attention = calloc(weights + 1, sizeof(float));
    if (made->prefix && made->slot && made->words && made->parents && made->scores && made->states && made->next &&
        made->memories && made->finished && made->attention)
        return made;
    free_sentence(made);
    return NULL;
}

/* The words that a sentence may go on with. */
static const Words *words_of(const Search *search, const Sentence *sentence) {
    return sentence->own.ids ? &sentence->own : &search->engine->network->words;
}

typedef struct {
    float total;
    int32_t row, word; /* its place among the words */
} Candidate;

enum { BLOCK = 8 * LANES }; /* words that are looked at together */

static inline int end_of_block(int block, int words) {
    const int end = (block + 1) * BLOCK;
    return end < words ? end : words;
}

/* The logarithm of a row's sum of exponentials, in one pass: sums begin anew, smaller, when a larger number is met.
   `most` [blocks] gets the largest of each block. */
static float log_sum_exp(const float *logits, int words, float *most) {
    float top = -INFINITY;
    vf total = {0};
    for (int block = 0; block * BLOCK < words; block++, most++) {
        const int first = block * BLOCK, end = end_of_block(block, words);
        vf highest = splat(-INFINITY);
        for (int i = first; i < end; i += LANES) highest = larger(highest, load(logits + i));
        *most = largest_of(highest);
        if (*most > top) {
            total *= exp_of(splat(top - *most));
            top = *most;
        }
        for (int i = first; i < end; i += LANES) total += exp_of(load(logits + i) - top);
    }
    return top + logf(sum_of(total));
}

/* Put a candidate among the best, of which there are `found` and may be `wanted`; return how many there are then. */
static int enter(Candidate *best, int found, int wanted, Candidate one) {
    int place = found < wanted ? found++ : wanted - 1;
    for (; place && best[place - 1].total < one.total; place--) best[place] = best[place - 1];
    best[place] = one;
    return found;
}

/* The best continuations of a sentence's hypotheses, best first; equals in order of row and word. And the best end. */
static int find_candidates(const Search *search, const Sentence *sentence, const float *logits, Candidate *best,
                           Candidate *end) {
    const int eos = words_of(search, sentence)->eos, words = words_of(search, sentence)->output.outputs;
    const int wanted = search->options.beam == 1 ? 1 : 2 * search->options.beam;
    int found = 0;
    float worst = -INFINITY, most[words / BLOCK + 1];
    for (int row = 0; row < sentence->live; row++, logits += words) {
        const float offset = sentence->scores[row] - log_sum_exp(logits, words, most);
        if (!row || logits[eos] + offset > end->total) *end = (Candidate){logits[eos] + offset, row, eos};
        for (int block = 0; block * BLOCK < words; block++) {
            if (!(most[block] + offset > worst)) continue;
            for (int first = block * BLOCK; first < end_of_block(block, words); first += LANES) {
                vf value = load(logits + first) + offset;
                for (int i = 0; any_above(value, worst) && i < LANES; i++) {
                    if (!(value[i] > worst)) continue;
                    found = enter(best, found, wanted, (Candidate){value[i], row, first + i});
                    if (found == wanted) worst = best[wanted - 1].total;
                }
            }
        }
    }
    return found;
}

/* The next word of those that a translation was asked to begin with, as the one candidate; none if it is never produced. */
static int given_candidate(const Search *search, const Sentence *sentence, const float *logits, Candidate *best) {
    const Words *allowed = words_of(search, sentence);
    const int words = allowed->output.outputs;
    float most[words / BLOCK + 1];
    int word = 0;
    while (word < words && allowed->ids[word] != sentence->prefix[sentence->length]) word++;
    if (word == words || !(logits[word] > -INFINITY)) return 0;
    best[0] = (Candidate){sentence->scores[0] + logits[word] - log_sum_exp(logits, words, most), 0, word};
    return 1;
}

static Finished finished(const Search *search, const Sentence *sentence, Candidate candidate, int extra) {
    float divisor = penalty(sentence->length + 1, sentence->rewarded, search->options.length_penalty);
    return (Finished){candidate.total / divisor, candidate.total, sentence->length, candidate.row, extra};
}

/* Note a hypothesis that ends at this step. */
static int finish(Sentence *sentence, Finished one) {
    if (sentence->count == sentence->room) {
        Finished *grown = realloc(sentence->finished, 2 * sentence->room * sizeof *grown);
        if (!grown) return 0;
        sentence->finished = grown;
        sentence->room *= 2;
    }
    int place = sentence->count++;
    for (; place && sentence->finished[place - 1].score < one.score; place--)
        sentence->finished[place] = sentence->finished[place - 1];
    sentence->finished[place] = one;
    return 1;
}

/* Note what a sentence has at its limit that never ended: models.search.BeamSearch.cut. */
static int cut_off(const Search *search, Sentence *sentence, const Candidate *best, int found) {
    if (sentence->stop.score > -INFINITY) return finish(sentence, sentence->stop);
    for (int i = 0; i < found && i < search->options.beam; i++) {
        int word = words_of(search, sentence)->ids[best[i].word];
        if (!finish(sentence, finished(search, sentence, best[i], word))) return 0;
    }
    return 1;
}

/* Whether going on can hardly change the n-best list: models.search.settled. */
static int settled(const Options *options, const Sentence *sentence) {
    if (!sentence->live) return 1;
    if (sentence->count < options->n_best) return 0;
    if (options->beam == 1) return 1;
    double worst = sentence->finished[options->n_best - 1].score, alpha = options->length_penalty;
    double live = sentence->scores[0];
    int next = sentence->length + 1, rewarded = sentence->rewarded;
    if (sentence->count >= options->beam && worst >= live / penalty(next, rewarded, alpha)) return 1;
    return worst >= live / penalty(alpha > 0 ? rewarded : next, rewarded, alpha);
}

/* Choose what goes on, by the logits of a sentence's live hypotheses; 0 when memory is out. */
static int choose(const Search *search, Sentence *sentence, const float *logits) {
    const Options *options = &search->options;
    const Words *allowed = words_of(search, sentence);
    const int beam = options->beam, last = sentence->length + 1 >= sentence->limit;
    const int given = sentence->length < sentence->given;
    Candidate best[2 * beam], end;
    int found = given ? given_candidate(search, sentence, logits, best)
                      : find_candidates(search, sentence, logits, best, &end);
    int going = 0;
    for (int i = 0; i < found && i < beam; i++)
        if (best[i].word == allowed->eos && !finish(sentence, finished(search, sentence, best[i], ENDED))) return 0;
    if (!given && sentence->length >= sentence->rewarded) {
        Finished stop = finished(search, sentence, end, STOPPED);
        if (stop.score > sentence->stop.score) sentence->stop = stop;
    }
    if (last && !sentence->count && !cut_off(search, sentence, best, found)) return 0;
    int32_t *words = sentence->words + (size_t)sentence->length * beam;
    int32_t *parents = sentence->parents + (size_t)sentence->length * beam;
    for (int i = 0; i < found && going < beam; i++) {
        if (best[i].word == allowed->eos) continue;
        words[going] = allowed->ids[best[i].word];
        parents[going] = sentence->slot[going] = best[i].row;
        sentence->scores[going++] = best[i].total;
    }
    float *states = sentence->states;
    sentence->states = sentence->next;
    sentence->next = states;
    sentence->live = going;
    sentence->length++;
    sentence->ended = last || settled(options, sentence);
    return 1;
}
