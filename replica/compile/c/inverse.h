/* Inversion of the increasing function of which a proximal operator is the inverse.
 * Only the ends of integration segments are found this way, and a Gaussian density of 2e-18 lies
 * beyond them, so that a moderate accuracy suffices. */

typedef double (*increasing_function)(const double *s, double v, double *slope);

/* The value in [lower, upper] at which `point` reaches the target. The function of the proximal operator is convex, so
 * that the slope is at least 1 / gain: every evaluation encloses the value. Newton steps end where they are sound;
 * now and then a step of doubling length leaves a region in which they crawl. */
static double rv_invert(increasing_function point, const double *s, double target, double lower,
                        double upper, double gain)
{
    double v = rv_min(rv_max(gain * target, lower), upper), low = lower, high = upper, step = 1.0;
    for (int i = 0; i < 200; i++) {
        double slope;
        const double gap = point(s, v, &slope) - target;
        if (gap != gap)
            return gap;
        if (gap > 0) {
            high = v;
            low = rv_max(v - gain * gap, low);
        } else {
            low = v;
            high = rv_min(v - gain * gap, high);
        }
        const int leave = i % 8 == 7 || !(fabs(gap) < INFINITY);
        double next = v - (leave ? copysign(step, gap) : gap / slope);
        step *= leave ? 4.0 : 1.0;
        if (!(next >= low && next <= high))
            next = 0.5 * (low + high);
        const double change = fabs(next - v);
        v = next;
        if (change <= 1e-9 * (1.0 + fabs(v)))
            break;
    }
    return v;
}
