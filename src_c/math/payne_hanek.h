/* The slow way of sine.h, for the few arguments that are large: x / pi modulo 2, exactly, in whole numbers (Payne, Hanek).
 *
 * A double is m 2^e with a whole m below 2^53. Of the digits of 1 / pi only 160 matter: m times the ones before gives an even
 * multiple of pi, and m times the ones after less than 2^-105. So the product of m and a window of five words, modulo
 * 2^160, is the answer; three words of it are kept. Nothing here depends on the instruction set, and nothing on rounding
 * but the last three lines. */
#ifndef FASTACT_REDUCE_H
#define FASTACT_REDUCE_H
#include <stdint.h>
#include <string.h>

#define FAR_SCALE 0x1p-64 /* arguments come multiplied by it, so that they need not be finite without */

/* sum += x / (pi FAR_SCALE) modulo 2, where sum counts in 2^-95, the highest word first */
static void add_half_turns(uint32_t *sum, double x) {
    uint64_t bits, m;
    memcpy(&bits, &x, sizeof bits);
    int place = (int)(bits >> 52 & 0x7ff) - 1075 + 64 + 159; /* the window's first bit: 160 zeros stand before the point */
    if (place < 0) return; /* below 2^-106 */
    m = (bits & 0xfffffffffffff) | 0x10000000000000;
    uint32_t part[2] = {(uint32_t)m, (uint32_t)(m >> 32)}, product[5] = {0}, flip = bits >> 63 ? 0xffffffff : 0;
    uint64_t carry;
    for (int j = 0; j < 2; j++) {
        carry = 0;
        for (int i = 4; i >= j; i--) {
            const double *word = inverse_pi_words + place / 32 + i;
            uint64_t two = (uint64_t)word[0] << 32 | (uint64_t)word[1];
            carry += product[i - j] + (uint64_t)part[j] * (uint32_t)(two >> (32 - place % 32));
            product[i - j] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    carry = 0; /* with all bits flipped it is -product, but for one unit */
    for (int i = 2; i >= 0; i--) {
        carry += (uint64_t)sum[i] + (product[i] ^ flip);
        sum[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

/* For `count` numbers: (high + low) / FAR_SCALE + shift pi = (k + t) pi modulo 2 pi, with k = 0 or 1, |t| <= 1/2 good to
 * 2^-84. t replaces high and low; NaN where high is not finite. */
static void reduce_far(double *high, double *low, double *k, int count, double shift) {
    for (int i = 0; i < count; i++) {
        double wrong = high[i] - high[i]; /* 0, or NaN */
        uint32_t sum[3] = {(uint32_t)((shift + 0.5) * 0x1p31), 0, 0};
        add_half_turns(sum, high[i]);
        add_half_turns(sum, low[i]);
        k[i] = sum[0] >> 31;
        double first = (sum[0] & 0x7fffffff) * 0x1p-31 - 0.5, second = (double)((uint64_t)sum[1] << 32 | sum[2]) * 0x1p-95;
        high[i] = first + second + wrong;
        low[i] = (first - high[i]) + second;
    }
}
#endif
