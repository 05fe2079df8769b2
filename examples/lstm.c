/* An LSTM layer with its gradients, in C: as a library, and as a program that answers JSON lines.
 *
 *   cc -O2 -shared -fPIC lstm.c -lm -o liblstm.so
 *   cc -O2 lstm.c -lm -o lstm
 *   cc -O2 -DREAL=float lstm.c -lm -o lstm32
 */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tgmath.h>

#ifndef REAL
#define REAL double
#endif
typedef REAL real;

/* The layer: T steps, B rows, n inputs, m units; W is m x (n + m) over [x; h], rows by unit. */

enum { FORGET, INPUT, CANDIDATE, OUTPUT, GATES };

typedef struct {
    int64_t T, B, n, m;
    const real *W[GATES], *b[GATES];
} Layer;

/* What the backward pass reads: h and c of T + 1 steps, the first ones given, and the gates of T steps. */
typedef struct {
    real *h, *c, *gates;
} Run;

static real *reals(int64_t count)
{
    real *made = calloc((size_t)(count > 0 ? count : 1), sizeof(real));
    if (!made) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return made;
}

static void copy(real *to, const real *from, int64_t count)
{
    memcpy(to, from, (size_t)count * sizeof(real));
}

static real sigmoid(real a)
{
    return 1 / (1 + exp(-a));
}

static Run run(const Layer *l, const real *x, const real *h0, const real *c0)
{
    int64_t n = l->n, m = l->m, state = l->B * m;
    Run r = {reals((l->T + 1) * state), reals((l->T + 1) * state), reals(l->T * state * GATES)};
    copy(r.h, h0, state);
    copy(r.c, c0, state);
    for (int64_t row = 0; row < l->T * l->B; row++) {
        const real *xt = x + row * n, *h = r.h + row * m, *c = r.c + row * m;
        real *g = r.gates + row * m * GATES, *h_next = r.h + row * m + state, *c_next = r.c + row * m + state;
        for (int k = 0; k < GATES; k++)
            for (int64_t j = 0; j < m; j++) {
                const real *w = l->W[k] + j * (n + m);
                real a = l->b[k][j];
                for (int64_t i = 0; i < n; i++)
                    a += w[i] * xt[i];
                for (int64_t i = 0; i < m; i++)
                    a += w[n + i] * h[i];
                g[k * m + j] = k == CANDIDATE ? tanh(a) : sigmoid(a);
            }
        for (int64_t j = 0; j < m; j++) {
            c_next[j] = g[FORGET * m + j] * c[j] + g[INPUT * m + j] * g[CANDIDATE * m + j];
            h_next[j] = g[OUTPUT * m + j] * tanh(c_next[j]);
        }
    }
    return r;
}

static void release(Run r)
{
    free(r.h);
    free(r.c);
    free(r.gates);
}

void lstm_forward(int64_t T, int64_t B, int64_t n, int64_t m, const real *W_f, const real *W_i, const real *W_c,
                  const real *W_o, const real *b_f, const real *b_i, const real *b_c, const real *b_o, const real *x,
                  const real *h0, const real *c0, real *y, real *h, real *c)
{
    Layer l = {T, B, n, m, {W_f, W_i, W_c, W_o}, {b_f, b_i, b_c, b_o}};
    Run r = run(&l, x, h0, c0);
    copy(y, r.h + B * m, T * B * m);
    copy(h, r.h + T * B * m, B * m);
    copy(c, r.c + T * B * m, B * m);
    release(r);
}

