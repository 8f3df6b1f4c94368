/* Products of 8-bit integers: rows rounded each by its own largest magnitude, sums exact in 32 bits.

   Weights are stored with 128 added, so that they are unsigned: what the processors' instructions multiply is an
   unsigned byte with a signed one. 128 times a row's sum is taken off again. They lie as [outputs / 16][inputs / 4][16][4].
   ARM multiplies signed bytes: there, 128 is taken off the weights as they are read. So it is with AVX2 without VNNI, which
   adds two products up in 16 bits: there, rows are numbered from 0 to 127 between their least and their largest, and an
   output's sum of weights, times the number that stands for zero, is taken off again.
   What a row gives does not depend on the rows beside it. */

#define SIDE 16 /* outputs whose weights stand side by side */
#ifdef __ARM_FEATURE_DOTPROD
#define OFFSET 0
#else
#define OFFSET 128 /* of the weights, as they are multiplied */
#endif

#if defined(__AVX2__) && !defined(__AVX512VNNI__) && !defined(__AVXVNNI__)
#define SEVEN_BITS 1 /* in a row's numbers */
typedef uint8_t Digit;
#else
#define SEVEN_BITS 0
typedef int8_t Digit;
#endif
typedef Digit vd __attribute__((vector_size(LANES), aligned(1), may_alias));

typedef struct {
    int32_t inputs, outputs; /* multiples of 16; packed is NULL where there is no product */
    const uint8_t *packed;
    const float *scale, *bias; /* one of each output; bias may be NULL */
    const int32_t *total;      /* of each output's weights */
    const float *outlier;      /* one more weight of each output, not rounded; or NULL */
    const int32_t *column;     /* the input that it is of */
} Product;

typedef struct {
    Digit *integers; /* [rows][inputs] */
    float *scale;
    int32_t *excess; /* OFFSET times the sum of the integers; or the number that stands for zero */
} Rounded;

static inline void store_digits(Digit *to, vi whole) {
#if SEVEN_BITS /* what GCC makes of the other line takes three times as long */
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)whole), _mm256_extracti128_si256((__m256i)whole, 1));
    _mm_storel_epi64((__m128i *)to, _mm_packus_epi16(words, words));
#else
    *(vd *)to = __builtin_convertvector(whole, vd);
#endif
}

/* Round rows, which need not lie side by side. */
static void round_row(const float *row, int inputs, Digit *integers, float *scale, int32_t *excess) {
    vf most = splat(0), least = splat(0);
    for (int i = 0; i < inputs; i += LANES) {
        vf value = load(row + i);
        most = larger(most, value);
        least = larger(least, -value);
    }
    float up = largest_of(most), down = largest_of(least);
    float range = SEVEN_BITS ? up + down : up > down ? up : down;
    float step = (range > 1e-30f ? range : 1e-30f) / 127.0f, inverse = 1.0f / step;
    const float shift = 12582912.0f; /* adding it rounds to integers, half to even */
    const int32_t zero = SEVEN_BITS ? (int32_t)nearbyintf(down * inverse) : 0;
    vi total = {0};
    for (int i = 0; i < inputs; i += LANES) {
        vi whole = (vi)(load(row + i) * inverse + shift) - 0x4B400000;
        total += whole;
        store_digits(integers + i, whole + zero);
    }
    *scale = step;
    *excess = SEVEN_BITS ? zero : OFFSET * whole_sum_of(total);
}

static void round_rows(const float *rows, int stride, int count, int inputs, Rounded to) {
    for (int row = 0; row < count; row++)
        round_row(rows + (size_t)row * stride, inputs, to.integers + (size_t)row * inputs, to.scale + row,
                  to.excess + row);
}

/* Rows from one on. */
static inline Rounded rows_from(Rounded rows, int row, int inputs) {
    return (Rounded){rows.integers + (size_t)row * inputs, rows.scale + row, rows.excess + row};
}

static inline int32_t four_bytes(const Digit *from) {
    int32_t four;
    memcpy(&four, from, 4);
    return four;
}

/* Sums of `PART` outputs; `gather` adds four inputs to each, `totals` brings them into the order of the outputs.
   A tile is of ROWS rows and WIDE parts, or of one row and LONE parts: as many sums as there are registers for. */
