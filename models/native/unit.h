/* The processor's matrix unit (Intel's AMX): eight registers of 16 rows of 64 bytes. Linux gives it to who asks. */

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TILE = 16, TILE_BYTES = 64 }; /* rows of a register, and bytes of a row */

static int tiles_given;

__attribute__((constructor)) static void ask_for_tiles(void) {
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    tiles_given = !syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA);
}

/* The shapes of the registers: sums 0 to 3, rows 4 and 5, weights 6 and 7. */
typedef struct {
    uint8_t palette, start, unused[14];
    uint16_t bytes[16]; /* of a row */
    uint8_t rows[16];
} __attribute__((aligned(64))) Shapes;

/* For a pair of tiles of rows, the lower of which may be missing. */
static void shape_tiles(int upper, int lower) {
    const uint8_t high = upper, low = lower ? lower : 1;
    Shapes shapes = {.palette = 1, .rows = {high, high, low, low, high, low, TILE, TILE}};
    for (int i = 0; i < 8; i++) shapes.bytes[i] = TILE_BYTES;
    __asm__ volatile("" : : "m"(shapes) : "memory"); /* GCC takes the unit to read nothing of what it does read */
    _tile_loadconfig(&shapes);
}