void lstm_backward(int64_t T, int64_t B, int64_t n, int64_t m, const real *W_f, const real *W_i, const real *W_c,
                   const real *W_o, const real *b_f, const real *b_i, const real *b_c, const real *b_o, const real *x,
                   const real *h0, const real *c0, const real *dy, const real *dh, const real *dc, real *dW_f,
                   real *dW_i, real *dW_c, real *dW_o, real *db_f, real *db_i, real *db_c, real *db_o, real *dx,
                   real *dh0, real *dc0)
{
    Layer l = {T, B, n, m, {W_f, W_i, W_c, W_o}, {b_f, b_i, b_c, b_o}};
    real *dW[GATES] = {dW_f, dW_i, dW_c, dW_o}, *db[GATES] = {db_f, db_i, db_c, db_o};
    Run r = run(&l, x, h0, c0);
    real *da = reals(m * GATES);
    for (int k = 0; k < GATES; k++) {
        memset(dW[k], 0, (size_t)(m * (n + m)) * sizeof(real));
        memset(db[k], 0, (size_t)m * sizeof(real));
    }
    memset(dx, 0, (size_t)(T * B * n) * sizeof(real));
    copy(dh0, dh, B * m);
    copy(dc0, dc, B * m);
    for (int64_t row = T * B - 1; row >= 0; row--) {
        const real *g = r.gates + row * m * GATES, *xt = x + row * n, *h = r.h + row * m, *c = r.c + row * m;
        /* Down to step t, dh0 and dc0 hold what arrives there from the step after. */
        real *dh_row = dh0 + row % B * m, *dc_row = dc0 + row % B * m, *dx_row = dx + row * n;
        for (int64_t j = 0; j < m; j++) {
            real f = g[FORGET * m + j], i = g[INPUT * m + j];
            real candidate = g[CANDIDATE * m + j], o = g[OUTPUT * m + j];
            real squashed = tanh(r.c[(row + B) * m + j]), dhj = dy[row * m + j] + dh_row[j];
            real dcj = dc_row[j] + dhj * o * (1 - squashed * squashed);
            da[FORGET * m + j] = dcj * c[j] * f * (1 - f);
            da[INPUT * m + j] = dcj * candidate * i * (1 - i);
            da[CANDIDATE * m + j] = dcj * i * (1 - candidate * candidate);
            da[OUTPUT * m + j] = dhj * squashed * o * (1 - o);
            dc_row[j] = dcj * f;
        }
        memset(dh_row, 0, (size_t)m * sizeof(real));
        for (int k = 0; k < GATES; k++)
            for (int64_t j = 0; j < m; j++) {
                const real *w = l.W[k] + j * (n + m);
                real d = da[k * m + j], *dw = dW[k] + j * (n + m);
                db[k][j] += d;
                for (int64_t i = 0; i < n; i++) {
                    dw[i] += d * xt[i];
                    dx_row[i] += d * w[i];
                }
                for (int64_t i = 0; i < m; i++) {
                    dw[n + i] += d * h[i];
                    dh_row[i] += d * w[n + i];
                }
            }
    }
    free(da);
    release(r);
}

/* Messages: what a request holds, read by one pass over the line. */

typedef struct {
    char name[16];
    int axes;
    int64_t shape[3], count;
    real *data;
} Array;

typedef struct {
    char id[24], call[16];
    Array arrays[16];
    int count;
} Request;