#if defined(__AVX512VNNI__)
#define PART 16
#define ROWS 4 /* with more than 16 sums at once, some leave their registers: half the speed, measured */
#define WIDE 4
#define LONE 8
typedef __m512i Sums, Four;
static inline Sums no_sums(void) { return _mm512_setzero_si512(); }
static inline Four four_of(const Digit *inputs) {
    return _mm512_set1_epi32(four_bytes(inputs));
}
static inline Sums gather(Sums sums, const uint8_t *weights, Four inputs) {
    return _mm512_dpbusd_epi32(sums, _mm512_loadu_si512(weights), inputs);
}
static inline void totals(Sums sums, int32_t *out) { _mm512_storeu_si512(out, sums); }
#elif defined(__AVXVNNI__)
#define PART 8
#define ROWS 5
#define WIDE 2
#define LONE 8
typedef __m256i Sums, Four;
static inline Sums no_sums(void) { return _mm256_setzero_si256(); }
static inline Four four_of(const Digit *inputs) {
    return _mm256_set1_epi32(four_bytes(inputs));
}
static inline Sums gather(Sums sums, const uint8_t *weights, Four inputs) {
    sums = _mm256_dpbusd_avx_epi32(sums, _mm256_loadu_si256((const __m256i *)weights), inputs);
    __asm__ volatile("" : "+x"(sums)); /* in this order, or GCC runs out of registers */
    return sums;
}
static inline void totals(Sums sums, int32_t *out) { _mm256_storeu_si256((__m256i *)out, sums); }
#elif SEVEN_BITS
#define PART 8
#define ROWS 8
#define WIDE 1
#define LONE 4
typedef __m256i Sums;
typedef __m256i Four;
static inline Sums no_sums(void) { return _mm256_setzero_si256(); }
static inline Four four_of(const Digit *inputs) { return _mm256_set1_epi32(four_bytes(inputs)); }
static inline Sums gather(Sums sums, const uint8_t *weights, Four inputs) {
    __m256i plain = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)weights), _mm256_set1_epi8(-128));
    __m256i pairs = _mm256_maddubs_epi16(inputs, plain); /* at most 2 * 128 * 128 below zero, which 16 bits hold */
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    __asm__ volatile("" : "+x"(sums)); /* as above */
    return sums;
}
static inline void totals(Sums sums, int32_t *out) { _mm256_storeu_si256((__m256i *)out, sums); }
#elif defined(__ARM_FEATURE_DOTPROD)
#define PART 4
#define ROWS 4
#define WIDE 4
#define LONE 8
typedef int32x4_t Sums;
typedef int8x16_t Four;
static inline Sums no_sums(void) { return vdupq_n_s32(0); }
static inline Four four_of(const Digit *inputs) {
    return vreinterpretq_s8_s32(vdupq_n_s32(four_bytes(inputs)));
}
static inline Sums gather(Sums sums, const uint8_t *weights, Four inputs) {
    uint8x16_t plain = veorq_u8(vld1q_u8(weights), vdupq_n_u8(128));
    return vdotq_s32(sums, vreinterpretq_s8_u8(plain), inputs);
}
static inline void totals(Sums sums, int32_t *out) { vst1q_s32(out, sums); }
#else
#define PART 16
#define ROWS 2
#define WIDE 1
#define LONE 1
typedef struct {
    int32_t lane[PART];
} Sums;
typedef const Digit *Four;
static inline Sums no_sums(void) { return (Sums){{0}}; }
static inline Four four_of(const Digit *inputs) { return inputs; }
static inline Sums gather(Sums sums, const uint8_t *weights, Four inputs) {
    for (int lane = 0; lane < PART; lane++)
        for (int i = 0; i < 4; i++) sums.lane[lane] += (int32_t)weights[4 * lane + i] * inputs[i];
    return sums;
}
static inline void totals(Sums sums, int32_t *out) { memcpy(out, sums.lane, sizeof sums.lane); }
#endif

#define UNROLLED _Pragma("GCC unroll 16") /* so that sums are registers */

