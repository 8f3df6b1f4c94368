/* What AVX-VNNI's instruction does, by those of AVX2: four products of unsigned and signed bytes join each sum. */

#include <immintrin.h>

static inline __m256i emulated_dpbusd(__m256i sums, __m256i bytes, __m256i signed_bytes) {
    __m256i even = _mm256_madd_epi16(_mm256_and_si256(bytes, _mm256_set1_epi16(255)),
                                     _mm256_srai_epi16(_mm256_slli_epi16(signed_bytes, 8), 8));
    __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(bytes, 8), _mm256_srai_epi16(signed_bytes, 8));
    return _mm256_add_epi32(sums, _mm256_add_epi32(even, odd));
}

#define __AVXVNNI__ 1
#define _mm256_dpbusd_avx_epi32 emulated_dpbusd
