/*
 * Elementary and Gaussian functions in double precision, without branches, so that gcc and clang
 * vectorise any loop that calls them (-O3 -march=native -fno-math-errno -fno-trapping-math, and
 * for gcc -fno-thread-jumps, which otherwise computes a copy of a polynomial for every selection).
 *
 * NaN goes in, NaN comes out; infinities give the limits. Results below about 1e-307 may be 0.
 * Every special case is a selection between computed values, and 64-bit integers are turned into
 * doubles by adding magic numbers, because AVX2 has no conversion instruction for them.
 * Needs IEEE arithmetic: never compile this file with -ffast-math.
 *
 * Polynomials are interpolated at Chebyshev nodes in 60-digit arithmetic; each comment states the
 * interval and the relative error of the function before rounding.
 */
#ifndef REPLICA_VECTOR_MATH_H
#define REPLICA_VECTOR_MATH_H

#include <float.h>
#include <math.h>
#include <stdint.h>

/* A call left in place, for its size or number of uses, stops the vectorisation of its loop. */
#if defined(__GNUC__)
#define RV_INLINE static inline __attribute__((always_inline))
#else
#define RV_INLINE static inline
#endif

#define RV_LOG2_E 1.4426950408889634
#define RV_LN2 0.6931471805599453
#define RV_LN2_HIGH 0.6931471803691238 /* 32 bits: its product with an exponent is exact */
#define RV_LN2_LOW 1.9082149292705877e-10
#define RV_SQRT_2 1.4142135623730951
#define RV_SQRT_HALF 0.7071067811865476
#define RV_INV_SQRT_PI 0.5641895835477563
#define RV_SQRT_2_OVER_PI 0.7978845608028654
#define RV_INV_SQRT_2PI 0.3989422804014327

typedef union {
    double value;
    uint64_t bits;
} rv_word;

RV_INLINE double rv_from_bits(uint64_t bits) {
    rv_word word;
    word.bits = bits;
    return word.value;
}

RV_INLINE uint64_t rv_to_bits(double x) {
    rv_word word;
    word.value = x;
    return word.bits;
}

/* Smaller or larger of x and a bound that is not NaN; NaN in x stays. */
RV_INLINE double rv_at_most(double x, double bound) { return x > bound ? bound : x; }
RV_INLINE double rv_at_least(double x, double bound) { return x < bound ? bound : x; }

/* ---- exponential and hyperbolic functions ---------------------------------------------------- */

/* x = k ln 2 + r with |r| <= ln(2) / 2, for |x| < 1e5. */
typedef struct {
    double remainder;  /* r */
    double half_power; /* 2^(k - 1), so that k = 1024 is representable */
} rv_exp_reduced;

RV_INLINE rv_exp_reduced rv_reduce_exp(double x) {
    const double magic = 0x1.8p52; /* adding it rounds to an integer, kept in the low bits */
    double shifted = x * RV_LOG2_E + magic;
    double k = shifted - magic;
    rv_exp_reduced reduced;
    reduced.remainder = (x - k * RV_LN2_HIGH) - k * RV_LN2_LOW;
    reduced.half_power = rv_from_bits((rv_to_bits(shifted) + 1022) << 52);
    return reduced;
}

/* exp(r) - 1 on |r| <= ln(2) / 2; error 1e-17. */
RV_INLINE double rv_expm1_polynomial(double r) {
    double q = 2.5100424157005067e-08;
    q = q * r + 2.7620138719733994e-07;
    q = q * r + 2.7557268378684192e-06;
    q = q * r + 2.480152119021773e-05;
    q = q * r + 0.00019841269863105968;
    q = q * r + 0.0013888888917281794;
    q = q * r + 0.008333333333330051;
    q = q * r + 0.04166666666662399;
    q = q * r + 0.16666666666666669;
    q = q * r + 0.5000000000000001;
    return r + r * r * q;
}

/*
 * exp(high + low) for -708.39 <= high <= 710 and |low| < 1e-3: the exponent may carry more than
 * 53 bits. The ends need no selection: half_power is 0 below -708.04, and 710 overflows.
 */
RV_INLINE double rv_exp_bounded(double high, double low) {
    rv_exp_reduced reduced = rv_reduce_exp(high);
    double power = 1.0 + rv_expm1_polynomial(reduced.remainder + low);
    return power * reduced.half_power * 2.0;
}

RV_INLINE double rv_exp(double x) {
    return rv_exp_bounded(rv_at_most(rv_at_least(x, -708.39), 710.0), 0.0);
}

