// Sweep of ap_fixed casts. Prints a line for each target, rounding, overflow mode and source: the CRC-32 of the 256
// resulting codes as little-endian int16.
//
// Headers: github.com/Xilinx/HLS_arbitrary_Precision_Types (2019). Build and run:
//     g++ -std=c++11 -w -I include sweep.cpp -o sweep -lz && ./sweep > sweep.csv
#define NDEBUG
#include "ap_fixed.h"

#include <zlib.h>

#include <cmath>
#include <cstdint>
#include <cstdio>

template <class Target, class Source>
void go(const char *name, int frac, int first) {
    int16_t codes[256];
    for (int i = 0; i < 256; i++) {
        Source source = std::ldexp(double(first + i), -4);
        Target target = source;
        codes[i] = int16_t(std::ldexp(target.to_double(), frac));
    }
    unsigned long crc = crc32(0, reinterpret_cast<const Bytef *>(codes), sizeof codes);
    std::printf("%s,%08lx\n", name, crc);
}
#define SOURCES(T, name, frac)                          \
    go<T, ap_fixed<8, 4> >(name ",s8f4", frac, -128);   \
    go<T, ap_ufixed<8, 4> >(name ",u8f4", frac, 0);
#define SIGNED(W, F, Q, q, O, o, N)                     \
    {                                                   \
        typedef ap_fixed<W, W - (F), Q, O, N> T;        \
        SOURCES(T, "s" #W "f" #F "," q "," o "," #N, F) \
    }
#define UNSIGNED(W, F, Q, q, O, o, N)                   \
    {                                                   \
        typedef ap_ufixed<W, W - (F), Q, O, N> T;       \
        SOURCES(T, "u" #W "f" #F "," q "," o "," #N, F) \
    }
#define BOTH(W, F, Q, q, O, o, N) SIGNED(W, F, Q, q, O, o, N) UNSIGNED(W, F, Q, q, O, o, N)
#define OVERFLOWS(W, F, Q, q)                                        \
    BOTH(W, F, Q, q, AP_SAT, "saturate", 0)                          \
    BOTH(W, F, Q, q, AP_SAT_SYM, "saturate_symmetric", 0)            \
    BOTH(W, F, Q, q, AP_SAT_ZERO, "saturate_zero", 0)                \
    BOTH(W, F, Q, q, AP_WRAP, "wrap", 0)                             \
    BOTH(W, F, Q, q, AP_WRAP, "wrap", 1)                             \
    BOTH(W, F, Q, q, AP_WRAP, "wrap", 2)                             \
    SIGNED(W, F, Q, q, AP_WRAP_SM, "wrap_sign_magnitude", 0)         \
    SIGNED(W, F, Q, q, AP_WRAP_SM, "wrap_sign_magnitude", 1)         \
    SIGNED(W, F, Q, q, AP_WRAP_SM, "wrap_sign_magnitude", 2)
#define ROUNDINGS(W, F)                             \
    OVERFLOWS(W, F, AP_TRN, "floor")                \
    OVERFLOWS(W, F, AP_TRN_ZERO, "toward_zero")     \
    OVERFLOWS(W, F, AP_RND, "half_up")              \
    OVERFLOWS(W, F, AP_RND_MIN_INF, "half_down")    \
    OVERFLOWS(W, F, AP_RND_ZERO, "half_toward_zero") \
    OVERFLOWS(W, F, AP_RND_INF, "half_away")        \
    OVERFLOWS(W, F, AP_RND_CONV, "half_even")

int main() {
    std::printf("target,rounding,overflow,overflow_bits,source,crc\n");
    ROUNDINGS(1, 0)
    ROUNDINGS(3, 1)
    ROUNDINGS(5, 2)
    ROUNDINGS(4, 0)
}
