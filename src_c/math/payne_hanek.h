/* The reduction of large arguments for sine.h: x / pi modulo 2, exactly, in whole numbers (Payne and Hanek).
 *
 * A double is m 2^e with a whole number m below 2^53. Only 160 of the digits of 1 / pi count: m times the digits before them is
 * an even number, and m times the digits after them is less than 2^-105. So the answer is the product of m and a window of five
 * words, modulo 2^160; three words of it are kept. Nothing here depends on the instruction set, and only the last three lines
 * round. */
#ifndef FASTACT_PAYNE_HANEK_H
#define FASTACT_PAYNE_HANEK_H
#include <stdint.h>
#include <string.h>

#define FAR_SCALE 0x1p-64 /* The caller multiplies arguments by it: without it they may overflow. */

/* sum += x / (pi FAR_SCALE) modulo 2. The sum is a whole number of 2^-95, its highest word first. */
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
    carry = 0; /* a negative product has all bits flipped: that is off by one unit */
    for (int i = 2; i >= 0; i--) {
        carry += (uint64_t)sum[i] + (product[i] ^ flip);
        sum[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

/* For `count` numbers: (high + low) / FAR_SCALE + shift pi = (k + t) pi modulo 2 pi, where k = 0 or 1 and |t| <= 1/2 is good to
 * 2^-84. t replaces high and low. It is NaN where high is not finite. */
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
