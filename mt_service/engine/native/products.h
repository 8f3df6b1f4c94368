/* Products of 8-bit integers: rows rounded each by its own largest magnitude, sums exact in 32 bits.

   Weights are stored with 128 added, so that they are unsigned: what the processors' instructions multiply is an
   unsigned byte with a signed one. 128 times a row's sum is taken off again. They lie as [outputs / 16][inputs / 4][16][4].
   What a row gives does not depend on the rows beside it. */

typedef struct {
    int32_t inputs, outputs; /* multiples of 16; packed is NULL where there is no product */
    const uint8_t *packed;
    const float *scale, *bias; /* one of each output; bias may be NULL */
} Product;

typedef struct {
    int8_t *integers; /* [rows][inputs] */
    float *scale;
    int32_t *excess; /* 128 times the sum of the integers */
} Rounded;

/* Round rows, which need not lie side by side. */
static void round_row(const float *row, int inputs, int8_t *integers, float *scale, int32_t *excess) {
    vf most = splat(1e-30f);
    for (int i = 0; i < inputs; i += LANES) {
        vf value = load(row + i);
        most = larger(most, larger(value, -value));
    }
    float step = largest_of(most) / 127.0f, inverse = 1.0f / step;
    const float shift = 12582912.0f; /* adding it rounds to integers, half to even */
    vi total = {0};
    for (int i = 0; i < inputs; i += LANES) {
        vi whole = (vi)(load(row + i) * inverse + shift) - 0x4B400000;
        total += whole;
        *(vb *)(integers + i) = __builtin_convertvector(whole, vb);
    }
    int32_t sum = 0;
    for (int i = 0; i < LANES; i++) sum += total[i];
    *scale = step;
    *excess = 128 * sum;
}

static void round_rows(const float *rows, int stride, int count, int inputs, Rounded to) {
    for (int row = 0; row < count; row++)
        round_row(rows + (size_t)row * stride, inputs, to.integers + (size_t)row * inputs, to.scale + row,
                  to.excess + row);
}

/* Sums of 16 outputs; `gather` adds four inputs to each. */
#if defined(__AVX512VNNI__)
#define ROWS 6
#define BLOCKS 4
typedef __m512i Sums;
static inline Sums no_sums(void) { return _mm512_setzero_si512(); }
static inline Sums gather(Sums sums, const uint8_t *weights, const int8_t *inputs) {
    int32_t four;
    memcpy(&four, inputs, 4);
    return _mm512_dpbusd_epi32(sums, _mm512_loadu_si512(weights), _mm512_set1_epi32(four));
}
static inline vi total_of(Sums sums) { return (vi)sums; }
#elif defined(__AVX2__)
#define ROWS 2
#define BLOCKS 1
typedef struct {
    __m256i part[4]; /* four outputs each, as two sums of two */
} Sums;
static inline Sums no_sums(void) {
    __m256i zero = _mm256_setzero_si256();
    return (Sums){{zero, zero, zero, zero}};
}
static inline Sums gather(Sums sums, const uint8_t *weights, const int8_t *inputs) {
    int32_t four;
    memcpy(&four, inputs, 4);
    __m256i wide = _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(four)));
    for (int i = 0; i < 4; i++) {
        __m256i weight = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(weights + 16 * i)));
        sums.part[i] = _mm256_add_epi32(sums.part[i], _mm256_madd_epi16(weight, wide));
    }
    return sums;
}
static inline vi total_of(Sums sums) {
    vi total;
    for (int i = 0; i < LANES; i++) {
        int32_t pair[2];
        memcpy(pair, (const int32_t *)&sums.part[i / 4] + 2 * (i % 4), sizeof pair);
        total[i] = pair[0] + pair[1];
    }
    return total;
}
#else
#define ROWS 2
#define BLOCKS 1
typedef struct {
    int32_t lane[LANES];
} Sums;
static inline Sums no_sums(void) { return (Sums){{0}}; }
static inline Sums gather(Sums sums, const uint8_t *weights, const int8_t *inputs) {
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 4; i++) sums.lane[lane] += (int32_t)weights[4 * lane + i] * inputs[i];
    return sums;
}
static inline vi total_of(Sums sums) {
    vi total;
    memcpy(&total, sums.lane, sizeof total);
    return total;
}
#endif

/* A tile of the product; `height` and `width` are constants where this is inlined, so that all sums stay in registers. */
static inline __attribute__((always_inline)) void tile(const Product *product, Rounded rows, int row, int block,
                                                       float *out, int stride, int add, const int height,
                                                       const int width) {
    const int inputs = product->inputs;
    const size_t step = (size_t)inputs * LANES;
    const uint8_t *weights = product->packed + block * step;
    Sums sums[height][width];
    for (int r = 0; r < height; r++)
        for (int b = 0; b < width; b++) sums[r][b] = no_sums();
    for (int i = 0; i < inputs; i += 4)
        for (int b = 0; b < width; b++)
            for (int r = 0; r < height; r++)
                sums[r][b] = gather(sums[r][b], weights + b * step + (size_t)i * LANES,
                                    rows.integers + (size_t)(row + r) * inputs + i);
    for (int r = 0; r < height; r++)
        for (int b = 0; b < width; b++) {
            int first = (block + b) * LANES;
            vf value = __builtin_convertvector(total_of(sums[r][b]) - rows.excess[row + r], vf);
            value *= rows.scale[row + r] * load(product->scale + first);
            if (product->bias) value += load(product->bias + first);
            float *place = out + (size_t)(row + r) * stride + first;
            if (add) value += load(place);
            store(place, value);
        }
}

static inline __attribute__((always_inline)) void columns(const Product *product, Rounded rows, int count, int block,
                                                          float *out, int stride, int add, const int width) {
    int row = 0;
    for (; row + ROWS <= count; row += ROWS) tile(product, rows, row, block, out, stride, add, ROWS, width);
    if (ROWS > 4 && row + 4 <= count) {
        tile(product, rows, row, block, out, stride, add, 4, width);
        row += 4;
    }
    if (ROWS > 2 && row + 2 <= count) {
        tile(product, rows, row, block, out, stride, add, 2, width);
        row += 2;
    }
    if (row < count) tile(product, rows, row, block, out, stride, add, 1, width);
}

/* out[count][outputs] = rows W^T + bias, or that added to what is there. */
static void multiply(const Product *product, Rounded rows, int count, float *out, int stride, int add) {
    int blocks = product->outputs / LANES, block = 0;
    if (count == 1 && BLOCKS > 1)
        for (; block + 2 * BLOCKS <= blocks; block += 2 * BLOCKS)
            tile(product, rows, 0, block, out, stride, add, 1, 2 * BLOCKS);
    for (; block + BLOCKS <= blocks; block += BLOCKS) columns(product, rows, count, block, out, stride, add, BLOCKS);
    for (; block < blocks; block++) columns(product, rows, count, block, out, stride, add, 1);
}
