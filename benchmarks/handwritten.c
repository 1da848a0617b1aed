/* The logistic mixture as an expert writes it by hand, for comparison with the generated code: one loop serves both
 * labels, since multiplying field and bias by the label gives both the same law; constants are taken out of the loops,
 * the Jacobian cancels the division of the susceptibility, and proportional integrals are computed once. The rule, the
 * iteration, the certificate and the errors of the outputs are those of the package: its headers come before and after
 * this text. */

enum { N_UNKNOWN = 4, N_PARAMETER = 4, N_OUTPUT = 11, N_SEGMENT = 6, MAX_INTEGRAND = 8 };
static const double unknown_lower[N_UNKNOWN] = {-INFINITY, 0, 0, -INFINITY};
static const double unknown_upper[N_UNKNOWN] = {INFINITY, INFINITY, INFINITY, INFINITY};
static const int unknown_square[N_UNKNOWN] = {1, -1, -1, 1};
static const int unknown_vanishes[N_UNKNOWN] = {1, 1, 0, 1};

typedef struct { double scale, bias, mean, deviation; } law;

/* Value v of the proximal operator at a field: v - scale sigmoid(-(v + bias)) = field. */
static double value_at(const law *l, double field)
{
    double v = field, low = field, high = field + l->scale;
    for (int i = 0; i < 100; ++i) {
        const double e = rv_exp(-fabs(v + l->bias)), inverse = 1 / (1 + e);
        const double minus = v + l->bias < 0 ? inverse : e * inverse;
        const double gap = v - l->scale * minus - field;
        if (gap > 0) high = v;
        else low = v;
        double next = v - gap / (1 + l->scale * e * inverse * inverse);
        if (!(next >= low && next <= high)) next = 0.5 * (low + high);
        const double change = fabs(next - v);
        v = next;
        if (change <= 1e-9 * (1 + fabs(v))) break;
    }
    return v;
}

/* Density, pull = value - field, its square, susceptibility - 1. */
static void map_loop(const quadrature *rule, const double *restrict s, double a, double b, const double *restrict t,
                     const double *restrict w, int n, double *restrict sum)
{
    const double scale = s[0], bias = s[1], mean = s[2], inverse_deviation = 1 / s[3], length = b - a;
    double density = 0, pull = 0, square = 0, slope = 0;
    (void)rule;
    #pragma omp simd reduction(+ : density, pull, square, slope)
    for (int j = 0; j < n; ++j) {
        const double v = a + length * t[j], x = v + bias;
        const double e = rv_exp(-fabs(x)), inverse = 1 / (1 + e);
        const double u = scale * (x < 0 ? inverse : e * inverse);
        const double curvature = scale * e * inverse * inverse;
        const double z = (v - u - mean) * inverse_deviation;
        const double g = w[j] * rv_exp(-0.5 * z * z), measure = g * (1 + curvature), gu = measure * u;
        density += measure;
        pull += gu;
        square += gu * u;
        slope -= g * curvature;
    }
    const double unit = length * inverse_deviation * RV_INV_SQRT_2PI;
    sum[0] += unit * density;
    sum[1] += unit * pull;
    sum[2] += unit * square;
    sum[3] += unit * slope;
}

/* The same, then loss, error and (susceptibility - 1)^2. */
static void report_loop(const quadrature *rule, const double *restrict s, double a, double b,
                        const double *restrict t, const double *restrict w, int n, double *restrict sum)
{
    const double scale = s[0], bias = s[1], mean = s[2], inverse_deviation = 1 / s[3], length = b - a;
    double density = 0, pull = 0, square = 0, slope = 0, loss = 0, error = 0, replicon = 0;
    (void)rule;
    #pragma omp simd reduction(+ : density, pull, square, slope, loss, error, replicon)
    for (int j = 0; j < n; ++j) {
        const double v = a + length * t[j], x = v + bias;
        const double e = rv_exp(-fabs(x)), inverse = 1 / (1 + e);
        const double u = scale * (x < 0 ? inverse : e * inverse);
        const double curvature = scale * e * inverse * inverse;
        const double z = (v - u - mean) * inverse_deviation;
        const double g = w[j] * rv_exp(-0.5 * z * z), measure = g * (1 + curvature), gu = measure * u;
        density += measure;
        pull += gu;
        square += gu * u;
        slope -= g * curvature;
        loss += measure * (rv_at_least(-x, 0) + rv_log1p_unit(e));
        error += x < 0 ? measure : 0;
        replicon += g * curvature * curvature / (1 + curvature);
    }
    const double unit = length * inverse_deviation * RV_INV_SQRT_2PI;
    sum[0] += unit * density;
    sum[1] += unit * pull;
    sum[2] += unit * square;
    sum[3] += unit * slope;
    sum[4] += unit * loss;
    sum[5] += unit * error;
    sum[6] += unit * replicon;
}

