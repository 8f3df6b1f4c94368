/* Numbers of 16 bits (bfloat16), computed with in 32. */

#include "vectors.h"

typedef uint16_t Half; /* the upper half of a float */
typedef uint16_t vh __attribute__((vector_size(2 * LANES), aligned(2), may_alias));
typedef uint32_t vu __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

static inline vf widen(const Half *from) { return (vf)(__builtin_convertvector(*(const vh *)from, vu) << 16); }

/* To the nearest, and to the even one of two. */
static inline void narrow(Half *to, vf value) {
    vu bits = (vu)value;
    bits += 0x7fff + ((bits >> 16) & 1);
    *(vh *)to = __builtin_convertvector(bits >> 16, vh);
}