/* exp(x) - 1 for -50 <= x <= 710. */
RV_INLINE double rv_expm1_bounded(double x) {
    rv_exp_reduced reduced = rv_reduce_exp(x);
    double half = reduced.half_power;
    return 2.0 * (half * rv_expm1_polynomial(reduced.remainder) + (half - 0.5));
}

RV_INLINE double rv_expm1(double x) {
    return rv_expm1_bounded(rv_at_most(rv_at_least(x, -50.0), 710.0));
}

RV_INLINE double rv_tanh(double x) {
    double e = rv_expm1_bounded(2.0 * rv_at_most(fabs(x), 22.0));
    return copysign(e / (e + 2.0), x);
}

/* 1 / cosh(x)^2 */
RV_INLINE double rv_sech2(double x) {
    double e = rv_exp(-2.0 * fabs(x));
    double root = 1.0 + e;
    return 4.0 * e / (root * root);
}

/*
 * 1 / (1 + exp(-x)). Through exp(-|x|), so that a compiler shares the exponential and the division
 * among rv_sigmoid(x), rv_sigmoid(-x) and rv_softplus of either.
 */
RV_INLINE double rv_sigmoid(double x) {
    double e = rv_exp(-fabs(x));
    double inverse = 1.0 / (1.0 + e);
    return x < 0.0 ? e * inverse : inverse;
}

/* ---- logarithms ------------------------------------------------------------------------------ */

/* A positive normal number is 2^k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2). */
#define RV_SQRT_HALF_BITS UINT64_C(0x3fe6a09e667f3bcd)

RV_INLINE uint64_t rv_biased_exponent(double x) { /* k + 1023 */
    return (rv_to_bits(x) + (UINT64_C(0x3ff0000000000000) - RV_SQRT_HALF_BITS)) >> 52;
}

RV_INLINE double rv_exponent_value(uint64_t biased) { /* k */
    return rv_from_bits(biased | UINT64_C(0x4330000000000000)) - (0x1p52 + 1023.0);
}

RV_INLINE double rv_fraction(double x) { /* f */
    uint64_t shifted = rv_to_bits(x) + (UINT64_C(0x3ff0000000000000) - RV_SQRT_HALF_BITS);
    uint64_t mantissa = shifted & UINT64_C(0x000fffffffffffff);
    return rv_from_bits(mantissa + RV_SQRT_HALF_BITS) - 1.0;
}

/* log(2^k (1 + f)) through s = f / (2 + f), log(1 + f) = 2 artanh(s); error 1e-17. */
RV_INLINE double rv_log_combine(double k, double f) {
    double s = f / (2.0 + f);
    double z = s * s;
    double half_square = 0.5 * f * f;
    double q = 0.14616585424888623;
    q = q * z + 0.15331710618210773;
    q = q * z + 0.18182889455674947;
    q = q * z + 0.22222211130259878;
    q = q * z + 0.2857142862600327;
    q = q * z + 0.39999999999899444;
    q = q * z + 0.666666666666667;
    double correction = s * (half_square + z * q) + k * RV_LN2_LOW;
    return k * RV_LN2_HIGH - ((half_square - correction) - f);
}

/* log(x + low) for a normal x > 0 and |low| below an ulp of max(x, 1). */
RV_INLINE double rv_log_sum(double x, double low) {
    uint64_t biased = rv_biased_exponent(x);
    double twice_inverse_power = rv_from_bits((2047 - biased) << 52); /* 2^(1 - k) */
    double f = rv_fraction(x) + 0.5 * low * twice_inverse_power;
    return rv_log_combine(rv_exponent_value(biased), f);
}

RV_INLINE double rv_log(double x) {
    int subnormal = x < DBL_MIN;
    double scaled = subnormal ? x * 0x1p54 : x;
    double k = rv_exponent_value(rv_biased_exponent(scaled)) - (subnormal ? 54.0 : 0.0);
    double result = rv_log_combine(k, rv_fraction(scaled));
    double outside = x == 0.0 ? -INFINITY : NAN;
    result = x > 0.0 ? result : outside;
    return x > DBL_MAX ? x : result;
}

RV_INLINE double rv_log1p(double x) {
    double sum = 1.0 + x;
    double part = sum - 1.0;
    double low = (1.0 - (sum - part)) + (x - part); /* sum + low = 1 + x exactly */
    double result = rv_log_sum(sum, low);
    double outside = x == -1.0 ? -INFINITY : NAN;
    result = x > -1.0 ? result : outside;
    return x > DBL_MAX ? x : result;
}

