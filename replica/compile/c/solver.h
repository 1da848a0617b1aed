/* Fixed points x = F(x; p) of the generated `system_map`: state of a solve, measures of error, evaluation, domain,
 * Jacobian. Then the iteration, the certificate, and the exported functions. */

enum {
    N = N_UNKNOWN,
    ANDERSON_DEPTH = 5,
    N_SETTINGS = 9,
    PATIENCE = 40 /* evaluations before Newton steps are tried at a residual that is not small */
};

enum { CONVERGED, NOT_CONVERGED, DIVERGED, AT_BOUNDARY, CANCELLED, NOT_CERTIFIED, WRONG_BRANCH /* internal */ };

static const double zero_size = 1e-14;      /* smaller unknowns count as zero */
static const double crossing_size = 1e-2;   /* scale of an unknown that may cross zero, such as a magnetisation */
static const double infinite_size = 1e12;   /* larger unknowns have left for infinity */
static const double newton_residual = 1e-3; /* Newton steps are tried below it */
static const double steady_change = 0.2;    /* relative change of the contraction that still counts as steady */
static const double flow_size = 0.1;        /* where the coordinate of a crossing unknown turns logarithmic */

typedef struct {
    double tolerance, certified_tolerance, damping;
    int max_evaluations, acceleration, newton;
    double quadrature_tolerance;
    int inner_panels, max_refinements;
} solver_settings;

typedef struct {
    solver_settings settings;
    quadrature *rule;
    const double *p;
    volatile int *cancel;
    int evaluations, stopped;                 /* stopped: cancelled during an evaluation */
    double rule_at[N];                        /* where the rule was adapted */
    int followed, jumped;                     /* flow or Newton steps, Anderson steps: taken since the checkpoint */
    int anderson_resume, newton_resume, penalty;
    double step, checkpoint[N], least;        /* last iterate before a jump; least residual norm since */
    int n_history;
    double history_x[ANDERSON_DEPTH + 1][N], history_f[ANDERSON_DEPTH + 1][N];
    double jacobian[N * N], jacobian_at[N];
} solver;

static int crosses_zero(int i) { return unknown_lower[i] < 0 && unknown_upper[i] > 0; }

/* The size that errors of unknown i are measured against. */
static double unit(int i, double x) { return fmax(fabs(x), crosses_zero(i) ? crossing_size : 0); }

