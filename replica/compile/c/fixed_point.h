/* Fixed points x = F(x; p) of the generated `system_map`: state of a solve, measures of error, evaluation, domain,
 * Jacobian. The iteration is in iteration.h, the certificate and the exported functions in solver.h. */

enum {
    N = N_UNKNOWN,
    ANDERSON_DEPTH = 5,
    N_SETTINGS = 11, /* the last one is the seed, which has done its work */
    PATIENCE = 40 /* evaluations before Newton steps are tried at a residual that is not small */
};

enum { CONVERGED, NOT_CONVERGED, DIVERGED, AT_BOUNDARY, CANCELLED, NOT_CERTIFIED, WRONG_BRANCH /* internal */ };

static const double zero_size = 1e-14;      /* smaller unknowns count as zero */
static const double cut_mass = 2.5e-17;     /* of the tails that averages leave out (8.5 and 9 standard deviations) */
static const double vanishing_size = 1e-6;  /* unknowns that cross zero and are smaller may be on their way to it */
static const double crossing_size = 1e-2;   /* scale of an unknown that may cross zero, such as a magnetisation */
static const double infinite_size = 1e12;   /* larger unknowns have left for infinity */
static const double newton_residual = 1e-3; /* Newton steps are tried below it */
static const double followed_residual = 1e-8; /* at which a solution that was followed is certified */
static const double steady_change = 0.2;    /* relative change of the contraction that still counts as steady */
static const double flow_size = 0.1;        /* where the coordinate of a crossing unknown turns logarithmic */

typedef struct {
    double tolerance, certified_tolerance, damping;
    int max_evaluations, acceleration, newton;
    double quadrature_tolerance;
    int inner_panels, max_refinements, points;
} solver_settings;

typedef struct {
    solver_settings settings;
    quadrature *rule;
    const double *p;
    volatile int *cancel;
    int evaluations, stopped;                 /* stopped: cancelled during an evaluation */
    double rule_at[N];                        /* where the rule was adapted */
    int inherited;                            /* the rule is that of a neighbouring point */
    int followed, jumped;                     /* flow or Newton steps, Anderson steps: taken since the checkpoint */
    int anderson_resume, newton_resume, penalty;
    double step, checkpoint[N], least;        /* last iterate before a jump; least residual norm since */
    int n_history;
    double history_x[ANDERSON_DEPTH + 1][N], history_f[ANDERSON_DEPTH + 1][N];
    double jacobian[N * N], jacobian_at[N];
    double shift[REPLICATES][N];              /* of the fixed point, with each replicate of the samples alone */
    double sampling[N];                       /* the standard errors of the fixed point that this gives */
    double growth;                            /* largest real part of its eigenvalues, with symmetries kept */
} solver;

static int crosses_zero(int i) { return unknown_lower[i] < 0 && unknown_upper[i] > 0; }

/* The size that errors of unknown i are measured against. What crosses zero has none of its own: a share of the
 * natural size, where that is known and large, as that of a bias in a large field is. */
static double unit(const double *x, int i)
{
    if (!crosses_zero(i)) return fabs(x[i]);
    const double natural = unknown_square[i] < 0 ? 1 : sqrt(fmax(x[unknown_square[i]], 1));
    return fmax(fabs(x[i]), crossing_size * natural);
}

static void units(const double *x, double *scale)
{
    for (int i = 0; i < N; ++i) scale[i] = fabs(x[i]) < zero_size ? crossing_size : unit(x, i);
}

static double scaled_norm(const double *f, const double *scale)
{
    double sum = 0;
    for (int i = 0; i < N; ++i) sum += f[i] / scale[i] * (f[i] / scale[i]);
    return sqrt(sum);
}

static double vector_norm(const double *f)
{
    double sum = 0;
    for (int i = 0; i < N; ++i) sum += f[i] * f[i];
    return sqrt(sum);
}

static double scaled_maximum(const double *f, const double *scale)
{
    double largest = 0;
    for (int i = 0; i < N; ++i) {
        const double size = fabs(f[i]) / scale[i];
        if (!(size <= largest)) largest = size; /* keeps NaN */
    }
    return largest;
}

static int is_zero(double x, double f) { return fabs(x) < zero_size && fabs(x + f) < zero_size; }

/* Scaled residual max_i |F_i - x_i| / unit_i of the undamped map. */
static double scaled_residual(const double *x, const double *f)
{
    double largest = 0;
    for (int i = 0; i < N; ++i)
        if (!is_zero(x[i], f[i])) {
            const double size = fabs(f[i]) / fmax(unit(x, i), DBL_MIN);
            if (!(size <= largest)) largest = size; /* keeps NaN */
        }
    return largest;
}

static double distance(const double *x, const double *y)
{
    double difference[N], scale[N];
    for (int i = 0; i < N; ++i) difference[i] = x[i] - y[i];
    units(y, scale);
    return scaled_maximum(difference, scale);
}

static int all_finite(const double *x, int n)
{
    int finite = 1;
    for (int i = 0; i < n; ++i) finite &= isfinite(x[i]) != 0;
    return finite;
}

