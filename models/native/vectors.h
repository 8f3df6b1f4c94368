/* As many floats at a time as a register holds, in GCC's and Clang's vector extensions: any processor. Processors with
   AVX-512 but without VNNI are taken for AVX2, as their products are.

   exp is within 2e-7 of the true value, relatively; sigmoid and tanh are made of it. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif
#ifdef __ARM_FEATURE_DOTPROD
#include <arm_neon.h>
#endif

#if defined(__AVX512VNNI__)
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif

typedef float vf __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int8_t vb __attribute__((vector_size(LANES), aligned(1), may_alias));

static inline vf load(const float *from) { return *(const vf *)from; }
static inline void store(float *to, vf value) { *(vf *)to = value; }
static inline vf splat(float value) { return (vf){0} + value; }

/* a * b + c, in one instruction where there is one: said in words, so that it is so wherever it is compiled. */
static inline vf fused(vf a, vf b, vf c) {
#if defined(__AVX512VNNI__)
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX2__) && defined(__FMA__)
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}

/* GCC compares wider vectors than a register holds number by number, so vectors are no wider than that. */
static inline vf larger(vf a, vf b) {
#if defined(__AVX512VNNI__)
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#else
    vi first = a > b;
    return (vf)(((vi)a & first) | ((vi)b & ~first));
#endif
}

static inline vf smaller(vf a, vf b) {
#if defined(__AVX512VNNI__)
    return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#else
    return -larger(-a, -b);
#endif
}

#if defined(__AVX512VNNI__)
static inline float sum_of(vf value) { return _mm512_reduce_add_ps((__m512)value); }
static inline int32_t whole_sum_of(vi value) { return _mm512_reduce_add_epi32((__m512i)value); }
static inline float largest_of(vf value) { return _mm512_reduce_max_ps((__m512)value); }
#elif defined(__AVX2__)
static inline float sum_of(vf value) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128((__m256)value), _mm256_extractf128_ps((__m256)value, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline int32_t whole_sum_of(vi value) {
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128((__m256i)value), _mm256_extracti128_si256((__m256i)value, 1));
    __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
}

static inline float largest_of(vf value) {
    __m128 four = _mm_max_ps(_mm256_castps256_ps128((__m256)value), _mm256_extractf128_ps((__m256)value, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
#else
static inline float sum_of(vf value) {
    float total = 0;
    for (int i = 0; i < LANES; i++) total += value[i];
    return total;
}

static inline int32_t whole_sum_of(vi value) {
    int32_t total = 0;
    for (int i = 0; i < LANES; i++) total += value[i];
    return total;
}

static inline float largest_of(vf value) {
    float most = value[0];
    for (int i = 1; i < LANES; i++) most = value[i] > most ? value[i] : most;
    return most;
}
#endif

/* Whether any of the floats is above a threshold. */
static inline int any_above(vf value, float threshold) {
#if defined(__AVX512VNNI__)
    return _mm512_cmp_ps_mask((__m512)value, _mm512_set1_ps(threshold), _CMP_GT_OQ) != 0;
#elif defined(__AVX2__)
    return _mm256_movemask_ps(_mm256_cmp_ps((__m256)value, _mm256_set1_ps(threshold), _CMP_GT_OQ)) != 0;
#else
    return largest_of(value) > threshold;
#endif
}

static inline vf floats_of(const int8_t *integers) {
#if LANES == 8
    return (vf)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)integers)));
#else
    return __builtin_convertvector(*(const vb *)integers, vf);
#endif
}

/* 2^n e^r, where n is the nearest integer to x / ln 2, found in the mantissa of a large sum; e^r by its Taylor series. */
static inline vf exp_of(vf x) {
    const vf shift = splat(12582912.0f); /* 1.5 * 2^23 */
    x = smaller(splat(88.0f), larger(splat(-87.0f), x)); /* in this order, since of a NaN both give the second one */
    vf shifted = fused(x, splat(1.44269504f), shift), whole = shifted - shift;
    vf r = fused(whole, splat(-0.693145752f), x); /* ln 2 in two parts, the first one exact in products */
    r = fused(whole, splat(-1.42860677e-6f), r);
    vf series = splat(1.0f / 720);
    series = fused(series, r, splat(1.0f / 120));
    series = fused(series, r, splat(1.0f / 24));
    series = fused(series, r, splat(1.0f / 6));
    series = fused(series, r, splat(0.5f));
    series = fused(series, r, splat(1.0f));
    series = fused(series, r, splat(1.0f));
    return (vf)((vi)series + ((vi)shifted << 23));
}

/* 1 / x, within 1e-7 of it relatively: an estimate of 14 bits and Newton's step take a fifth of a division's time. */
static inline vf inverse_of(vf x) {
#if defined(__AVX512VNNI__)
    vf estimate = (vf)_mm512_rcp14_ps((__m512)x);
    return fused(fused(-x, estimate, splat(1.0f)), estimate, estimate);
#else
    return 1.0f / x;
#endif
}

static inline vf sigmoid_of(vf x) { return inverse_of(1.0f + exp_of(-x)); }
static inline vf tanh_of(vf x) { return fused(splat(-2.0f), inverse_of(1.0f + exp_of(x + x)), splat(1.0f)); }

static inline void *reserve(size_t bytes) {
    void *place = NULL;
    return posix_memalign(&place, 64, bytes ? bytes : 64) ? NULL : place;
}
