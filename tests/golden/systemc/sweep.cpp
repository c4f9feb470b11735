// Sweep of SystemC's fixed-point casts. Prints a line for each target, source and overflow mode with one CRC-32 for each
// quantization mode, of the 1024 resulting codes as little-endian int16.
//
// Build and run (Debian: libsystemc-dev, zlib1g-dev):
//     g++ -O2 -DSC_INCLUDE_FX sweep.cpp -o sweep -lsystemc -lz && ./sweep > sweep.csv
#include <systemc.h>
#include <zlib.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>

static const struct { int word, frac; } targets[] = {
    {1, 0}, {1, 3}, {2, 1}, {3, 0}, {3, 5}, {4, 2}, {5, 3}, {5, -2}, {6, 6}, {7, 2}, {8, 4}, {8, 9}, {10, 5}, {12, 3}};
static const sc_q_mode roundings[] = {SC_TRN, SC_TRN_ZERO, SC_RND, SC_RND_MIN_INF, SC_RND_ZERO, SC_RND_INF, SC_RND_CONV};
static const struct { sc_o_mode mode; const char *name; bool counts; } overflows[] = {
    {SC_SAT, "saturate", false}, {SC_SAT_SYM, "saturate_symmetric", false}, {SC_SAT_ZERO, "saturate_zero", false},
    {SC_WRAP, "wrap", true}, {SC_WRAP_SM, "wrap_sign_magnitude", true}};
static const int SOURCE_WORD = 10, SOURCE_FRAC = 5;

template <class Target, class Source>
static uint32_t sweep(int word, int frac, sc_q_mode q, sc_o_mode o, int bits, int first, bool from_double) {
    int16_t codes[1024];
    Target target(word, word - frac, q, o, bits);
    Source source(SOURCE_WORD, SOURCE_WORD - SOURCE_FRAC);
    for (int i = 0; i < 1024; i++) {
        double value = std::ldexp(double(first + i), -SOURCE_FRAC);
        source = value;
        if (from_double)
            target = value;
        else
            target = source;
        codes[i] = int16_t(std::ldexp(target.to_double(), frac));
    }
    return uint32_t(crc32(0, reinterpret_cast<const Bytef *>(codes), sizeof codes));
}

int sc_main(int, char **) {
    std::printf("target,source,overflow,overflow_bits,floor,toward_zero,half_up,half_down,half_toward_zero,half_away,half_even\n");
    for (auto t : targets)
        for (int target_signed = 1; target_signed >= 0; target_signed--)
            for (int source_signed = 1; source_signed >= 0; source_signed--)
                for (auto o : overflows)
                    for (int bits = 0; bits <= (o.counts ? 3 : 0); bits++) {
                        if (!target_signed && o.mode == SC_WRAP_SM)
                            continue;
                        std::printf("%c%df%d,%c10f5,%s,%d", target_signed ? 's' : 'u', t.word, t.frac,
                                    source_signed ? 's' : 'u', o.name, bits);
                        int first = source_signed ? -512 : 0;
                        for (auto q : roundings) {
                            uint32_t crc = 0;
                            for (int from_double = 0; from_double < 2; from_double++) {
                                uint32_t now =
                                    target_signed
                                        ? (source_signed ? sweep<sc_fix, sc_fix>(t.word, t.frac, q, o.mode, bits, first, from_double)
                                                         : sweep<sc_fix, sc_ufix>(t.word, t.frac, q, o.mode, bits, first, from_double))
                                        : (source_signed ? sweep<sc_ufix, sc_fix>(t.word, t.frac, q, o.mode, bits, first, from_double)
                                                         : sweep<sc_ufix, sc_ufix>(t.word, t.frac, q, o.mode, bits, first, from_double));
                                if (from_double && now != crc)
                                    std::fprintf(stderr, "double and fixed sources differ\n");
                                crc = now;
                            }
                            std::printf(",%08x", crc);
                        }
                        std::printf("\n");
                    }
    return 0;
}
