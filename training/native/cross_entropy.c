/* From logits to the gradient of cross-entropy, row by row, in place: three passes over a row, which stays in the cache.
   With agreement (R-Drop) two rows at once, the same position in two passes of the network, and one pass over them more.
   And the sum of a weight's gradients, each from some of the rows. Logits and gradients have 16 bits (bfloat16), sums 32. */

#include "halves.h"

typedef struct {
    int32_t rows, words, next; /* rows of a pass; next: the first of them that nobody has taken yet */
    float share;               /* what is taken off the target word's probability */
    float agreement;           /* R-Drop's weight, halved; 0: there is one pass, else two, their rows one after the other's */
    Half *logits_RV;           /* become the gradient */
    const float *bias_V;       /* may be NULL */
    const int64_t *target_R;
    float *target_logit_R, *normalizer_R; /* the latter: logarithm of the sum of exponentials */
    float *apart_R;                       /* both divergences of a position, weighted; only with agreement */
} Rows;

enum { ROWS = 8 }; /* that a thread takes at once */

static inline int fewer(int a, int b) { return a < b ? a : b; }

/* As many logits as a register holds; after the last word what adds nothing. */
static inline vf logits_at(const Rows *r, const Half *row, int word) {
    const int left = r->words - word;
    if (left >= LANES) return r->bias_V ? (vf)(widen(row + word) + load(r->bias_V + word)) : (vf)widen(row + word);
    Half part[LANES];
    float bias[LANES] = {0};
    for (int i = 0; i < LANES; i++) part[i] = i < left ? row[word + i] : 0xff7f; /* -3e38 */
    if (r->bias_V) memcpy(bias, r->bias_V + word, left * sizeof(float));
    return widen(part) + load(bias);
}

/* The logarithm of the sum of a row's exponentials; no number where a logit is none, or infinite. */
static float normalizer_of(const Rows *r, const Half *row) {
    vf most = splat(-INFINITY), total = splat(0), nothing = splat(0);
    for (int word = 0; word < r->words; word += LANES) {
        const vf logits = logits_at(r, row, word);
        most = larger(most, logits);
        nothing += logits * 0.0f;
    }
    const float highest = largest_of(most);
    for (int word = 0; word < r->words; word += LANES) total += exp_of(logits_at(r, row, word) - highest);
    return highest + logf(sum_of(total)) + sum_of(nothing);
}

static Half *row_at(const Rows *r, int at) { return r->logits_RV + (size_t)at * r->words; }

/* Sets a row's target logit and normalizer, and returns the latter. */
static float measure(const Rows *r, int at) {
    const int target = r->target_R[at];
    r->target_logit_R[at] = logits_at(r, row_at(r, at), target - target % LANES)[target % LANES];
    return r->normalizer_R[at] = normalizer_of(r, row_at(r, at));
}

/* Some of a row's gradient, `share` taken off if its target is among it. */
static void put(const Rows *r, int at, int word, vf gradient) {
    Half part[LANES];
    const int target = r->target_R[at] - word;
    if (target >= 0 && target < LANES) gradient[target] -= r->share;
    narrow(part, gradient);
    memcpy(row_at(r, at) + word, part, fewer(LANES, r->words - word) * sizeof(Half));
}

static void turn_row(const Rows *r, int at) {
    const float normalizer = measure(r, at);
    for (int word = 0; word < r->words; word += LANES)
        put(r, at, word, exp_of(logits_at(r, row_at(r, at), word) - normalizer));
}

/* Some words of a position in both passes: their probabilities, and the logarithm of the first's part of the second's. */
typedef struct {
    vf first, second, apart;
} Both;

static inline Both both_at(const Rows *r, int at, int word) {
    const vf first = logits_at(r, row_at(r, at), word) - r->normalizer_R[at];
    const vf second = logits_at(r, row_at(r, at + r->rows), word) - r->normalizer_R[at + r->rows];
    return (Both){exp_of(first), exp_of(second), first - second};
}

/* The gradient of p's divergence from q is p (ln p/q - its mean), of q's from p it is p - q (and the other way round). */
static void turn_pair(const Rows *r, int at) {
    vf forth = splat(0), back = splat(0);
    for (int pass = 0; pass < 2; pass++) measure(r, at + pass * r->rows);
    for (int word = 0; word < r->words; word += LANES) {
        const Both both = both_at(r, at, word);
        forth += both.first * both.apart;
        back -= both.second * both.apart;
    }
    const float there = sum_of(forth), here = sum_of(back);
    for (int word = 0; word < r->words; word += LANES) {
        const Both both = both_at(r, at, word);
        const vf change = both.first - both.second;
        put(r, at, word, both.first + r->agreement * (both.first * (both.apart - there) + change));
        put(r, at + r->rows, word, both.second - r->agreement * (both.second * (both.apart + here) + change));
    }
    r->apart_R[at] = r->agreement * (there + here);
}

void mt_cross_entropy(Rows *r) {
    for (int row; (row = __atomic_fetch_add(&r->next, ROWS, __ATOMIC_RELAXED)) < r->rows;)
        for (const int end = fewer(row + ROWS, r->rows); row < end; row++) (r->agreement ? turn_pair : turn_row)(r, row);
}

typedef struct {
    int64_t count, next; /* next: the first that nobody has taken yet */
    float *sum;
    const Half *part;
} Addition;

enum { BLOCK = 1 << 14 }; /* numbers that a thread takes at once */

static void add_block(const Addition *a, int64_t from) {
    const int64_t end = from + BLOCK < a->count ? from + BLOCK : a->count;
    for (int64_t i = from; i < end; i++) {
        const uint32_t bits = (uint32_t)a->part[i] << 16;
        float part;
        memcpy(&part, &bits, sizeof part);
        a->sum[i] += part;
    }
}

void mt_add(Addition *a) {
    for (int64_t from; (from = __atomic_fetch_add(&a->next, BLOCK, __ATOMIC_RELAXED)) < a->count;) add_block(a, from);
}