static law law_of(const double *x, const double *p, int label)
{
    return (law){x[2] * p[0], label * x[3], x[0], sqrt(x[1] * p[0])};
}

/* x = (m, q, chi, b), p = (Delta, alpha, lambda, rho) */
static void system_map(quadrature *rule, const double *x, const double *p, double *fx)
{
    const double share[2] = {p[3], 1 - p[3]};
    double pull = 0, square = 0, slope = 0, bias = 0;
    for (int k = 0; k < 2; ++k) {
        const int label = 1 - 2 * k;
        const law l = law_of(x, p, label);
        const double s[4] = {l.scale, l.bias, l.mean, l.deviation}, feature[2] = {-l.bias, 1};
        double sum[4] = {0};
        integrate(rule, k, map_loop, s, 4, value_at(&l, l.mean - 9 * l.deviation),
                  value_at(&l, l.mean + 9 * l.deviation), 1, feature, sum);
        pull += share[k] * sum[1];
        square += share[k] * sum[2];
        slope += share[k] * sum[3];
        bias += share[k] * label * sum[1];
    }
    const double m_hat = p[1] / (p[0] * x[2]) * pull, q_hat = p[1] / (p[0] * x[2] * x[2]) * square;
    const double chi = 1 / (p[2] - p[1] / x[2] * slope);
    fx[0] = m_hat * chi;
    fx[1] = (m_hat * m_hat + q_hat) * chi * chi;
    fx[2] = chi;
    fx[3] = x[3] + bias;
}

static void system_report(quadrature *rule, const double *x, const double *p, double *out)
{
    const double share[2] = {p[3], 1 - p[3]}, delta = p[0], alpha = p[1], lambda = p[2], rho = p[3];
    const double m = x[0], q = x[1], chi = x[2], b = x[3], scale = chi * delta;
    double total[7] = {0};
    for (int k = 0; k < 2; ++k) {
        const law l = law_of(x, p, 1 - 2 * k);
        const double s[4] = {l.scale, l.bias, l.mean, l.deviation}, feature[2] = {-l.bias, 1};
        const double first = value_at(&l, l.mean - 9 * l.deviation), last = value_at(&l, l.mean + 9 * l.deviation);
        const double middle = fmin(last, fmax(first, -l.bias));
        double sum[7] = {0};
        integrate(rule, 2 + 2 * k, report_loop, s, 7, first, middle, 1, feature, sum);
        integrate(rule, 3 + 2 * k, report_loop, s, 7, middle, last, 1, feature, sum);
        for (int i = 0; i < 7; ++i) total[i] += share[k] * sum[i];
    }
    const double m_hat = alpha / scale * total[1], q_hat = alpha / (delta * chi * chi) * total[2];
    const double v_hat = -alpha / chi * total[3], stiffness = lambda + v_hat, deviation = sqrt(q * delta);
    const double envelope = total[2] / (2 * scale) + total[4];
    const double free_energy = 0.5 * chi * q_hat + m * m_hat - 0.5 * q * v_hat + alpha * envelope
                               - 0.5 * (q_hat + m_hat * m_hat) / stiffness;
    const double best_bias = 0.5 * delta * q * rv_log(rho / (1 - rho)) / m;
    out[0] = -free_energy;
    out[1] = m_hat;
    out[2] = q_hat;
    out[3] = v_hat;
    out[4] = 1 - alpha * total[6] / (stiffness * stiffness * chi * chi);
    out[5] = free_energy;
    out[6] = (1 - rho) * rv_normal_cdf((b - m) / deviation) + rho * rv_normal_cdf(-(b + m) / deviation);
    out[7] = (1 - rho) * rv_normal_cdf((best_bias - m) / deviation) + rho * rv_normal_cdf(-(best_bias + m) / deviation);
    out[8] = total[4];
    out[9] = total[5];
    out[10] = m / sqrt(q);
}
