/* From logits to the gradient of cross-entropy, row by row, in place: three passes over a row, which stays in the cache.
   Logits and gradients have 16 bits (bfloat16), sums 32. */

#include "halves.h"

typedef struct {
    int32_t rows, words, next; /* next: the first row that nobody has taken yet */
    float share;               /* what is taken off the target word's probability */
    Half *logits_RV;           /* become the gradient */
    const float *bias_V;       /* may be NULL */
    const int64_t *target_R;
    float *target_logit_R, *normalizer_R; /* the latter: logarithm of the sum of exponentials */
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

static void turn_row(const Rows *r, int at) {
    const int target = r->target_R[at];
    Half *row = r->logits_RV + (size_t)at * r->words, part[LANES];
    const float normalizer = normalizer_of(r, row);
    const float target_logit = logits_at(r, row, target - target % LANES)[target % LANES];
    for (int word = 0; word < r->words; word += LANES) {
        narrow(part, exp_of(logits_at(r, row, word) - normalizer));
        memcpy(row + word, part, fewer(LANES, r->words - word) * sizeof(Half));
    }
    narrow(part, splat(expf(target_logit - normalizer) - r->share));
    row[target] = part[0];
    r->target_logit_R[at] = target_logit;
    r->normalizer_R[at] = normalizer;
}

void mt_cross_entropy(Rows *r) {
    for (int row; (row = __atomic_fetch_add(&r->next, ROWS, __ATOMIC_RELAXED)) < r->rows;)
        for (const int end = fewer(row + ROWS, r->rows); row < end; row++) turn_row(r, row);
}
