/* The certificate of a solution, and the functions that the shared library exports. */

#ifndef SAMPLED
#define SAMPLED 0 /* components of the points over which averages are taken, if they are */
#endif

/* Standard error of a mean over replicates, from the values of each. */
static double standard_error(const double *value, int stride)
{
    double mean = 0, sum = 0;
    for (int r = 0; r < REPLICATES; ++r) mean += value[r * stride] / REPLICATES;
    for (int r = 0; r < REPLICATES; ++r) sum += (value[r * stride] - mean) * (value[r * stride] - mean);
    return sqrt(sum / (REPLICATES * (REPLICATES - 1)));
}

/* Where each replicate of the samples alone would move the fixed point, and the standard errors that this gives. */
static int replicate(solver *s, const double *x, const double *f, const double *factor, const int *pivot,
                     double *error)
{
    for (int r = 0; r < REPLICATES; ++r) {
        double *shift = s->shift[r];
        s->rule->replicate = r;
        const int finite = evaluate_as(s, RULE_FROZEN, x, shift);
        s->rule->replicate = -1;
        if (!finite) return 0;
        for (int i = 0; i < N; ++i) shift[i] -= f[i];
        lu_solve(factor, N, pivot, shift);
    }
    for (int i = 0; i < N; ++i) error[i] += s->sampling[i] = standard_error(s->shift[0] + i, N);
    return 1;
}

/* Put unknowns on their way to zero there: they are tiny, a symmetry keeps them, and damping leads back to it. What the
 * map reproduces from zero is a small number, and stays. */
static void settle_zeros(solver *s, double *x, double *f)
{
    double y[N], g[N];
    int settled = 0, kept = 1;
    for (int i = 0; i < N; ++i) {
        const int small = fabs(x[i]) < (crosses_zero(i) ? vanishing_size : zero_size);
        const int settles = x[i] != 0 && small && unknown_lower[i] <= 0 && unknown_vanishes[i];
        y[i] = settles ? 0 : x[i];
        settled += settles;
    }
    while (settled && kept) {
        if (!evaluate_as_is(s, RULE_FROZEN, y, g) || s->rule->lost) return;
        kept = 0;
        for (int i = 0; i < N; ++i) {
            const double rounding = fmax(1e-2 * fabs(x[i]), crosses_zero(i) ? zero_size : 0);
            if (y[i] != x[i] && !(fabs(g[i]) < rounding)) {
                y[i] = x[i];
                ++kept;
            }
        }
        settled -= kept;
    }
    if (!settled || !evaluate_as(s, RULE_FROZEN, y, g) || !(scaled_residual(y, g) < followed_residual)) return;
    for (int i = 0; i < N; ++i)
        if (y[i] == 0 && g[i] != 0) return;
    if (!differentiate(s, y, g, 1) || !(abscissa(s->jacobian, x, f, 1) < 1)) return;
    memcpy(x, y, sizeof y);
    memcpy(f, g, sizeof g);
}

/* Iterate the map once more where unknowns are positive and tiny: convergence and errors are judged as if they were zero.
 * Their errors include all that the cut tails of the averages might have added. */
static void settle_positive(solver *s, double *x, const double *noise, double *error)
{
    double g[N], size = 1;
    int tiny = 0;
    for (int i = 0; i < N; ++i) {
        tiny |= !unknown_vanishes[i] && fabs(x[i]) < zero_size;
        size = fmax(size, fabs(x[i]));
    }
    if (!tiny || !evaluate_as(s, RULE_FINE, x, g)) return;
    for (int i = 0; i < N; ++i) {
        const double image = x[i] + g[i];
        if (unknown_vanishes[i] || !(fabs(x[i]) < zero_size)) continue;
        error[i] = fabs(g[i]) + noise[i] + cut_mass * size;
        if (image >= 0.5 * x[i] && image < zero_size) x[i] = image; /* what shrinks may vanish in a limit only */
    }
}

/* Error of x from the difference between the frozen map and the fine one, amplified by (I - J)^-1, and from round-off.
 * The rule is refined, and the equations are solved again, until it meets the requested tolerance; a sample is not, and
 * its standard error joins the error in the end. `f` of the frozen
 * map at x is renewed. Returns the status: WRONG_BRANCH if the damped flow leaves an x that it did not reach itself. */