/* log(1 + x) on 0 <= x <= 1, as 2 artanh(x / (2 + x)); error 1e-17. */
RV_INLINE double rv_log1p_unit(double x) {
    double s = x / (2.0 + x);
    double z = s * s;
    double q = 0.1616404561194353;
    q = q * z + 0.08800738486144674;
    q = q * z + 0.12001072809590713;
    q = q * z + 0.13314144209654935;
    q = q * z + 0.15385570064958623;
    q = q * z + 0.18181789436132859;
    q = q * z + 0.22222222717427864;
    q = q * z + 0.2857142856710876;
    q = q * z + 0.40000000000014585;
    q = q * z + 0.6666666666666666;
    return 2.0 * s + s * z * q;
}

/* log(1 + exp(x)) */
RV_INLINE double rv_softplus(double x) {
    double tail = rv_log1p_unit(rv_exp(-fabs(x)));
    return rv_at_least(x, 0.0) + tail;
}

/* log(cosh(x)); cosh(x) - 1 = E^2 / (2 (1 + E)) with E = exp(|x|) - 1 does not cancel. */
RV_INLINE double rv_log_cosh(double x) {
    double magnitude = fabs(x);
    double e = rv_expm1_bounded(rv_at_most(magnitude, 22.0));
    double excess = e * e / (2.0 * (1.0 + e));
    double sum = 1.0 + excess;
    double part = sum - 1.0;
    double low = (1.0 - (sum - part)) + (excess - part);
    double near = rv_log_sum(sum, low);
    return magnitude > 22.0 ? magnitude - RV_LN2 : near;
}

/* ---- Gaussian functions ---------------------------------------------------------------------- */

/*
 * All rest on one rational function. For a >= 0, with H the upper tail of the normal law,
 *     pdf(a) / H(a) = a + S(a) / P(a),    so that    H(a) = pdf(a) P(a) / (a P(a) + S(a)).
 * Every coefficient is positive, nothing cancels; S / P has relative error 5e-18 on [0, infinity].
 */
RV_INLINE double rv_tail_p(double a) {
    double p = a + 34.80533643966934;
    p = p * a + 610.2113960705053;
    p = p * a + 7007.080452177998;
    p = p * a + 58120.618175634365;
    p = p * a + 364552.715028191;
    p = p * a + 1766008.2294886522;
    p = p * a + 6642959.752646845;
    p = p * a + 19246201.603671543;
    p = p * a + 41932367.90983177;
    p = p * a + 65422504.052538194;
    p = p * a + 66022779.12208886;
    p = p * a + 32931866.440410394;
    return p;
}

RV_INLINE double rv_tail_s(double a) {
    double s = a + 34.80533643966934;
    s = s * a + 608.2113960705053;
    s = s * a + 6937.46977929872;
    s = s * a + 56910.19538347829;
    s = s * a + 350886.607490145;
    s = s * a + 1655795.1069522297;
    s = s * a + 5981349.539560298;
    s = s * a + 16250941.422304317;
    s = s * a + 31798031.017880514;
    s = s * a + 40711766.99933572;
    s = s * a + 26275827.791225467;
    return s;
}

#define RV_TAIL_LIMIT 1e8 /* above it S / P = 1 / a and pdf / H = a to the last bit */

/*
 * exp(factor x^2) for a factor that is plus or minus a power of two; x^2 keeps all its bits.
 * `limit` is where the result reaches 0 or infinity: -708.38 or 709.9 = factor limit^2.
 */
RV_INLINE double rv_exp_square(double x, double factor, double limit) {
    double magnitude = rv_at_most(fabs(x), limit);
    double head = rv_from_bits(rv_to_bits(magnitude) & UINT64_C(0xfffffffff8000000));
    double low = (magnitude - head) * (magnitude + head);
    return rv_exp_bounded(factor * head * head, factor * low);
}

RV_INLINE double rv_exp_minus_half_square(double x) { return rv_exp_square(x, -0.5, 37.64); }
RV_INLINE double rv_exp_minus_square(double x) { return rv_exp_square(x, -1.0, 26.6154); }
RV_INLINE double rv_exp_plus_square(double x) { return rv_exp_square(x, 1.0, 26.645); }

RV_INLINE double rv_normal_pdf(double x) {
    return rv_exp_minus_half_square(x) * RV_INV_SQRT_2PI;
}

/* exp(x^2) erfc(x) for 0 <= x */
RV_INLINE double rv_erfcx_positive(double x) {
    double a = rv_at_most(RV_SQRT_2 * x, RV_TAIL_LIMIT);
    double p = rv_tail_p(a);
    int far = x > RV_TAIL_LIMIT;
    double numerator = far ? RV_INV_SQRT_PI : RV_SQRT_2_OVER_PI * p;
    double denominator = far ? x : a * p + rv_tail_s(a);
    return numerator / denominator;
}