static void units(const double *x, double *scale)
{
    for (int i = 0; i < N; ++i) scale[i] = fabs(x[i]) < zero_size ? crossing_size : unit(i, x[i]);
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
            const double size = fabs(f[i]) / fmax(unit(i, x[i]), DBL_MIN);
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
static int evaluate_as(solver *s, rule_mode mode, const double *x, double *f)
{
    if (s->cancel && *s->cancel) s->stopped = 1;
    quadrature_set_mode(s->rule, mode);
    if (mode == RULE_ADAPT) memcpy(s->rule_at, x, sizeof s->rule_at);
    system_map(s->rule, x, s->p, f);
    quadrature_set_mode(s->rule, RULE_FROZEN);
    ++s->evaluations;
    for (int i = 0; i < N; ++i) f[i] -= x[i];
    return all_finite(f, N);
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
        const double h = fmax(relative * unit(j, x[j]), 1e-2 * zero_size);
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

/* The way to a fixed point.
 *
 * Damping chooses the branch; everything faster only follows it. Anderson candidates are taken once the residual
 * contracts steadily, within the distance that the measured contraction predicts, and are taken back if they end near
 * a saddle. Newton's method is used as implicit Euler steps of the damped flow dx/dt = F(x) - x, as long as they stay true
 * to it, and as a jump to the end of the flow only where the flow is stable (no eigenvalue of the Jacobian has a real
 * part >= 1) and the linear model predicts the residual. */

/* Coordinates in which steps of the flow are taken: an unknown with lower bound 0 by its logarithm, one that crosses
 * zero by an inverse sinh, any other as it is. slope = dx/du, bend = d(slope)/dx. */
static void coordinate(int i, double x, double *slope, double *bend)
{
    *slope = 1;
    *bend = 0;
    if (crosses_zero(i)) {
        *slope = hypot(x, flow_size);
        *bend = x / *slope;
    } else if (unknown_lower[i] == 0 && x > 0) {
        *slope = x;
        *bend = 1;
    }
}

/* The move of x that a move of its coordinate means. */
static double along_coordinate(int i, double x, double move)
{
    if (crosses_zero(i)) return flow_size * sinh(asinh(x / flow_size) + move) - x;
    return unknown_lower[i] == 0 && x > 0 ? x * expm1(move) : move;
}

/* Factor of I - J. */
static int factor_root(const solver *s, double *factor, int *pivot)
{
    for (int i = 0; i < N * N; ++i) factor[i] = (i % (N + 1) == 0) - s->jacobian[i];
    return lu_factor(factor, N, pivot);
}

/* A Newton step towards the root of the linear model, if it is near. 1 if it was taken, -1 if the linear model predicts
 * nothing any more although the root is close: what is left is round-off. */
static int root_step(solver *s, double *x, double *f, const double *factor, const int *pivot)
{
    double delta[N], scale[N], trial[N], g[N];
    units(x, scale);
    memcpy(delta, f, sizeof delta);
    lu_solve(factor, N, pivot, delta);
    double length = 0;
    for (int i = 0; i < N; ++i) length = fmax(length, fabs(delta[i]) / fmax(scale[i], crosses_zero(i) ? flow_size : 0));
    const int kept = move_inside(x, delta, trial);
    if (!(length <= 0.5) && !(kept && length <= 1 + 1e-9)) return 0;
    const double size = scaled_norm(f, scale);
    if (evaluate(s, trial, g) && scaled_norm(g, scale) < (kept ? 1 : 0.3) * size) {
        memcpy(x, trial, sizeof trial);
        memcpy(f, g, sizeof g);
        return 1;
    }
    return scaled_residual(x, f) < 1e-8 ? -1 : 0;
}

/* An implicit Euler step of the flow du/dt = f(x) / slope(x), as long as it stays true to the flow: shorter than the
 * time in which an unstable direction grows, and with the residual that the linear model predicts. */
static int flow_step(solver *s, double *x, double *f)
{
    double matrix[N * N], factor[N * N], slope[N], bend[N], speed[N], delta[N], trial[N], g[N];
    int pivot[N];
    for (int i = 0; i < N; ++i) coordinate(i, x[i], slope + i, bend + i);
    for (int i = 0; i < N; ++i)
        for (int j = 0; j < N; ++j) matrix[i * N + j] = (s->jacobian[i * N + j] - (i == j)) * slope[j] / slope[i];
    for (int i = 0; i < N; ++i) {
        speed[i] = f[i] / slope[i];
        matrix[i * N + i] -= speed[i] * bend[i];
    }
    const double size = vector_norm(speed);
    const double rate = abscissa(matrix, x, f, 1);
    double tau = fmin(rate > 0 ? 0.5 / rate : INFINITY, 1e3 / size);
    for (int attempt = 0; tau > 2 && attempt < 40; ++attempt) {
        const double present = tau;
        tau *= 0.3;
        for (int i = 0; i < N * N; ++i) factor[i] = (i % (N + 1) == 0 ? 1 / present : 0) - matrix[i];
        if (!lu_factor(factor, N, pivot)) continue;
        memcpy(delta, speed, sizeof delta);
        lu_solve(factor, N, pivot, delta);
        double length = 0, mismatch[N];
        for (int i = 0; i < N; ++i) length = fmax(length, fabs(delta[i]));
        /* Longer than the time to the end of the linear flow: that jump has been tried. */
        const double remaining = vector_norm(delta) / size;
        if (!(length <= 1)) continue;
        if (present > 4 * remaining) {
            tau = 2 * remaining;
            continue;
        }
        for (int i = 0; i < N; ++i) delta[i] = along_coordinate(i, x[i], delta[i]);
        move_inside(x, delta, trial);
        if (!evaluate(s, trial, g)) continue;
        memcpy(delta, speed, sizeof delta);
        lu_solve(factor, N, pivot, delta);
        for (int i = 0; i < N; ++i) {
            double new_slope, new_bend;
            coordinate(i, trial[i], &new_slope, &new_bend);
            mismatch[i] = g[i] / new_slope - delta[i] / present;
        }
        if (!(vector_norm(mismatch) < 0.3 * size)) continue;
        memcpy(x, trial, sizeof trial);
        memcpy(f, g, sizeof g);
        return 1;
    }
    return 0;
}

/* Follow the flow with few Jacobians, and jump to its end where that is in sight. Ends at a root (the residual meets
 * the tolerance, or stops at its round-off floor: 1), where damping is as good (0), or where an Anderson jump has come
 * near a saddle and may have crossed to the other side of it (-1). `moved`: x has changed. */
static int newton_steps(solver *s, double *x, double *f, int *moved)
{
    *moved = 0;
    while (s->evaluations < s->settings.max_evaluations && !s->stopped) {
        double factor[N * N];
        int pivot[N], taken = 0;
        if (distance(x, s->rule_at) > 0.02 && !evaluate_as(s, RULE_ADAPT, x, f)) return 0;
        if (!differentiate(s, x, f, 0)) return 0;
        const int stable = abscissa(s->jacobian, x, f, 1) < 1;
        if (!stable && s->jumped) return -1;
        if (stable && factor_root(s, factor, pivot)) {
            double before = INFINITY;
            while (!s->stopped) { /* one Jacobian serves while steps contract well */
                const double residual = scaled_residual(x, f);
                const int step = residual < 0.1 * before ? root_step(s, x, f, factor, pivot) : 0;
                if (step < 0 && !taken) return 1;
                if (step <= 0) break;
                *moved = taken = 1;
                if (scaled_residual(x, f) <= s->settings.tolerance) return 1;
                before = residual;
            }
        }
        if (at_boundary(x, f)) return 0;
        if (taken) continue;
        if (!flow_step(s, x, f)) return 0;
        *moved = 1;
    }
    return 0;
}

static void remember(solver *s, const double *x, const double *f)
{
    const int keep = s->n_history < ANDERSON_DEPTH ? s->n_history : ANDERSON_DEPTH;
    memmove(s->history_x[1], s->history_x[0], (size_t)keep * sizeof s->history_x[0]);
    memmove(s->history_f[1], s->history_f[0], (size_t)keep * sizeof s->history_f[0]);
    memcpy(s->history_x[0], x, sizeof s->history_x[0]);
    memcpy(s->history_f[0], f, sizeof s->history_f[0]);
    s->n_history = keep + 1;
}

/* Move from the newest iterate to the point where the linear combination of the history has the least residual. */
static int anderson_move(const solver *s, const double *scale, double *move)
{
    enum { DEPTH = N < ANDERSON_DEPTH ? N : ANDERSON_DEPTH };
    const int m = s->n_history - 1 < DEPTH ? s->n_history - 1 : DEPTH;
    double gram[DEPTH * DEPTH], weight[DEPTH], trace = 0;
    int pivot[DEPTH];
    if (m < 1) return 0;
    const double(*x)[N] = s->history_x, (*f)[N] = s->history_f;
    for (int j = 0; j < m; ++j) {
        weight[j] = 0;
        for (int k = 0; k < m; ++k) gram[j * m + k] = 0;
        for (int i = 0; i < N; ++i) {
            const double unit_squared = scale[i] * scale[i], difference = f[j][i] - f[j + 1][i];
            weight[j] += difference * f[0][i] / unit_squared;
            for (int k = 0; k < m; ++k) gram[j * m + k] += difference * (f[k][i] - f[k + 1][i]) / unit_squared;
        }
        trace += gram[j * m + j];
    }
    for (int j = 0; j < m; ++j) gram[j * m + j] += 1e-15 * trace;
    if (!lu_factor(gram, m, pivot)) return 0;
    lu_solve(gram, m, pivot, weight);
    for (int i = 0; i < N; ++i) {
        move[i] = s->step * f[0][i];
        for (int j = 0; j < m; ++j)
            move[i] -= weight[j] * (x[j][i] - x[j + 1][i] + s->step * (f[j][i] - f[j + 1][i]));
    }
    return all_finite(move, N);
}

/* Iterate from x until the residual meets the tolerance (or cannot be reduced further). f = F(x) - x on return. */
static int approach(solver *s, double *x, double *f)
{
    const double longest = 1 - s->settings.damping;
    int steady = 0, shrinking = 0, failures = 0, anderson_sleep = 0, anderson_penalty = 2;
    int newton_penalty = 20;
    const int began = s->evaluations;
    double contraction = 0; /* 1 - (largest eigenvalue), as the last damped step showed it */
    s->n_history = 0;
    if (!evaluate_as(s, RULE_ADAPT, x, f)) return s->stopped ? CANCELLED : at_boundary(x, f) ? AT_BOUNDARY : DIVERGED;
    remember(s, x, f);
    for (;;) {
        double scale[N], trial[N], move[N], g[N];
        const double residual = scaled_residual(x, f);
        if (s->stopped) return CANCELLED;
        if (at_boundary(x, f)) return AT_BOUNDARY;
        if (residual <= s->settings.tolerance) return CONVERGED;
        if (s->evaluations >= s->settings.max_evaluations) return NOT_CONVERGED;
        units(x, scale);
        const double size = scaled_norm(f, scale);
        if (s->settings.newton && s->evaluations >= s->newton_resume
            && ((residual < newton_residual && shrinking >= 1) || s->evaluations - began >= PATIENCE)) {
            int moved;
            if (!s->jumped) memcpy(s->checkpoint, x, sizeof s->checkpoint);
            const int found = newton_steps(s, x, f, &moved);
            s->followed |= moved;
            if (found > 0) return CONVERGED;
            if (found < 0) return WRONG_BRANCH;
            newton_penalty = moved ? 20 : 2 * newton_penalty;
            s->newton_resume = s->evaluations + newton_penalty;
            if (moved) {
                s->n_history = 0;
                steady = shrinking = 0;
                remember(s, x, f);
                continue;
            }
        }
        if (s->settings.acceleration && s->evaluations >= s->anderson_resume && steady >= 2 && anderson_sleep <= 0
            && anderson_move(s, scale, move)) {
            const double reach = fmin(0.3, 3 * size / fmax(contraction, 1e-12));
            if (scaled_maximum(move, scale) <= reach) {
                move_inside(x, move, trial);
                if (evaluate(s, trial, g) && scaled_norm(g, scale) < 0.8 * size) {
                    if (!s->jumped) memcpy(s->checkpoint, x, sizeof s->checkpoint);
                    s->least = scaled_norm(g, scale);
                    s->jumped = 1;
                    anderson_penalty = 2;
                    memcpy(x, trial, sizeof trial);
                    memcpy(f, g, sizeof g);
                    remember(s, x, f);
                    continue;
                }
            }
            anderson_sleep = anderson_penalty;
            anderson_penalty = anderson_penalty < 32 ? 2 * anderson_penalty : 64;
        }
        for (int i = 0; i < N; ++i) move[i] = s->step * f[i];
        move_inside(x, move, trial);
        if (!evaluate(s, trial, g)) {
            if (++failures > 12) return at_boundary(trial, g) ? AT_BOUNDARY : DIVERGED;
            s->step *= 0.25;
            steady = shrinking = 0;
            continue;
        }
        double dot = 0;
        for (int i = 0; i < N; ++i) dot += f[i] / scale[i] * (g[i] / scale[i]);
        const double new_size = scaled_norm(g, scale), ratio = new_size / size;
        const double cosine = new_size > 0 ? dot / (new_size * size) : 1;
        if (s->jumped && ratio > 1 && cosine > 0.5 && new_size > 2 * s->least) return WRONG_BRANCH; /* past a saddle */
        const double new_contraction = (1 - ratio) / s->step;
        shrinking = ratio < 1 ? shrinking + 1 : 0;
        steady = ratio < 1 && fabs(new_contraction - contraction) < steady_change * contraction ? steady + 1 : 0;
        contraction = new_contraction;
        --anderson_sleep;
        if ((cosine < 0 && ratio > 0.5) || (ratio > 1 && cosine < 0.9))
            s->step = fmax(0.5 * s->step, 1e-4); /* it oscillates or spirals out */
        else if (ratio < 1 && cosine > 0.3) {
            s->step = fmin(1.2 * s->step, longest);
            failures = 0;
        }
        memcpy(x, trial, sizeof trial);
        memcpy(f, g, sizeof g);
        remember(s, x, f);
    }
}

/* The certificate of a solution, and the functions that the shared library exports. */

/* Error of x from the difference between the frozen map and the fine one, amplified by (I - J)^-1, and from round-off.
 * The rule is refined, and the equations are solved again, until it meets the requested tolerance. `f` of the frozen
 * map at x is renewed. Returns the status: WRONG_BRANCH if the damped flow leaves an x that it did not reach itself. */
static int certify(solver *s, double *x, double *f, double *error, double *residual)
{
    for (int refinement = 0;; ++refinement) {
        double factor[N * N], scale[N], delta[N], noise[N] = {0}, trial[N], g[N];
        int pivot[N];
        if (refinement > 0) {
            s->rule->tolerance = fmax(1e-2 * s->rule->tolerance, 1e-16);
            quadrature_set_inner(s->rule, 2 * s->rule->inner_panels);
            if (!evaluate_as(s, RULE_ADAPT, x, f)) return DIVERGED;
        }
        /* Newton steps with one Jacobian; it is renewed if they lead away from where it was taken. */
        for (int round = 0; round < 3; ++round) {
            if (!differentiate(s, x, f, 1) || !factor_root(s, factor, pivot)) return NOT_CERTIFIED;
            for (int step = 0; step < 6 && scaled_residual(x, f) > 0.01 * s->settings.tolerance; ++step) {
                memcpy(delta, f, sizeof delta);
                lu_solve(factor, N, pivot, delta);
                units(x, scale);
                if (!(scaled_maximum(delta, scale) < 0.1) || move_inside(x, delta, trial)) break;
                if (!evaluate(s, trial, g) || !(scaled_norm(g, scale) < 0.5 * scaled_norm(f, scale))) break;
                memcpy(x, trial, sizeof trial);
                memcpy(f, g, sizeof g);
            }
            if (s->stopped) return CANCELLED;
            if (distance(x, s->jacobian_at) < 1e-6) break;
        }
        *residual = scaled_residual(x, f);
        if (!(abscissa(s->jacobian, x, f, 1) < 1) && (s->followed || s->jumped)) return WRONG_BRANCH;
        units(x, scale);
        if (!evaluate_as(s, RULE_FINE, x, delta)) return NOT_CERTIFIED;
        lu_solve(factor, N, pivot, delta);
        for (int j = 0; j < N; ++j) {
            double column[N] = {0};
            column[j] = 4 * DBL_EPSILON * fabs(x[j]);
            lu_solve(factor, N, pivot, column);
            for (int i = 0; i < N; ++i) noise[i] += fabs(column[i]);
        }
        double worst = 0, worst_noise = 0;
        for (int i = 0; i < N; ++i) {
            error[i] = fabs(delta[i]) + noise[i];
            if (is_zero(x[i], delta[i])) continue;
            worst = fmax(worst, error[i] / scale[i]);
            worst_noise = fmax(worst_noise, noise[i] / scale[i]);
        }
        if (!all_finite(error, N)) return NOT_CERTIFIED;
        if (worst < 0.1 && !move_inside(x, delta, trial)) memcpy(x, trial, sizeof trial);
        if (worst <= s->settings.certified_tolerance) return CONVERGED;
        if (refinement >= s->settings.max_refinements || worst_noise > s->settings.certified_tolerance)
            return NOT_CERTIFIED;
    }
}

/* Outputs at x on the fine rule, and their errors: of the quadrature, and of x to first order. */
static void report_point(solver *s, const double *x, const double *error, double *out, double *out_error)
{
    double coarse[N_OUTPUT + 1], moved[N_OUTPUT + 1], y[N];
    quadrature_set_mode(s->rule, RULE_FINE);
    system_report(s->rule, x, s->p, out);
    quadrature_set_mode(s->rule, RULE_FROZEN);
    if (!error) return;
    system_report(s->rule, x, s->p, coarse);
    for (int k = 0; k < N_OUTPUT; ++k) out_error[k] = fabs(out[k] - coarse[k]) + DBL_EPSILON * fabs(out[k]);
    memcpy(y, x, sizeof y);
    for (int i = 0; i < N; ++i) {
        const double h = 1e-6 * fmax(unit(i, x[i]), zero_size);
        y[i] = x[i] + h <= unknown_upper[i] ? x[i] + h : x[i] - h;
        system_report(s->rule, y, s->p, moved);
        for (int k = 0; k < N_OUTPUT; ++k) out_error[k] += fabs((moved[k] - coarse[k]) / (y[i] - x[i])) * error[i];
        y[i] = x[i];
    }
}

static int solve_point(solver *s, double *x, double *residual, double *error, int *certified)
{
    double f[N];
    s->step = 1 - s->settings.damping;
    s->followed = s->jumped = 0;
    s->anderson_resume = s->newton_resume = 0;
    s->penalty = 25;
    s->rule->flags = 0;
    s->rule->tolerance = s->settings.quadrature_tolerance;
    quadrature_set_inner(s->rule, s->settings.inner_panels);
    for (;;) {
        int status = approach(s, x, f);
        *certified = 0;
        *residual = scaled_residual(x, f);
        if (status == CONVERGED) {
            status = certify(s, x, f, error, residual);
            if (status == WRONG_BRANCH) s->newton_resume = s->evaluations + s->penalty;
            *certified = status == CONVERGED || status == NOT_CERTIFIED;
        }
        if (status != WRONG_BRANCH) return status;
        memcpy(x, s->checkpoint, sizeof s->checkpoint);
        s->followed = s->jumped = 0;
        s->anderson_resume = s->evaluations + s->penalty;
        s->penalty *= 4;
    }
}

static solver_settings read_settings(const double *v, int n)
{
    const double standard[N_SETTINGS] = { /* as SolverSettings */
        1e-12, 1e-10, 0.5, 20000, 1, 1, 1e-12, 4, 4};
    double value[N_SETTINGS];
    for (int i = 0; i < N_SETTINGS; ++i) value[i] = v && i < n ? v[i] : standard[i];
    return (solver_settings){value[0], value[1], value[2], (int)value[3], (int)value[4],
                             (int)value[5], value[6], (int)value[7], (int)value[8]};
}

REPLICA_EXPORT const int replica_n_unknown = N_UNKNOWN;
REPLICA_EXPORT const int replica_n_parameter = N_PARAMETER;
REPLICA_EXPORT const int replica_n_output = N_OUTPUT;
REPLICA_EXPORT const int replica_n_settings = N_SETTINGS;

/* Solve B points one after the other; see SolverSettings and SolveStatus for settings and status. Returns 0, -1 if
 * memory is exhausted, -2 for a wrong number of settings. */
REPLICA_EXPORT int replica_solve_block(const double *params, const double *starts, int B, int chain,
                                       const double *settings, int n_settings, double *x, double *out,
                                       double *residual, double *error, double *out_error, int *status,
                                       int *evaluations, double *stability, double *jacobian, volatile int *cancel)
{
    if (n_settings != N_SETTINGS) return -2;
    solver s = {.settings = read_settings(settings, n_settings), .cancel = cancel};
    s.rule = quadrature_create(N_SEGMENT, MAX_INTEGRAND, s.settings.quadrature_tolerance, s.settings.inner_panels);
    if (!s.rule) return -1;
    const double *warm = NULL;
    for (int b = 0; b < B; ++b) {
        double *point = x + b * N, *point_error = error + b * N, *point_out = out + b * N_OUTPUT;
        double *point_out_error = out_error + b * N_OUTPUT;
        const double zero[N] = {0};
        int certified = 0;
        s.p = params + b * N_PARAMETER;
        s.evaluations = 0;
        for (int attempt = chain && warm ? 0 : 1; attempt < 2; ++attempt) {
            memcpy(point, attempt == 0 ? warm : starts + b * N, sizeof zero);
            move_inside(point, zero, point);
            for (int i = 0; i < N; ++i) point_error[i] = NAN;
            status[b] = solve_point(&s, point, residual + b, point_error, &certified);
            if (status[b] == CONVERGED || status[b] == CANCELLED) break;
        }
        for (int k = 0; k < N_OUTPUT; ++k) point_out[k] = point_out_error[k] = NAN;
        if (status[b] != CANCELLED) report_point(&s, point, certified ? point_error : NULL, point_out, point_out_error);
        evaluations[b] = s.evaluations;
        stability[b] = certified ? abscissa(s.jacobian, point, point, 0) : NAN;
        for (int i = 0; i < N * N; ++i) jacobian[b * N * N + i] = certified ? s.jacobian[i] : NAN;
        if (status[b] == CONVERGED) warm = point;
    }
    const int exhausted = s.rule->flags & QUADRATURE_OUT_OF_MEMORY;
    quadrature_free(s.rule);
    return exhausted ? -1 : 0;
}

typedef void (*system_function)(quadrature *rule, const double *x, const double *p, double *result);

static int evaluate_once(system_function fn, const double *params, const double *x, double *result, int fine,
                         const double *settings, int n_settings)
{
    const solver_settings set = read_settings(settings, n_settings);
    quadrature *rule = quadrature_create(N_SEGMENT, MAX_INTEGRAND, set.quadrature_tolerance, set.inner_panels);
    if (!rule) return -1;
    quadrature_set_mode(rule, fine ? RULE_FINE : RULE_ADAPT);
    fn(rule, x, params, result);
    quadrature_free(rule);
    return 0;
}

/* F(x) with a rule adapted at x; with `fine` on the bisected rule. */
REPLICA_EXPORT int replica_map(const double *params, const double *x, double *fx, int fine, const double *settings,
                               int n_settings)
{
    return evaluate_once(system_map, params, x, fx, fine, settings, n_settings);
}

/* The outputs at x, in the same way. */
REPLICA_EXPORT int replica_report(const double *params, const double *x, double *out, int fine,
                                  const double *settings, int n_settings)
{
    return evaluate_once(system_report, params, x, out, fine, settings, n_settings);
}

/* Eigenvalues of a row-major n x n matrix, n <= 12; 0 on success. */
REPLICA_EXPORT int replica_eigenvalues(const double *matrix, int n, double *real, double *imag)
{
    return n > 0 && n <= MAX_DENSE && eigenvalues(matrix, n, real, imag) ? 0 : -1;
}