static int certify(solver *s, double *x, double *f, double *error, double *residual)
{
    const double done = 0.01 * s->settings.tolerance;
    settle_zeros(s, x, f);
    for (int refinement = 0;; ++refinement) {
        double factor[N * N], scale[N], delta[N], noise[N] = {0}, trial[N], g[N];
        int pivot[N];
        if (refinement > 0) {
            if (!s->inherited) {
                s->rule->tolerance = fmax(1e-2 * s->rule->tolerance, 1e-16);
                quadrature_set_inner(s->rule, 2 * s->rule->inner_panels);
            }
            s->inherited = 0;
            if (!evaluate_as(s, RULE_ADAPT, x, f)) return DIVERGED;
        }
        /* Newton steps with one Jacobian; it is renewed if they lead away from where it was taken. */
        for (int round = 0; round < 3; ++round) {
            if (!differentiate(s, x, f, 1) || !factor_root(s, factor, pivot)) return NOT_CERTIFIED;
            for (int step = 0; step < 6 && scaled_residual(x, f) > done; ++step) {
                newton_step(factor, pivot, x, f, delta);
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
        s->growth = abscissa(s->jacobian, x, f, 1);
        if (!(s->growth < 1) && (s->followed || s->jumped)) return WRONG_BRANCH;
        units(x, scale);
        if (!evaluate_as(s, RULE_FINE, x, g)) return NOT_CERTIFIED;
        newton_step(factor, pivot, x, g, delta);
        /* Where Newton steps could not reduce the residual, it is rounding inside the map. */
        const int stalled = *residual > done;
        for (int j = 0; j < N; ++j) {
            double column[N] = {0};
            column[j] = fmax(4 * DBL_EPSILON * fabs(x[j]), stalled ? fabs(f[j]) : 0);
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
        settle_positive(s, x, noise, error);
        if (worst <= s->settings.certified_tolerance)
            return !SAMPLED || replicate(s, x, f, factor, pivot, error) ? CONVERGED : NOT_CERTIFIED;
        if (refinement >= s->settings.max_refinements || worst_noise > s->settings.certified_tolerance)
            return NOT_CERTIFIED;
    }
}

/* Add the standard errors of the outputs, each replicate at the fixed point that it would have. */
static void report_replicates(solver *s, const double *x, double *out_error)
{
    double value[REPLICATES][N_OUTPUT + 1], y[N];
    for (int r = 0; r < REPLICATES; ++r) {
        move_inside(x, s->shift[r], y);
        s->rule->replicate = r;
        system_report(s->rule, y, s->p, value[r]);
    }
    s->rule->replicate = -1;
    for (int k = 0; k < N_OUTPUT; ++k) out_error[k] += standard_error(value[0] + k, N_OUTPUT + 1);
}

/* Outputs at x on the fine rule, and their errors: of the quadrature and its cuts, and of x to first order. */
static void report_point(solver *s, const double *x, const double *error, double *out, double *out_error)
{
    double coarse[N_OUTPUT + 1], moved[N_OUTPUT + 1], y[N];
    quadrature_set_mode(s->rule, RULE_FINE);
    system_report(s->rule, x, s->p, out);
    quadrature_set_mode(s->rule, RULE_FROZEN);
    if (!error) return;
    s->rule->tails = 1;
    system_report(s->rule, x, s->p, coarse);
    for (int k = 0; k < N_OUTPUT; ++k) out_error[k] = fabs(out[k] - coarse[k]) + DBL_EPSILON * fabs(out[k]);
    memcpy(y, x, sizeof y);
    for (int i = 0; i < N; ++i) {
        const double h = 1e-6 * fmax(unit(x, i), zero_size);
        y[i] = x[i] + h <= unknown_upper[i] ? x[i] + h : x[i] - h;
        system_report(s->rule, y, s->p, moved);
        for (int k = 0; k < N_OUTPUT; ++k)
            out_error[k] += fabs((moved[k] - coarse[k]) / (y[i] - x[i])) * (error[i] - s->sampling[i]);
        y[i] = x[i];
    }
    s->rule->tails = 0;
    if (SAMPLED) report_replicates(s, x, out_error);
}

/* Solve from x; with `follow`, only if it is the solution of a neighbour and this point's continues it. */
static int solve_point(solver *s, int follow, double *x, double *residual, double *error, int *certified)
{
    double f[N];
    s->step = 1 - s->settings.damping;
    s->followed = s->jumped = 0;
    s->anderson_resume = s->newton_resume = 0;
    s->penalty = 25;
    s->rule->flags = 0;
    s->rule->tolerance = s->settings.quadrature_tolerance;
    quadrature_set_inner(s->rule, s->settings.inner_panels);
    s->inherited = s->followed = follow;
    *certified = 0;
    if (follow) {
        const int status = follow_root(s, x, f) ? certify(s, x, f, error, residual) : NOT_CONVERGED;
        *certified = status == CONVERGED;
        return status;
    }
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
        1e-12, 1e-10, 0.5, 20000, 1, 1, 1e-12, 4, 4, 16384, 0};
    double value[N_SETTINGS];
    for (int i = 0; i < N_SETTINGS; ++i) value[i] = v && i < n ? v[i] : standard[i];
    return (solver_settings){value[0], value[1], value[2], (int)value[3], (int)value[4],
                             (int)value[5], value[6], (int)value[7], (int)value[8],
                             (int)value[9] / REPLICATES};
}

static quadrature *create_rule(const solver_settings *set, const double *const *data, const int *rows,
                               const double *sample)
{
    quadrature *rule = quadrature_create(N_SEGMENT, MAX_INTEGRAND, set->quadrature_tolerance, set->inner_panels);
    if (!rule) return NULL;
    rule->data = data;
    rule->rows = rows;
    rule->sample = sample;
    rule->points = set->points;
    return rule;
}

REPLICA_EXPORT const int replica_n_unknown = N_UNKNOWN;
REPLICA_EXPORT const int replica_n_parameter = N_PARAMETER;
REPLICA_EXPORT const int replica_n_output = N_OUTPUT;
REPLICA_EXPORT const int replica_n_settings = N_SETTINGS;

/* Solve B points one after the other; see SolverSettings and SolveStatus for settings and status. `data` are the tables
 * of the sites and `rows` their lengths, NULL where there are none. Returns 0, -1 if memory is exhausted, -2 for a wrong
 * number of settings. */
REPLICA_EXPORT int replica_solve_block(const double *params, const double *starts, int B, int chain,
                                       const double *settings, int n_settings, double *x, double *out,
                                       double *residual, double *error, double *out_error, int *status,
                                       int *evaluations, double *stability, double *jacobian, volatile int *cancel,
                                       const double *const *data, const int *rows,
                                       const double *sample)
{
    if (n_settings != N_SETTINGS) return -2;
    solver s = {.settings = read_settings(settings, n_settings), .cancel = cancel};
    s.rule = create_rule(&s.settings, data, rows, sample);
    if (!s.rule) return -1;
    enum { FOLLOW, WARM, COLD }; /* along the root of the point before, from it by damping, from the start */
    const double *warm = NULL;   /* the last solution */
    int followable = 0;          /* it is stable, and Jacobian and rule are still those at it */
    for (int b = 0; b < B; ++b) {
        double *point = x + b * N, *point_error = error + b * N, *point_out = out + b * N_OUTPUT;
        double *point_out_error = out_error + b * N_OUTPUT;
        const double zero[N] = {0};
        int certified = 0;
        s.p = params + b * N_PARAMETER;
        s.evaluations = 0;
        for (int attempt = !chain || !warm ? COLD : followable ? FOLLOW : WARM; attempt <= COLD; ++attempt) {
            memcpy(point, attempt == COLD ? starts + b * N : warm, sizeof zero);
            move_inside(point, zero, point);
            for (int i = 0; i < N; ++i) point_error[i] = NAN;
            residual[b] = NAN;
            certified = 0;
            status[b] = CANCELLED; /* the points that are left cost nothing */
            if (cancel && *cancel)
                for (int i = 0; i < N; ++i) point[i] = NAN;
            else
                status[b] = solve_point(&s, attempt == FOLLOW, point, residual + b, point_error, &certified);
            int symmetric = 0;
            for (int i = 0; i < N; ++i) symmetric |= point[i] == 0;
            stability[b] = !certified ? NAN : symmetric ? abscissa(s.jacobian, point, point, 0) : s.growth;
            /* A fixed point that the flow leaves is only kept where the caller has asked for it. */
            const int unstable = attempt != COLD && stability[b] > 1;
            if ((status[b] == CONVERGED && !unstable) || status[b] == CANCELLED) break;
        }
        for (int k = 0; k < N_OUTPUT; ++k) point_out[k] = point_out_error[k] = NAN;
        if (status[b] != CANCELLED) report_point(&s, point, certified ? point_error : NULL, point_out, point_out_error);
        evaluations[b] = s.evaluations;
        for (int i = 0; i < N * N; ++i) jacobian[b * N * N + i] = certified ? s.jacobian[i] : NAN;
        followable = status[b] == CONVERGED && stability[b] < 1 && s.settings.newton;
        if (status[b] == CONVERGED) warm = point;
    }
    const int exhausted = s.rule->flags & QUADRATURE_OUT_OF_MEMORY;
    quadrature_free(s.rule);
    return exhausted ? -1 : 0;
}

typedef void (*system_function)(quadrature *rule, const double *x, const double *p, double *result);

static int evaluate_once(system_function fn, const double *params, const double *x, double *result, int fine,
                         const double *settings, int n_settings, const double *const *data, const int *rows,
                         const double *sample)
{
    const solver_settings set = read_settings(settings, n_settings);
    quadrature *rule = create_rule(&set, data, rows, sample);
    if (!rule) return -1;
    quadrature_set_mode(rule, fine ? RULE_FINE : RULE_ADAPT);
    fn(rule, x, params, result);
    quadrature_free(rule);
    return 0;
}

/* F(x) with a rule adapted at x; with `fine` on the bisected rule. */
REPLICA_EXPORT int replica_map(const double *params, const double *x, double *fx, int fine, const double *settings,
                               int n_settings, const double *const *data, const int *rows,
                               const double *sample)
{
    return evaluate_once(system_map, params, x, fx, fine, settings, n_settings, data, rows, sample);
}

/* The outputs at x, in the same way. */
REPLICA_EXPORT int replica_report(const double *params, const double *x, double *out, int fine,
                                  const double *settings, int n_settings, const double *const *data,
                                  const int *rows, const double *sample)
{
    return evaluate_once(system_report, params, x, out, fine, settings, n_settings, data, rows, sample);
}

/* F and the outputs at B states on one rule, adapted at a base state: smooth functions of x and params, made for
 * differences. `fx` or `out` may be NULL. */
REPLICA_EXPORT int replica_evaluate_block(const double *base_params, const double *base_x, const double *params,
                                          const double *x, int B, const double *settings, int n_settings, double *fx,
                                          double *out, const double *const *data, const int *rows,
                                          const double *sample)
{
    const solver_settings set = read_settings(settings, n_settings);
    const struct { system_function fn; double *result; int size; } part[2] = {
        {system_map, fx, N}, {system_report, out, N_OUTPUT}};
    quadrature *rule = create_rule(&set, data, rows, sample);
    if (!rule) return -1;
    for (int k = 0; k < 2; ++k) {
        double base[N + N_OUTPUT];
        if (!part[k].result) continue;
        quadrature_set_mode(rule, RULE_ADAPT);
        part[k].fn(rule, base_x, base_params, base);
        quadrature_set_mode(rule, RULE_FROZEN);
        for (int b = 0; b < B; ++b)
            part[k].fn(rule, x + b * N, params + b * N_PARAMETER, part[k].result + b * part[k].size);
    }
    const int exhausted = rule->flags & QUADRATURE_OUT_OF_MEMORY;
    quadrature_free(rule);
    return exhausted ? -1 : 0;
}

/* Eigenvalues of a row-major n x n matrix, n <= 12; 0 on success. */
REPLICA_EXPORT int replica_eigenvalues(const double *matrix, int n, double *real, double *imag)
{
    return n > 0 && eigenvalues(matrix, n, real, imag) ? 0 : -1;
}