RV_INLINE double rv_erfcx(double x) {
    double positive = rv_erfcx_positive(fabs(x));
    double reflected = 2.0 * rv_exp_plus_square(x) - positive;
    return x < 0.0 ? reflected : positive;
}

RV_INLINE double rv_erfc(double x) {
    double tail = rv_exp_minus_square(x) * rv_erfcx_positive(fabs(x));
    return x < 0.0 ? 2.0 - tail : tail;
}

RV_INLINE double rv_erf(double x) {
    double magnitude = fabs(x);
    double far = copysign(1.0 - rv_exp_minus_square(x) * rv_erfcx_positive(magnitude), x);
    double z = x * x; /* erf(x) / x on |x| <= 1/2; error 5e-18 */
    double q = 1.4725211252266738e-06;
    q = q * z + -1.4845787890421724e-05;
    q = q * z + 0.00012053332795966865;
    q = q * z + -0.0008548297707906897;
    q = q * z + 0.0052239773725259965;
    q = q * z + -0.026866170632859;
    q = q * z + 0.11283791670925271;
    q = q * z + -0.3761263890318347;
    q = q * z + 1.1283791670955126;
    return magnitude > 0.5 ? far : x * q;
}

/* Upper tail of the normal law at |x|. */
RV_INLINE double rv_normal_tail(double x) {
    double a = rv_at_most(fabs(x), RV_TAIL_LIMIT);
    double p = rv_tail_p(a);
    return rv_normal_pdf(x) * (p / (a * p + rv_tail_s(a)));
}

RV_INLINE double rv_normal_cdf(double x) {
    double tail = rv_normal_tail(x);
    return x > 0.0 ? 1.0 - tail : tail;
}

/* log of the cumulative normal law; relative accuracy in both tails. */
RV_INLINE double rv_log_normal_cdf(double x) {
    double magnitude = fabs(x);
    double a = rv_at_most(magnitude, RV_TAIL_LIMIT);
    double p = rv_tail_p(a);
    double scaled = RV_INV_SQRT_2PI * p / (a * p + rv_tail_s(a)); /* tail exp(x^2 / 2) */
    double tail = rv_exp_minus_half_square(x) * scaled;
    double upper = 1.0 - tail;
    double argument = x > 0.0 ? upper : scaled;
    double low = x > 0.0 ? (1.0 - upper) - tail : 0.0;
    double square = x > 0.0 ? 0.0 : x * x; /* hides that a stops at the limit */
    return rv_log_sum(argument, low) - 0.5 * square;
}

/* pdf(x) / cdf(x) - max(-x, 0), the part without cancellation of rv_mills and rv_mills_excess. */
RV_INLINE double rv_mills_regular(double x) {
    double magnitude = fabs(x);
    double a = rv_at_most(magnitude, RV_TAIL_LIMIT);
    double p = rv_tail_p(a);
    double s = rv_tail_s(a);
    double q = a * p + s;
    double density = rv_normal_pdf(x);
    int far = magnitude > RV_TAIL_LIMIT;
    double numerator = far ? 1.0 : s;
    double denominator = far ? magnitude : p;
    numerator = x > 0.0 ? density * q : numerator;
    denominator = x > 0.0 ? q - density * p : denominator;
    return numerator / denominator;
}

/* pdf(x) / cdf(x) */
RV_INLINE double rv_mills(double x) { return rv_mills_regular(x) + rv_at_least(-x, 0.0); }

/* x + pdf(x) / cdf(x), which tends to -1 / x for x -> -infinity */
RV_INLINE double rv_mills_excess(double x) { return rv_mills_regular(x) + rv_at_least(x, 0.0); }

/* ---- piecewise functions --------------------------------------------------------------------- */

RV_INLINE double rv_sign(double x) { return x > 0.0 ? 1.0 : (x < 0.0 ? -1.0 : x); }

/* 0, 1/2, 1 below, at and above 0 */
RV_INLINE double rv_heaviside(double x) {
    double at_most_zero = x < 0.0 ? 0.0 : (x == 0.0 ? 0.5 : x);
    return x > 0.0 ? 1.0 : at_most_zero;
}

/* NaN if either argument is. */
RV_INLINE double rv_max(double a, double b) { return (a > b) | (a != a) ? a : b; }
RV_INLINE double rv_min(double a, double b) { return (a < b) | (a != a) ? a : b; }

#endif
