/* Inversion of an increasing function: where a proximal operator takes a value.
 * Only the ends of integration segments are found this way, and a Gaussian density of 2e-18 lies
 * beyond them, so that a moderate accuracy suffices. */

typedef double (*increasing_function)(const double *s, double v, double *slope);

static double rv_invert(increasing_function point, const double *s, double target, double lower,
                        double upper)
{
    double slope, low = lower, high = upper, value;
    if (target != target)
        return target;
    if (isfinite(lower) && point(s, lower, &slope) >= target)
        return lower;
    if (isfinite(upper) && point(s, upper, &slope) <= target)
        return upper;
    double start = rv_min(rv_max(target, lower), upper), step = 1.0;
    value = point(s, start, &slope);
    if (value != value)
        return value;
    if (value < target) {
        low = start;
        for (high = rv_min(low + step, upper); high < upper && point(s, high, &slope) < target;
             step *= 2.0, high = rv_min(high + step, upper))
            low = high;
    } else {
        high = start;
        for (low = rv_max(high - step, lower); low > lower && point(s, low, &slope) > target;
             step *= 2.0, low = rv_max(low - step, lower))
            high = low;
    }
    double v = 0.5 * (low + high);
    for (int i = 0; i < 100; i++) {
        const double gap = point(s, v, &slope) - target;
        if (gap > 0)
            high = v;
        else
            low = v;
        double next = v - gap / slope;
        if (!(next > low && next < high))
            next = 0.5 * (low + high);
        const double change = fabs(next - v);
        v = next;
        if (change <= 1e-9 * (1.0 + fabs(v)))
            break;
    }
    return v;
}
