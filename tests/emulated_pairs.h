/* AVX-512's products of pairs of bfloat16 in plain C, for a test on processors without them. */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>
#undef __AVX512BF16__ /* after the header, which changes it */
#define __AVX512BF16__ 1
#define _mm512_dpbf16_ps emulated_pairs

static inline float emulated_brief(uint16_t bits) {
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, 4);
    return value;
}

static inline __m512 emulated_pairs(__m512 sums, __m512bh weights, __m512bh inputs) {
    uint16_t first[32], second[32];
    memcpy(first, &weights, 64);
    memcpy(second, &inputs, 64);
    for (int i = 0; i < 32; i++) sums[i / 2] += emulated_brief(first[i]) * emulated_brief(second[i]);
    return sums;
}