/* Where the weights of a part with the first inputs lie. */
static inline const uint8_t *part_of(const Product *product, int part) {
    const int parts = SIDE / PART;
    return product->packed + (size_t)(part / parts) * product->inputs * SIDE + part % parts * 4 * PART;
}

/* Sums of a row and of the outputs from `first` on become floats. */
static inline void scale_sums(const Product *product, Rounded rows, int row, int first, vi sums, float *out,
                              int stride, int add) {
    const vi excess = SEVEN_BITS ? rows.excess[row] * *(const vi *)(product->total + first) : (vi){0} + rows.excess[row];
    vf value = __builtin_convertvector(sums - excess, vf);
    value *= rows.scale[row] * load(product->scale + first);
    if (product->bias) value += load(product->bias + first);
    float *place = out + (size_t)row * stride + first;
    if (add) value += load(place);
    store(place, value);
}

/* A tile of the product; `height` and `width` are constants where this is inlined, so that all sums stay in registers. */
static inline __attribute__((always_inline)) void tile(const Product *product, Rounded rows, int row, int part,
                                                       float *out, int stride, int add, const int height,
                                                       const int width) {
    const int inputs = product->inputs;
    const uint8_t *weights[LONE];
    Sums sums[ROWS][LONE];
    UNROLLED for (int p = 0; p < width; p++) weights[p] = part_of(product, part + p);
    UNROLLED for (int r = 0; r < height; r++) {
        UNROLLED for (int p = 0; p < width; p++) sums[r][p] = no_sums();
    }
    for (int i = 0; i < inputs; i += 4) {
        UNROLLED for (int p = 0; p < width; p++) {
            UNROLLED for (int r = 0; r < height; r++)
                sums[r][p] = gather(sums[r][p], weights[p] + (size_t)i * SIDE,
                                    four_of(rows.integers + (size_t)(row + r) * inputs + i));
        }
    }
    UNROLLED for (int r = 0; r < height; r++) {
        UNROLLED for (int p = 0; p < width; p++) {
            int32_t total[PART];
            totals(sums[r][p], total);
            UNROLLED for (int i = 0; i < PART; i += LANES)
                scale_sums(product, rows, row + r, (part + p) * PART + i, *(vi *)(total + i), out, stride, add);
        }
    }
}

static inline __attribute__((always_inline)) void columns(const Product *product, Rounded rows, int count, int part,
                                                          float *out, int stride, int add, const int width) {
    int row = 0;
    for (; row + ROWS <= count; row += ROWS) tile(product, rows, row, part, out, stride, add, ROWS, width);
    const int left = count - row;
    if (ROWS > 7 && left == 7) tile(product, rows, row, part, out, stride, add, 7, width);
    if (ROWS > 6 && left == 6) tile(product, rows, row, part, out, stride, add, 6, width);
    if (ROWS > 5 && left == 5) tile(product, rows, row, part, out, stride, add, 5, width);
    if (ROWS > 4 && left == 4) tile(product, rows, row, part, out, stride, add, 4, width);
    if (ROWS > 3 && left == 3) tile(product, rows, row, part, out, stride, add, 3, width);
    if (ROWS > 2 && left == 2) tile(product, rows, row, part, out, stride, add, 2, width);
    if (left == 1) tile(product, rows, row, part, out, stride, add, 1, width);
}

/* out[count][outputs] = rows W^T + bias, or that added to what is there. */
static void multiply_by_vectors(const Product *product, Rounded rows, int count, float *out, int stride, int add) {
    int parts = product->outputs / PART, part = 0;
    for (; count == 1 && part + LONE <= parts; part += LONE)
        tile(product, rows, 0, part, out, stride, add, 1, LONE);
    for (; part + WIDE <= parts; part += WIDE) columns(product, rows, count, part, out, stride, add, WIDE);
    for (; part < parts; part++) columns(product, rows, count, part, out, stride, add, 1);
}

/* Add what the outliers give, from the rows as they were before they were rounded. */
static void add_outliers(const Product *product, const float *rows, int count, float *out) {
    for (int row = 0; row < count; row++, rows += product->inputs, out += product->outputs)
        for (int i = 0; i < product->outputs; i++) out[i] += product->outlier[i] * rows[product->column[i]];
}
