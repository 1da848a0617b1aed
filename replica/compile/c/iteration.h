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

/* The step of factored linear equations. Elimination rounds: what is zero and is kept there does not move. */
static void newton_step(const double *factor, const int *pivot, const double *x, const double *f, double *delta)
{
    for (int i = 0; i < N; ++i) delta[i] = f[i];
    lu_solve(factor, N, pivot, delta);
    for (int i = 0; i < N; ++i)
        if (x[i] == 0 && f[i] == 0) delta[i] = 0;
}

/* A Newton step towards the root of the linear model, if it is near. 1 if it was taken, -1 if the linear model predicts
 * nothing any more although the root is close: what is left is round-off. */
static int root_step(solver *s, double *x, double *f, const double *factor, const int *pivot)
{
    double delta[N], scale[N], trial[N], g[N];
    units(x, scale);
    newton_step(factor, pivot, x, f, delta);
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

/* Follow the solution of a neighbouring point, from x, by Newton steps with its Jacobian, which every step corrects
 * (Broyden's rank-one update). 1 if short steps contract fast all the way, so that the root is the continuation of that
 * solution; it is for the certificate to confirm that it is stable. */
static int follow_root(solver *s, double *x, double *f)
{
    if (!evaluate(s, x, f)) return 0;
    for (int step = 0; step < 8; ++step) {
        double factor[N * N], delta[N], scale[N], trial[N], g[N], square = 0;
        int pivot[N];
        if (scaled_residual(x, f) <= followed_residual) return 1;
        units(x, scale);
        if (s->stopped || !factor_root(s, factor, pivot)) return 0;
        newton_step(factor, pivot, x, f, delta);
        if (!(scaled_maximum(delta, scale) <= 0.2) || move_inside(x, delta, trial)) return 0;
        if (!evaluate(s, trial, g) || !(scaled_norm(g, scale) < 0.3 * scaled_norm(f, scale))) return 0;
        for (int j = 0; j < N; ++j) square += delta[j] / scale[j] * (delta[j] / scale[j]);
        for (int i = 0; i < N; ++i)
            for (int j = 0; j < N; ++j) s->jacobian[i * N + j] += g[i] * delta[j] / (scale[j] * scale[j] * square);
        memcpy(x, trial, sizeof trial);
        memcpy(f, g, sizeof g);
    }
    return 0;
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
        newton_step(factor, pivot, x, speed, delta);
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
        newton_step(factor, pivot, x, speed, delta);
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
    const double longest = 1 - s->settings.damping, shortest = fmin(1e-4, longest);
    int steady = 0, shrinking = 0, failures = 0, anderson_sleep = 0, anderson_penalty = 2;
    int newton_penalty = 20;
    const int began = s->evaluations;
    double failed_at = INFINITY; /* residual norm at the first of these failures */
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
            /* Steps up to the edge of where the map has values do succeed in between: only progress counts. */
            if (size < 0.99 * failed_at) {
                failures = 0;
                failed_at = size;
            }
            if (++failures > 12) return at_boundary(trial, g) ? AT_BOUNDARY : DIVERGED;
            s->step *= 0.25;
            steady = shrinking = 0;
            continue;
        }
        const double new_size = scaled_norm(g, scale), ratio = new_size / size;
        double dot = 0;
        int beyond = 0; /* an unknown that matters has gone far beyond its root: not a step of the flow */
        for (int i = 0; i < N; ++i) {
            const double old_part = f[i] / scale[i], new_part = g[i] / scale[i];
            dot += old_part * new_part;
            beyond |= old_part * new_part < 0 && fabs(new_part) > 2 * fabs(old_part)
                      && fabs(old_part) > 0.01 * size;
        }
        const double cosine = new_size > 0 ? dot / (new_size * size) : 1;
        if (s->jumped && ratio > 1 && cosine > 0.5 && new_size > 2 * s->least) return WRONG_BRANCH; /* past a saddle */
        if (ratio > 2 && beyond && s->step > shortest) {
            s->step = fmax(0.25 * s->step, shortest);
            steady = shrinking = 0;
            continue;
        }
        const double new_contraction = (1 - ratio) / s->step;
        shrinking = ratio < 1 ? shrinking + 1 : 0;
        steady = ratio < 1 && fabs(new_contraction - contraction) < steady_change * contraction ? steady + 1 : 0;
        contraction = new_contraction;
        --anderson_sleep;
        if ((cosine < 0 && ratio > 0.5) || (ratio > 1 && cosine < 0.9))
            s->step = fmax(0.5 * s->step, shortest); /* it oscillates or spirals out */
        else if (ratio < 1 && cosine > 0.3)
            s->step = fmin(1.2 * s->step, longest);
        memcpy(x, trial, sizeof trial);
        memcpy(f, g, sizeof g);
        remember(s, x, f);
    }
}