/* f = F(x) - x; 0 if it is not finite. */
static int evaluate_as_is(solver *s, rule_mode mode, const double *x, double *f)
{
    if (s->cancel && *s->cancel) s->stopped = 1;
    quadrature_set_mode(s->rule, mode);
    if (mode != RULE_FROZEN) memcpy(s->rule_at, x, sizeof s->rule_at);
    s->rule->lost = 0;
    system_map(s->rule, x, s->p, f);
    quadrature_set_mode(s->rule, RULE_FROZEN);
    ++s->evaluations;
    for (int i = 0; i < N; ++i) f[i] -= x[i];
    return all_finite(f, N);
}

/* The same, and what is exactly zero and is mapped to rounding is kept there; not what is positive, which has digits
 * however small it is. */
static int evaluate_as(solver *s, rule_mode mode, const double *x, double *f)
{
    const int finite = evaluate_as_is(s, mode, x, f);
    for (int i = 0; i < N; ++i)
        if (x[i] == 0 && unknown_vanishes[i] && is_zero(0, f[i])) f[i] = 0;
    return finite;
}

/* The same with the frozen rule, which is renewed when x has left the place where it was made. */
static int evaluate(solver *s, const double *x, double *f)
{
    return evaluate_as(s, distance(x, s->rule_at) < 0.5 ? RULE_FROZEN : RULE_ADAPT, x, f);
}

/* x + move, kept inside the domain: an unknown that would leave it goes 90 % of the way to its edge
 * (99.9 % when the edge is 0, which quantities that vanish approach). 1 if something was kept back. */
static int move_inside(const double *x, const double *move, double *result)
{
    int kept = 0;
    for (int i = 0; i < N; ++i) {
        const double lower = unknown_lower[i], upper = unknown_upper[i];
        result[i] = x[i] + move[i];
        if (result[i] < lower || (result[i] == lower && x[i] > lower)) {
            result[i] = lower + (lower == 0 ? 1e-3 : 0.1) * (x[i] - lower);
            kept = 1;
        } else if (result[i] > upper || (result[i] == upper && x[i] < upper)) {
            result[i] = upper - (upper == 0 ? 1e-3 : 0.1) * (upper - x[i]);
            kept = 1;
        }
    }
    return kept;
}

/* Whether an unknown has run away to infinity, or sits at an edge and is still pushed (or cannot be evaluated). */
static int at_boundary(const double *x, const double *f)
{
    for (int i = 0; i < N; ++i) {
        const double lower = unknown_lower[i], upper = unknown_upper[i], target = x[i] + f[i];
        if (fabs(x[i]) > infinite_size) return 1;
        if (isfinite(lower) && x[i] - lower <= 1e-12 * fabs(lower) + zero_size && !(target >= lower)) return 1;
        if (isfinite(upper) && upper - x[i] <= 1e-12 * fabs(upper) + zero_size && !(target <= upper)) return 1;
    }
    return 0;
}

/* Jacobian of the frozen map at x by differences; f = F(x) - x is used where a step is one-sided. */
static int differentiate(solver *s, const double *x, const double *f, int central)
{
    const double relative = central ? 6e-6 : 3e-8;
    memcpy(s->jacobian_at, x, sizeof s->jacobian_at);
    for (int j = 0; j < N; ++j) {
        double y[N], high[N], low[N];
        const double h = fmax(relative * unit(x, j), 1e-2 * zero_size);
        const int up = x[j] + h <= unknown_upper[j], down = x[j] - h >= unknown_lower[j];
        memcpy(y, x, sizeof y);
        memcpy(high, f, sizeof high);
        memcpy(low, f, sizeof low);
        double width = 0;
        if (up) {
            y[j] = x[j] + h;
            width += y[j] - x[j];
            if (!evaluate_as(s, RULE_FROZEN, y, high)) return 0;
        }
        if (down && (central || !up)) {
            y[j] = x[j] - h;
            width += x[j] - y[j];
            if (!evaluate_as(s, RULE_FROZEN, y, low)) return 0;
        }
        if (!(width > 0)) return 0;
        for (int i = 0; i < N; ++i) s->jacobian[i * N + j] = (high[i] - low[i]) / width + (i == j);
    }
    return 1;
}

/* Largest real part of the eigenvalues of a Jacobian. With `invariant`, of its block of the unknowns that do not
 * sit at an exact zero of the map: a symmetry that the start has is kept, as damping keeps it. */
static double abscissa(const double *jacobian, const double *x, const double *f, int invariant)
{
    double block[N * N], real[N], imag[N], largest = -INFINITY;
    int keep[N], n = 0;
    memset(block, 0, sizeof block);
    for (int i = 0; i < N; ++i)
        if (!invariant || x[i] != 0 || f[i] != 0) keep[n++] = i;
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j) block[i * n + j] = jacobian[keep[i] * N + keep[j]];
    if (!eigenvalues(block, n, real, imag)) return NAN;
    for (int i = 0; i < n; ++i) largest = fmax(largest, real[i]);
    return largest;
}
