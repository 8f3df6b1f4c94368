/* Dropout, whose mask is not kept: who knows the seed makes it again for the way back. A byte of a random number
   decides for a unit; each number is a mixture of the seed and of the place of its eight units (SplitMix64, Steele et
   al. 2014), so that neither the number of threads nor their order matters. */

#include <stdint.h>

enum { STRIP = 64, PIECE = 256 * STRIP }; /* units: of eight numbers, and of what a thread takes at once */

typedef struct {
    int64_t units, next; /* the first unit that nobody has taken yet */
    uint64_t seed;
    const void *input;
    void *output;
    float scale;       /* of units that stay */
    int32_t threshold; /* bytes below it drop a unit */
    int32_t brief;     /* whether units have 16 bits (bfloat16), or 32 */
} Dropout;

static inline uint64_t mix(uint64_t number) {
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9u;
    number = (number ^ number >> 27) * 0x94d049bb133111ebu;
    return number ^ number >> 31;
}

static void draw(uint64_t seed, int64_t unit, uint8_t *bytes) {
    uint64_t numbers[STRIP / 8];
    for (int i = 0; i < STRIP / 8; i++) numbers[i] = mix(seed + (unit / 8 + i) * 0x9e3779b97f4a7c15u);
    __builtin_memcpy(bytes, numbers, STRIP);
}

/* A float of its upper half, and back to the nearest, and to the even one of two. */
static inline uint16_t scaled(uint16_t half, float scale) {
    union {
        uint32_t bits;
        float value;
    } unit = {.bits = (uint32_t)half << 16};
    unit.value *= scale;
    return (unit.bits + 0x7fff + (unit.bits >> 16 & 1)) >> 16;
}

static void drop_floats(const float *input, float *output, int count, const uint8_t *bytes, int threshold,
                        float scale) {
    for (int i = 0; i < count; i++) output[i] = bytes[i] < threshold ? 0 : input[i] * scale;
}

static void drop_halves(const uint16_t *input, uint16_t *output, int count, const uint8_t *bytes, int threshold,
                        float scale) {
    for (int i = 0; i < count; i++) output[i] = bytes[i] < threshold ? 0 : scaled(input[i], scale);
}

void mt_drop(Dropout *d) {
    uint8_t bytes[STRIP];
    for (int64_t unit; (unit = __atomic_fetch_add(&d->next, PIECE, __ATOMIC_RELAXED)) < d->units;) {
        const int64_t end = unit + PIECE < d->units ? unit + PIECE : d->units;
        for (; unit < end; unit += STRIP) {
            const int count = end - unit < STRIP ? end - unit : STRIP;
            draw(d->seed, unit, bytes);
            if (d->brief)
                drop_halves((const uint16_t *)d->input + unit, (uint16_t *)d->output + unit, count, bytes,
                            d->threshold, d->scale);
            else
                drop_floats((const float *)d->input + unit, (float *)d->output + unit, count, bytes, d->threshold,
                            d->scale);
        }
    }
}
