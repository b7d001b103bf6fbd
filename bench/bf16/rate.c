// How fast vdpbf16ps issues against vfmadd231ps: nanoseconds for 20 on independent registers.
//   gcc -O2 -mavx512f -mavx512bf16 bench/bf16/rate.c -o rate && ./rate
#include <immintrin.h>
#include <stdio.h>
#include <time.h>

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

#define TWENTY(x) x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) x(14) \
    x(15) x(16) x(17) x(18) x(19)
#define FMA(i) asm volatile("vfmadd231ps %1,%2,%0" : "+v"(sum[i]) : "v"(a), "v"(b));
#define DOT(i) asm volatile("vdpbf16ps %1,%2,%0" : "+v"(sum[i]) : "v"(a), "v"(b));
#define TIME(name, twenty)                                                     \
    {                                                                          \
        __m512 sum[20], a = _mm512_set1_ps(1e-3f), b = a;                      \
        for (int i = 0; i < 20; i++) sum[i] = a;                               \
        double start = seconds();                                              \
        for (long k = 0; k < 20000000; k++) { TWENTY(twenty) }                 \
        double taken = seconds() - start;                                      \
        float total = 0;                                                       \
        for (int i = 0; i < 20; i++) total += _mm512_reduce_add_ps(sum[i]);    \
        printf("%s %.2f ns (%g)\n", name, taken / 20000000 * 1e9, total);      \
    }

int main(void) {
    for (int round = 0; round < 5; round++) {
        TIME("vfmadd231ps", FMA)
        TIME("vdpbf16ps  ", DOT)
    }
}