static const char *skip(const char *p)
{
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

/* Each reader takes the place of a value and returns the place after it, or NULL for what is none. */

static const char *read_text(const char *p, char *text, size_t size)
{
    const char *end = *p == '"' ? strchr(p + 1, '"') : NULL;
    if (!end || (size_t)(end - p) > size)
        return NULL;
    memcpy(text, p + 1, (size_t)(end - p - 1));
    text[end - p - 1] = 0;
    return end + 1;
}

static const char *read_number(const char *p, Array *array)
{
    /* What JSON has no number for is a text, which strtod reads as well. */
    int quoted = *p == '"';
    char *end;
    double value = strtod(p + quoted, &end);
    if (end == p + quoted || (quoted && *end++ != '"'))
        return NULL;
    /* Room is taken whenever the count reaches a power of two. */
    if ((array->count & (array->count - 1)) == 0) {
        real *more = realloc(array->data, (size_t)(array->count ? 2 * array->count : 1) * sizeof(real));
        if (!more)
            return NULL;
        array->data = more;
    }
    array->data[array->count++] = (real)value;
    return end;
}

static const char *read_list(const char *p, Array *array, int axis)
{
    int64_t length = 0;
    if (axis == 3)
        return NULL;
    do {
        p = skip(p + 1);
        p = *p == '[' ? read_list(p, array, axis + 1) : read_number(p, array);
        length++;
    } while (p && *(p = skip(p)) == ',');
    if (array->axes <= axis)
        array->axes = axis + 1;
    array->shape[axis] = length;
    return p && *p == ']' ? p + 1 : NULL;
}

static const char *read_object(const char *p, Request *request)
{
    char key[16];
    do {
        if (!(p = read_text(skip(p + 1), key, sizeof key)) || *(p = skip(p)) != ':')
            return NULL;
        p = skip(p + 1);
        if (*p == '{')
            p = read_object(p, request);
        else if (*p == '[' && request->count < 16) {
            Array *array = &request->arrays[request->count++];
            memset(array, 0, sizeof *array);
            strcpy(array->name, key);
            p = read_list(p, array, 0);
        } else if (*p == '"')
            p = read_text(p, strcmp(key, "call") ? key : request->call, sizeof key);
        else {
            size_t length = strspn(p, "-0123456789");
            if (!length || length >= sizeof request->id)
                return NULL;
            if (!strcmp(key, "id")) {
                memcpy(request->id, p, length);
                request->id[length] = 0;
            }
            p += length;
        }
    } while (p && *(p = skip(p)) == ',');
    return p && *p == '}' ? p + 1 : NULL;
}

static void write_array(const char *name, const real *data, int axes, const int64_t *shape)
{
    int64_t count = 1;
    printf("\"%s\":", name);
    for (int axis = 0; axis < axes; axis++)
        count *= shape[axis];
    for (int64_t k = 0; k < count; k++) {
        int64_t size = 1;
        if (k)
            putchar(',');
        for (int axis = axes - 1; axis >= 0; axis--)
            if (k % (size *= shape[axis]) == 0)
                putchar('[');
        if (isnan(data[k]))
            fputs("\"NaN\"", stdout);
        else if (isinf(data[k]))
            fputs(data[k] > 0 ? "\"Infinity\"" : "\"-Infinity\"", stdout);
        else
            printf("%.*g", sizeof(real) == 4 ? 9 : 17, (double)data[k]);
        size = 1;
        for (int axis = axes - 1; axis >= 0; axis--)
            if ((k + 1) % (size *= shape[axis]) == 0)
                putchar(']');
    }
}

static void answer_forward(const Request *q)
{
    const Array *a = q->arrays, *x = &a[8], *h0 = &a[9];
    int64_t T = x->shape[0], B = x->shape[1], m = h0->shape[1], shape[3] = {T, B, m};
    real *y = reals(T * B * m), *h = reals(B * m), *c = reals(B * m);
    lstm_forward(T, B, x->shape[2], m, a[0].data, a[1].data, a[2].data, a[3].data, a[4].data, a[5].data, a[6].data,
                 a[7].data, x->data, h0->data, a[10].data, y, h, c);
    printf("{\"id\":%s,\"arrays\":{", q->id);
    write_array("y", y, 3, shape);
    putchar(',');
    write_array("h", h, 2, shape + 1);
    putchar(',');
    write_array("c", c, 2, shape + 1);
    puts("}}");
    free(y);
    free(h);
    free(c);
}

static void answer_backward(const Request *q)
{
    const Array *a = q->arrays, *x = &a[8], *h0 = &a[9];
    real *d[11];
    for (int k = 0; k < 11; k++)
        d[k] = reals(a[k].count);
    lstm_backward(x->shape[0], x->shape[1], x->shape[2], h0->shape[1], a[0].data, a[1].data, a[2].data, a[3].data,
                  a[4].data, a[5].data, a[6].data, a[7].data, x->data, h0->data, a[10].data, a[11].data, a[12].data,
                  a[13].data, d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10]);
    printf("{\"id\":%s,\"dparams\":{", q->id);
    for (int k = 0; k < 11; k++) {
        /* The first eight are parameters, by their names; the others are gradients by name. */
        char name[20];
        snprintf(name, sizeof name, "%s%s", k < 8 ? "" : "d", a[k].name);
        fputs(k == 8 ? "},\"arrays\":{" : k ? "," : "", stdout);
        write_array(name, d[k], a[k].axes, a[k].shape);
        free(d[k]);
    }
    puts("}}");
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        Request request = {.id = "0"};
        const char *end = *skip(line) == '{' ? read_object(skip(line), &request) : NULL;
        if (end && !strcmp(request.call, "hello"))
            printf("{\"id\":%s,\"protocol\":1,\"dtypes\":[\"float%d\"],\"gradients\":true}\n", request.id,
                   (int)(8 * sizeof(real)));
        else if (end && !strcmp(request.call, "forward") && request.count == 11)
            answer_forward(&request);
        else if (end && !strcmp(request.call, "backward") && request.count == 14)
            answer_backward(&request);
        else
            printf("{\"id\":%s,\"error\":{\"message\":\"this is no request that I know\"}}\n", request.id);
        fflush(stdout);
        for (int k = 0; k < request.count; k++)
            free(request.arrays[k].data);
    }
    free(line);
    return 0;
}
